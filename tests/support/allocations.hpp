// tests/support/allocations.hpp — counts what a test program allocates, for code that promises to allocate nothing.
//
// A layer that counts adds support/allocations.cpp to its own executable, whose operator new it then replaces.
#pragma once

#include <cstddef>

namespace kith_test {

/// Calls of operator new since the program began, in all threads.
std::size_t allocation_count() noexcept;

}  // namespace kith_test
