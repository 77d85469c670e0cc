// tests/laws/elements.hpp — vectors of every element type, for laws that each of them runs.
#pragma once

#include "kith/core/element.hpp"
#include "kith/core/random.hpp"

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace kith_test {

/// `count` numbers, about as many below as above zero, with magnitudes near `scale`.
inline std::vector<float> random_floats(kith::SplitMix64& random, std::size_t count, double scale = 1) {
    std::vector<float> made(count);
    for (float& element : made) element = static_cast<float>((random.uniform() * 2 - 1) * scale);
    return made;
}

/// An element as its type has them: floats as random_floats makes them, integers and bits over their whole range.
template <kith::Element T>
T random_element(kith::SplitMix64& random, double scale = 1) {
    if constexpr (std::same_as<T, kith::Bits8>) {
        return {static_cast<std::uint8_t>(random.below(256))};
    } else if constexpr (std::integral<T>) {
        return static_cast<T>(random.below(256));
    } else {
        return T(static_cast<float>((random.uniform() * 2 - 1) * scale));
    }
}

template <kith::Element T>
std::vector<T> random_elements(kith::SplitMix64& random, std::size_t count, double scale = 1) {
    std::vector<T> made(count);
    for (T& element : made) element = random_element<T>(random, scale);
    return made;
}

/// The ends of the range of T, its smallest numbers, and 0.
template <kith::Element T>
std::vector<T> extreme_elements() {
    if constexpr (std::same_as<T, kith::Bits8>) {
        return {{0}, {1}, {128}, {255}};
    } else if constexpr (std::same_as<T, kith::Half>) {
        return {T(-65504.0F), T(-1.0F), T(-0x1p-24F), T(0.0F), T(0x1p-24F), T(1.0F), T(65504.0F)};
    } else if constexpr (std::same_as<T, kith::Bfloat16>) {
        return {T::from_bits(0xff7f), T(-1.0F), T::from_bits(0x8001), T(0.0F),
                T::from_bits(0x0001), T(1.0F),  T::from_bits(0x7f7f)};
    } else {
        using Limits = std::numeric_limits<T>;
        return {Limits::lowest(), T(-1), T(-Limits::denorm_min()), T(0), Limits::denorm_min(), T(1), Limits::max()};
    }
}

/// Elements as a kernel takes them for its query.
template <kith::Element T>
std::vector<kith::QueryElement<T>> query_of(const T* elements, std::size_t count) {
    std::vector<kith::QueryElement<T>> query(count);
    for (std::size_t i = 0; i < count; ++i) query[i] = static_cast<kith::QueryElement<T>>(elements[i]);
    return query;
}

}  // namespace kith_test
