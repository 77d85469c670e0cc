// src/storage/mapped_file.cpp — mmap and its undoing.
#include "kith/storage/mapped_file.hpp"

#include "kith/storage/file.hpp"
#include "kith/storage/system_error.hpp"

#include <sys/mman.h>
#include <cerrno>
#include <utility>

namespace kith::inline v0::detail {

MappedFile::MappedFile(const std::filesystem::path& path) {
    const File file = File::open_to_read(path);
    const auto size = static_cast<std::size_t>(file.size());
    if (size == 0) return;
    void* const memory = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file.descriptor(), 0);
    if (memory == MAP_FAILED) raise_system(errno, "map", path);
    data_ = static_cast<const std::byte*>(memory);
    size_ = size;
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
}

MappedFile::~MappedFile() {
    if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

}  // namespace kith::inline v0::detail
