// tests/index/counted_new.cpp — the allocator of this test program, which only counts.
//
// In a source of its own: where the compiler sees both sides, it takes new and malloc for a mismatch.
#include "index/counted_new.hpp"

#include <cstdlib>
#include <new>

namespace {

thread_local std::size_t counted = 0;

}  // namespace

std::size_t kith_test::allocations() noexcept {
    return counted;
}

void* operator new(std::size_t bytes) {
    ++counted;
    if (void* memory = std::malloc(bytes == 0 ? 1 : bytes)) return memory;
    throw std::bad_alloc();
}
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
    ++counted;
    return std::malloc(bytes == 0 ? 1 : bytes);
}
void operator delete(void* memory) noexcept {
    std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
    std::free(memory);
}
