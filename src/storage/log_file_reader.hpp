// src/storage/log_file_reader.hpp — the records of one log file, and the judgement of what stands behind the last.
//
// Thread safety: none.
#pragma once

#include "kith/storage/file.hpp"
#include "kith/storage/log_format.hpp"
#include "kith/storage/log_reader.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kith::inline v0::detail {

/// The index of the first of `files`, oldest first, that may hold record `after` + 1.
/// Throws: Errc::corrupt when there is none.
[[nodiscard]] std::size_t first_needed_log_file(const std::vector<LogFile>& files, std::uint64_t after,
                                                const std::filesystem::path& directory);

/// A file read in large pieces. Reading, unlike mapping, turns a disk that fails into an error.
class FileWindow {
public:
    explicit FileWindow(File file) : file_(std::move(file)), size_(file_.size()) {}

    [[nodiscard]] const File& file() const noexcept { return file_; }
    [[nodiscard]] std::uint64_t size() const noexcept { return size_; }

    /// Looks at the file as it is now: how long it is, and what it holds.
    void refresh() {
        size_ = file_.size();
        buffer_.clear();
    }

    /// The `count` bytes at `offset`; they live until the next call.
    /// Requires: offset + count is at most size().
    /// Throws: Errc::io, also when the file became shorter.
    std::string_view at(std::uint64_t offset, std::size_t count);

private:
    File file_;
    std::uint64_t size_;       // when it was opened or refreshed
    std::uint64_t begin_ = 0;  // where buffer_ begins
    std::string buffer_;
};

class LogFileReader {
public:
    /// Throws: as decode_log_header.
    LogFileReader(File file, const LogFile& name, const CollectionId& id);

    /// The record that follows the last one passed, which is `expected`; nothing where no right record stands.
    /// Throws: Errc::corrupt when another one stands there; Errc::io.
    std::optional<LogRecord> read(std::uint64_t expected);
    void pass(const LogRecord& record) noexcept { offset_ += log_record_header_bytes + record.payload.size(); }

    [[nodiscard]] bool at_end() const noexcept { return offset_ == window_.size(); }
    [[nodiscard]] const LogFile& name() const noexcept { return name_; }

    /// What is left after the last right record, once it is sure that a power cut may have torn it.
    /// Throws: Errc::corrupt when a record in it is known to have been durable.
    LogTail tear(std::uint64_t expected);

    /// For a reader beside a writer: looks at the file as it is now, whether it is shorter than when it was last looked
    /// at, and whether it still has its name.
    void refresh() { window_.refresh(); }
    [[nodiscard]] bool shrank() const { return window_.file().size() < window_.size(); }
    [[nodiscard]] bool is_removed() const;

    [[noreturn]] void raise_damaged(const std::string& what) const;

private:
    bool holds_record_at(std::uint64_t at);
    std::optional<LogRecord> record_at(std::uint64_t at);
    bool may_be_later_record(std::uint64_t at, std::uint64_t expected, std::uint64_t newest);

    LogFile name_;
    FileWindow window_;
    std::uint32_t seed_;
    std::uint64_t offset_ = log_header_bytes;  // where the last record that was passed ends
};

}  // namespace kith::inline v0::detail
