// src/kernels/avx512.cpp — the kernels for AVX-512, in a source of their own because of its flags.
#include "kernels/codes.hpp"
#include "kernels/elements.hpp"
#include "kernels/kernels.hpp"
#include "kernels/table.hpp"
#include "kith/distance/portable.hpp"

namespace kith::inline v0 {

namespace detail {

KernelTable avx512_kernels() noexcept {
    return {make_kernels<L2Terms<Avx512>>(), make_kernels<InnerProductTerms<Avx512>>(),
            make_code_kernels<8, ThisBuild>(), make_code_kernels<4, ThisBuild>(),
            make_element_kernels<Avx512, ThisBuild>()};
}

}  // namespace detail

}  // namespace kith::inline v0
