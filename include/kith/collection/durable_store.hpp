// kith/collection/durable_store.hpp — what the engine asks of a directory, and the door to the compiled unit.
//
// A collection in memory has none of this. One that survives hands each batch to append() before it applies it, and
// its segments to seal() at a checkpoint. One virtual call a batch or a row, never one a distance.
//
// Thread safety: append, sync and seal belong to whoever holds the engine's writer role; find and row may be called
// by any number of threads at once.
#pragma once

#include "kith/collection/engine_schema.hpp"
#include "kith/collection/key_map.hpp"
#include "kith/collection/options.hpp"
#include "kith/collection/recovery.hpp"
#include "kith/collection/snapshot.hpp"

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kith::inline v0::detail {

class DurableStore {
public:
    virtual ~DurableStore() = default;

    /// Calls `apply(batch)` for each batch after the last checkpoint, oldest first. Called once, before append.
    /// Throws: Errc::corrupt when a batch in the middle of the log is damaged.
    [[nodiscard]] virtual RecoveryReport replay(const std::function<void(std::string_view batch)>& apply) = 0;

    /// Adds one batch to the log.
    /// Throws: Errc::disk_full, Errc::io, Errc::limit_exceeded; the log then ends where it ended before.
    virtual void append(std::string_view batch) = 0;

    /// Returns once everything appended is on the disk.
    /// Throws: Errc::io or Errc::disk_full; what was appended since the last sync may be lost.
    virtual void sync() = 0;

    /// Bytes of the log since the last checkpoint.
    [[nodiscard]] virtual std::uint64_t log_bytes() const = 0;

    /// Where the last checkpoint has `key`.
    [[nodiscard]] virtual std::optional<RecordId> find(std::string_view key) const = 0;

    /// The row of a record in a sealed segment.
    /// Throws: Errc::corrupt when it is missing or damaged.
    [[nodiscard]] virtual std::string row(RecordId id) const = 0;

    /// Writes the segments of `snapshot` that are not sealed, commits rows, keys and the state record in one
    /// transaction, and drops the log before it. The snapshot returned has every segment sealed.
    /// Requires: every slot is linked; the snapshot is all that was appended; `keys` is what changed since the
    /// last checkpoint.
    /// Throws: Error; the directory then holds the checkpoint before, and the log all that came after.
    virtual std::shared_ptr<const Snapshot> seal(const Snapshot& snapshot, const KeyMap& keys,
                                                 std::uint32_t next_segment) = 0;
};

/// A directory as it was found.
struct OpenedStore {
    std::unique_ptr<DurableStore> store;
    std::shared_ptr<const Snapshot> snapshot;  // the last checkpoint
    std::uint32_t next_segment = 0;            // the first segment id that was never used
};

/// Opens or makes the collection at `path`. The batches after its last checkpoint wait for replay().
/// Throws: Error, each with the path: not_found, already_exists, not_a_collection, locked, schema_mismatch (the text
/// lists the differences), unsupported_version, corrupt, io, disk_full.
[[nodiscard]] OpenedStore open_durable_store(const std::filesystem::path& path, const Options& options,
                                             const EngineSchema& schema);

}  // namespace kith::inline v0::detail
