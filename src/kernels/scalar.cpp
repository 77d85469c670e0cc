// src/kernels/scalar.cpp — the kernels of every processor: the portable ones, built with the flags of the whole
// library.
#include "kernels/table.hpp"
#include "kith/distance/inner_product.hpp"
#include "kith/distance/l2.hpp"
#include "kith/distance/portable.hpp"
#include "kith/distance/portable_codes.hpp"
#include "kith/distance/portable_fast_scan.hpp"
#include "kith/distance/portable_products.hpp"

namespace kith::inline v0 {

namespace detail {

KernelTable scalar_kernels() noexcept {
    return {.l2 = portable_kernels<L2, float, ThisBuild>(),
            .inner_product = portable_kernels<InnerProduct, float, ThisBuild>(),
            .codes8 = portable_code_kernels<8, ThisBuild>(),
            .codes4 = portable_code_kernels<4, ThisBuild>(),
            .products = portable_product_kernels<ThisBuild>(),
            .fast_scan = portable_fast_scan_kernels<ThisBuild>()};
}

}  // namespace detail

}  // namespace kith::inline v0
