// src/kernels/neon_dot.cpp — the kernels for NEON with the dot product of bytes, in a source of their own because of
// its flags.
#include "kernels/kernels.hpp"
#include "kernels/table.hpp"

namespace kith::inline v0 {

namespace detail {

KernelTable neon_dot_kernels() noexcept {
    return neon_kernels();  // floats gain nothing
}

}  // namespace detail

}  // namespace kith::inline v0
