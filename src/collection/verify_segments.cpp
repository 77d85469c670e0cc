// src/collection/verify_segments.cpp — the files of every segment that the checkpoint holds.
#include "collection/examination.hpp"
#include "collection/layout.hpp"
#include "collection/stored_vectors.hpp"
#include "kith/collection/key_table.hpp"
#include "kith/core/crc32c.hpp"
#include "kith/core/error.hpp"
#include "kith/scalar/column_file.hpp"
#include "kith/scalar/scalar_index.hpp"
#include "kith/storage/segment_file.hpp"

#include <algorithm>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

namespace kith::inline v0::detail {

namespace {

std::string_view view_of(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// What a segment without its vectors has lost.
std::string records_of(const SegmentState& segment) {
    return "the vectors of up to " + std::to_string(segment.count - segment.deleted) + " records of segment " +
           std::to_string(segment.id) + " are lost";
}

/// What is lost with the bytes of a range of a file of vectors.
std::string slots_of(const SegmentFile& file, SegmentFile::Range range, const SegmentState& segment) {
    const std::optional<StoredVectors> vectors = StoredVectors::read(view_of(file.payload()));
    const std::size_t end = range.begin + range.bytes - segment_payload_offset;
    const std::size_t begin = std::max(range.begin, segment_payload_offset) - segment_payload_offset;
    if (!vectors.has_value() || vectors->count != segment.count) return records_of(segment);
    const StoredVectors::Slots slots = vectors->slots_in(begin, end - begin);
    return "the vectors of slots " + std::to_string(slots.first) + " to " + std::to_string(slots.last - 1) +
           " of segment " + std::to_string(segment.id) + " are lost, in part or wholly";
}

/// What is said of damage in one of a segment's files.
struct PartWords {
    DamageKind kind;
    Loss loss;
    std::string consequence;
};

/// Looks at every block, and says where a run of wrong ones begins.
void check_blocks(Examination& all, const SegmentFile& file, const SegmentState& segment, const PartWords& words) {
    for (std::size_t block = 0; block < file.block_count(); ++block) {
        const SegmentFile::BlockState state = file.check(block);
        if (state == SegmentFile::BlockState::right) continue;
        SegmentFile::Range run = file.block_range(block);
        while (block + 1 < file.block_count() && file.check(block + 1) != SegmentFile::BlockState::right) {
            run.bytes += file.block_range(++block).bytes;
        }
        all.damage(words.kind, words.loss, file.path(), run.begin,
                   std::to_string(run.bytes) + " bytes from here on " +
                       (state == SegmentFile::BlockState::wrong ? "have a wrong checksum" : "cannot be read"),
                   words.kind == DamageKind::segment_rows ? slots_of(file, run, segment) : words.consequence);
    }
}

/// Whether the vectors are those of the segment that the checkpoint describes. Requires: the file is sound.
void check_vectors(const SegmentFile& file, const SegmentState& segment, const StoredVectorField& field) {
    const std::optional<StoredVectors> vectors = StoredVectors::read(view_of(file.payload()));
    if (vectors.has_value() && vectors->dim == field.dim && vectors->count == segment.count) return;
    const std::string found =
        vectors.has_value() ? std::to_string(vectors->count) + " vectors of dimension " + std::to_string(vectors->dim)
                            : "no vectors";
    raise(Errc::corrupt, file.path().string() + " is damaged at byte " + std::to_string(segment_payload_offset) +
                             ": it holds " + found + ", the checkpoint says " + std::to_string(segment.count) + " of " +
                             std::to_string(field.dim));
}

/// Whether the table is in order and leads each key of a live record to its slot, as the environment does.
void check_key_table(Examination& all, const SegmentFile& file, const SegmentState& segment, const PartWords& words) {
    const KeyTable table(file.payload());
    const SegmentSlots& slots = all.slots.at(segment.id);
    std::vector<bool> has_key(segment.count);
    const auto wrong = [&](const std::string& what) {
        all.damage(words.kind, words.loss, file.path(), segment_payload_offset, what, words.consequence);
    };
    for (Slot at = 0; at < table.size(); ++at) {
        const Slot slot = table.slot(at);
        const std::string_view key = table.key(at);
        if (at > 0 && !(table.key(at - 1) < key)) return wrong("its keys are not in order");
        if (slot >= segment.count || has_key[slot])
            return wrong("it leads to a slot twice, or to one that is not there");
        has_key[slot] = true;
        if (slots.live(slot) && slots.has_key[slot] && slots.key_print[slot] != crc32c(key)) {
            return wrong("it leads the key " + all.schema.shown(key) + " to a slot that has another");
        }
    }
    for (Slot slot = 0; slot < segment.count; ++slot) {
        if (slots.live(slot) && !has_key[slot]) return wrong("it leads no key to slot " + std::to_string(slot));
    }
}

/// Opens a file, looks at its blocks, and calls `look` when they are sound or not asked about.
void examine_file(Examination& all, const std::filesystem::path& file, const SegmentFileTag& tag,
                  const SegmentState& segment, const PartWords& words,
                  const std::function<void(const SegmentFile&)>& look) {
    std::error_code error;
    all.count_file(std::filesystem::file_size(file, error));
    const std::size_t damages = all.report.damages.size() + all.report.not_listed;
    all.guard(words.kind, words.loss, file, words.consequence, [&] {
        const SegmentFile opened(file, tag);
        if (all.options.depth == VerifyDepth::deep || words.kind == DamageKind::segment_keys) {
            check_blocks(all, opened, segment, words);
        } else {
            opened.verify(0, std::min<std::size_t>(opened.payload().size(), StoredVectors::header_bytes));
        }
        if (damages == all.report.damages.size() + all.report.not_listed) look(opened);
    });
}

void examine_part(Examination& all, const SegmentState& segment, std::size_t field, Part part) {
    const StoredVectorField& type = all.schema.vectors()[field];
    const std::filesystem::path file = segment_path(all.path, segment.id) / part_name(type.name, part);
    const bool is_rows = part == Part::rows;
    std::error_code error;
    if (!std::filesystem::exists(file, error)) {
        if (is_rows) {
            all.damage(DamageKind::missing_file, Loss::records, file, 0, "the file is missing", records_of(segment));
        } else {
            all.remark(DamageKind::missing_file, file, "the file is missing",
                       "the vectors are compared one by one until a merge builds it again");
        }
        return;
    }
    const PartWords words =
        is_rows ? PartWords{DamageKind::segment_rows, Loss::records, records_of(segment)}
                : PartWords{DamageKind::segment_graph, Loss::derived, "it can be built again from the vectors"};
    examine_file(all, file, part_tag(*all.identity, segment.id, field, part), segment, words,
                 [&](const SegmentFile& opened) {
                     if (is_rows) check_vectors(opened, segment, type);
                 });
}

void examine_keys(Examination& all, const SegmentState& segment) {
    const std::filesystem::path file = segment_path(all.path, segment.id) / keys_name;
    const PartWords words{DamageKind::segment_keys, Loss::derived,
                          "the rows hold their keys, from which it is made again"};
    std::error_code error;
    if (!std::filesystem::exists(file, error)) {
        all.damage(DamageKind::missing_file, words.loss, file, 0, "the file is missing", words.consequence);
        return;
    }
    examine_file(all, file, keys_tag(*all.identity, segment.id), segment, words,
                 [&](const SegmentFile& opened) { check_key_table(all, opened, segment, words); });
}

/// What a sealed segment has of columns; nothing where they are missing or damaged.
std::optional<std::vector<ColumnNote>> examine_columns(Examination& all, const SegmentState& segment,
                                                       const PartWords& words) {
    const std::filesystem::path file = segment_path(all.path, segment.id) / columns_name;
    std::error_code error;
    if (!std::filesystem::exists(file, error)) {
        all.remark(DamageKind::missing_file, file, "the file is missing",
                   "conditions read rows until a merge builds it again");
        return std::nullopt;
    }
    std::optional<std::vector<ColumnNote>> notes;
    examine_file(all, file, columns_tag(*all.identity, segment.id), segment, words, [&](const SegmentFile& opened) {
        const std::exception_ptr failed = attempt([&] {
            const ColumnFile columns(view_of(opened.payload()), segment.count);
            columns.check();
            notes = columns.notes();
        });
        if (failed == nullptr) return;
        all.damage(words.kind, words.loss, file, segment_payload_offset, text_of(failed), words.consequence);
    });
    return notes;
}

void examine_index(Examination& all, const SegmentState& segment, const StoredScalarField& field,
                   const std::filesystem::path& file, const PartWords& words) {
    examine_file(
        all, file, index_tag(*all.identity, segment.id, field.place), segment, words, [&](const SegmentFile& opened) {
            const std::exception_ptr failed =
                attempt([&] { ScalarIndex(view_of(opened.payload()), field.kind, field.list, segment.count).check(); });
            if (failed == nullptr) return;
            all.damage(words.kind, words.loss, file, segment_payload_offset, text_of(failed), words.consequence);
        });
}

/// Columns and indexes. Which fields have an index may have changed since the collection was made: the columns tell which
/// had one when the segment was sealed.
void examine_scalars(Examination& all, const SegmentState& segment) {
    const std::filesystem::path folder = segment_path(all.path, segment.id);
    const PartWords words{DamageKind::segment_scalars, Loss::derived, "it can be made again from the rows"};
    const auto notes = examine_columns(all, segment, words);
    for (const StoredScalarField& field : all.schema.scalars()) {
        ColumnNote note{static_cast<std::uint32_t>(field.place), false,
                        field.indexed ? IndexNote::written : IndexNote::none};
        if (notes.has_value()) {
            const auto is = [&](const ColumnNote& one) { return one.field == field.place; };
            const auto said = std::find_if(notes->begin(), notes->end(), is);
            if (said != notes->end()) note = *said;
        }
        if (note.left_out) {
            all.remark(DamageKind::segment_scalars, folder / columns_name,
                       "the column of '" + field.name + "' passes a limit of the format and was left out",
                       "conditions on it that no index answers read rows");
        }
        const std::filesystem::path file = folder / index_name(field.name);
        std::error_code error;
        if (std::filesystem::exists(file, error)) {
            examine_index(all, segment, field, file, words);
        } else if (note.index == IndexNote::left_out) {
            all.remark(DamageKind::segment_scalars, file, "the index passes a limit of the format and was left out",
                       "conditions on '" + field.name + "' read its column");
        } else if (note.index == IndexNote::written) {
            all.remark(DamageKind::missing_file, file, "the file is missing",
                       "conditions on '" + field.name + "' read its column, or rows, until a merge builds it again");
        }
    }
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
        examine_keys(all, segment);
        examine_scalars(all, segment);
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
    look(all.path / forward_folder, is_unfinished);
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
