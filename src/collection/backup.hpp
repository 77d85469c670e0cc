// src/collection/backup.hpp — a backup of an open collection, for the engine that has it open.
#pragma once

#include "kith/collection/backup.hpp"
#include "kith/storage/environment.hpp"
#include "kith/storage/identity.hpp"

#include <filesystem>

namespace kith::inline v0::detail {

/// Backs up the collection at `collection`, which the caller has open, while its writers go on.
/// Requires: until it returns nothing is sealed, merged, and no file of the log is removed.
/// Ensures: the backup holds the last checkpoint and every batch that was appended to the log before the call, and
/// perhaps later ones, none without those before it.
/// Throws: as kith::backup.
BackupReport backup_store(const std::filesystem::path& collection, const Identity& identity,
                          const Environment& environment, const std::filesystem::path& destination,
                          const BackupOptions& options, const LongCall& call);

}  // namespace kith::inline v0::detail
