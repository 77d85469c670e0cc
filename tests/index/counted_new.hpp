// tests/index/counted_new.hpp — how often this thread has asked for memory.
#pragma once

#include <cstddef>

namespace kith_test {

std::size_t allocations() noexcept;

}  // namespace kith_test
