// src/kernels/neon_dot.cpp — the kernels for NEON with the dot product of bytes, in a source of their own because of
// its flags.
#include "kernels/codes.hpp"
#include "kernels/elements.hpp"
#include "kernels/packed.hpp"
#include "kernels/table.hpp"
#include "kith/distance/portable.hpp"

namespace kith::inline v0 {

namespace detail {

KernelTable neon_dot_kernels() noexcept {
    KernelTable table = neon_kernels();  // floats of any size gain nothing
    table.codes8 = make_code_kernels<8, ThisBuild>();
    table.codes4 = make_code_kernels<4, ThisBuild>();
    add_integer_kernels<ThisBuild>(table.elements);
    table.packed = make_packed_kernels<PackedNeonDot>();
    return table;
}

}  // namespace detail

}  // namespace kith::inline v0
