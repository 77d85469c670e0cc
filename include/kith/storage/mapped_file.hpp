// kith/storage/mapped_file.hpp — the bytes of a file that never changes, in memory without a copy.
//
// Only for immutable files: a file that is cut while it is mapped ends the process that reads past its end, and so does
// a disk that fails. The length is taken once, so callers compare it with what the file says of itself before they read,
// and bring_in() says beforehand whether bytes can be read at all.
//
// Thread safety: any number of threads may read.
#pragma once

#include "kith/storage/file.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>

namespace kith::inline v0::detail {

class MappedFile {
public:
    /// A mapping begins at a multiple of this: a page fault brings in what lies around the page, up to such bounds.
    static constexpr std::size_t alignment = 65536;

    /// Nothing mapped: an empty span.
    MappedFile() = default;

    /// Maps the whole file for reading; an empty file gives an empty span.
    /// Throws: Errc::io.
    explicit MappedFile(const std::filesystem::path& path);

    /// Maps the first `bytes` of a file, which need not stay open.
    MappedFile(const File& file, std::size_t bytes);

    MappedFile(MappedFile&& other) noexcept;
    MappedFile& operator=(MappedFile&& other) noexcept;
    ~MappedFile();

    /// The bytes, at a page boundary; they live as long as this object.
    [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }
    [[nodiscard]] std::string_view text() const noexcept { return {reinterpret_cast<const char*>(data_), size_}; }

    // These take offsets that are multiples of the page size, and ranges within the file.

    /// Begins to read bytes that will be wanted soon.
    void ask_for(std::size_t offset, std::size_t bytes) const noexcept;

    /// Reads bytes from the disk, unless they are in memory, and maps them; false when that cannot be done, because the
    /// file was cut or the disk fails. Where the system cannot tell (Linux before 5.14, macOS) it is always true.
    [[nodiscard]] bool bring_in(std::size_t offset, std::size_t bytes) const noexcept;

    /// No bytes are read but those that are asked for, and none are kept in huge pages.
    void expect_random_reads() const noexcept;

    /// Unmaps pages; whoever reads them brings them in again.
    void let_go(std::size_t offset, std::size_t bytes) const noexcept;

    /// Puts zeros in the place of bytes, for good; false when the system has no room for it.
    [[nodiscard]] bool replace_by_zeros(std::size_t offset, std::size_t bytes) const noexcept;

private:
    const std::byte* data_ = nullptr;  // a mapping of size_ bytes, or null when size_ is 0
    std::size_t size_ = 0;
};

}  // namespace kith::inline v0::detail
