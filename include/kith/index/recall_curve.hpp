// kith/index/recall_curve.hpp — how hard a search must try for the recall that is asked of it.
//
// How far a walk must go depends on the data: the same setting finds nine in ten neighbours in one set and all in
// another. So an index is asked for neighbours that are known, at a ladder of efforts, and the shares it finds are
// kept. What an effort is, the index says: how far a graph search stretches, how many candidates it keeps, how many
// lists are read.
//
// The questions are vectors of the index itself, each taken out of its own answer. The neighbours of a vector that is
// in a graph are easier to find than those of one that is not, since its links lead to them. So the vector is taken out
// of the walk as well. What then cannot be found at any effort was linked through it, and no fault of the effort: the
// curve is scaled to end where that of the whole graph does. On four real sets unseen queries find what it says or a
// little more.
//
//   image = magic:8 version:u32 count:u32 rows:u32 rungs
//   rung  = effort:f32 at_10:f32 at_100:f32          `count` of them; zeros up to 256 bytes
//
// Thread safety: a curve is only read once it is made.
#pragma once

#include "kith/core/bytes.hpp"
#include "kith/core/error.hpp"
#include "kith/core/slot.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kith::inline v0 {

/// One effort and the share of the true neighbours it finds.
struct RecallRung {
    float effort = 0;
    float at_10 = 0;   ///< of the nearest 10
    float at_100 = 0;  ///< of the nearest 100

    friend bool operator==(const RecallRung&, const RecallRung&) noexcept = default;
};

class RecallCurve {
public:
    static constexpr std::size_t most_rungs = 19;    // on disk: the image has room for so many
    static constexpr std::size_t image_bytes = 256;  // on disk

    RecallCurve() noexcept = default;

    /// Requires: efforts rise; there are at most most_rungs.
    /// A share that falls where the effort rises is noise, and is lifted to the one before it.
    explicit RecallCurve(std::vector<RecallRung> rungs, Slot rows = 0) : rungs_(std::move(rungs)), rows_(rows) {
        for (std::size_t i = 1; i < rungs_.size(); ++i) {
            rungs_[i].at_10 = std::max(rungs_[i].at_10, rungs_[i - 1].at_10);
            rungs_[i].at_100 = std::max(rungs_[i].at_100, rungs_[i - 1].at_100);
        }
    }

    [[nodiscard]] bool empty() const noexcept { return rungs_.empty(); }
    [[nodiscard]] std::span<const RecallRung> rungs() const noexcept { return rungs_; }

    /// Slots the index had when this was measured.
    [[nodiscard]] Slot rows() const noexcept { return rows_; }

    /// The least effort that finds the share `recall` of the nearest `limit`, between rungs on a straight line; nothing
    /// where no effort of the ladder does.
    [[nodiscard]] std::optional<float> effort_for(double recall, std::size_t limit) const noexcept {
        for (std::size_t i = 0; i < rungs_.size(); ++i) {
            const double found = share(rungs_[i], limit);
            constexpr double rounding = 1e-6;  // shares are floats
            if (found + rounding < recall) continue;
            if (i == 0) return rungs_[0].effort;
            const double before = share(rungs_[i - 1], limit);
            const double part = std::clamp((recall - before) / (found - before), 0.0, 1.0);
            const double step = static_cast<double>(rungs_[i].effort) - static_cast<double>(rungs_[i - 1].effort);
            return static_cast<float>(static_cast<double>(rungs_[i - 1].effort) + part * step);
        }
        return std::nullopt;
    }

    [[nodiscard]] std::size_t memory_bytes() const noexcept {
        return sizeof(*this) + rungs_.capacity() * sizeof(RecallRung);
    }

    [[nodiscard]] std::string image() const {
        std::string bytes;
        ByteWriter writer(bytes);
        writer.bytes(magic);
        writer.u32(version);
        writer.u32(static_cast<std::uint32_t>(rungs_.size()));
        writer.u32(rows_);
        for (const RecallRung& rung : rungs_) {
            writer.f32(rung.effort);
            writer.f32(rung.at_10);
            writer.f32(rung.at_100);
        }
        bytes.resize(image_bytes);
        return bytes;
    }

    /// Throws: Errc::corrupt, Errc::unsupported_version.
    [[nodiscard]] static RecallCurve from_image(std::string_view bytes) {
        ByteReader reader(bytes);
        std::string_view found_magic;
        std::uint32_t found_version = 0, count = 0, rows = 0;
        if (!reader.bytes(magic.size(), found_magic) || found_magic != magic) {
            raise(Errc::corrupt, "recall curve: no magic number at offset 0");
        }
        if (!reader.u32(found_version) || found_version != version) {
            raise(Errc::unsupported_version, "recall curve: has version " + std::to_string(found_version) +
                                                 ", this build reads " + std::to_string(version));
        }
        if (!reader.u32(count) || count > most_rungs)
            raise(Errc::corrupt, "recall curve: impossible count at offset 12");
        if (!reader.u32(rows)) raise(Errc::corrupt, "recall curve: ends within its header");
        std::vector<RecallRung> rungs(count);
        float before = 0;
        for (RecallRung& rung : rungs) {
            const bool whole = reader.f32(rung.effort) && reader.f32(rung.at_10) && reader.f32(rung.at_100);
            if (!whole || !(rung.effort > before) || !(rung.effort <= most_effort) || !is_share(rung.at_10) ||
                !is_share(rung.at_100)) {
                raise(Errc::corrupt, "recall curve: a rung is no effort above the one before and two shares");
            }
            before = rung.effort;
        }
        return RecallCurve(std::move(rungs), rows);
    }

private:
    static constexpr std::string_view magic = "kithcurv";  // on disk
    static constexpr std::uint32_t version = 1;            // on disk

    /// Between 10 and 100 on a logarithmic scale, the nearer of both outside.
    static double share(const RecallRung& rung, std::size_t limit) noexcept {
        const double at_10 = static_cast<double>(rung.at_10), at_100 = static_cast<double>(rung.at_100);
        if (limit <= 10) return at_10;
        if (limit >= 100) return at_100;
        return at_10 + (at_100 - at_10) * (std::log10(static_cast<double>(limit)) - 1);
    }

    static constexpr float most_effort = 1e6F;
    static bool is_share(float share) noexcept { return share >= 0 && share <= 1.001F; }  // sums of 200 roundings

    std::vector<RecallRung> rungs_;  // by rising effort, shares never falling
    Slot rows_ = 0;
};

}  // namespace kith::inline v0
