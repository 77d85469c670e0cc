// kith/distance/dispatch.hpp — the kernels of a metric for an instruction set, chosen once an index.
//
// A program that links the compiled unit gets the kernels written for the set. A header-only program gets the portable
// ones, which are as good as its own flags, whatever the set.
#pragma once

#include "kith/core/config.hpp"
#include "kith/core/element.hpp"
#include "kith/distance/code_kernels.hpp"
#include "kith/distance/fast_scan.hpp"
#include "kith/distance/hamming.hpp"
#include "kith/distance/inner_product.hpp"
#include "kith/distance/isa.hpp"
#include "kith/distance/jaccard.hpp"
#include "kith/distance/kernels.hpp"
#include "kith/distance/l2.hpp"
#include "kith/distance/metric.hpp"
#include "kith/distance/portable.hpp"
#include "kith/distance/portable_codes.hpp"
#include "kith/distance/portable_fast_scan.hpp"
#include "kith/distance/portable_products.hpp"
#include "kith/distance/products.hpp"

#include <cstdint>

namespace kith::inline v0 {

#if KITH_COMPILED

/// The kernels of metric M over elements T; InnerProduct gives −⟨a, b⟩. Cosine is made from those and the rows' norms.
/// Requires: supports(isa); M is a SumMetric or a BitMetric. That is no constraint here, because compilers disagree on
///           whether one is part of the symbol, and the compiled unit may come from another compiler than the program.
template <class M, class T>
[[nodiscard]] Kernels<T> kernels(Isa isa) noexcept;

template <>
Kernels<float> kernels<L2, float>(Isa isa) noexcept;
template <>
Kernels<float> kernels<InnerProduct, float>(Isa isa) noexcept;
template <>
Kernels<Half> kernels<L2, Half>(Isa isa) noexcept;
template <>
Kernels<Half> kernels<InnerProduct, Half>(Isa isa) noexcept;
template <>
Kernels<Bfloat16> kernels<L2, Bfloat16>(Isa isa) noexcept;
template <>
Kernels<Bfloat16> kernels<InnerProduct, Bfloat16>(Isa isa) noexcept;
template <>
Kernels<std::int8_t> kernels<L2, std::int8_t>(Isa isa) noexcept;
template <>
Kernels<std::int8_t> kernels<InnerProduct, std::int8_t>(Isa isa) noexcept;
template <>
Kernels<std::uint8_t> kernels<L2, std::uint8_t>(Isa isa) noexcept;
template <>
Kernels<std::uint8_t> kernels<InnerProduct, std::uint8_t>(Isa isa) noexcept;
template <>
Kernels<Bits8> kernels<Hamming, Bits8>(Isa isa) noexcept;
template <>
Kernels<Bits8> kernels<Jaccard, Bits8>(Isa isa) noexcept;

/// The kernels of codes of 8 or 4 bits. Requires: supports(isa).
template <unsigned bits>
[[nodiscard]] CodeKernels code_kernels(Isa isa) noexcept;

template <>
CodeKernels code_kernels<8>(Isa isa) noexcept;
template <>
CodeKernels code_kernels<4>(Isa isa) noexcept;

/// Products of many with many. Requires: supports(isa).
[[nodiscard]] ProductKernels product_kernels(Isa isa) noexcept;

/// Sums of table entries in registers. Requires: supports(isa).
[[nodiscard]] FastScanKernels fast_scan_kernels(Isa isa) noexcept;

#else

/// The kernels of metric M over elements T; InnerProduct gives −⟨a, b⟩. Cosine is made from those and the rows' norms.
template <class M, class T, class Flags = detail::ThisBuild>
    requires SumMetric<M, T> || BitMetric<M, T>
[[nodiscard]] Kernels<T> kernels(Isa) noexcept {
    return detail::portable_kernels<M, T, Flags>();
}

/// The kernels of codes of 8 or 4 bits.
template <unsigned bits, class Flags = detail::ThisBuild>
[[nodiscard]] CodeKernels code_kernels(Isa) noexcept {
    return detail::portable_code_kernels<bits, Flags>();
}

/// Products of many with many.
template <class Flags = detail::ThisBuild>
[[nodiscard]] ProductKernels product_kernels(Isa) noexcept {
    return detail::portable_product_kernels<Flags>();
}

/// Sums of table entries, in blocks.
template <class Flags = detail::ThisBuild>
[[nodiscard]] FastScanKernels fast_scan_kernels(Isa) noexcept {
    return detail::portable_fast_scan_kernels<Flags>();
}

#endif

}  // namespace kith::inline v0
