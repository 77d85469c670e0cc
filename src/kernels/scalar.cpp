// src/kernels/scalar.cpp — the kernels of every processor: the portable ones, built with the flags of the whole
// library.
#include "kernels/table.hpp"
#include "kith/core/element.hpp"
#include "kith/distance/hamming.hpp"
#include "kith/distance/inner_product.hpp"
#include "kith/distance/jaccard.hpp"
#include "kith/distance/l2.hpp"
#include "kith/distance/portable.hpp"
#include "kith/distance/portable_codes.hpp"
#include "kith/distance/portable_fast_scan.hpp"
#include "kith/distance/portable_packed.hpp"
#include "kith/distance/portable_products.hpp"

#include <cstdint>

namespace kith::inline v0 {

namespace detail {

template <class T>
static SumKernels<T> portable_sum_kernels() noexcept {
    return {portable_kernels<L2, T, ThisBuild>(), portable_kernels<InnerProduct, T, ThisBuild>()};
}

static ElementKernels portable_element_kernels() noexcept {
    return {portable_sum_kernels<Half>(),
            portable_sum_kernels<Bfloat16>(),
            portable_sum_kernels<std::int8_t>(),
            portable_sum_kernels<std::uint8_t>(),
            portable_kernels<Hamming, Bits8, ThisBuild>(),
            portable_kernels<Jaccard, Bits8, ThisBuild>()};
}

static PackedKernels portable_packed_kernels() noexcept {
    PackedKernels kernels;
    for (unsigned bits = 1; bits <= 8; ++bits) kernels.by_bits[bits] = portable_packed_dots<ThisBuild>(bits);
    return kernels;
}

KernelTable scalar_kernels() noexcept {
    return {.l2 = portable_kernels<L2, float, ThisBuild>(),
            .inner_product = portable_kernels<InnerProduct, float, ThisBuild>(),
            .codes8 = portable_code_kernels<8, ThisBuild>(),
            .codes4 = portable_code_kernels<4, ThisBuild>(),
            .elements = portable_element_kernels(),
            .products = portable_product_kernels<ThisBuild>(),
            .fast_scan = portable_fast_scan_kernels<ThisBuild>(),
            .packed = portable_packed_kernels()};
}

}  // namespace detail

}  // namespace kith::inline v0
