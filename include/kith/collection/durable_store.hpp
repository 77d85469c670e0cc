// kith/collection/durable_store.hpp — what the engine asks of a directory, and the door to the compiled unit.
//
// A collection in memory has none of this. One that survives hands each batch to append() before it applies it. What is
// in memory becomes files in four steps, and only the first and the last of them keep a writer waiting:
//
//   end_log_file     the log up to here is what the checkpoint will hold                               writer role
//   write_segment    the files of each segment in memory                                               keeper role
//   commit           rows, keys and the state record in one transaction: the commit point              keeper role
//   release_log      the files of the log that the checkpoint holds                                    both roles
//
// A merge is write_segment, then copy_rows, then commit_merge, which leaves the number of the last batch as it was.
//
// Thread safety: append, sync and end_log_file belong to whoever holds the engine's writer role; what is marked so, to
// whoever holds its keeper role (one thread at a time, beside writers); write_segment and copy_rows may also run outside
// of it. The rest may be called by any number of threads at once.
#pragma once

#include "kith/collection/backup.hpp"
#include "kith/collection/engine_schema.hpp"
#include "kith/collection/key_map.hpp"
#include "kith/collection/merged_segments.hpp"
#include "kith/collection/options.hpp"
#include "kith/collection/recovery.hpp"
#include "kith/collection/snapshot.hpp"
#include "kith/core/long_call.hpp"

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kith::inline v0::detail {

/// What the files of a segment are written from.
struct SegmentImage {
    std::uint32_t id = 0;
    Slot count = 0;
    std::vector<const VectorIndex*> indexes;  // one a vector field; every slot is indexed
    std::vector<KeySlot> keys;                // in order
};

/// What commit() makes the new checkpoint.
struct Checkpoint {
    std::uint64_t sequence = 0;      // of the last batch it holds
    std::uint32_t next_segment = 0;  // the first segment id that was never used
    const Snapshot* snapshot;        // all there is as of that batch
    /// The mapped segments that stand for those of the snapshot that are in memory, by id.
    std::vector<std::shared_ptr<Segment>> written;
    const KeyMap* keys;  // what changed since the checkpoint before
};

/// What a reader's batches come on top of.
struct StoreBase {
    std::shared_ptr<const Snapshot> snapshot;  // the last checkpoint, with what was merged since
    std::uint32_t next_segment = 0;            // the first segment id that was never used
};

/// Bytes on the disk.
struct StoreBytes {
    std::uint64_t log = 0;
    std::uint64_t forward = 0;   // rows and keys, and pages that are free again
    std::uint64_t segments = 0;  // of the present checkpoint
    std::uint64_t retired = 0;   // of segments that were merged, and that a snapshot or a reader still holds

    [[nodiscard]] std::uint64_t without_log() const noexcept { return forward + segments + retired; }
};

class DurableStore {
public:
    virtual ~DurableStore() = default;

    /// Where the collection is, as it was opened.
    [[nodiscard]] virtual const std::filesystem::path& path() const noexcept = 0;

    /// For a reader, in the writer role, as the four that follow: the state that a checkpoint or a merge has left since
    /// it was asked for last; nothing when there was none. follow() then begins after it.
    /// Throws: Errc::corrupt, Errc::locked when the writer changes it faster than it can be read; Errc::io.
    [[nodiscard]] virtual std::optional<StoreBase> newer_base() = 0;

    /// follow() begins after the base again.
    virtual void rewind() = 0;

    /// Calls `apply(batch)` for each batch after the base that no call has brought yet, oldest first. A batch whose
    /// apply raised comes again. False when some were removed before they were read: there is a newer base, or, when
    /// there is none, raise_log_missing().
    /// Throws: as replay; what apply throws.
    [[nodiscard]] virtual bool follow(const std::function<void(std::string_view batch)>& apply) = 0;
    [[noreturn]] virtual void raise_log_missing() const = 0;

    /// What follow() met at the end of the log. A writer that is at work leaves a batch unfinished there, which is nothing
    /// to report.
    /// Throws: Errc::corrupt when it is damaged.
    [[nodiscard]] virtual RecoveryReport followed() = 0;

    /// For a writer: calls `apply(batch)` for each batch after the last checkpoint, oldest first. Called once, before
    /// append.
    /// Throws: Errc::corrupt when a batch in the middle of the log is damaged.
    [[nodiscard]] virtual RecoveryReport replay(const std::function<void(std::string_view batch)>& apply) = 0;

    /// Adds one batch to the log.
    /// Throws: Errc::disk_full, Errc::io, Errc::limit_exceeded; the log then ends where it ended before.
    virtual void append(std::string_view batch) = 0;

    /// Returns once everything appended is on the disk.
    /// Throws: Errc::io or Errc::disk_full; what was appended since the last sync may be lost.
    virtual void sync() = 0;

    /// Whether a commit, or an append to the log, failed in a way that leaves unknown what the disk holds.
    [[nodiscard]] virtual bool poisoned() const noexcept = 0;

    /// The number of the newest batch that was appended, or that a reader has read.
    [[nodiscard]] virtual std::uint64_t last_sequence() const noexcept = 0;

    /// Bytes of the log since the last checkpoint.
    [[nodiscard]] virtual std::uint64_t log_bytes() const = 0;

    /// Where the last checkpoint has `key`.
    [[nodiscard]] virtual std::optional<RecordId> find(std::string_view key) const = 0;

    /// The row of a record in a sealed segment.
    /// Throws: Errc::corrupt when it is missing or damaged.
    [[nodiscard]] virtual std::string row(RecordId id) const = 0;

    /// Syncs the log, begins a new file of it where that can be had, and returns the number of the last batch.
    /// Throws: as sync.
    [[nodiscard]] virtual std::uint64_t end_log_file() = 0;

    /// Writes the files of a segment that no checkpoint names yet, and maps them. What an earlier try left goes.
    /// Throws: Errc::disk_full, Errc::io; Errc::cancelled, Errc::timed_out.
    [[nodiscard]] virtual std::shared_ptr<Segment> write_segment(const SegmentImage& image, const LongCall& call) = 0;

    /// In the keeper role: commits rows, keys and the state record in one transaction.
    /// Throws: Error; the directory then holds the checkpoint before, and the log all that came after.
    virtual void commit(const Checkpoint& checkpoint) = 0;

    /// In both roles: lets go of the files of the log that the last checkpoint holds, and returns their paths. What is
    /// not removed then is passed by when the collection is opened.
    [[nodiscard]] virtual std::vector<std::filesystem::path> release_log() = 0;

    /// In the keeper role: the number of the last batch that the last checkpoint holds.
    [[nodiscard]] virtual std::uint64_t committed_sequence() const = 0;

    /// In the keeper role: the segments of the last checkpoint, with what it has deleted in them.
    [[nodiscard]] virtual const Snapshot& committed() const = 0;

    /// Gives the rows of the parts' records their new ids; until commit_merge nothing leads to them.
    /// Requires: there is a new segment.
    /// Throws: Errc::disk_full, Errc::io, Errc::corrupt; Errc::cancelled, Errc::timed_out.
    virtual void copy_rows(const MergedSegments& merged, const LongCall& call) = 0;

    /// In the keeper role: commits keys and a state record in which one segment stands for the parts.
    /// Throws: Error; the directory then holds what it held before.
    virtual void commit_merge(const MergedSegments& merged) = 0;

    /// In the keeper role: removes files and rows of merged segments that nobody holds any more. What cannot be removed
    /// now is tried again at the next call.
    virtual void purge() = 0;

    /// In the keeper role: gives the pages that rows and keys left free back to the file system, where no other process
    /// reads; else they are used again.
    /// Throws: Errc::disk_full, Errc::io, Errc::corrupt; Errc::cancelled, Errc::timed_out.
    virtual void give_back(const LongCall& call) = 0;

    [[nodiscard]] virtual StoreBytes bytes() const = 0;

    /// In the merging and the keeper role: copies or links what the last checkpoint and the log after it hold. Every batch
    /// that was appended before is in it.
    /// Throws: as kith::backup.
    virtual BackupReport backup(const std::filesystem::path& destination, const BackupOptions& options,
                                const LongCall& call) const = 0;
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
