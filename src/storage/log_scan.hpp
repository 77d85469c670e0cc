// src/storage/log_scan.hpp — everything that can still be read of a log, and what lies between.
//
// The log reader stops where damage begins, for nothing may be replayed over a hole. This one looks on: it says what is
// lost, and hands out what is not. It judges a torn tail as the reader does.
//
// Thread safety: none.
#pragma once

#include "kith/storage/log_reader.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace kith::inline v0::detail {

/// Bytes of a log that are wrong, or records that are missing.
struct LogHole {
    std::string file;          // the folder when a whole file is missing
    std::uint64_t offset = 0;  // where the hole begins
    std::uint64_t bytes = 0;   // that are wrong; 0 when something is missing there
    std::uint64_t first = 0;   // sequence of the first record that is lost
    std::uint64_t last = 0;    // of the last one; below `first` when none is lost
    std::string what;
};

struct LogScan {
    std::vector<LogHole> holes;
    std::optional<LogTail> torn_tail;
    std::uint64_t files = 0;
    std::uint64_t bytes = 0;
    std::uint64_t records = 0;        // after the sequence asked for, before the first hole
    std::uint64_t last_sequence = 0;  // of these; the sequence asked for when there are none
};

/// Reads the log from the record after sequence `after` on, and hands every right record to `visit` in order, also
/// those behind a hole and those up to `after` that stand in the same file.
/// Throws: Errc::io; Errc::unsupported_version; what `visit` throws.
[[nodiscard]] LogScan scan_log(const std::filesystem::path& directory, const CollectionId& id, std::uint64_t after,
                               const std::function<void(const LogRecord&)>& visit);

}  // namespace kith::inline v0::detail
