// src/kernels/neon.cpp — the kernels for AArch64, in a source of their own because of its flags.
#include "kernels/codes.hpp"
#include "kernels/elements.hpp"
#include "kernels/kernels.hpp"
#include "kernels/table.hpp"
#include "kith/distance/portable.hpp"

namespace kith::inline v0 {

namespace detail {

KernelTable neon_kernels() noexcept {
    return {make_kernels<L2Terms<Neon>>(), make_kernels<InnerProductTerms<Neon>>(), make_code_kernels<8, ThisBuild>(),
            make_code_kernels<4, ThisBuild>(), make_element_kernels<Neon, ThisBuild>()};
}

}  // namespace detail

}  // namespace kith::inline v0
