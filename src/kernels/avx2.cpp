// src/kernels/avx2.cpp — the kernels for AVX2, FMA and F16C, in a source of their own because of its flags.
#include "kernels/codes.hpp"
#include "kernels/elements.hpp"
#include "kernels/fast_scan.hpp"
#include "kernels/kernels.hpp"
#include "kernels/packed.hpp"
#include "kernels/products.hpp"
#include "kernels/table.hpp"
#include "kith/distance/portable.hpp"

namespace kith::inline v0 {

namespace detail {

KernelTable avx2_kernels() noexcept {
    return {.l2 = make_kernels<L2Terms<Avx2>>(),
            .inner_product = make_kernels<InnerProductTerms<Avx2>>(),
            .codes8 = make_code_kernels<8, ThisBuild>(),
            .codes4 = make_code_kernels<4, ThisBuild>(),
            .elements = make_element_kernels<Avx2, ThisBuild>(),
            .products = make_product_kernels<Avx2>(),
            .fast_scan = make_fast_scan_kernels<Avx2>(),
            .packed = make_packed_kernels<PackedAvx2>()};
}

}  // namespace detail

}  // namespace kith::inline v0
