// kith/distance/code_kernels.hpp — distances between vectors of a byte, or half of one, an element, each with a scale.
//
// A code of 8 bits stands for scale · (code − 128) in each element, one of 4 bits for scale · (code − 8). Any metric
// between two such vectors is a sum of what each knows of itself, its offset, and the product of their scales with an
// integer dot product. So one kernel serves them all, and integers make it exact: the few floats are rounded in the
// same order everywhere, so a distance is the same on every processor.
//
// A query always has 8 bits an element. Rows of 4 bits hold 128 elements in 64 bytes, element i in the low half of
// byte i, element i + 64 in the high half, so that unpacking is a mask and a shift; what is left over at the end,
// r elements, is split in the same way in (r + 1) / 2 bytes.
//
// This header stays free of everything but types, as kernels.hpp does.
#pragma once

#include "kith/core/slot.hpp"

#include <cstddef>
#include <cstdint>

namespace kith::inline v0 {

/// The longest vector whose integer sums fit 32 bits: 255 · 127 a term.
inline constexpr std::size_t longest_coded_row = 65536;

/// A query, prepared.
/// Shape: `codes` holds the elements as signed bytes, −127 to 127, zeros up to a multiple of 128 behind them. For rows
///        of 4 bits those of the last, incomplete block stand at 0 and at 64 of it, as the halves of its bytes do.
struct CodeQuery {
    const std::int8_t* codes = nullptr;
    float scale = 0;
    float offset = 0;
    std::int32_t bias = 0;  ///< 128 · Σ codes, or 8 · Σ codes: what rows add to each sum by never being negative
};

/// What stands behind the codes of a row.
struct CodeTail {
    float scale = 0;
    float offset = 0;
};

/// The kernels of one width and one instruction set.
/// Requires: dim is at least 1 and at most longest_coded_row.
/// Shape:  row s begins at rows + s · stride: its codes, a CodeTail at CodeShape<bits>::tail_at(dim). Up to 63 bytes
///         past its codes are read and ignored, which the memory must allow. `out` has room for `count` distances,
///         (query.offset + row.offset) + (query.scale · row.scale) · (Σ query_i · row_i − bias).
/// Laws:   as Kernels<T>: the same to the last bit in both shapes and whatever rows stand beside it; distances and
///         encoded vectors are the same on every instruction set.
struct CodeKernels {
    using Slots = void (*)(const CodeQuery& query, const std::uint8_t* rows, std::size_t stride, std::size_t dim,
                           const Slot* slots, std::size_t count, float* out) noexcept;
    using Block = void (*)(const CodeQuery& query, const std::uint8_t* rows, std::size_t stride, std::size_t dim,
                           std::size_t count, float* out) noexcept;
    /// Writes (vector_i · factor − mean_i) / scale, rounded, one signed byte an element. The scale puts the largest at
    /// `steps`, and is returned; 0, with all codes 0, where every element equals the mean.
    using Encode = float (*)(const float* vector, float factor, const float* mean, std::size_t dim, float steps,
                             std::int8_t* codes) noexcept;

    Slots slots = nullptr;
    Block block = nullptr;
    Encode encode = nullptr;
};

namespace detail {

/// Where things lie in a row. Always inline, so that no source leaves a copy with its own instructions.
template <unsigned bits>
struct CodeShape {
    static_assert(bits == 8 || bits == 4);
    static constexpr std::int32_t zero = bits == 8 ? 128 : 8;   // the code that stands for 0
    static constexpr std::int32_t steps = bits == 8 ? 127 : 7;  // codes reach so far to either side of it
    static constexpr std::size_t block = bits == 8 ? 64 : 128;  // elements in 64 bytes

    [[gnu::always_inline]] static constexpr std::size_t bytes(std::size_t dim) noexcept {
        return bits == 8 ? dim : dim / 128 * 64 + (dim % 128 + 1) / 2;
    }
    [[gnu::always_inline]] static constexpr std::size_t tail_at(std::size_t dim) noexcept {
        return (bytes(dim) + alignof(CodeTail) - 1) / alignof(CodeTail) * alignof(CodeTail);
    }
    [[gnu::always_inline]] static constexpr std::size_t row_bytes(std::size_t dim) noexcept {
        return tail_at(dim) + sizeof(CodeTail);
    }
    /// The place of element i among the codes of a query.
    [[gnu::always_inline]] static constexpr std::size_t query_at(std::size_t i, std::size_t dim) noexcept {
        const std::size_t whole = dim / 128 * 128;
        const std::size_t half = (dim - whole + 1) / 2;
        return bits == 8 || i < whole + half ? i : i - half + 64;
    }
};

}  // namespace detail

}  // namespace kith::inline v0
