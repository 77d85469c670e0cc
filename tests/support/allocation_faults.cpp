// tests/support/allocation_faults.cpp — an operator new that fails as an AllocationFaults says.
//
// It stands in a file of its own, for a compiler that sees both sides of a replaced operator takes them for a mismatch.
#include "support/allocation_faults.hpp"

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<bool> armed{false};
std::atomic<bool> others{false};
std::atomic<std::size_t> first_failing{0};
std::atomic<std::size_t> last_failing{0};
std::atomic<std::size_t> seen{0};
std::atomic<bool> has_struck{false};
thread_local bool is_armed_thread = false;

bool fails() noexcept {
    if (!armed.load(std::memory_order_relaxed) || is_armed_thread == others.load(std::memory_order_relaxed)) {
        return false;
    }
    const std::size_t number = seen.fetch_add(1) + 1;
    if (number < first_failing || number > last_failing) return false;
    has_struck = true;
    return true;
}

void* allocate(std::size_t bytes) noexcept {
    return fails() ? nullptr : std::malloc(bytes > 0 ? bytes : 1);
}

void* allocate(std::size_t bytes, std::align_val_t alignment) noexcept {
    const auto unit = static_cast<std::size_t>(alignment);
    return fails() ? nullptr : std::aligned_alloc(unit, (bytes + unit - 1) / unit * unit);
}

}  // namespace

namespace kith_test {

AllocationFaults::AllocationFaults(std::size_t first, std::size_t count, Whose whose) {
    seen = 0;
    has_struck = false;
    first_failing = first;
    last_failing = count > every_later_one - first ? every_later_one : first + count - 1;
    others = whose == Whose::other_threads;
    is_armed_thread = true;
    armed = true;
}

AllocationFaults::~AllocationFaults() {
    armed = false;
    is_armed_thread = false;
}

bool AllocationFaults::struck() noexcept {
    return has_struck;
}

}  // namespace kith_test

void* operator new(std::size_t bytes) {
    if (void* memory = allocate(bytes)) return memory;
    throw std::bad_alloc();
}
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
    return allocate(bytes);
}
void* operator new(std::size_t bytes, std::align_val_t alignment) {
    if (void* memory = allocate(bytes, alignment)) return memory;
    throw std::bad_alloc();
}
void operator delete(void* memory) noexcept {
    std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
    std::free(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
    std::free(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
    std::free(memory);
}
