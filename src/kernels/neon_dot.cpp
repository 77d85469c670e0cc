// src/kernels/neon_dot.cpp — the kernels for NEON with the dot product of bytes, in a source of their own because of
// its flags.
#include "kernels/bytes.hpp"
#include "kernels/table.hpp"
#include "kith/distance/portable.hpp"

namespace kith::inline v0 {

namespace detail {

KernelTable neon_dot_kernels() noexcept {
    KernelTable table = neon_kernels();  // floats gain nothing
    table.bytes = make_byte_kernels<ThisBuild>();
    return table;
}

}  // namespace detail

}  // namespace kith::inline v0
