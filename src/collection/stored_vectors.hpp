// src/collection/stored_vectors.hpp — which bytes of a segment's file of vectors belong to which slots.
//
// Thread safety: a value.
#pragma once

#include "kith/core/bytes.hpp"
#include "kith/core/slot.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace kith::inline v0::detail {

/// The header of the payload of a `.rows` file: see docs/format.md.
struct StoredVectors {
    std::uint32_t dim = 0;
    std::uint32_t stride = 0;  // elements
    std::uint32_t count = 0;
    std::uint32_t element = 0;

    static constexpr std::size_t header_bytes = 64;        // on disk
    static constexpr std::string_view magic = "kithrows";  // on disk
    static constexpr std::uint32_t known_version = 1;      // on disk

    /// Nothing when the payload begins with something else.
    [[nodiscard]] static std::optional<StoredVectors> read(std::string_view payload) {
        ByteReader reader(payload);
        std::string_view found;
        std::uint32_t version = 0;
        StoredVectors vectors;
        const bool whole = reader.bytes(magic.size(), found) && reader.u32(version) && reader.u32(vectors.dim) &&
                           reader.u32(vectors.stride) && reader.u32(vectors.count) && reader.u32(vectors.element);
        if (!whole || found != magic || version != known_version || vectors.row_bytes() == 0) return std::nullopt;
        return vectors;
    }

    [[nodiscard]] std::size_t row_bytes() const noexcept {
        constexpr std::array<std::size_t, 6> bytes{4, 2, 2, 1, 1, 1};  // on disk: f32, f16, bf16, i8, u8, bits
        return element < bytes.size() ? bytes[element] * stride : 0;
    }

    /// Slots [first, last) whose vectors have bytes in `bytes` bytes of the payload from `offset` on.
    struct Slots {
        Slot first = 0, last = 0;
    };
    [[nodiscard]] Slots slots_in(std::size_t offset, std::size_t bytes) const noexcept {
        const std::size_t begin = offset > header_bytes ? offset - header_bytes : 0;
        const std::size_t end = offset + bytes > header_bytes ? offset + bytes - header_bytes : 0;
        const std::size_t first = std::min<std::size_t>(begin / row_bytes(), count);
        const std::size_t last = std::min<std::size_t>((end + row_bytes() - 1) / row_bytes(), count);
        return {static_cast<Slot>(first), static_cast<Slot>(last)};
    }
};

}  // namespace kith::inline v0::detail
