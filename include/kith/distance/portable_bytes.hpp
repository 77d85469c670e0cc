// kith/distance/portable_bytes.hpp — the byte kernels in plain C++, as fast as the compiler's flags allow.
//
// As in portable.hpp, each function carries the flags of the source it was compiled in.
#pragma once

#include "kith/core/slot.hpp"
#include "kith/distance/byte_kernels.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace kith::inline v0 {

namespace detail {

/// Puts an integer sum on the metric's scale.
template <class Flags>
float finish_bytes(const ByteQuery& query, const std::uint8_t* row, std::size_t dim, std::int32_t sum) noexcept {
    ByteTail tail;
    std::memcpy(&tail, row + byte_tail_at(dim), sizeof(tail));
    return (query.offset + tail.offset) + (query.scale * tail.scale) * static_cast<float>(sum - query.bias);
}

template <class Flags>
float portable_byte_distance(const ByteQuery& query, const std::uint8_t* row, std::size_t dim) noexcept {
    std::int32_t sum = 0;
    for (std::size_t i = 0; i < dim; ++i) sum += std::int32_t{query.codes[i]} * std::int32_t{row[i]};
    return finish_bytes<Flags>(query, row, dim, sum);
}

/// Begins to fetch a row that will soon be scored.
template <class Flags>
[[gnu::always_inline]] inline void fetch_byte_row(const std::uint8_t* row, std::size_t dim) noexcept {
    constexpr std::size_t longest = 1024;  // the processor's own prefetcher follows from there
    const std::size_t end = byte_tail_at(dim) + sizeof(ByteTail);
    for (std::size_t at = 0; at < end && at < longest; at += 64) __builtin_prefetch(row + at);
}

template <class Flags>
void portable_byte_slots(const ByteQuery& query, const std::uint8_t* rows, std::size_t stride, std::size_t dim,
                         const Slot* slots, std::size_t count, float* out) noexcept {
    constexpr std::size_t ahead = 12;
    for (std::size_t i = 0; i < count + ahead; ++i) {
        if (i < count) fetch_byte_row<Flags>(rows + slots[i] * stride, dim);
        if (i >= ahead) out[i - ahead] = portable_byte_distance<Flags>(query, rows + slots[i - ahead] * stride, dim);
    }
}

template <class Flags>
void portable_byte_block(const ByteQuery& query, const std::uint8_t* rows, std::size_t stride, std::size_t dim,
                         std::size_t count, float* out) noexcept {
    for (std::size_t i = 0; i < count; ++i) out[i] = portable_byte_distance<Flags>(query, rows + i * stride, dim);
}

template <class Flags>
float portable_byte_encode(const float* vector, float factor, const float* mean, std::size_t dim,
                           std::uint8_t* codes) noexcept {
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
    const float scale = (most < finite ? most : finite) / 127;
    const float inverse = scale > tiny ? 1 / scale : 0;
    for (std::size_t i = 0; i < dim; ++i) {
        float steps = (vector[i] * factor - mean[i]) * inverse;
        steps = steps < -127 ? -127 : steps;
        steps = steps > 127 ? 127 : steps;
        codes[i] = static_cast<std::uint8_t>(static_cast<std::int32_t>(steps + 128.5F));
    }
    return inverse > 0 ? scale : 0;
}

template <class Flags>
constexpr ByteKernels portable_byte_kernels() noexcept {
    return {portable_byte_slots<Flags>, portable_byte_block<Flags>, portable_byte_encode<Flags>};
}

}  // namespace detail

}  // namespace kith::inline v0
