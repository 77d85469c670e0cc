// kith/core/scratch_memory.hpp — memory for one prepared query, kept from query to query.
//
// A query against codes is prepared first: rotated, quantized, turned into tables. What that takes depends on the
// codes, so it is bytes here; it grows to the largest preparation and is then used again without a call to the
// allocator.
//
// Thread safety: none; every searching thread owns its own.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <utility>

namespace kith::inline v0 {

class ScratchMemory {
public:
    static constexpr std::size_t alignment = 64;

    ScratchMemory() noexcept = default;
    ScratchMemory(ScratchMemory&& other) noexcept
        : data_(std::exchange(other.data_, nullptr)),
          size_(std::exchange(other.size_, 0)),
          nested_(std::move(other.nested_)) {}
    ScratchMemory& operator=(ScratchMemory&& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        std::swap(nested_, other.nested_);
        return *this;
    }
    ScratchMemory(const ScratchMemory&) = delete;
    ScratchMemory& operator=(const ScratchMemory&) = delete;
    ~ScratchMemory() { release(); }

    /// At least `bytes` bytes, aligned to a cache line; what an earlier call returned is given up.
    /// Throws: std::bad_alloc when it has to grow; what was there is then gone too.
    [[nodiscard]] std::byte* take(std::size_t bytes) {
        if (bytes > size_) {
            release();
            data_ = static_cast<std::byte*>(::operator new(bytes, std::align_val_t{alignment}));
            size_ = bytes;
        }
        return data_;
    }

    /// The same for elements of a plain type.
    template <class T>
    [[nodiscard]] T* take_array(std::size_t count) {
        return reinterpret_cast<T*>(take(count * sizeof(T)));
    }

    /// Another one, for what is prepared with the help of what this one holds. Throws: std::bad_alloc, the first time.
    [[nodiscard]] ScratchMemory& nested() {
        if (!nested_) nested_ = std::make_unique<ScratchMemory>();
        return *nested_;
    }

private:
    void release() noexcept {
        ::operator delete(data_, std::align_val_t{alignment});
        data_ = nullptr;
        size_ = 0;
    }

    std::byte* data_ = nullptr;
    std::size_t size_ = 0;  // bytes at data_
    std::unique_ptr<ScratchMemory> nested_;
};

}  // namespace kith::inline v0
