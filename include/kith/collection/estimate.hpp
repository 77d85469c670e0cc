// kith/collection/estimate.hpp — how much memory and disk a collection will take, said before the work.
//
// Vectors, codes and graphs are told by their indexes to a few in a hundred; rows and keys by how LMDB and the tables in
// memory keep them, which depends on their lengths and is told for a typical record. Columns and indexes of scalar fields
// depend on how often values come again: columns are told as if none did, indexes as if there were a thousand values.
//
// Thread safety: plain functions.
#pragma once

#include "kith/collection/engine_schema.hpp"
#include "kith/collection/options.hpp"
#include "kith/core/slot.hpp"
#include "kith/index/index_space.hpp"
#include "kith/scalar/term.hpp"
#include "kith/schema/field.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

namespace kith::inline v0 {

/// What a collection takes, besides the log, which Options::log_bytes bounds.
struct Estimate {
    std::uint64_t memory_bytes = 0;  ///< while records are written: the segment that fills, and the one being sealed
    std::uint64_t disk_bytes = 0;    ///< once all is sealed, and nothing of it deleted
    std::uint64_t merge_memory_bytes = 0;  ///< more, while the largest merge runs
    std::uint64_t merge_disk_bytes = 0;    ///< more, until the segments that it replaces are gone
};

/// The lengths of a typical record.
struct RecordBytes {
    std::size_t row = 0;  ///< of the record without its vectors, as it is stored
    std::size_t key = 0;
};

namespace detail {

/// What the environment takes for a record. Rows come in order of their ids and fill their pages; keys come in any
/// order, so theirs are half empty.
[[nodiscard]] inline std::uint64_t environment_bytes(RecordBytes record) noexcept {
    constexpr std::size_t page = 4096, page_header = 16, node = 10, id = 8, checksum = 4;
    const std::size_t row = node + id + checksum + record.row, key = node + id + checksum + record.key;
    const std::size_t in_a_page = (page - page_header) / row;
    const std::size_t row_share =
        in_a_page >= 2 ? page / in_a_page : (page_header + row + page - 1) / page * page + row;
    return row_share + 2 * key;
}

/// What a record that is not sealed takes in memory, besides its vectors: its row and an entry of the map of keys.
[[nodiscard]] inline std::uint64_t unsealed_bytes(RecordBytes record) noexcept {
    constexpr std::size_t table = 16, entry = 64 + 8, allocation = 16, within_string = 15;
    return table + record.row + entry + allocation + (record.key > within_string ? record.key + allocation : 0);
}

/// What columns and indexes of the scalar fields take for `count` records in one segment. Measured; the most that an
/// index of a number takes, where all differ, is 20 bytes of a record on disk and 60 in memory.
[[nodiscard]] inline IndexSpace scalar_space(std::span<const FieldInfo> fields, std::size_t row_bytes, Slot count) {
    constexpr std::uint64_t file_header = 4096, offset = 4;  // on disk: where a list or a text begins
    constexpr std::uint64_t number_in_memory = 9;
    if (fields.empty() || count == 0) return {};
    std::uint64_t files = 1;
    std::uint64_t on_disk = row_bytes;
    std::uint64_t in_memory = 0;
    for (const FieldInfo& field : fields) {
        if (!has_terms(field.kind)) continue;
        const bool text = field.kind == FieldKind::text || field.kind == FieldKind::json;
        on_disk += (text ? offset : 0) + (field.list ? offset : 0);
        if (!text && !field.list) in_memory += number_in_memory;
        if (!field.indexed) continue;
        ++files;
        on_disk += field.list ? 16 : field.kind == FieldKind::boolean ? 2 : 8;
        if (field.suffixes || field.substrings) on_disk += 8;
        in_memory += field.list ? 24 : 10;
    }
    return {count * in_memory, count * on_disk + files * file_header};
}

/// What is held while columns and indexes of `count` records are made (collection/scalar_files.hpp): up to `work_bytes`, or
/// the largest index where that takes more, its terms with their slots and then its image; of texts that are not held, the
/// end of each. Of texts all of the row is supposed to be in one field. Measured.
[[nodiscard]] inline std::uint64_t sealing_bytes(std::span<const FieldInfo> fields, std::size_t row_bytes, Slot count,
                                                 std::size_t work_bytes) {
    constexpr std::uint64_t of_term = 36, of_text = 24, of_end = 8, of_number = 8, in_list = 4;
    std::uint64_t all = 0;
    std::uint64_t largest = 0;
    for (const FieldInfo& field : fields) {
        if (!has_terms(field.kind)) continue;
        const std::uint64_t terms = field.list ? in_list : 1;
        const std::uint64_t value = holds_text(field.kind) ? row_bytes : of_number * terms;
        all += value + (holds_text(field.kind) ? of_text * terms : 0);
        largest = std::max(largest, of_end * terms);
        if (!field.indexed) continue;
        const std::uint64_t index = value + value / 2 + of_term * terms;  // half more while they grow
        all += index;
        largest = std::max(largest, index + value + value / 4 + 2 * sizeof(Slot) * terms);
    }
    return std::max(std::min<std::uint64_t>(count * all, work_bytes), count * largest);
}

/// The indexes of `count` records in one segment.
[[nodiscard]] inline IndexSpace segment_space(const EngineSchema& schema, RecordBytes record, Slot count) {
    IndexSpace all = scalar_space(schema.fields, record.row, count);
    for (const VectorFieldType& field : schema.vectors) all += field.space(field.dim, count);
    return all;
}

/// Throws: Errc::invalid_argument for a dimension that an index cannot be for.
[[nodiscard]] inline Estimate estimate(const EngineSchema& schema, RecordBytes record, std::uint64_t records,
                                       const Options& options) {
    constexpr std::uint64_t empty_environment = 6 * 4096, key_entry = 8;
    const std::uint64_t capacity = std::max<std::uint64_t>(options.segment_capacity, 1);
    const auto largest = static_cast<Slot>(std::min(records, capacity));
    const std::uint64_t full = records / capacity;
    const IndexSpace one = segment_space(schema, record, largest);
    const IndexSpace rest = segment_space(schema, record, static_cast<Slot>(records % capacity));
    const std::uint64_t sealing = sealing_bytes(schema.fields, record.row, largest, scalar_work_bytes(options));
    const std::uint64_t stored = environment_bytes(record) + record.key + key_entry;

    Estimate all;
    const std::uint64_t written_at_once = std::min<std::uint64_t>(records, 2 * std::uint64_t{largest});
    all.memory_bytes = one.memory_bytes * (full >= 2 ? 2 : 1) + written_at_once * unsealed_bytes(record) + sealing;
    if (full == 1 && records > capacity) all.memory_bytes += rest.memory_bytes;
    all.disk_bytes = empty_environment + full * one.disk_bytes + rest.disk_bytes + records * stored;
    all.merge_memory_bytes = one.memory_bytes + sealing;
    all.merge_disk_bytes = one.disk_bytes + largest * stored;
    return all;
}

}  // namespace detail
}  // namespace kith::inline v0
