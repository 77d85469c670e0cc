// src/kernels/neon.cpp — the kernels for AArch64, in a source of their own because of its flags.
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

KernelTable neon_kernels() noexcept {
    return {.l2 = make_kernels<L2Terms<Neon>>(),
            .inner_product = make_kernels<InnerProductTerms<Neon>>(),
            .codes8 = make_code_kernels<8, ThisBuild>(),
            .codes4 = make_code_kernels<4, ThisBuild>(),
            .elements = make_element_kernels<Neon, ThisBuild>(),
            .products = make_product_kernels<Neon>(),
            .fast_scan = make_fast_scan_kernels<Neon>(),
            .packed = make_packed_kernels<PackedNeon>()};
}

}  // namespace detail

}  // namespace kith::inline v0
