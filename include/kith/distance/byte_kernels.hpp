// kith/distance/byte_kernels.hpp — distances between vectors of one byte an element, each with a scale of its own.
//
// A code stands for scale · (byte − 128) in each element. Any metric between two such vectors is a sum of what each
// knows of itself, its offset, and the product of their scales with an integer dot product. So one kernel serves
// them all, and integers make it exact: the same distance on every processor, up to the rounding of three operations.
//
// This header stays free of everything but types, as kernels.hpp does.
#pragma once

#include "kith/core/slot.hpp"

#include <cstddef>
#include <cstdint>

namespace kith::inline v0 {

/// The longest vector whose integer sums fit 32 bits: 255 · 127 a term.
inline constexpr std::size_t longest_byte_row = 65536;

/// A query, prepared. Shape: `codes` holds dim signed bytes, −127 to 127, then zeros up to a multiple of 64.
struct ByteQuery {
    const std::int8_t* codes = nullptr;
    float scale = 0;
    float offset = 0;
    std::int32_t bias = 0;  ///< 128 · Σ codes: what the bytes of a row, which are never negative, add to each sum
};

/// What stands behind the bytes of a row.
struct ByteTail {
    float scale = 0;
    float offset = 0;
};

/// The kernels of one instruction set.
/// Requires: dim is at least 1 and at most longest_byte_row; stride is at least byte_tail_at(dim) + sizeof(ByteTail).
/// Shape:  row s begins at rows + s · stride: dim bytes, a ByteTail at byte_tail_at(dim). Up to 63 bytes past its last
///         element are read and ignored, which the memory must allow. `out` has room for `count` distances,
///         (query.offset + row.offset) + (query.scale · row.scale) · Σ query_i (byte_i − 128).
/// Laws:   as Kernels<T>: the same to the last bit in both shapes and whatever rows stand beside it.
struct ByteKernels {
    using Slots = void (*)(const ByteQuery& query, const std::uint8_t* rows, std::size_t stride, std::size_t dim,
                           const Slot* slots, std::size_t count, float* out) noexcept;
    using Block = void (*)(const ByteQuery& query, const std::uint8_t* rows, std::size_t stride, std::size_t dim,
                           std::size_t count, float* out) noexcept;
    /// Writes (vector_i · factor − mean_i) / scale, rounded, plus 128, to `codes`; the scale puts the largest element
    /// at 127, and is returned; 0, with all codes 128, where all elements equal the mean.
    using Encode = float (*)(const float* vector, float factor, const float* mean, std::size_t dim,
                             std::uint8_t* codes) noexcept;

    Slots slots = nullptr;
    Block block = nullptr;
    Encode encode = nullptr;
};

namespace detail {

/// Where the ByteTail of a row begins. Always inline, so that no source leaves a copy with its own instructions.
[[gnu::always_inline]] constexpr std::size_t byte_tail_at(std::size_t dim) noexcept {
    return (dim + alignof(ByteTail) - 1) / alignof(ByteTail) * alignof(ByteTail);
}

}  // namespace detail

}  // namespace kith::inline v0
