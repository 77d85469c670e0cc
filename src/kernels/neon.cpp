// src/kernels/neon.cpp — the kernels for AArch64, in a source of their own because of its flags.
#include "kernels/bytes.hpp"
#include "kernels/kernels.hpp"
#include "kernels/table.hpp"
#include "kith/distance/portable.hpp"

namespace kith::inline v0 {

namespace detail {

KernelTable neon_kernels() noexcept {
    return {make_kernels<L2Terms<Neon>>(), make_kernels<InnerProductTerms<Neon>>(), make_byte_kernels<ThisBuild>()};
}

}  // namespace detail

}  // namespace kith::inline v0
