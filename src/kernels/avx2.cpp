// src/kernels/avx2.cpp — the kernels for AVX2 and FMA, in a source of their own because of its flags.
#include "kernels/fast_scan.hpp"
#include "kernels/kernels.hpp"
#include "kernels/products.hpp"
#include "kernels/table.hpp"

namespace kith::inline v0 {

namespace detail {

KernelTable avx2_kernels() noexcept {
    return {make_kernels<L2Terms<Avx2>>(), make_kernels<InnerProductTerms<Avx2>>(), make_product_kernels<Avx2>(),
            make_fast_scan_kernels<Avx2>()};
}

}  // namespace detail

}  // namespace kith::inline v0
