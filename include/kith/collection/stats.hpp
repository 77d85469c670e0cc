// kith/collection/stats.hpp — what a collection holds, where, and what could be given back.
#pragma once

#include "kith/core/slot.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace kith::inline v0 {

/// One segment: a run of records with graphs of their own.
struct SegmentStats {
    std::uint32_t id = 0;
    Slot records = 0;     ///< that live
    Slot deleted = 0;     ///< replaced or erased, and still taking up space
    Slot linked = 0;      ///< of all slots, those in every graph; the rest is compared one by one
    bool sealed = false;  ///< in files; else in memory and in the log
};

/// Numbers of one moment. Bytes on the disk are the lengths of files.
struct CollectionStats {
    std::uint64_t records = 0;            ///< that live
    std::vector<SegmentStats> segments;   ///< ordered by id
    std::uint64_t deleted = 0;            ///< records that compact() would remove
    std::uint64_t memory_bytes = 0;       ///< of the records that are not sealed, as they were given
    std::uint64_t log_bytes = 0;          ///< of the log that no checkpoint holds yet
    std::uint64_t forward_bytes = 0;      ///< rows and keys; free pages among them are used again
    std::uint64_t segment_bytes = 0;      ///< vectors, graphs and keys of sealed segments
    std::uint64_t reclaimable_bytes = 0;  ///< of segment_bytes, the share of deleted records; compact() gives it back
    std::uint64_t retired_bytes = 0;      ///< of merged segments, which go when no snapshot or reader holds them
    std::uint64_t last_sequence = 0;      ///< number of the newest batch; 0 for a collection in memory
    std::string trouble;                  ///< why the last work in the background failed; empty when it did not

    [[nodiscard]] std::uint64_t disk_bytes() const noexcept {
        return log_bytes + forward_bytes + segment_bytes + retired_bytes;
    }
};

}  // namespace kith::inline v0
