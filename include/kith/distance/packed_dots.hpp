// kith/distance/packed_dots.hpp — inner products of a query of bytes with codes of a few bits an element.
//
// Codes of every width from 1 to 8 bits are stored in fields of 8, 4, 2 and 1 bits, whose inner products are sums of
// products of bytes once the fields are unpacked. The layout makes unpacking a shift and a mask, whatever the width of
// a register, and wastes at most three bytes a field.
//
// This header stays free of functions that could be left in the library: the sources built for one instruction set
// include it.
#pragma once

#include "kith/core/slot.hpp"

#include <cstddef>
#include <cstdint>

namespace kith::inline v0 {

// An element of b bits is cut, from its highest bit down, into fields whose widths are the powers of two that b is a
// sum of: 7 bits are a field of 4, one of 2 and one of 1. On disk: never change.
//
//   code    = head, then for each field width f, widest first: part_bytes(f) bytes
//   byte j of width f holds in its bits p·f to p·f + f − 1 the field of element p · part_bytes(f) + j, or zero when
//           there is no such element
//
// A prepared query holds for each f, widest first, 8 / f parts of query_part_bytes(f) bytes: byte j of part p is what
// the field in bits p·f of byte j is multiplied by, zero where there is no element.

/// Where codes lie. Shape: code s begins at codes + s · stride and holds `head` bytes before its fields of `dim`
/// elements.
struct PackedShape {
    std::size_t dim = 0;
    std::size_t head = 0;
    std::size_t stride = 0;
};

/// The kernels for elements of one number of bits and one instruction set.
/// Shape:  `query` is prepared as above; codes are as above, head and stride multiples of 4. Nothing past a code is
///         read.
/// Laws:   out[i] is Σ query[j] · code[j], exactly: the same on every instruction set, by either call.
struct PackedDots {
    using Slots = void (*)(const std::int8_t* query, const std::byte* codes, const PackedShape& shape,
                           const Slot* slots, std::size_t count, std::int32_t* out) noexcept;
    using Block = void (*)(const std::int8_t* query, const std::byte* codes, const PackedShape& shape,
                           std::size_t count, std::int32_t* out) noexcept;

    Slots slots = nullptr;
    Block block = nullptr;
};

/// More elements could overflow the sum of 32 bits.
inline constexpr std::size_t most_packed_elements = 65536;

namespace detail {

/// Bytes of the fields of `field` bits.
[[gnu::always_inline]] constexpr std::size_t part_bytes(unsigned field, std::size_t dim) noexcept {
    return (dim * field + 31) / 32 * 4;
}

/// Bytes from one part of a prepared query to the next: a whole number of the largest registers.
[[gnu::always_inline]] constexpr std::size_t query_part_bytes(unsigned field, std::size_t dim) noexcept {
    return (part_bytes(field, dim) + 63) / 64 * 64;
}

/// Bytes of the fields of all widths.
[[gnu::always_inline]] constexpr std::size_t packed_bytes(unsigned bits, std::size_t dim) noexcept {
    std::size_t bytes = 0;
    for (unsigned field = 8; field > 0; field /= 2) bytes += (bits & field) != 0 ? part_bytes(field, dim) : 0;
    return bytes;
}

/// Bytes of a prepared query.
[[gnu::always_inline]] constexpr std::size_t packed_query_bytes(unsigned bits, std::size_t dim) noexcept {
    std::size_t bytes = 0;
    for (unsigned field = 8; field > 0; field /= 2) {
        bytes += (bits & field) != 0 ? 8 / field * query_part_bytes(field, dim) : 0;
    }
    return bytes;
}

}  // namespace detail

}  // namespace kith::inline v0
