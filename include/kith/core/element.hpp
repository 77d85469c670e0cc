// kith/core/element.hpp — what a vector may be made of, and how floats become elements.
//
// Queries come as floats, whatever the rows hold. So each element type says how a float becomes one: rounded to the
// nearest, ties to even, and at the end of its range for what lies beyond, for an infinite element would make the
// distance of a vector from itself no number.
//
// Thread safety: values and functions.
#pragma once

#include "kith/core/half.hpp"

#include <algorithm>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>

namespace kith::inline v0 {

/// Eight dimensions of one bit: dimension i of a vector is bit i % 8, the lowest first, of its element i / 8.
/// Everything that takes elements counts these; a vector whose dimensions do not fill its last one has zeros there.
struct Bits8 {
    std::uint8_t bits = 0;

    friend constexpr bool operator==(Bits8, Bits8) = default;
};

/// An Element that stands for a number.
template <class T>
concept Number = std::same_as<T, float> || std::same_as<T, Half> || std::same_as<T, Bfloat16> ||
                 std::same_as<T, std::int8_t> || std::same_as<T, std::uint8_t>;

/// What rows may hold.
template <class T>
concept Element = Number<T> || std::same_as<T, Bits8>;

/// The name of an element type. Stored on disk: never rename.
template <Element T>
inline constexpr std::string_view element_name = std::same_as<T, float>          ? "f32"
                                                 : std::same_as<T, Half>         ? "f16"
                                                 : std::same_as<T, Bfloat16>     ? "bf16"
                                                 : std::same_as<T, std::int8_t>  ? "i8"
                                                 : std::same_as<T, std::uint8_t> ? "u8"
                                                                                 : "bits";

/// Dimensions in one element.
template <Element T>
inline constexpr std::size_t dimensions_an_element = std::same_as<T, Bits8> ? 8 : 1;

/// Elements that hold `dim` dimensions.
template <Element T>
[[nodiscard, gnu::always_inline]] constexpr std::size_t elements_for(std::size_t dim) noexcept {
    return (dim + dimensions_an_element<T> - 1) / dimensions_an_element<T>;
}

/// What the query is made of that kernels compare with rows of T. Against floats of two bytes it keeps its four: the
/// query is not rounded, and not converted again for each row.
template <Element T>
using QueryElement = std::conditional_t<std::same_as<T, Half> || std::same_as<T, Bfloat16>, float, T>;

/// The length of the longest vector: squared distances between such stay finite in floats.
inline constexpr double longest_vector = 1e18;

namespace detail {

/// The nearest whole number, ties to even. Requires: |value| is below 2^22.
[[gnu::always_inline]] constexpr std::int32_t nearest_integer(float value) noexcept {
    constexpr float rounder = 0x1.8p23F;  // the last bit of its neighbours is worth 1
    return std::bit_cast<std::int32_t>(value + rounder) - std::bit_cast<std::int32_t>(rounder);
}

/// The element nearest to `value`, within the range of T. Not a number becomes 0 or stays none.
template <Number T>
[[gnu::always_inline]] constexpr T nearest_element(float value) noexcept {
    constexpr float largest_half = 65504;
    constexpr float largest_bfloat = 0x1.fep127F;
    if constexpr (std::same_as<T, float>) {
        return value;
    } else if constexpr (std::same_as<T, Half>) {
        return Half(std::clamp(value, -largest_half, largest_half));
    } else if constexpr (std::same_as<T, Bfloat16>) {
        return Bfloat16(std::clamp(value, -largest_bfloat, largest_bfloat));
    } else if constexpr (std::same_as<T, std::int8_t>) {
        return value == value ? static_cast<T>(nearest_integer(std::clamp(value, -128.0F, 127.0F))) : T{0};
    } else {
        return value == value ? static_cast<T>(nearest_integer(std::clamp(value, 0.0F, 255.0F))) : T{0};
    }
}

}  // namespace detail

/// Writes `dim` floats as elements: numbers rounded and kept in range, bits set where the float is above 0.
/// Shape: `out` has room for elements_for<T>(dim).
template <Element T>
constexpr void encode_elements(const float* vector, std::size_t dim, T* out) noexcept {
    if constexpr (std::same_as<T, Bits8>) {
        for (std::size_t at = 0; at < elements_for<T>(dim); ++at) {
            unsigned bits = 0;
            for (std::size_t i = 8 * at; i < dim && i < 8 * at + 8; ++i) bits |= (vector[i] > 0 ? 1U : 0U) << (i % 8);
            out[at].bits = static_cast<std::uint8_t>(bits);
        }
    } else {
        for (std::size_t i = 0; i < dim; ++i) out[i] = detail::nearest_element<T>(vector[i]);
    }
}

/// Writes elements as `dim` floats, exactly; bits as 0 and 1.
/// Shape: `elements` holds elements_for<T>(dim), `out` has room for dim.
template <Element T>
constexpr void decode_elements(const T* elements, std::size_t dim, float* out) noexcept {
    if constexpr (std::same_as<T, Bits8>) {
        for (std::size_t i = 0; i < dim; ++i) out[i] = static_cast<float>((elements[i / 8].bits >> (i % 8)) & 1);
    } else {
        for (std::size_t i = 0; i < dim; ++i) out[i] = static_cast<float>(elements[i]);
    }
}

}  // namespace kith::inline v0
