// src/kernels/table.hpp — what each source of kernels gives to the dispatcher.
//
// Declarations only, for the sources that include this are built for different processors. Enter a set only after
// supports(isa) said that this processor has it.
#pragma once

#include "kith/core/element.hpp"
#include "kith/distance/code_kernels.hpp"
#include "kith/distance/fast_scan.hpp"
#include "kith/distance/kernels.hpp"
#include "kith/distance/packed_dots.hpp"
#include "kith/distance/products.hpp"

#include <cstdint>

namespace kith::inline v0 {

namespace detail {

/// The kernels of the metrics that sum a term for each number.
template <class T>
struct SumKernels {
    Kernels<T> l2;
    Kernels<T> inner_product;
};

/// The kernels of every element but float.
struct ElementKernels {
    SumKernels<Half> half;
    SumKernels<Bfloat16> bfloat16;
    SumKernels<std::int8_t> int8;
    SumKernels<std::uint8_t> uint8;
    Kernels<Bits8> hamming;
    Kernels<Bits8> jaccard;
};

/// Kernels over packed codes by the bits of an element; by_bits[0] holds none.
struct PackedKernels {
    PackedDots by_bits[9];
};

/// Every kernel of one instruction set.
struct KernelTable {
    Kernels<float> l2;
    Kernels<float> inner_product;
    CodeKernels codes8;
    CodeKernels codes4;
    ElementKernels elements;
    ProductKernels products;
    FastScanKernels fast_scan;
    PackedKernels packed;
};

KernelTable scalar_kernels() noexcept;       // every processor
KernelTable avx2_kernels() noexcept;         // x86-64 only
KernelTable avx512_kernels() noexcept;       // x86-64 only
KernelTable avx512_vnni_kernels() noexcept;  // x86-64 only
KernelTable neon_kernels() noexcept;         // AArch64 only
KernelTable neon_dot_kernels() noexcept;     // AArch64 only

}  // namespace detail

}  // namespace kith::inline v0
