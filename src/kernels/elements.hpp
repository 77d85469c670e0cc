// src/kernels/elements.hpp — the kernels of every element but float, for the instruction set of the source.
//
// Only sources built for one instruction set include this.
#pragma once

#include "kernels/bit_lanes.hpp"
#include "kernels/integer_lanes.hpp"
#include "kernels/kernels.hpp"
#include "kernels/table.hpp"
#include "kith/distance/hamming.hpp"
#include "kith/distance/jaccard.hpp"

#include <cstdint>

namespace kith::inline v0 {

namespace detail {

/// The kernels of integers and bits, which newer instructions serve anew.
template <class Flags>
[[gnu::always_inline]] inline void add_integer_kernels(ElementKernels& table) noexcept {
    using Squares = std::uint32_t;
    table.int8 = {make_kernels<SquareTerms<IntegerLanes<std::int8_t, Squares, Flags>>>(),
                  make_kernels<ProductTerms<IntegerLanes<std::int8_t, std::int32_t, Flags>>>()};
    table.uint8 = {make_kernels<SquareTerms<IntegerLanes<std::uint8_t, Squares, Flags>>>(),
                   make_kernels<ProductTerms<IntegerLanes<std::uint8_t, std::uint32_t, Flags>>>()};
    table.hamming = make_kernels<BitTerms<Hamming, Flags>>();
    table.jaccard = make_kernels<BitTerms<Jaccard, Flags>>();
}

/// All of them.
template <class A, class Flags>
[[gnu::always_inline]] inline ElementKernels make_element_kernels() noexcept {
    ElementKernels table;
    table.half = {make_kernels<L2Terms<A, Half>>(), make_kernels<InnerProductTerms<A, Half>>()};
    table.bfloat16 = {make_kernels<L2Terms<A, Bfloat16>>(), make_kernels<InnerProductTerms<A, Bfloat16>>()};
    add_integer_kernels<Flags>(table);
    return table;
}

}  // namespace detail

}  // namespace kith::inline v0
