// kith/storage/log_writer.hpp — appends records to the log, and never leaves a half record behind one it reports.
//
// After a failed append the file is cut back to its last whole record, so the next append follows that. A failed sync
// cannot be mended: the kernel may have dropped the pages, and a second sync that succeeds proves nothing. The writer
// is poisoned then, until the collection is opened again and recovered from what the disk really has.
//
// Thread safety: none but for poisoned(); it belongs to whoever holds the writer role.
// Source: log_format.hpp for the bytes; the fsync rule is PostgreSQL's since 2018.
#pragma once

#include "kith/storage/file.hpp"
#include "kith/storage/log_format.hpp"

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <string_view>
#include <vector>

namespace kith::inline v0::detail {

class LogWriter {
public:
    /// Begins the file of record `next_sequence` in `directory`, which exists; a file of that name without a record
    /// is taken over.
    /// Requires: next_sequence is 1 in a new collection, else replay_log's last_sequence + 1, which found all earlier
    /// files durable.
    /// Ensures: the file and its name are on the disk.
    /// Throws: Errc::corrupt when a file of that name holds records; Errc::disk_full, Errc::io.
    LogWriter(const std::filesystem::path& directory, const CollectionId& id, std::uint64_t next_sequence);

    /// Adds one record and returns its sequence. Not durable before sync.
    /// Throws: Errc::limit_exceeded past max_log_payload; Errc::disk_full, Errc::io; Errc::poisoned. The log then ends
    /// where it ended before.
    std::uint64_t append(std::uint8_t kind, std::string_view payload);

    /// Returns once every record is on the disk; nothing to do when they are.
    /// Throws: Errc::disk_full, Errc::io; the writer is poisoned then. Errc::poisoned.
    void sync();

    /// Syncs, then begins a new file; does nothing when this one has no record.
    /// Throws: as sync; when only the new file cannot be made, the old one goes on.
    void rotate();

    /// Lets go of the files whose records are all older than `sequence`, which a checkpoint holds; never the current one.
    /// Returns their paths, oldest first, to be removed in this order.
    [[nodiscard]] std::vector<std::filesystem::path> release_files_before(std::uint64_t sequence);

    /// Bytes of all files of the log that were not released.
    [[nodiscard]] std::uint64_t bytes() const noexcept;

    /// The sequence of the next record.
    [[nodiscard]] std::uint64_t next_sequence() const noexcept { return next_sequence_; }

    /// The newest sequence that is known to be on the disk.
    [[nodiscard]] std::uint64_t durable_sequence() const noexcept { return durable_; }

    /// Whether a failure that cannot be mended has closed the log to writing.
    [[nodiscard]] bool poisoned() const noexcept { return poisoned_; }

private:
    void begin_file();
    void check_usable() const;

    std::filesystem::path directory_;
    CollectionId id_;
    std::vector<LogFile> older_;        // every file before the current one, oldest first
    File file_;                         // the current file, open unless poisoned before it could be
    std::uint64_t first_sequence_ = 0;  // of the current file
    std::uint64_t next_sequence_;
    std::uint64_t durable_;   // below next_sequence_: every record up to here was synced
    std::uint64_t end_ = 0;   // where the last whole record of the current file ends
    std::uint32_t seed_ = 0;  // of the checksums in the current file
    std::atomic<bool> poisoned_ = false;
};

}  // namespace kith::inline v0::detail
