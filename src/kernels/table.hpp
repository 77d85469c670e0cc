// src/kernels/table.hpp — what each source of kernels gives to the dispatcher.
//
// Declarations only, for the sources that include this are built for different processors. Enter a set only after
// supports(isa) said that this processor has it.
#pragma once

#include "kith/distance/code_kernels.hpp"
#include "kith/distance/fast_scan.hpp"
#include "kith/distance/kernels.hpp"
#include "kith/distance/products.hpp"

namespace kith::inline v0 {

namespace detail {

/// Every kernel of one instruction set.
struct KernelTable {
    Kernels<float> l2;
    Kernels<float> inner_product;
    CodeKernels codes8;
    CodeKernels codes4;
    ProductKernels products;
    FastScanKernels fast_scan;
};

KernelTable scalar_kernels() noexcept;       // every processor
KernelTable avx2_kernels() noexcept;         // x86-64 only
KernelTable avx512_kernels() noexcept;       // x86-64 only
KernelTable avx512_vnni_kernels() noexcept;  // x86-64 only
KernelTable neon_kernels() noexcept;         // AArch64 only
KernelTable neon_dot_kernels() noexcept;     // AArch64 only

}  // namespace detail

}  // namespace kith::inline v0
