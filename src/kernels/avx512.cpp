// src/kernels/avx512.cpp — the kernels for AVX-512, in a source of their own because of its flags.
#include "kernels/fast_scan.hpp"
#include "kernels/kernels.hpp"
#include "kernels/products.hpp"
#include "kernels/table.hpp"

namespace kith::inline v0 {

namespace detail {

KernelTable avx512_kernels() noexcept {
    return {make_kernels<L2Terms<Avx512>>(), make_kernels<InnerProductTerms<Avx512>>(), make_product_kernels<Avx512>(),
            make_fast_scan_kernels<Avx512>()};
}

}  // namespace detail

}  // namespace kith::inline v0
