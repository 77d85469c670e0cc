// src/collection/examination.cpp — what the parts of an examination share, and its course.
#include "collection/examination.hpp"

#include "collection/holder.hpp"
#include "collection/layout.hpp"
#include "kith/core/error.hpp"
#include "kith/storage/environment.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace kith::inline v0::detail {

std::uint64_t offset_in(std::string_view text) {
    constexpr std::string_view before = "byte ";
    std::uint64_t offset = 0;
    const std::size_t at = text.find(before);
    if (at == std::string_view::npos) return 0;
    const char* const digits = text.data() + at + before.size();
    std::from_chars(digits, text.data() + text.size(), offset);
    return offset;
}

Examination::Examination(const std::filesystem::path& collection, const VerifyOptions& how, const LongCall& call_)
    : path(collection), options(how), call(&call_) {}

bool Examination::has(DamageKind kind) const {
    return std::any_of(report.damages.begin(), report.damages.end(),
                       [&](const Damage& damage) { return damage.kind == kind; });
}

void Examination::damage(DamageKind kind, Loss loss, const std::filesystem::path& file, std::uint64_t offset,
                         std::string what, std::string consequence) {
    if (report.damages.size() >= options.most_damages) {
        ++report.not_listed;
        return;
    }
    report.damages.push_back({kind, loss, file.string(), offset, std::move(what), std::move(consequence)});
}

void Examination::remark(DamageKind kind, const std::filesystem::path& file, std::string what,
                         std::string consequence) {
    report.remarks.push_back({kind, Loss::nothing, file.string(), 0, std::move(what), std::move(consequence)});
}

bool Examination::guard(DamageKind kind, Loss loss, const std::filesystem::path& file, const std::string& consequence,
                        const std::function<void()>& act) {
    const std::exception_ptr failed = attempt(act);
    if (failed == nullptr) return true;
    const std::optional<Error> error = as_error(failed);
    if (!error.has_value() || (error->code() != Errc::corrupt && error->code() != Errc::io &&
                               error->code() != Errc::not_a_collection && error->code() != Errc::limit_exceeded)) {
        std::rethrow_exception(failed);
    }
    damage(kind, loss, file, offset_in(error->what()), error->what(), consequence);
    return false;
}

std::string Examination::named(std::uint64_t id) {
    const RecordId record = RecordId::unpack(id);
    return "slot " + std::to_string(record.slot) + " of segment " + std::to_string(record.segment);
}

SegmentSlots* Examination::live_slots(RecordId id) {
    const auto found = slots.find(id.segment);
    return found == slots.end() || !found->second.live(id.slot) ? nullptr : &found->second;
}

void Examination::examine_identity() {
    const std::filesystem::path file = path / identity_name;
    std::error_code error;
    const std::string consequence = "it names the fields of the records; a backup of the collection has the same";
    if (!std::filesystem::exists(file, error)) {
        damage(DamageKind::missing_file, Loss::derived, file, 0, "the file is missing", consequence);
        return;
    }
    guard(DamageKind::identity, Loss::derived, file, consequence, [&] {
        count_file(std::filesystem::file_size(file, error));
        identity = read_identity(path);
        schema = StoredSchema(identity->schema);
    });
    if (identity.has_value() && identity->engine != Environment::engine_format()) {
        raise(Errc::unsupported_version, path.string() + " was made with LMDB file format " +
                                             std::to_string(identity->engine) + "; this build reads format " +
                                             std::to_string(Environment::engine_format()));
    }
}

void Examination::run() {
    std::error_code error;
    if (!std::filesystem::exists(path, error)) raise(Errc::not_found, path.string() + " does not exist");
    const bool is_collection = std::filesystem::exists(path / identity_name, error) ||
                               (std::filesystem::is_directory(path / forward_folder, error) &&
                                std::filesystem::is_directory(path / log_folder, error));
    if (!is_collection)
        raise(Errc::not_a_collection, path.string() + " is not a kith collection: it holds no IDENTITY");
    report.writer = writer_of(path);
    beside_writer = !report.writer.empty();
    call->check(0.0);
    examine_identity();
    if (!identity.has_value() && given_identity.has_value()) {
        identity = given_identity;
        schema = StoredSchema(identity->schema);
    }
    examine_tables(*this);
    call->check(0.4);
    examine_segments(*this);
    call->check(0.8);
    examine_log(*this);
    examine_names(*this);
    call->check(1.0);
}

}  // namespace kith::inline v0::detail
