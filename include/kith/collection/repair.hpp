// kith/collection/repair.hpp — a collection made of what a damaged one still holds.
//
// The damaged collection is read and left as it is, to the byte. What is sound is linked or copied into a new one; what
// was derived from it is made again: keys, delete bitmaps and the state record from rows and keys, pages of the
// environment from its values. What no longer exists is named: records by key, batches by number. A graph that is
// damaged is left out: vectors are compared one by one until a merge builds it again from them.
//
// Thread safety: any number of threads, each for a collection of its own.
#pragma once

#include "kith/collection/verify.hpp"
#include "kith/core/long_call.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace kith::inline v0 {

struct RepairOptions {
    /// Where the repaired collection is made; nothing stands there. Empty only with in_place.
    std::filesystem::path destination = {};
    /// Puts the repaired collection where the damaged one is, which is kept beside it as `<name>.damaged-<number>`.
    bool in_place = false;
    /// An earlier backup of the collection: IDENTITY, and files of segments that are damaged, are taken from it.
    std::filesystem::path backup = {};
};

/// A record that could not be kept.
struct LostRecord {
    std::string key;  ///< as a person writes it; "slot 3 of segment 2" when even the key is lost
    std::string why;
};

/// Batches of the log that were not kept.
struct LostBatches {
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    bool readable = false;     ///< they can be read, and stand behind one that cannot, so they were set aside
    std::string file;          ///< of the damaged collection
    std::uint64_t offset = 0;  ///< where damage begins; 0 for readable ones
    std::uint64_t bytes = 0;
};

struct RepairReport {
    VerifyReport before;                 ///< the damaged collection
    VerifyReport after;                  ///< the repaired one; empty when there was nothing to repair
    std::filesystem::path repaired;      ///< where it is; empty when there was nothing to repair
    std::filesystem::path kept;          ///< where the damaged one is now
    std::vector<std::string> done;       ///< what was done, a sentence each
    std::vector<std::string> uncertain;  ///< what was kept though nothing can prove it
    std::vector<LostRecord> lost_records;
    std::vector<LostBatches> lost_batches;
};

/// Repairs the collection at `path`, to which nobody writes. Where nothing is damaged nothing is done.
/// Ensures: the repaired collection is whole or not there; it holds every record that was not destroyed.
/// Throws: Errc::locked (somebody writes to it); Errc::invalid_argument (neither destination nor in_place, or both);
/// Errc::already_exists (the destination); Errc::corrupt when nothing can be saved: IDENTITY is lost and no backup was
/// named; Errc::not_found, Errc::not_a_collection, Errc::unsupported_version; Errc::disk_full, Errc::io;
/// Errc::cancelled, Errc::timed_out, and what the progress callback throws. Nothing has changed then, unless
/// the repaired collection could not be read again: it stands at its place by then.
RepairReport repair(const std::filesystem::path& path, const RepairOptions& options, const LongCall& call = {});

}  // namespace kith::inline v0
