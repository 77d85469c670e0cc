// kith/collection/backup.hpp — a second directory that opens as the collection and holds what it held.
//
// Files that never change, which are nearly all the bytes, are linked where the file system allows it and copied where
// not; rows, keys and the log are copied. So a second backup costs what came since the first. A linked file is one file
// under two names: it survives the removal of either, and damage to its bytes shows in both. Who fears for the disk
// backs up to another one, where everything is copied once.
//
// Thread safety: any number of threads, each to a destination of its own.
#pragma once

#include "kith/core/long_call.hpp"

#include <cstdint>
#include <filesystem>

namespace kith::inline v0 {

struct BackupOptions {
    /// An earlier backup of the same collection in the file system of the new one: what it has already is linked from
    /// there when it cannot be linked from the collection itself.
    std::filesystem::path previous = {};
};

struct BackupReport {
    std::uint64_t linked_files = 0;   ///< that take no space of their own
    std::uint64_t copied_files = 0;   ///< all others
    std::uint64_t copied_bytes = 0;   ///< of these
    std::uint64_t last_sequence = 0;  ///< number of the newest batch that the backup holds
};

/// Backs up a collection that nobody writes to. One that is open is backed up by its own backup().
/// Ensures: `destination` is there whole or not at all; it holds everything that was acknowledged.
/// Throws: Errc::locked (somebody writes to it, or to the destination); Errc::already_exists (the destination);
/// Errc::invalid_argument (the earlier backup is of another collection, or the destination lies within the source);
/// Errc::not_found, Errc::not_a_collection, Errc::unsupported_version; Errc::corrupt, see verify() and repair();
/// Errc::disk_full, Errc::io; Errc::cancelled, Errc::timed_out, and what the progress callback throws. Nothing stands
/// at the destination then.
BackupReport backup(const std::filesystem::path& collection, const std::filesystem::path& destination,
                    const BackupOptions& options = {}, const LongCall& call = {});

namespace detail {

class Environment;
struct Identity;

/// Backs up the collection at `collection`, which the caller has open, while its writers go on.
/// Requires: until it returns nothing is sealed, merged, and no file of the log is removed.
/// Ensures: the backup holds the last checkpoint and every batch that was appended to the log before the call, and
/// perhaps later ones, none without those before it.
/// Throws: as kith::backup.
BackupReport backup_store(const std::filesystem::path& collection, const Identity& identity,
                          const Environment& environment, const std::filesystem::path& destination,
                          const BackupOptions& options, const LongCall& call);

}  // namespace detail

}  // namespace kith::inline v0
