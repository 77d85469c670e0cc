// src/collection/verify_segments.cpp — the files of every segment that the checkpoint holds.
#include "collection/examination.hpp"
#include "collection/layout.hpp"
#include "kith/core/bytes.hpp"
#include "kith/core/error.hpp"
#include "kith/storage/segment_file.hpp"

#include <algorithm>
#include <memory>

namespace kith::inline v0::detail {

namespace {

constexpr std::string_view rows_magic = "kithrows";  // on disk, see docs/format.md

/// What a segment without its vectors has lost.
std::string records_of(const SegmentState& segment) {
    return "the vectors of up to " + std::to_string(segment.count - segment.deleted) + " records of segment " +
           std::to_string(segment.id) + " are lost";
}

/// Whether the vectors are those of the segment that the checkpoint describes.
void check_rows(const SegmentFile& file, const std::filesystem::path& path, const SegmentState& segment,
                const StoredVectorField& field) {
    const std::string_view payload(reinterpret_cast<const char*>(file.payload().data()), file.payload().size());
    ByteReader reader(payload);
    std::string_view magic;
    std::uint32_t version = 0;
    std::uint32_t dim = 0;
    std::uint32_t stride = 0;
    std::uint32_t count = 0;
    const bool whole = reader.bytes(rows_magic.size(), magic) && reader.u32(version) && reader.u32(dim) &&
                       reader.u32(stride) && reader.u32(count);
    if (whole && magic == rows_magic && dim == field.dim && count == segment.count) return;
    raise(Errc::corrupt, path.string() + " is damaged at byte " + std::to_string(segment_payload_offset) +
                             ": it holds " + std::to_string(count) + " vectors of dimension " + std::to_string(dim) +
                             ", the checkpoint says " + std::to_string(segment.count) + " of " +
                             std::to_string(field.dim));
}

void examine_part(Examination& all, const SegmentState& segment, std::size_t field, Part part) {
    const StoredVectorField& type = all.schema.vectors()[field];
    const std::filesystem::path file = segment_path(all.path, segment.id) / part_name(type.name, part);
    std::error_code error;
    if (!std::filesystem::exists(file, error)) {
        if (part == Part::graph) {
            all.remark(DamageKind::missing_file, file, "the file is missing",
                       "opening builds it again from the vectors");
        } else {
            all.damage(DamageKind::missing_file, Loss::records, file, 0, "the file is missing", records_of(segment));
        }
        return;
    }
    all.count_file(std::filesystem::file_size(file, error));
    const bool is_rows = part == Part::rows;
    all.guard(is_rows ? DamageKind::segment_rows : DamageKind::segment_graph, is_rows ? Loss::records : Loss::derived,
              file, is_rows ? records_of(segment) : "it can be built again from the vectors", [&] {
                  const SegmentFile opened(file, part_tag(*all.identity, segment.id, field, part));
                  if (is_rows) check_rows(opened, file, segment, type);
              });
}

}  // namespace

void examine_segments(Examination& all) {
    const std::filesystem::path folder = all.path / segments_folder;
    std::error_code error;
    if (!std::filesystem::is_directory(folder, error)) {
        all.damage(DamageKind::missing_file, Loss::records, folder, 0, "the folder is missing",
                   "the vectors of all records of the last checkpoint are lost");
        return;
    }
    if (!all.state.has_value()) return;
    if (!all.identity.has_value()) {
        all.remark(DamageKind::segment_rows, folder, "not checked, for IDENTITY is damaged", {});
        return;
    }
    std::uint64_t done = 0;
    for (const SegmentState& segment : all.state->segments) {
        const std::filesystem::path path = segment_path(all.path, segment.id);
        if (!std::filesystem::is_directory(path, error)) {
            all.damage(DamageKind::missing_file, Loss::records, path, 0, "the folder is missing", records_of(segment));
            continue;
        }
        for (std::size_t field = 0; field < all.schema.vectors().size(); ++field) {
            for (const Part part : {Part::rows, Part::graph}) examine_part(all, segment, field, part);
        }
        all.call->check(0.4 + 0.4 * static_cast<double>(++done) / static_cast<double>(all.state->segments.size()));
    }
}

void examine_names(Examination& all) {
    const auto look = [&](const std::filesystem::path& folder, const auto& is_leftover) {
        std::error_code error;
        for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end;
             entry.increment(error)) {
            if (!is_leftover(entry->path())) continue;
            all.remark(DamageKind::leftover, entry->path(), "nothing names it", "a writer removes it when it opens");
        }
    };
    if (all.beside_writer) return;  // it may be at work on them
    const auto is_unfinished = [](const std::filesystem::path& path) { return path.extension() == unfinished_ending; };
    look(all.path, is_unfinished);
    look(all.path / log_folder, is_unfinished);
    if (!all.state.has_value()) return;
    const auto is_of_no_segment = [&](const std::filesystem::path& path) {
        const std::vector<SegmentState>& known = all.state->segments;
        return std::none_of(known.begin(), known.end(),
                            [&](const SegmentState& segment) { return path.filename() == segment_name(segment.id); });
    };
    look(all.path / segments_folder, is_of_no_segment);
    for (const SegmentState& segment : all.state->segments) look(segment_path(all.path, segment.id), is_unfinished);
}

}  // namespace kith::inline v0::detail
