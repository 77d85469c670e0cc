// tests/support/allocation_faults.hpp — memory that runs out on demand: the nth operator new of a thread, or of the
// others.
//
// A layer that uses it adds support/allocation_faults.cpp to its own executable, whose operator new it then replaces.
//
// Thread safety: one AllocationFaults at a time, made and destroyed by the thread whose memory it is about.
#pragma once

#include <cstddef>
#include <cstdint>

namespace kith_test {

enum class Whose : std::uint8_t { this_thread, other_threads };

class AllocationFaults {
public:
    static constexpr std::size_t every_later_one = SIZE_MAX;

    /// While it lives, allocations number `first` (from 1) to `first + count - 1` fail with std::bad_alloc.
    explicit AllocationFaults(std::size_t first, std::size_t count = 1, Whose whose = Whose::this_thread);
    AllocationFaults(const AllocationFaults&) = delete;
    AllocationFaults& operator=(const AllocationFaults&) = delete;
    ~AllocationFaults();

    /// Whether an allocation failed since the last one was made.
    [[nodiscard]] static bool struck() noexcept;
};

}  // namespace kith_test
