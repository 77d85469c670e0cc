// src/kernels/products.hpp — products of many rows with many vectors, and the nearest of them, in registers.
//
// A tile of rows and one panel, two registers wide, keep all their sums in registers: each element that is read meets
// a dozen others. Sums run over the dimension in order, so a product does not depend on the tile it was computed in.
//
// Only sources built for one instruction set include this; see table.hpp for how they are reached.
// Source: Goto & van de Geijn, "Anatomy of high-performance matrix multiplication", ACM TOMS 34(3), 2008.
#pragma once

#include "kernels/simd.hpp"
#include "kith/distance/products.hpp"

#include <cstddef>
#include <cstdint>

namespace kith::inline v0 {

namespace detail {

/// Rows that fit in the registers beside two of a panel and one element.
template <class A>
inline constexpr std::size_t tile_rows = Floats<A>::size == 8 ? 6 : 12;  // AVX2 has 16 registers, the others 32

template <class A, std::size_t count>
[[gnu::always_inline]] inline void product_tile(const float* rows, std::size_t stride, const float* panel,
                                                std::size_t dim, float* out, std::size_t out_stride) noexcept {
    constexpr std::size_t width = Floats<A>::size;
    Floats<A> low[count], high[count];
#pragma GCC unroll 16
    for (std::size_t row = 0; row < count; ++row) low[row] = high[row] = Floats<A>(0.0F);
    for (std::size_t d = 0; d < dim; ++d) {
        const Floats<A> first = load<A>(panel + d * 2 * width);
        const Floats<A> second = load<A>(panel + d * 2 * width + width);
#pragma GCC unroll 16
        for (std::size_t row = 0; row < count; ++row) {
            const Floats<A> element(rows[row * stride + d]);
            low[row] = multiply_add<A>(element, first, low[row]);
            high[row] = multiply_add<A>(element, second, high[row]);
        }
    }
#pragma GCC unroll 16
    for (std::size_t row = 0; row < count; ++row) {
        low[row].store_unaligned(out + row * out_stride);
        high[row].store_unaligned(out + row * out_stride + width);
    }
}

/// One row against four panels: as many sums side by side as hide the time one addition takes.
template <class A>
[[gnu::always_inline]] inline void product_row(const float* row, const float* panels, std::size_t dim,
                                               float* out) noexcept {
    constexpr std::size_t width = Floats<A>::size;
    Floats<A> sums[8];
#pragma GCC unroll 8
    for (std::size_t i = 0; i < 8; ++i) sums[i] = Floats<A>(0.0F);
    for (std::size_t d = 0; d < dim; ++d) {
        const Floats<A> element(row[d]);
#pragma GCC unroll 8
        for (std::size_t i = 0; i < 8; ++i) {
            sums[i] =
                multiply_add<A>(element, load<A>(panels + (i / 2 * dim + d) * 2 * width + i % 2 * width), sums[i]);
        }
    }
#pragma GCC unroll 8
    for (std::size_t i = 0; i < 8; ++i) sums[i].store_unaligned(out + i * width);
}

template <class A>
void products(const float* rows, std::size_t stride, std::size_t count, const float* panels, std::size_t panel_count,
              std::size_t dim, float* out, std::size_t out_stride) noexcept {
    constexpr std::size_t panel = 2 * Floats<A>::size;
    constexpr std::size_t tile = tile_rows<A>;
    std::size_t first = 0;
    if (count == 1) {
        for (; first + 4 <= panel_count; first += 4) {
            product_row<A>(rows, panels + first * panel * dim, dim, out + first * panel);
        }
    }
    for (std::size_t at = first; at < panel_count; ++at) {
        const float* vectors = panels + at * panel * dim;
        float* to = out + at * panel;
        std::size_t row = 0;
        for (; row + tile <= count; row += tile) {
            product_tile<A, tile>(rows + row * stride, stride, vectors, dim, to + row * out_stride, out_stride);
        }
        for (; row + 4 <= count; row += 4) {
            product_tile<A, 4>(rows + row * stride, stride, vectors, dim, to + row * out_stride, out_stride);
        }
        for (; row < count; ++row) {
            product_tile<A, 1>(rows + row * stride, stride, vectors, dim, to + row * out_stride, out_stride);
        }
    }
}

/// The least of values[lane] and the least numbers[lane] that has it.
template <class A>
[[gnu::always_inline]] inline std::uint32_t first_least(Floats<A> values, Floats<A> numbers, float* least) noexcept {
    constexpr std::size_t width = Floats<A>::size;
    float value[width], number[width];
    values.store_unaligned(value);
    numbers.store_unaligned(number);
    float best = value[0], at = number[0];
    for (std::size_t lane = 1; lane < width; ++lane) {
        const bool nearer = value[lane] < best || (value[lane] == best && number[lane] < at);
        best = nearer ? value[lane] : best;
        at = nearer ? number[lane] : at;
    }
    *least = best;
    return static_cast<std::uint32_t>(at);
}

/// The first of the least of many scores. What is no number is never below anything, so it is never the least; where
/// nothing is below infinity, the first is. Numbers are kept as floats, whose comparison selects them; so there may be
/// up to 2^24.
template <class A>
class FirstLeast {
public:
    /// Looks at the scores that follow those seen so far.
    [[gnu::always_inline]] void see(Floats<A> scores) noexcept {
        const auto nearer = scores < best_;
        best_ = xsimd::select(nearer, scores, best_);
        at_ = xsimd::select(nearer, number_, at_);
        number_ = number_ + Floats<A>(static_cast<float>(Floats<A>::size));
    }
    [[gnu::always_inline]] std::uint32_t find(float* least) const noexcept { return first_least<A>(best_, at_, least); }

private:
    [[gnu::always_inline]] static Floats<A> first_numbers() noexcept {
        float lanes[Floats<A>::size];
        for (std::size_t lane = 0; lane < Floats<A>::size; ++lane) lanes[lane] = static_cast<float>(lane);
        return load<A>(lanes);
    }

    Floats<A> number_ = first_numbers();            // of the scores that come next
    Floats<A> at_ = number_;                        // where each lane's least was seen
    Floats<A> best_ = Floats<A>(__builtin_inff());  // each lane's least
};

template <class A>
std::uint32_t nearest(const float* products, const float* half_norms, std::size_t count, float* least) noexcept {
    FirstLeast<A> found;
    for (std::size_t i = 0; i < count; i += Floats<A>::size) {
        found.see(load<A>(half_norms + i) - load<A>(products + i));
    }
    return found.find(least);
}

template <class A>
void words(const float* vector, const float* codebooks, std::size_t subvectors, std::size_t sub_dim, std::size_t words,
           float* out) noexcept {
    constexpr std::size_t width = Floats<A>::size;
    for (std::size_t m = 0; m < subvectors; ++m) {
        for (std::size_t first = 0; first < words; first += width) {
            Floats<A> sum(0.0F);
            for (std::size_t d = 0; d < sub_dim; ++d) {
                sum = multiply_add<A>(Floats<A>(vector[d]), load<A>(codebooks + d * words + first), sum);
            }
            sum.store_unaligned(out + first);
        }
        vector += sub_dim;
        codebooks += sub_dim * words;
        out += words;
    }
}

template <class A>
void nearest_words(const float* vector, const float* codebooks, const float* half_norms, std::size_t subvectors,
                   std::size_t sub_dim, std::size_t words, std::uint8_t* out) noexcept {
    for (std::size_t m = 0; m < subvectors; ++m) {
        FirstLeast<A> found;
        for (std::size_t first = 0; first < words; first += Floats<A>::size) {
            Floats<A> sum(0.0F);
            for (std::size_t d = 0; d < sub_dim; ++d) {
                sum = multiply_add<A>(Floats<A>(vector[d]), load<A>(codebooks + d * words + first), sum);
            }
            found.see(load<A>(half_norms + first) - sum);
        }
        float least = 0;
        out[m] = static_cast<std::uint8_t>(found.find(&least));
        vector += sub_dim;
        codebooks += sub_dim * words;
        half_norms += words;
    }
}

template <class A>
std::size_t reached(const float* products, std::size_t stride, std::size_t rows, const float* scales,
                    const float* shifts, const float* least, std::size_t count, std::uint32_t* at) noexcept {
    constexpr std::size_t width = Floats<A>::size;
    std::size_t found = 0;
    for (std::size_t row = 0; row < rows; ++row) {
        const float* const row_products = products + row * stride;
        const Floats<A> scale(scales[row]), shift(shifts[row]);
        for (std::size_t first = 0; first < count; first += width) {
            const auto below = load<A>(row_products + first) * scale - shift < load<A>(least + first);
            if (xsimd::all(below)) continue;
            bool is_below[width];
            below.store_unaligned(is_below);
            for (std::size_t lane = 0; lane < width; ++lane) {
                if (!is_below[lane]) at[found++] = static_cast<std::uint32_t>(row * stride + first + lane);
            }
        }
    }
    return found;
}

template <class A>
ProductKernels make_product_kernels() noexcept {
    return {2 * Floats<A>::size, products<A>, nearest<A>, words<A>, nearest_words<A>, reached<A>};
}

}  // namespace detail

}  // namespace kith::inline v0
