// tests/support/allocations.cpp — an operator new that counts.
//
// It stands in a file of its own, for a compiler that sees both sides of a replaced operator takes them for a mismatch.
#include "support/allocations.hpp"

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<std::size_t> count{0};

}  // namespace

std::size_t kith_test::allocation_count() noexcept {
    return count.load();
}

void* operator new(std::size_t bytes) {
    count.fetch_add(1);
    if (void* memory = std::malloc(bytes > 0 ? bytes : 1)) return memory;
    throw std::bad_alloc();
}

void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
    count.fetch_add(1);
    return std::malloc(bytes > 0 ? bytes : 1);
}

void operator delete(void* memory) noexcept {
    std::free(memory);
}

void operator delete(void* memory, std::size_t) noexcept {
    std::free(memory);
}
