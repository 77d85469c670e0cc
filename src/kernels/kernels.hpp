// src/kernels/kernels.hpp — the kernels, written once over a register of any size.
//
// Gathered rows are scored four at a time: the query is loaded once for the four, and their eight sums hide the latency
// of an addition. However rows are grouped, each row's own arithmetic is the same, so its distance does not depend on
// who stands beside it.
//
// Only sources built for one instruction set include this; see table.hpp for how they are reached.
#pragma once

#include "kernels/simd.hpp"
#include "kith/core/slot.hpp"
#include "kith/distance/kernels.hpp"

#include <cstddef>

namespace kith::inline v0 {

namespace detail {

/// The squared distance: what a pair of elements adds to a row's sum, and what becomes of the sum.
template <class A>
struct L2Terms {
    using Arch = A;
    [[gnu::always_inline]] static Floats<A> add(Floats<A> sum, Floats<A> a, Floats<A> b) noexcept {
        const Floats<A> difference = a - b;
        return xsimd::fma(difference, difference, sum);
    }
    [[gnu::always_inline]] static float finish(float sum) noexcept { return sum; }
};

/// The same for −⟨a, b⟩.
template <class A>
struct InnerProductTerms {
    using Arch = A;
    [[gnu::always_inline]] static Floats<A> add(Floats<A> sum, Floats<A> a, Floats<A> b) noexcept {
        return xsimd::fma(a, b, sum);
    }
    [[gnu::always_inline]] static float finish(float sum) noexcept { return -sum; }
};

/// Scores `count` rows, at most four.
template <class Terms, std::size_t count>
[[gnu::always_inline]] inline void score_group(const float* query, const float* const* rows, std::size_t dim,
                                               float* out) noexcept {
    using A = typename Terms::Arch;
    constexpr std::size_t width = Floats<A>::size;
    Floats<A> even[4];  // sums of the first, third, … register of each row
    Floats<A> odd[4];
    for (std::size_t row = 0; row < 4; ++row) even[row] = odd[row] = Floats<A>(0.0F);

    std::size_t i = 0;
    for (; i + 2 * width <= dim; i += 2 * width) {
        const Floats<A> first = load<A>(query + i);
        const Floats<A> second = load<A>(query + i + width);
        for (std::size_t row = 0; row < count; ++row) {
            even[row] = Terms::add(even[row], first, load<A>(rows[row] + i));
            odd[row] = Terms::add(odd[row], second, load<A>(rows[row] + i + width));
        }
    }
    if (i + width <= dim) {
        const Floats<A> elements = load<A>(query + i);
        for (std::size_t row = 0; row < count; ++row) {
            even[row] = Terms::add(even[row], elements, load<A>(rows[row] + i));
        }
        i += width;
    }
    if (i < dim) {
        const Floats<A> elements = Simd<A>::load_first(query + i, dim - i);
        for (std::size_t row = 0; row < count; ++row) {
            odd[row] = Terms::add(odd[row], elements, Simd<A>::load_first(rows[row] + i, dim - i));
        }
    }

    for (std::size_t row = 0; row < count; ++row) even[row] = even[row] + odd[row];
    float sums[4];
    Simd<A>::sum_four(even, sums);
    for (std::size_t row = 0; row < count; ++row) out[row] = Terms::finish(sums[row]);
}

/// Scores the one, two or three rows that are left when the fours are done.
template <class Terms>
void score_rest(const float* query, const float* const* rows, std::size_t dim, std::size_t count, float* out) noexcept {
    if (count == 1) score_group<Terms, 1>(query, rows, dim, out);
    if (count == 2) score_group<Terms, 2>(query, rows, dim, out);
    if (count == 3) score_group<Terms, 3>(query, rows, dim, out);
}

template <class Terms>
void score_slots(const float* query, const float* rows, std::size_t stride, std::size_t dim, const Slot* slots,
                 std::size_t count, float* out) noexcept {
    // A row comes from memory in the time it takes to score a few. The processor's own prefetcher takes over in a long
    // row, so only its beginning is asked for. Measured: 4 rows ahead and whole rows were up to a fifth slower.
    constexpr std::size_t ahead = 8;
    constexpr std::size_t line = 64 / sizeof(float);
    constexpr std::size_t longest = 16 * line;
    const std::size_t fetched = dim < longest ? dim : longest;

    std::size_t asked = 0;
    for (std::size_t i = 0; i < count; i += 4) {
        for (; asked < count && asked < i + 4 + ahead; ++asked) {
            const float* row = rows + slots[asked] * stride;
            for (std::size_t element = 0; element < fetched; element += line) __builtin_prefetch(row + element);
        }
        const std::size_t left = count - i < 4 ? count - i : 4;
        const float* group[4];
        for (std::size_t row = 0; row < left; ++row) group[row] = rows + slots[i + row] * stride;
        if (left == 4) {
            score_group<Terms, 4>(query, group, dim, out + i);
        } else {
            score_rest<Terms>(query, group, dim, left, out + i);
        }
    }
}

template <class Terms>
void score_block(const float* query, const float* rows, std::size_t stride, std::size_t dim, std::size_t count,
                 float* out) noexcept {
    // One row after the other is one stream, which the processor's prefetcher follows as fast as memory goes: 34 to 41
    // GB/s measured from 100 to 768 dimensions, against 20 to 38 for four rows at once.
    for (std::size_t i = 0; i < count; ++i) {
        const float* row = rows + i * stride;
        score_group<Terms, 1>(query, &row, dim, out + i);
    }
}

template <class Terms>
Kernels<float> make_kernels() noexcept {
    return {score_slots<Terms>, score_block<Terms>};
}

}  // namespace detail

}  // namespace kith::inline v0
