// src/collection/verify.cpp — the door to an examination, and a second look where a writer may have moved things.
#include "kith/collection/verify.hpp"

#include "collection/examination.hpp"
#include "collection/holder.hpp"

#include <algorithm>
#include <utility>

namespace kith::inline v0 {

namespace {

constexpr int most_looks = 4;

/// Leaves in `now` what was found before, too: a writer moves on, damage stays.
void keep_common(VerifyReport& now, const VerifyReport& before) {
    const auto was_found = [&](const Damage& damage) {
        return std::any_of(before.damages.begin(), before.damages.end(), [&](const Damage& other) {
            return other.kind == damage.kind && other.file == damage.file && other.what == damage.what;
        });
    };
    std::erase_if(now.damages, [&](const Damage& damage) { return !was_found(damage); });
}

}  // namespace

std::string_view name(DamageKind kind) noexcept {
    switch (kind) {
        case DamageKind::identity:
            return "identity";
        case DamageKind::log:
            return "log";
        case DamageKind::forward:
            return "forward";
        case DamageKind::rows:
            return "rows";
        case DamageKind::keys:
            return "keys";
        case DamageKind::state:
            return "state";
        case DamageKind::delete_bitmap:
            return "delete_bitmap";
        case DamageKind::segment_rows:
            return "segment_rows";
        case DamageKind::segment_graph:
            return "segment_graph";
        case DamageKind::segment_keys:
            return "segment_keys";
        case DamageKind::segment_scalars:
            return "segment_scalars";
        case DamageKind::missing_file:
            return "missing_file";
        case DamageKind::leftover:
            return "leftover";
    }
    return "unknown";
}

VerifyReport verify(const std::filesystem::path& path, const VerifyOptions& options, const LongCall& call) {
    detail::Examination first(path, options, call);
    first.run();
    VerifyReport found = std::move(first.report);
    bool with_writer = first.beside_writer;
    for (int look = 1; look < most_looks && !found.clean(); ++look) {
        with_writer = with_writer || !detail::writer_of(path).empty();
        if (!with_writer) break;
        const LongCall silent{call.stop, call.deadline, {}};  // its progress was told already
        detail::Examination again(path, options, silent);
        again.run();
        keep_common(again.report, found);
        found = std::move(again.report);
    }
    return found;
}

}  // namespace kith::inline v0
