// src/storage/log_file_reader.cpp — one log file, record by record.
#include "storage/log_file_reader.hpp"

#include "kith/core/bytes.hpp"
#include "kith/core/error.hpp"
#include "storage/flock.hpp"

#include <algorithm>
#include <utility>

namespace kith::inline v0::detail {

std::size_t first_needed_log_file(const std::vector<LogFile>& files, std::uint64_t after,
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

std::string_view FileWindow::at(std::uint64_t offset, std::size_t count) {
    constexpr std::uint64_t piece_bytes = std::uint64_t{1} << 20;
    if (offset < begin_ || offset + count > begin_ + buffer_.size()) {
        const std::uint64_t wanted = std::min(std::max<std::uint64_t>(count, piece_bytes), size_ - offset);
        buffer_.resize(static_cast<std::size_t>(wanted));
        begin_ = offset;
        if (file_.read_at(offset, buffer_.data(), buffer_.size()) < count) {
            buffer_.clear();
            raise(Errc::io, file_.path().string() + ": became shorter while it was read");
        }
    }
    return std::string_view(buffer_).substr(static_cast<std::size_t>(offset - begin_), count);
}

LogFileReader::LogFileReader(File file, const LogFile& name, const CollectionId& id)
    : name_(name),
      window_(std::move(file)),
      seed_(decode_log_header(
          window_.at(0, static_cast<std::size_t>(std::min<std::uint64_t>(window_.size(), log_header_bytes))), id,
          name_)) {}

std::optional<LogRecord> LogFileReader::read(std::uint64_t expected) {
    if (window_.size() < offset_) raise_damaged("it ends before what was read from it");
    const std::optional<LogRecord> record = record_at(offset_);
    if (record.has_value() && record->sequence != expected) {
        raise_damaged("record " + std::to_string(record->sequence) + " stands where " + std::to_string(expected) +
                      " should");
    }
    return record;
}

LogTail LogFileReader::tear(std::uint64_t expected) {
    LogTail tail{name_.path.string(), offset_, window_.size() - offset_, holds_record_at(offset_)};
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

void LogFileReader::raise_damaged(const std::string& what) const {
    raise(Errc::corrupt, name_.path.string() + " is damaged at byte " + std::to_string(offset_) + ": " + what);
}

bool LogFileReader::is_removed() const {
    return !is_current(window_.file());
}

// Whether the record that begins at `at` by its length has all its bytes in the file.
bool LogFileReader::holds_record_at(std::uint64_t at) {
    if (window_.size() - at < log_record_header_bytes) return false;
    const std::optional<std::uint32_t> payload = log_payload_bytes(window_.at(at, log_record_header_bytes));
    return payload.has_value() && window_.size() - at - log_record_header_bytes >= *payload;
}

std::optional<LogRecord> LogFileReader::record_at(std::uint64_t at) {
    if (!holds_record_at(at)) return std::nullopt;
    const std::size_t payload = log_payload_bytes(window_.at(at, log_record_header_bytes)).value_or(0);
    return decode_log_record(window_.at(at, log_record_header_bytes + payload), seed_);
}

// A cheap look before the checksum: the sequence must be one that can still follow.
bool LogFileReader::may_be_later_record(std::uint64_t at, std::uint64_t expected, std::uint64_t newest) {
    constexpr std::size_t sequence_offset = 8;  // on disk
    std::uint64_t sequence = 0;
    ByteReader reader(window_.at(at, log_record_header_bytes).substr(sequence_offset));
    return reader.u64(sequence) && sequence > expected && sequence <= newest;
}

}  // namespace kith::inline v0::detail
