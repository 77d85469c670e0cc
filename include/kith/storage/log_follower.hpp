// kith/storage/log_follower.hpp — reads the log while a writer in any process makes it longer.
//
// What the writer appended is seen at once, by whichever process. A record that is not whole is being written: it is
// looked at again the next time, and is no damage. The writer removes files whose records a checkpoint holds. Who has
// such a file open still reads it to its end; who finds the next one gone is behind, and reads the state record again.
//
// A record is whole before the writer has synced and acknowledged it. So everything acknowledged is seen, and what is
// being acknowledged may be seen a moment before.
//
// Thread safety: none.
// Source: log_format.hpp for the bytes; LogWriter and replay_log for the order in which files come and go.
#pragma once

#include "kith/storage/log_format.hpp"
#include "kith/storage/log_reader.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>

namespace kith::inline v0::detail {

class LogFileReader;

enum class Followed : std::uint8_t {
    up_to_date,  ///< every whole record was handed out
    behind,      ///< records that come next were removed: a newer state record holds them
};

class LogFollower {
public:
    /// Begins after record `after`, the newest that the state record holds. Reads nothing yet.
    LogFollower(std::filesystem::path directory, const CollectionId& id, std::uint64_t after);
    LogFollower(LogFollower&&) noexcept;
    LogFollower& operator=(LogFollower&&) noexcept;
    ~LogFollower();

    /// Hands every whole record after the last one to `visit`, oldest first, each once; one whose visit raised comes
    /// again.
    /// Throws: Errc::corrupt when a record is damaged and others follow it; what `visit` throws; Errc::io.
    Followed follow(const LogVisitor& visit);

    /// The newest record that was handed out.
    [[nodiscard]] std::uint64_t last_sequence() const noexcept { return last_; }

    /// What stands behind the last whole record: one that is being written, or that a stop tore.
    /// Throws: Errc::corrupt when a record there is known to have been durable.
    [[nodiscard]] std::optional<LogTail> tail();

    /// For a follower that is behind although no state record is newer: records are missing.
    /// Throws: Errc::corrupt.
    [[noreturn]] void raise_missing() const;

private:
    enum class Next : std::uint8_t { nothing_yet, read_on, behind };

    bool open_next_file();
    std::optional<LogRecord> read();
    Next look_further();

    std::filesystem::path directory_;
    CollectionId id_;
    std::uint64_t last_;                     // the newest that was handed out, or need not be
    std::uint64_t expected_ = 0;             // the record at which reader_ stands; at most last_ + 1
    std::unique_ptr<LogFileReader> reader_;  // null before the first file was opened
};

}  // namespace kith::inline v0::detail
