// kith/storage/mapped_file.hpp — the bytes of a file that never changes, in memory without a copy.
//
// Only for immutable files: a file that is cut while it is mapped ends the process that reads past its end. The length
// is taken once, so callers compare it with what the file says of itself before they read.
//
// Thread safety: any number of threads may read.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string_view>

namespace kith::inline v0::detail {

class MappedFile {
public:
    /// Nothing mapped: an empty span.
    MappedFile() = default;

    /// Maps the whole file for reading; an empty file gives an empty span.
    /// Throws: Errc::io, Errc::out_of_memory.
    explicit MappedFile(const std::filesystem::path& path);

    MappedFile(MappedFile&& other) noexcept;
    MappedFile& operator=(MappedFile&& other) noexcept;
    ~MappedFile();

    /// The bytes, at a page boundary; they live as long as this object.
    [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }
    [[nodiscard]] std::string_view text() const noexcept { return {reinterpret_cast<const char*>(data_), size_}; }

private:
    const std::byte* data_ = nullptr;  // a mapping of size_ bytes, or null when size_ is 0
    std::size_t size_ = 0;
};

}  // namespace kith::inline v0::detail
