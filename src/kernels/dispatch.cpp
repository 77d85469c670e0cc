// src/kernels/dispatch.cpp — from an instruction set to its kernels, in code that every processor can run.
#include "kith/distance/dispatch.hpp"

#include "kernels/table.hpp"
#include "kith/core/assert.hpp"
#include "kith/distance/cpu.hpp"

namespace kith::inline v0 {

namespace detail {

static KernelTable table_of(Isa isa) noexcept {
    KITH_ASSERT(supports(isa));
    switch (isa) {
#if defined(__x86_64__)
        case Isa::avx2:
            return avx2_kernels();
        case Isa::avx512:
            return avx512_kernels();
        case Isa::avx512_vnni:
            return avx512_vnni_kernels();
        case Isa::scalar:
        case Isa::neon:
        case Isa::neon_dot:
            break;
#elif defined(__aarch64__)
        case Isa::neon:
            return neon_kernels();
        case Isa::neon_dot:
            return neon_dot_kernels();
        case Isa::scalar:
        case Isa::avx2:
        case Isa::avx512:
        case Isa::avx512_vnni:
            break;
#else
        case Isa::scalar:
        case Isa::avx2:
        case Isa::avx512:
        case Isa::avx512_vnni:
        case Isa::neon:
        case Isa::neon_dot:
            break;
#endif
    }
    return scalar_kernels();
}

}  // namespace detail

template <>
Kernels<float> kernels<L2, float>(Isa isa) noexcept {
    return detail::table_of(isa).l2;
}

template <>
Kernels<float> kernels<InnerProduct, float>(Isa isa) noexcept {
    return detail::table_of(isa).inner_product;
}

template <>
CodeKernels code_kernels<8>(Isa isa) noexcept {
    return detail::table_of(isa).codes8;
}

template <>
CodeKernels code_kernels<4>(Isa isa) noexcept {
    return detail::table_of(isa).codes4;
}

ProductKernels product_kernels(Isa isa) noexcept {
    return detail::table_of(isa).products;
}

FastScanKernels fast_scan_kernels(Isa isa) noexcept {
    return detail::table_of(isa).fast_scan;
}

}  // namespace kith::inline v0
