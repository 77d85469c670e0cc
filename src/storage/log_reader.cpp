// src/storage/log_reader.cpp — replay, and the judgement of what stops it.
#include "kith/storage/log_reader.hpp"

#include "kith/core/bytes.hpp"
#include "kith/core/error.hpp"
#include "kith/storage/file.hpp"
#include "storage/file_window.hpp"

#include <algorithm>
#include <utility>

namespace kith::inline v0::detail {

namespace {

class LogFileReader {
public:
    LogFileReader(const LogFile& file, const CollectionId& id)
        : file_(file),
          window_(file.path),
          seed_(decode_log_header(
              window_.at(0, static_cast<std::size_t>(std::min<std::uint64_t>(window_.size(), log_header_bytes))), id,
              file)) {}

    /// The next record, which is `expected`; nothing where no right record stands.
    /// Throws: Errc::corrupt when another one stands there.
    std::optional<LogRecord> next(std::uint64_t expected) {
        const std::optional<LogRecord> record = record_at(offset_);
        if (!record.has_value()) return std::nullopt;
        if (record->sequence != expected) {
            raise_damaged("record " + std::to_string(record->sequence) + " stands where " + std::to_string(expected) +
                          " should");
        }
        offset_ += log_record_header_bytes + record->payload.size();
        return record;
    }

    [[nodiscard]] bool at_end() const noexcept { return offset_ == window_.size(); }

    /// What is left after the last right record, once it is sure that a power cut may have torn it.
    /// Throws: Errc::corrupt when a record in it is known to have been durable.
    LogTail tear(std::uint64_t expected) {
        LogTail tail{file_.path.string(), offset_, window_.size() - offset_, holds_record_at(offset_)};
        const std::uint64_t newest = expected + tail.bytes / log_record_header_bytes;
        for (std::uint64_t at = offset_ + 1; at + log_record_header_bytes <= window_.size();) {
            if (!may_be_later_record(at, expected, newest)) {
                ++at;
                continue;
            }
            const std::optional<LogRecord> later = record_at(at);
            if (later.has_value() && later->durable >= expected) {
                raise_damaged("record " + std::to_string(expected) + " is wrong, and record " +
                              std::to_string(later->sequence) + " at byte " + std::to_string(at) +
                              " knows that it was stored");
            }
            at += later.has_value() ? log_record_header_bytes + later->payload.size() : 1;
        }
        return tail;
    }

    [[noreturn]] void raise_damaged(const std::string& what) const {
        raise(Errc::corrupt, file_.path.string() + " is damaged at byte " + std::to_string(offset_) + ": " + what);
    }

private:
    // Whether the record that begins at `at` by its length has all its bytes in the file.
    bool holds_record_at(std::uint64_t at) {
        if (window_.size() - at < log_record_header_bytes) return false;
        const std::optional<std::uint32_t> payload = log_payload_bytes(window_.at(at, log_record_header_bytes));
        return payload.has_value() && window_.size() - at - log_record_header_bytes >= *payload;
    }

    std::optional<LogRecord> record_at(std::uint64_t at) {
        if (!holds_record_at(at)) return std::nullopt;
        const std::size_t payload = log_payload_bytes(window_.at(at, log_record_header_bytes)).value_or(0);
        return decode_log_record(window_.at(at, log_record_header_bytes + payload), seed_);
    }

    // A cheap look before the checksum: the sequence must be one that can still follow.
    bool may_be_later_record(std::uint64_t at, std::uint64_t expected, std::uint64_t newest) {
        constexpr std::size_t sequence_offset = 8;  // on disk
        std::uint64_t sequence = 0;
        ByteReader reader(window_.at(at, log_record_header_bytes).substr(sequence_offset));
        return reader.u64(sequence) && sequence > expected && sequence <= newest;
    }

    const LogFile& file_;
    FileWindow window_;
    std::uint32_t seed_;
    std::uint64_t offset_ = log_header_bytes;  // where the last right record ends
};

// The index of the first file that may hold record `after` + 1.
std::size_t first_needed(const std::vector<LogFile>& files, std::uint64_t after,
                         const std::filesystem::path& directory) {
    if (files.empty()) raise(Errc::corrupt, directory.string() + ": the log is missing; it has no file");
    std::size_t first = files.size() - 1;
    while (first > 0 && files[first].first_sequence > after + 1) --first;
    if (files[first].first_sequence > after + 1) {
        raise(Errc::corrupt, files[first].path.string() + " (byte 0): the log begins with record " +
                                 std::to_string(files[first].first_sequence) + ", record " + std::to_string(after + 1) +
                                 " is missing");
    }
    return first;
}

// Makes the last file end with its last right record, on the disk.
void mend(const LogFile& file, const std::optional<LogTail>& torn_tail) {
    File last = File::open_to_write(file.path);
    if (torn_tail.has_value()) last.truncate(torn_tail->offset);
    last.sync();
}

}  // namespace

ReplayResult replay_log(const std::filesystem::path& directory, const CollectionId& id, std::uint64_t after,
                        const LogVisitor& visit, ReplayMode mode) {
    ReplayResult result;
    result.last_sequence = after;
    const std::vector<LogFile> files = list_log_files(directory);
    const std::size_t first = first_needed(files, after, directory);
    std::uint64_t expected = files[first].first_sequence;
    for (std::size_t index = first; index < files.size(); ++index) {
        const bool is_last = index + 1 == files.size();
        LogFileReader reader(files[index], id);
        if (files[index].first_sequence != expected) {
            raise(Errc::corrupt, files[index].path.string() + " (byte 0): the log goes on with record " +
                                     std::to_string(files[index].first_sequence) + ", record " +
                                     std::to_string(expected) + " is missing");
        }
        while (const std::optional<LogRecord> record = reader.next(expected)) {
            if (record->sequence > after) {
                visit(record->sequence, record->kind, record->payload);
                result.last_sequence = record->sequence;
                ++result.records;
            }
            ++expected;
        }
        if (reader.at_end()) continue;
        // A file was synced whole before the next one began.
        if (!is_last) reader.raise_damaged("record " + std::to_string(expected) + " is wrong");
        result.torn_tail = reader.tear(expected);
    }
    if (mode == ReplayMode::recover) {
        mend(files.back(), result.torn_tail);
        result.removed_files = remove_temporary_files(directory);
    }
    return result;
}

}  // namespace kith::inline v0::detail
