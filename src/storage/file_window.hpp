// src/storage/file_window.hpp — a file read in large pieces, in order or nearly so.
//
// Reading, unlike mapping, turns a disk that fails, or a file that becomes shorter, into an error.
//
// Thread safety: none; each owner uses its own.
#pragma once

#include "kith/core/error.hpp"
#include "kith/storage/file.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace kith::inline v0::detail {

class FileWindow {
public:
    /// Throws: Errc::io.
    explicit FileWindow(const std::filesystem::path& path) : file_(File::open_to_read(path)), size_(file_.size()) {}

    /// The length of the file when it was opened.
    [[nodiscard]] std::uint64_t size() const noexcept { return size_; }

    /// The `count` bytes at `offset`; they live until the next call.
    /// Requires: offset + count is at most size().
    /// Throws: Errc::io.
    std::string_view at(std::uint64_t offset, std::size_t count) {
        if (offset < begin_ || offset + count > begin_ + buffer_.size()) load(offset, count);
        return std::string_view(buffer_).substr(static_cast<std::size_t>(offset - begin_), count);
    }

private:
    static constexpr std::uint64_t piece_bytes = std::uint64_t{1} << 20;

    void load(std::uint64_t offset, std::size_t count) {
        const std::uint64_t wanted = std::min(std::max<std::uint64_t>(count, piece_bytes), size_ - offset);
        buffer_.resize(static_cast<std::size_t>(wanted));
        begin_ = offset;
        if (file_.read_at(offset, buffer_.data(), buffer_.size()) < count) {
            raise(Errc::io, file_.path().string() + ": became shorter while it was read");
        }
    }

    File file_;
    std::uint64_t size_;       // when it was opened
    std::uint64_t begin_ = 0;  // where buffer_ begins
    std::string buffer_;
};

}  // namespace kith::inline v0::detail
