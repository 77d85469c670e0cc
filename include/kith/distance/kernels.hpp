// kith/distance/kernels.hpp — the two shapes of a kernel: one query against gathered rows, or against a block of them.
//
// This header stays free of everything but types and what is always inline: the sources that are built for one
// instruction set include it, and any other function in it could come out of them with instructions an older processor
// lacks.
#pragma once

#include "kith/core/element.hpp"
#include "kith/core/slot.hpp"

#include <cstddef>

namespace kith::inline v0 {

/// The longest row, in elements, whose integer sums fit the 32 bits kernels sum in: 255² a term. Longer rows of
/// integers and bits are for whoever refuses them.
inline constexpr std::size_t longest_integer_row = 65536;

/// The kernels of one metric, one element type and one instruction set.
/// Requires: dim is at least 1, and at most longest_integer_row for integers and bits; stride is at least dim.
/// Shape:  `query` holds dim elements; row s begins at rows + s · stride, in elements; nothing past its dim elements is
///         read. Neither needs to be aligned beyond what its type asks for. `out` has room for `count` distances.
/// Laws:   a row's distance is the same to the last bit in both shapes and whatever rows stand beside it; symmetric to
///         the last bit in query and row, where the query is the row's elements as floats when it is made of those.
///         Over integers and bits the sum is exact and rounded once, so it is the same on every instruction set too.
template <class T>
struct Kernels {
    /// Scores rows[slots[0]], …, rows[slots[count - 1]], prefetching ahead.
    using Slots = void (*)(const QueryElement<T>* query, const T* rows, std::size_t stride, std::size_t dim,
                           const Slot* slots, std::size_t count, float* out) noexcept;
    /// Scores rows 0 to count - 1.
    using Block = void (*)(const QueryElement<T>* query, const T* rows, std::size_t stride, std::size_t dim,
                           std::size_t count, float* out) noexcept;

    Slots slots = nullptr;
    Block block = nullptr;
};

namespace detail {

/// How many gathered rows are fetched ahead of the one being scored: a row comes from memory in the time it takes to
/// score a few long ones or many short ones. Measured at 64 to 256 bytes a row: a fifth to a third more than 8 rows
/// ahead; 192 lines bring no more, and from 256 bytes on less.
[[gnu::always_inline]] constexpr std::size_t rows_ahead(std::size_t row_bytes) noexcept {
    constexpr std::size_t lines_ahead = 96;
    constexpr std::size_t fewest = 8;
    const std::size_t rows = lines_ahead / ((row_bytes + 63) / 64);
    return rows < fewest ? fewest : rows;
}

}  // namespace detail

}  // namespace kith::inline v0
