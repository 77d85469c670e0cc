// src/kernels/neon.cpp — the kernels for AArch64, in a source of their own because of its flags.
#include "kernels/fast_scan.hpp"
#include "kernels/kernels.hpp"
#include "kernels/products.hpp"
#include "kernels/table.hpp"

namespace kith::inline v0 {

namespace detail {

KernelTable neon_kernels() noexcept {
    return {make_kernels<L2Terms<Neon>>(), make_kernels<InnerProductTerms<Neon>>(), make_product_kernels<Neon>(),
            make_fast_scan_kernels<Neon>()};
}

}  // namespace detail

}  // namespace kith::inline v0
