// src/kernels/kernels.hpp — the kernels, written once over a register of any size and elements of any type.
//
// Gathered rows are scored four at a time: the query is loaded once for the four, and their eight sums hide the latency
// of an addition. However rows are grouped, each row's own arithmetic is the same, so its distance does not depend on
// who stands beside it.
//
// What a register holds, and how it is filled and summed, is a Lanes class: float_lanes.hpp, integer_lanes.hpp and
// bit_lanes.hpp have one for each family of elements. It has
//
//   Element, Query    what a row and a query are made of
//   Register, Sum     `width` elements, and a sum of what becomes of them
//   load(from), load_first(from, count)          the next width elements, or fewer, then zeros, reading no further
//   zero(), join(a, b)                           sums
//   add_squares(sum, a, b), add_products(sum, a, b)
//   finish(sums, out)                            four sums of `width` parts each become four floats
//
// Only sources built for one instruction set include this; see table.hpp for how they are reached.
#pragma once

#include "kernels/float_lanes.hpp"
#include "kith/core/slot.hpp"
#include "kith/distance/kernels.hpp"

#include <cstddef>

namespace kith::inline v0 {

namespace detail {

/// The squared distance: what a pair of registers adds to a row's sum, and what becomes of the sum.
template <class L>
struct SquareTerms : L {
    using Lanes = L;
    using Sum = typename L::Sum;
    using Register = typename L::Register;
    [[gnu::always_inline]] static Sum add(Sum sum, Register a, Register b) noexcept {
        return L::add_squares(sum, a, b);
    }
    [[gnu::always_inline]] static float turn(float sum) noexcept { return sum; }
};

/// The same for −⟨a, b⟩.
template <class L>
struct ProductTerms : L {
    using Lanes = L;
    using Sum = typename L::Sum;
    using Register = typename L::Register;
    [[gnu::always_inline]] static Sum add(Sum sum, Register a, Register b) noexcept {
        return L::add_products(sum, a, b);
    }
    [[gnu::always_inline]] static float turn(float sum) noexcept { return -sum; }
};

template <class A, class T = float>
using L2Terms = SquareTerms<FloatLanes<A, T>>;
template <class A, class T = float>
using InnerProductTerms = ProductTerms<FloatLanes<A, T>>;

/// Scores `count` rows, at most four.
template <class Terms, std::size_t count>
[[gnu::always_inline]] inline void score_group(const typename Terms::Query* query,
                                               const typename Terms::Element* const* rows, std::size_t dim,
                                               float* out) noexcept {
    using Sum = typename Terms::Sum;
    constexpr std::size_t width = Terms::width;
    Sum even[4];  // sums of the first, third, … register of each row
    Sum odd[4];
    for (std::size_t row = 0; row < 4; ++row) even[row] = odd[row] = Terms::zero();

    std::size_t i = 0;
    for (; i + 2 * width <= dim; i += 2 * width) {
        const auto first = Terms::load(query + i);
        const auto second = Terms::load(query + i + width);
        for (std::size_t row = 0; row < count; ++row) {
            even[row] = Terms::add(even[row], first, Terms::load(rows[row] + i));
            odd[row] = Terms::add(odd[row], second, Terms::load(rows[row] + i + width));
        }
    }
    if (i + width <= dim) {
        const auto elements = Terms::load(query + i);
        for (std::size_t row = 0; row < count; ++row) {
            even[row] = Terms::add(even[row], elements, Terms::load(rows[row] + i));
        }
        i += width;
    }
    if (i < dim) {
        const auto elements = Terms::load_first(query + i, dim - i);
        for (std::size_t row = 0; row < count; ++row) {
            odd[row] = Terms::add(odd[row], elements, Terms::load_first(rows[row] + i, dim - i));
        }
    }

    for (std::size_t row = 0; row < count; ++row) even[row] = Terms::join(even[row], odd[row]);
    float sums[4];
    Terms::finish(even, sums);
    for (std::size_t row = 0; row < count; ++row) out[row] = Terms::turn(sums[row]);
}

/// Scores the one, two or three rows that are left when the fours are done.
template <class Terms>
void score_rest(const typename Terms::Query* query, const typename Terms::Element* const* rows, std::size_t dim,
                std::size_t count, float* out) noexcept {
    if (count == 1) score_group<Terms, 1>(query, rows, dim, out);
    if (count == 2) score_group<Terms, 2>(query, rows, dim, out);
    if (count == 3) score_group<Terms, 3>(query, rows, dim, out);
}

template <class Terms>
void score_slots(const typename Terms::Query* query, const typename Terms::Element* rows, std::size_t stride,
                 std::size_t dim, const Slot* slots, std::size_t count, float* out) noexcept {
    using Element = typename Terms::Element;
    // The processor's own prefetcher takes over in a long row, so only its beginning is asked for. Measured: 4 rows
    // ahead and whole rows were up to a fifth slower.
    //
    // In elements, and not by prefetch_row(): there the compiler makes a loop of what is a run of 16 branches here,
    // with which long rows come from the second cache twice as fast (768 floats; the loop is faster with 100 to 128).
    const std::size_t ahead = rows_ahead(dim * sizeof(Element));
    constexpr std::size_t line = 64 / sizeof(Element);
    constexpr std::size_t longest = 16 * line;
    const std::size_t fetched = dim < longest ? dim : longest;

    std::size_t asked = 0;
    for (std::size_t i = 0; i < count; i += 4) {
        for (; asked < count && asked < i + 4 + ahead; ++asked) {
            const Element* row = rows + slots[asked] * stride;
            for (std::size_t element = 0; element < fetched; element += line) __builtin_prefetch(row + element);
        }
        const std::size_t left = count - i < 4 ? count - i : 4;
        const Element* group[4];
        for (std::size_t row = 0; row < left; ++row) group[row] = rows + slots[i + row] * stride;
        if (left == 4) {
            score_group<Terms, 4>(query, group, dim, out + i);
        } else {
            score_rest<Terms>(query, group, dim, left, out + i);
        }
    }
}

template <class Terms>
void score_block(const typename Terms::Query* query, const typename Terms::Element* rows, std::size_t stride,
                 std::size_t dim, std::size_t count, float* out) noexcept {
    // One row after the other is one stream, which the processor's prefetcher follows as fast as memory goes: 34 to 41
    // GB/s measured from 100 to 768 dimensions, against 20 to 38 for four rows at once. Four rows of two lines at most
    // are hardly more than one, and summing four registers at once doubles the rate in the caches.
    using Element = typename Terms::Element;
    constexpr std::size_t short_row = 128;
    std::size_t i = 0;
    if (dim * sizeof(Element) <= short_row) {
        for (; i + 4 <= count; i += 4) {
            const Element* const first = rows + i * stride;
            const Element* const group[4] = {first, first + stride, first + 2 * stride, first + 3 * stride};
            score_group<Terms, 4>(query, group, dim, out + i);
        }
    }
    for (; i < count; ++i) {
        const Element* const row = rows + i * stride;
        score_group<Terms, 1>(query, &row, dim, out + i);
    }
}

template <class Terms>
Kernels<typename Terms::Element> make_kernels() noexcept {
    return {score_slots<Terms>, score_block<Terms>};
}

}  // namespace detail

}  // namespace kith::inline v0
