// src/kernels/dispatch.cpp — from an instruction set to its kernels, in code that every processor can run.
#include "kith/distance/dispatch.hpp"

#include "kernels/table.hpp"
#include "kith/core/assert.hpp"
#include "kith/distance/cpu.hpp"
#include "kith/distance/packed_dispatch.hpp"

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

PackedDots packed_dots(unsigned bits, Isa isa) noexcept {
    KITH_ASSERT(bits >= 1 && bits <= 8);
    return detail::table_of(isa).packed.by_bits[bits];
}

template <>
Kernels<Half> kernels<L2, Half>(Isa isa) noexcept {
    return detail::table_of(isa).elements.half.l2;
}

template <>
Kernels<Half> kernels<InnerProduct, Half>(Isa isa) noexcept {
    return detail::table_of(isa).elements.half.inner_product;
}

template <>
Kernels<Bfloat16> kernels<L2, Bfloat16>(Isa isa) noexcept {
    return detail::table_of(isa).elements.bfloat16.l2;
}

template <>
Kernels<Bfloat16> kernels<InnerProduct, Bfloat16>(Isa isa) noexcept {
    return detail::table_of(isa).elements.bfloat16.inner_product;
}

template <>
Kernels<std::int8_t> kernels<L2, std::int8_t>(Isa isa) noexcept {
    return detail::table_of(isa).elements.int8.l2;
}

template <>
Kernels<std::int8_t> kernels<InnerProduct, std::int8_t>(Isa isa) noexcept {
    return detail::table_of(isa).elements.int8.inner_product;
}

template <>
Kernels<std::uint8_t> kernels<L2, std::uint8_t>(Isa isa) noexcept {
    return detail::table_of(isa).elements.uint8.l2;
}

template <>
Kernels<std::uint8_t> kernels<InnerProduct, std::uint8_t>(Isa isa) noexcept {
    return detail::table_of(isa).elements.uint8.inner_product;
}

template <>
Kernels<Bits8> kernels<Hamming, Bits8>(Isa isa) noexcept {
    return detail::table_of(isa).elements.hamming;
}

template <>
Kernels<Bits8> kernels<Jaccard, Bits8>(Isa isa) noexcept {
    return detail::table_of(isa).elements.jaccard;
}

}  // namespace kith::inline v0
