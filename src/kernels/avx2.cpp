// src/kernels/avx2.cpp — the kernels for AVX2, FMA and F16C, in a source of their own because of its flags.
#include "kernels/codes.hpp"
#include "kernels/elements.hpp"
#include "kernels/kernels.hpp"
#include "kernels/table.hpp"
#include "kith/distance/portable.hpp"

namespace kith::inline v0 {

namespace detail {

KernelTable avx2_kernels() noexcept {
    return {make_kernels<L2Terms<Avx2>>(), make_kernels<InnerProductTerms<Avx2>>(), make_code_kernels<8, ThisBuild>(),
            make_code_kernels<4, ThisBuild>(), make_element_kernels<Avx2, ThisBuild>()};
}

}  // namespace detail

}  // namespace kith::inline v0
