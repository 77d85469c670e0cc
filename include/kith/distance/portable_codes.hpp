// kith/distance/portable_codes.hpp — the code kernels in plain C++, as fast as the compiler's flags allow.
//
// As in portable.hpp, each function carries the flags of the source it was compiled in. The library's sources forbid
// the compiler to make one rounding of a product and a sum (-ffp-contract=off), so they make the same codes on every
// processor; a header-only program gets the same ones where its flags forbid that too, or allow no such instruction.
#pragma once

#include "kith/core/prefetch.hpp"
#include "kith/core/slot.hpp"
#include "kith/distance/code_kernels.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace kith::inline v0 {

namespace detail {

/// Puts an integer sum on the metric's scale.
template <unsigned bits, class Flags>
float finish_code(const CodeQuery& query, const std::uint8_t* row, std::size_t dim, std::int32_t sum) noexcept {
    CodeTail tail;
    std::memcpy(&tail, row + CodeShape<bits>::tail_at(dim), sizeof(tail));
    return (query.offset + tail.offset) + (query.scale * tail.scale) * static_cast<float>(sum - query.bias);
}

template <unsigned bits, class Flags>
float portable_code_distance(const CodeQuery& query, const std::uint8_t* row, std::size_t dim) noexcept {
    std::int32_t sum = 0;
    if constexpr (bits == 8) {
        for (std::size_t i = 0; i < dim; ++i) sum += std::int32_t{query.codes[i]} * std::int32_t{row[i]};
    } else {
        const std::size_t bytes = CodeShape<bits>::bytes(dim);
        for (std::size_t first = 0; first < bytes; first += 64) {
            const std::int8_t* const codes = query.codes + 2 * first;
            const std::size_t count = bytes - first < 64 ? bytes - first : 64;
            for (std::size_t i = 0; i < count; ++i) {
                sum += codes[i] * (row[first + i] & 15) + codes[i + 64] * (row[first + i] >> 4);
            }
        }
    }
    return finish_code<bits, Flags>(query, row, dim, sum);
}

/// How many rows ahead of the one being scored are fetched: as many as make 192 lines, which keeps every miss the core
/// can have in flight. With 12 rows, a graph over short rows (128 elements of 4 bits) answered 30 % fewer queries a
/// second.
template <unsigned bits>
[[gnu::always_inline]] inline std::size_t codes_ahead(std::size_t dim) noexcept {
    constexpr std::size_t lines_ahead = 192;
    constexpr std::size_t fewest_rows = 8;
    const std::size_t rows = lines_ahead / ((CodeShape<bits>::row_bytes(dim) + 63) / 64);
    return rows < fewest_rows ? fewest_rows : rows;
}

/// Begins to fetch a row that will soon be scored.
template <unsigned bits, class Flags>
[[gnu::always_inline]] inline void fetch_code(const std::uint8_t* row, std::size_t dim) noexcept {
    prefetch_row<lines_ahead_of_kernels>(row, CodeShape<bits>::row_bytes(dim));
}

template <unsigned bits, class Flags>
void portable_code_slots(const CodeQuery& query, const std::uint8_t* rows, std::size_t stride, std::size_t dim,
                         const Slot* slots, std::size_t count, float* out) noexcept {
    const std::size_t ahead = codes_ahead<bits>(dim);
    for (std::size_t i = 0; i < count + ahead; ++i) {
        if (i < count) fetch_code<bits, Flags>(rows + slots[i] * stride, dim);
        if (i < ahead) continue;
        out[i - ahead] = portable_code_distance<bits, Flags>(query, rows + slots[i - ahead] * stride, dim);
    }
}

template <unsigned bits, class Flags>
void portable_code_block(const CodeQuery& query, const std::uint8_t* rows, std::size_t stride, std::size_t dim,
                         std::size_t count, float* out) noexcept {
    for (std::size_t i = 0; i < count; ++i) {
        out[i] = portable_code_distance<bits, Flags>(query, rows + i * stride, dim);
    }
}

template <class Flags>
float portable_code_encode(const float* vector, float factor, const float* mean, std::size_t dim, float steps,
                           std::int8_t* codes) noexcept {
    const auto size = [&](std::size_t i) {
        const float centred = vector[i] * factor - mean[i];
        return centred < 0 ? -centred : centred;
    };
    constexpr std::size_t lanes = 16;  // the largest of each lane, so that the compiler may use registers
    float largest[lanes] = {};
    float most = 0;
    std::size_t at = 0;
    for (; at + lanes <= dim; at += lanes) {
        for (std::size_t lane = 0; lane < lanes; ++lane) {
            const float next = size(at + lane);
            largest[lane] = largest[lane] < next ? next : largest[lane];
        }
    }
    for (; at < dim; ++at) most = most < size(at) ? size(at) : most;
    for (const float next : largest) most = most < next ? next : most;

    constexpr float finite = 1e38F;
    constexpr float tiny = 1e-30F;  // its inverse is finite
    const float scale = (most < finite ? most : finite) / steps;
    const float inverse = scale > tiny ? 1 / scale : 0;
    for (std::size_t i = 0; i < dim; ++i) {
        float step = (vector[i] * factor - mean[i]) * inverse;
        step = step < -steps ? -steps : step;
        step = step > steps ? steps : step;
        // What is cast is positive, so cutting it rounds to the nearest.
        codes[i] = static_cast<std::int8_t>(static_cast<std::int32_t>(step + 128.5F) - 128);
    }
    return inverse > 0 ? scale : 0;
}

template <unsigned bits, class Flags>
constexpr CodeKernels portable_code_kernels() noexcept {
    return {portable_code_slots<bits, Flags>, portable_code_block<bits, Flags>, portable_code_encode<Flags>};
}

}  // namespace detail

}  // namespace kith::inline v0
