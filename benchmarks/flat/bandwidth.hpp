// benchmarks/flat/bandwidth.hpp — how fast can one core read memory in order?
#pragma once

#include "kith/core/reserved_memory.hpp"

#include <cstddef>

namespace flat {

/// All the words of an array, so combined that none can be left out. Its source is compiled for this machine.
unsigned long long combine(const unsigned long long* words, std::size_t count) noexcept;

/// An array too large for the caches, on 2 MB pages where there are any.
class Bandwidth {
public:
    explicit Bandwidth(std::size_t bytes);

    /// GB/s of thread CPU time in one pass over the array.
    double measure();

private:
    kith::ReservedMemory memory_;
    std::size_t words_;
    volatile unsigned long long seen_ = 0;  // a pass must have a result to be run at all
};

}  // namespace flat
