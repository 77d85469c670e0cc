// kith/collection/vector_bytes.hpp — the vector of a record as the log keeps it: its elements as they are.
//
//   vector := its elements, little-endian: f32; u16 for f16 and bf16; a byte for i8, u8 and eight bits          (on disk)
//
// Thread safety: functions without state.
#pragma once

#include "kith/core/bytes.hpp"
#include "kith/core/element.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace kith::inline v0::detail {

/// Bytes of a vector of `dim` dimensions.
template <Element T>
[[nodiscard]] constexpr std::size_t vector_bytes(std::size_t dim) noexcept {
    return elements_for<T>(dim) * sizeof(T);
}

template <Element T>
void write_vector(std::span<const T> elements, ByteWriter& writer) {
    static_assert(sizeof(T) <= 2 || std::same_as<T, float>);
    if constexpr (std::same_as<T, float>) {
        writer.f32s(elements);
    } else if constexpr (sizeof(T) == 1 || std::endian::native == std::endian::little) {
        writer.bytes(elements.data(), elements.size_bytes());
    } else {
        for (const T element : elements) writer.u16(std::bit_cast<std::uint16_t>(element));
    }
}

/// The floats of a vector that write_vector wrote.
/// Requires: `bytes` are vector_bytes<T>(dim). Shape: `out` has room for dim.
template <Element T>
void read_vector(const char* bytes, std::size_t dim, float* out) noexcept {
    constexpr std::size_t at_once = 64;
    std::array<T, at_once> elements;
    for (std::size_t done = 0; done < dim;) {
        const std::size_t dims = std::min(dim - done, at_once * dimensions_an_element<T>);
        const std::size_t count = elements_for<T>(dims);
        std::memcpy(elements.data(), bytes, count * sizeof(T));
        if constexpr (sizeof(T) > 1 && std::endian::native != std::endian::little) {
            for (T& element : elements) {
                auto* const first = reinterpret_cast<unsigned char*>(&element);
                std::reverse(first, first + sizeof(T));
            }
        }
        decode_elements(elements.data(), dims, out + done);
        bytes += count * sizeof(T);
        done += dims;
    }
}

}  // namespace kith::inline v0::detail
