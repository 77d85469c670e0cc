// kith/quantize/packed_code.hpp — elements of a few bits into the fields of a code, and a query into what meets them.
//
// The layout is that of distance/packed_dots.hpp. Encoding is not a loop of any search, so plain C++ does it.
#pragma once

#include "kith/core/scratch_memory.hpp"
#include "kith/distance/packed_dots.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace kith::inline v0 {

namespace detail {

/// Bytes from one code to the next. Long codes begin on a cache line; short ones do not where that would cost more
/// memory than it saves time. On disk: never change.
[[nodiscard]] constexpr std::size_t packed_stride(std::size_t head, unsigned bits, std::size_t dim) noexcept {
    constexpr std::size_t long_code = 256;
    const std::size_t bytes = head + packed_bytes(bits, dim);
    const std::size_t unit = bytes >= long_code ? 64 : 4;
    return (bytes + unit - 1) / unit * unit;
}

/// Packs `dim` elements below 2^bits, and zeros up to `end`. Requires: packed_bytes(bits, dim) fit.
inline void pack(unsigned bits, const std::uint8_t* elements, std::size_t dim, std::byte* fields,
                 std::byte* end) noexcept {
    std::memset(fields, 0, static_cast<std::size_t>(end - fields));
    for (unsigned field = 8; field > 0; field /= 2) {
        if ((bits & field) == 0) continue;
        const std::size_t part = part_bytes(field, dim);
        const unsigned below = bits & (field - 1);  // bits of an element that narrower fields hold
        const unsigned mask = (1U << field) - 1;
        unsigned shift = 0;
        for (std::size_t first = 0; first < dim; first += part, shift += field) {
            const std::size_t count = std::min(part, dim - first);
            for (std::size_t i = 0; i < count; ++i) {
                fields[i] |= static_cast<std::byte>((unsigned{elements[first + i]} >> below & mask) << shift);
            }
        }
        fields += part;
    }
}

/// The elements of a code again.
inline void unpack(unsigned bits, const std::byte* fields, std::size_t dim, std::uint8_t* elements) noexcept {
    std::memset(elements, 0, dim);
    for (unsigned field = 8; field > 0; field /= 2) {
        if ((bits & field) == 0) continue;
        const std::size_t part = part_bytes(field, dim);
        const unsigned below = bits & (field - 1);
        const unsigned mask = (1U << field) - 1;
        unsigned shift = 0;
        for (std::size_t first = 0; first < dim; first += part, shift += field) {
            const std::size_t count = std::min(part, dim - first);
            for (std::size_t i = 0; i < count; ++i) {
                const unsigned bits_here = std::to_integer<unsigned>(fields[i]) >> shift & mask;
                elements[first + i] = static_cast<std::uint8_t>(elements[first + i] | bits_here << below);
            }
        }
        fields += part;
    }
}

/// Lays `dim` factors out as the kernels read them. Shape: `query` has room for packed_query_bytes(bits, dim).
inline void prepare_factors(unsigned bits, const std::int8_t* factors, std::size_t dim, std::int8_t* query) noexcept {
    std::memset(query, 0, packed_query_bytes(bits, dim));
    for (unsigned field = 8; field > 0; field /= 2) {
        if ((bits & field) == 0) continue;
        const std::size_t part = part_bytes(field, dim);
        const std::size_t stride = query_part_bytes(field, dim);
        for (std::size_t at = 0; at * part < dim; ++at) {
            std::memcpy(query + at * stride, factors + at * part, std::min(part, dim - at * part));
        }
        query += 8 / field * stride;
    }
}

/// A vector as bytes: element i is about step · factors[i].
struct ByteVector {
    float step = 0;
    std::int32_t sum = 0;  // of the factors
};

/// Rounds `values` to multiples of a step of which the largest value is 127.
inline ByteVector to_bytes(const float* values, std::size_t dim, std::int8_t* factors) noexcept {
    constexpr float largest_factor = 127;
    float largest = 0;
    for (std::size_t i = 0; i < dim; ++i) largest = std::max(largest, std::abs(values[i]));
    ByteVector made{largest / largest_factor, 0};
    const float inverse = made.step > 0 ? 1.0F / made.step : 0.0F;
    if (!(inverse <= 1e30F) || made.step == 0) {  // too small for a step; all is as good as zero
        std::memset(factors, 0, dim);
        return {};
    }
    for (std::size_t i = 0; i < dim; ++i) {
        const float scaled = std::clamp(values[i] * inverse, -largest_factor, largest_factor);
        factors[i] = static_cast<std::int8_t>(scaled + (scaled < 0 ? -0.5F : 0.5F));
        made.sum += factors[i];
    }
    return made;
}

/// Memory in which a query against packed codes is prepared.
struct PackedQuery {
    /// `spare` is how many floats the caller wants besides. Throws: std::bad_alloc while `scratch` grows.
    PackedQuery(unsigned bits_of, std::size_t dim_of, std::size_t spare_floats, ScratchMemory& scratch)
        : bits(bits_of), dim(dim_of) {
        const std::size_t query_bytes = packed_query_bytes(bits, dim);
        std::byte* const memory = scratch.take(query_bytes + sizeof(float) * (dim + spare_floats) + 2 * dim);
        query = reinterpret_cast<std::int8_t*>(memory);
        u = reinterpret_cast<float*>(memory + query_bytes);
        spare = u + dim;
        factors = reinterpret_cast<std::int8_t*>(spare + spare_floats);
        elements = reinterpret_cast<std::uint8_t*>(factors + dim);
    }

    /// Prepares what stands in `u`, rounded to bytes.
    [[nodiscard]] ByteVector from_floats() const noexcept {
        const ByteVector bytes = to_bytes(u, dim, factors);
        prepare_factors(bits, factors, dim, query);
        return bytes;
    }

    /// Prepares a code, whose elements stand for what `value_of` says, and returns the sum of those values.
    template <class ValueOf>
    std::int32_t from_code(const std::byte* fields, const ValueOf& value_of) const noexcept {
        unpack(bits, fields, dim, elements);
        std::int32_t sum = 0;
        for (std::size_t i = 0; i < dim; ++i) {
            factors[i] = static_cast<std::int8_t>(value_of(elements[i]));
            sum += factors[i];
        }
        prepare_factors(bits, factors, dim, query);
        return sum;
    }

    unsigned bits;
    std::size_t dim;
    std::int8_t* query;      // what the kernels read
    float* u;                // dim floats for the caller to fill
    float* spare;            // as many floats as were asked for
    std::int8_t* factors;    // dim bytes that `query` was made of
    std::uint8_t* elements;  // dim elements of a code
};

}  // namespace detail

}  // namespace kith::inline v0
