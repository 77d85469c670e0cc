// kith/storage/log_reader.hpp — reads the log back after a stop, and tells its end, a torn tail and damage apart.
//
// What stops the reader in a file, and what it means:
//   nothing left                      the end
//   a record that is short or wrong   the tail that a crash or a power cut tore, when it is in the last file and no
//                                     right record after it says it was durable; else damage
//   a right record, wrong sequence    damage: a record is missing
// A torn tail is cut off, so that later records follow the last good one and survive the next crash. It is always
// reported: when the last record of all is damaged after it was acknowledged, nothing behind it can vouch for it and
// it looks like a write that a power cut tore. TornTail::whole says that all its bytes were there, which hints at it.
//
// Thread safety: none.
// Source: log_format.hpp for the bytes.
#pragma once

#include "kith/storage/log_format.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kith::inline v0::detail {

enum class ReplayMode : std::uint8_t {
    recover,    ///< cut off a torn tail, remove leftovers, and sync what was read: to write on
    read_only,  ///< change nothing
};

/// The end of the last file, after the last whole record.
struct LogTail {
    std::string file;
    std::uint64_t offset = 0;  // where the last whole record ends
    std::uint64_t bytes = 0;   // how many follow
    bool whole = false;        // the first record in it has all its bytes, but not its checksum
};

struct ReplayResult {
    std::uint64_t records = 0;               // how many were handed out
    std::uint64_t last_sequence = 0;         // the newest record of the collection; `after` when there is none newer
    std::optional<LogTail> torn_tail;        // cut off (recover) or passed over (read_only)
    std::vector<std::string> removed_files;  // leftovers of a file that was never finished (recover)
};

/// Receives each record: sequence, kind, payload. The payload lives until the call returns.
using LogVisitor = std::function<void(std::uint64_t, std::uint8_t, std::string_view)>;

/// Hands every record after sequence `after` to `visit`, oldest first.
/// Requires: `directory` holds a log that LogWriter began; no writer has it open.
/// Ensures: in mode recover, everything handed out is on the disk, and a LogWriter may go on at last_sequence + 1.
/// Throws: Errc::corrupt, its text naming file and offset, when a record that was durable is damaged or missing; some
/// records may have been handed out, none is lost and no file was changed. What `visit` throws. Errc::io.
ReplayResult replay_log(const std::filesystem::path& directory, const CollectionId& id, std::uint64_t after,
                        const LogVisitor& visit, ReplayMode mode);

}  // namespace kith::inline v0::detail
