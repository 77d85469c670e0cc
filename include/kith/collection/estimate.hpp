// kith/collection/estimate.hpp — how much memory and disk a collection will take, said before the work.
//
// Vectors, codes and graphs are told by their indexes to a few in a hundred; rows and keys by how LMDB and the tables in
// memory keep them, which depends on their lengths and is told for a typical record.
//
// Thread safety: plain functions.
#pragma once

#include "kith/collection/engine_schema.hpp"
#include "kith/collection/options.hpp"
#include "kith/core/slot.hpp"
#include "kith/index/index_space.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>

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

/// The indexes of `count` records in one segment.
[[nodiscard]] inline IndexSpace segment_space(const EngineSchema& schema, Slot count) {
    IndexSpace all;
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
    const IndexSpace one = segment_space(schema, largest);
    const IndexSpace rest = segment_space(schema, static_cast<Slot>(records % capacity));
    const std::uint64_t stored = environment_bytes(record) + record.key + key_entry;

    Estimate all;
    const std::uint64_t written_at_once = std::min<std::uint64_t>(records, 2 * std::uint64_t{largest});
    all.memory_bytes = one.memory_bytes * (full >= 2 ? 2 : 1) + written_at_once * unsealed_bytes(record);
    if (full == 1 && records > capacity) all.memory_bytes += rest.memory_bytes;
    all.disk_bytes = empty_environment + full * one.disk_bytes + rest.disk_bytes + records * stored;
    all.merge_memory_bytes = one.memory_bytes;
    all.merge_disk_bytes = one.disk_bytes + largest * stored;
    return all;
}

}  // namespace detail
}  // namespace kith::inline v0
