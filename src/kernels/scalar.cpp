// src/kernels/scalar.cpp — the kernels of every processor: the portable ones, built with the flags of the whole
// library.
#include "kernels/table.hpp"
#include "kith/distance/inner_product.hpp"
#include "kith/distance/l2.hpp"
#include "kith/distance/portable.hpp"
#include "kith/distance/portable_fast_scan.hpp"
#include "kith/distance/portable_products.hpp"

namespace kith::inline v0 {

namespace detail {

KernelTable scalar_kernels() noexcept {
    return {portable_kernels<L2, float, ThisBuild>(), portable_kernels<InnerProduct, float, ThisBuild>(),
            portable_product_kernels<ThisBuild>(), portable_fast_scan_kernels<ThisBuild>()};
}

}  // namespace detail

}  // namespace kith::inline v0
