// src/kernels/packed_table.hpp — what each source of kernels gives for packed codes.
//
// Declarations only, like table.hpp. Enter a set only after supports(isa) said that this processor has it.
#pragma once

#include "kith/distance/packed_dots.hpp"

namespace kith::inline v0 {

namespace detail {

/// Kernels by the bits of an element; by_bits[0] holds none.
struct PackedTable {
    PackedDots by_bits[9];
};

PackedTable avx2_packed_kernels() noexcept;         // x86-64 only
PackedTable avx512_packed_kernels() noexcept;       // x86-64 only
PackedTable avx512_vnni_packed_kernels() noexcept;  // x86-64 only
PackedTable neon_packed_kernels() noexcept;         // AArch64 only
PackedTable neon_dot_packed_kernels() noexcept;     // AArch64 only

}  // namespace detail

}  // namespace kith::inline v0
