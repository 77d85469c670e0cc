// src/storage/mapped_file.cpp — mmap, its advice, and its undoing.
#include "kith/storage/mapped_file.hpp"

#include "kith/storage/system_error.hpp"

#include <sys/mman.h>
#include <unistd.h>
#include <cerrno>
#include <utility>

namespace kith::inline v0::detail {

namespace {

void advise(const std::byte* data, std::size_t bytes, int advice) noexcept {
    static_cast<void>(::madvise(const_cast<std::byte*>(data), bytes, advice));  // a refusal only costs speed
}

/// Maps `bytes` of a file at a multiple of MappedFile::alignment: reserves more, and gives back what is left over.
void* map_aligned(int descriptor, std::size_t bytes) noexcept {
    constexpr std::size_t alignment = MappedFile::alignment;
    const std::size_t whole = (bytes + 2 * alignment - 1) / alignment * alignment;
    void* const reserved = ::mmap(nullptr, whole, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (reserved == MAP_FAILED) return MAP_FAILED;
    auto* const begin = static_cast<std::byte*>(reserved);
    const std::size_t skip = (alignment - reinterpret_cast<std::uintptr_t>(begin) % alignment) % alignment;
    void* const mapped = ::mmap(begin + skip, bytes, PROT_READ, MAP_SHARED | MAP_FIXED, descriptor, 0);
    if (mapped == MAP_FAILED) {
        const int error = errno;
        ::munmap(reserved, whole);
        errno = error;
        return MAP_FAILED;
    }
    const auto page = static_cast<std::size_t>(::getpagesize());
    const std::size_t end = skip + (bytes + page - 1) / page * page;
    if (skip > 0) ::munmap(begin, skip);
    if (end < whole) ::munmap(begin + end, whole - end);
    return mapped;
}

}  // namespace

MappedFile::MappedFile(const std::filesystem::path& path) {
    const File file = File::open_to_read(path);
    *this = MappedFile(file, static_cast<std::size_t>(file.size()));
}

MappedFile::MappedFile(const File& file, std::size_t bytes) {
    if (bytes == 0) return;
    void* const memory = map_aligned(file.descriptor(), bytes);
    if (memory == MAP_FAILED) raise_system(errno, "map", file.path());
    data_ = static_cast<const std::byte*>(memory);
    size_ = bytes;
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

void MappedFile::ask_for(std::size_t offset, std::size_t bytes) const noexcept {
    advise(data_ + offset, bytes, MADV_WILLNEED);
}

bool MappedFile::bring_in(std::size_t offset, std::size_t bytes) const noexcept {
#if defined(MADV_POPULATE_READ)
    for (;;) {
        if (::madvise(const_cast<std::byte*>(data_ + offset), bytes, MADV_POPULATE_READ) == 0) return true;
        if (errno == EINTR || errno == EAGAIN) continue;
        return errno == EINVAL || errno == ENOMEM;  // an old kernel, or one that is short of memory for its tables
    }
#else
    ask_for(offset, bytes);
    return true;
#endif
}

void MappedFile::expect_random_reads() const noexcept {
    if (data_ == nullptr) return;
    advise(data_, size_, MADV_RANDOM);
#if defined(MADV_NOHUGEPAGE)
    advise(data_, size_, MADV_NOHUGEPAGE);
#endif
}

void MappedFile::let_go(std::size_t offset, std::size_t bytes) const noexcept {
    advise(data_ + offset, bytes, MADV_DONTNEED);
}

bool MappedFile::replace_by_zeros(std::size_t offset, std::size_t bytes) const noexcept {
    return ::mmap(const_cast<std::byte*>(data_ + offset), bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
                  0) != MAP_FAILED;
}

}  // namespace kith::inline v0::detail
