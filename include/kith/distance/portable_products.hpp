// kith/distance/portable_products.hpp — the kernels of products.hpp in plain C++.
//
// As portable.hpp: each carries the flags of the source it was compiled in.
#pragma once

#include "kith/distance/portable.hpp"
#include "kith/distance/products.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace kith::inline v0 {

namespace detail {

inline constexpr std::size_t portable_panel = 16;

/// Four floats in a register of every processor that has any. Left to find them in loops over arrays of sums, g++ 12
/// puts the sums in memory, at a fifth of the speed.
using FourFloats [[gnu::vector_size(16)]] = float;

/// `rows` rows against one panel.
template <class Flags, std::size_t rows>
void portable_product_tile(const float* from, std::size_t stride, const float* panel, std::size_t dim, float* out,
                           std::size_t out_stride) noexcept {
    constexpr std::size_t parts = portable_panel / 4;
    FourFloats sums[rows][parts];
#pragma GCC unroll 8
    for (std::size_t row = 0; row < rows; ++row) {
#pragma GCC unroll 8
        for (std::size_t part = 0; part < parts; ++part) sums[row][part] = FourFloats{};
    }
    for (std::size_t d = 0; d < dim; ++d) {
        FourFloats elements[parts];
#pragma GCC unroll 8
        for (std::size_t part = 0; part < parts; ++part) {
            std::memcpy(&elements[part], panel + d * portable_panel + part * 4, sizeof(FourFloats));
        }
#pragma GCC unroll 8
        for (std::size_t row = 0; row < rows; ++row) {
            const float element = from[row * stride + d];
#pragma GCC unroll 8
            for (std::size_t part = 0; part < parts; ++part) sums[row][part] += element * elements[part];
        }
    }
#pragma GCC unroll 8
    for (std::size_t row = 0; row < rows; ++row) {
#pragma GCC unroll 8
        for (std::size_t part = 0; part < parts; ++part) {
            std::memcpy(out + row * out_stride + part * 4, &sums[row][part], sizeof(FourFloats));
        }
    }
}

template <class Flags>
void portable_products(const float* rows, std::size_t stride, std::size_t count, const float* panels,
                       std::size_t panel_count, std::size_t dim, float* out, std::size_t out_stride) noexcept {
    constexpr std::size_t tile = 2;
    for (std::size_t at = 0; at < panel_count; ++at) {
        const float* panel = panels + at * portable_panel * dim;
        std::size_t row = 0;
        for (; row + tile <= count; row += tile) {
            portable_product_tile<Flags, tile>(rows + row * stride, stride, panel, dim,
                                               out + row * out_stride + at * portable_panel, out_stride);
        }
        for (; row < count; ++row) {
            portable_product_tile<Flags, 1>(rows + row * stride, stride, panel, dim,
                                            out + row * out_stride + at * portable_panel, out_stride);
        }
    }
}

template <class Flags>
std::uint32_t portable_nearest(const float* products, const float* half_norms, std::size_t count,
                               float* least) noexcept {
    std::uint32_t nearest = 0;
    float best = __builtin_inff();
    for (std::size_t i = 0; i < count; ++i) {
        const float score = half_norms[i] - products[i];
        if (score < best) {
            best = score;
            nearest = static_cast<std::uint32_t>(i);
        }
    }
    *least = best;
    return nearest;
}

template <class Flags>
void portable_words(const float* vector, const float* codebooks, std::size_t subvectors, std::size_t sub_dim,
                    std::size_t words, float* out) noexcept {
    constexpr std::size_t lanes = 16;
    for (std::size_t m = 0; m < subvectors; ++m) {
        for (std::size_t first = 0; first < words; first += lanes) {
            float sums[lanes] = {};
            for (std::size_t d = 0; d < sub_dim; ++d) {
                const float element = vector[m * sub_dim + d];
                const float* word = codebooks + (m * sub_dim + d) * words + first;
                for (std::size_t lane = 0; lane < lanes; ++lane) sums[lane] += element * word[lane];
            }
            for (std::size_t lane = 0; lane < lanes; ++lane) out[m * words + first + lane] = sums[lane];
        }
    }
}

template <class Flags>
void portable_nearest_words(const float* vector, const float* codebooks, const float* half_norms,
                            std::size_t subvectors, std::size_t sub_dim, std::size_t words,
                            std::uint8_t* out) noexcept {
    float products[256];
    for (std::size_t m = 0; m < subvectors; ++m) {
        portable_words<Flags>(vector + m * sub_dim, codebooks + m * sub_dim * words, 1, sub_dim, words, products);
        float least = 0;
        out[m] = static_cast<std::uint8_t>(portable_nearest<Flags>(products, half_norms + m * words, words, &least));
    }
}

template <class Flags>
std::size_t portable_reached(const float* products, std::size_t stride, std::size_t rows, const float* scales,
                             const float* shifts, const float* least, std::size_t count, std::uint32_t* at) noexcept {
    constexpr std::size_t lanes = portable_panel;
    std::size_t found = 0;
    for (std::size_t row = 0; row < rows; ++row) {
        for (std::size_t first = 0; first < count; first += lanes) {
            const float* product = products + row * stride + first;
            std::uint32_t reached = 0;
            for (std::size_t lane = 0; lane < lanes; ++lane) {
                reached |= product[lane] * scales[row] - shifts[row] < least[first + lane] ? 0U : 1U << lane;
            }
            for (std::size_t lane = 0; reached != 0; ++lane, reached >>= 1) {
                if ((reached & 1U) != 0) at[found++] = static_cast<std::uint32_t>(row * stride + first + lane);
            }
        }
    }
    return found;
}

template <class Flags>
constexpr ProductKernels portable_product_kernels() noexcept {
    return {portable_panel,        portable_products<Flags>,      portable_nearest<Flags>,
            portable_words<Flags>, portable_nearest_words<Flags>, portable_reached<Flags>};
}

}  // namespace detail

}  // namespace kith::inline v0
