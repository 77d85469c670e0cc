// kith/quantize/packed_scorer.hpp — a prepared query against packed codes, whatever their distances are made of.
//
// The kernels give whole numbers; a Formula turns one of them and the head of its code into a distance. Whole numbers
// are the same on every instruction set, so a code's distance is, too.
//
// Thread safety: as a Scorer, it belongs to one thread.
#pragma once

#include "kith/core/prefetch.hpp"
#include "kith/core/slot.hpp"
#include "kith/distance/packed_dots.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace kith::inline v0 {

namespace detail {

/// A float or a number of 32 bits from the head of a code, little-endian as the bytes are stored.
inline std::uint32_t load_u32(const std::byte* from) noexcept {
    std::uint32_t value = 0;
    for (unsigned byte = 0; byte < 4; ++byte) value |= std::to_integer<std::uint32_t>(from[byte]) << (8 * byte);
    return value;
}

inline float load_f32(const std::byte* from) noexcept {
    return std::bit_cast<float>(load_u32(from));
}

inline void store_u32(std::byte* to, std::uint32_t value) noexcept {
    for (unsigned byte = 0; byte < 4; ++byte) to[byte] = static_cast<std::byte>(value >> (8 * byte));
}

inline void store_f32(std::byte* to, float value) noexcept {
    store_u32(to, std::bit_cast<std::uint32_t>(value));
}

/// Codes in a row, and the kernels for them.
struct PackedRows {
    PackedDots dots;
    PackedShape shape;
    const std::byte* codes = nullptr;

    [[nodiscard]] const std::byte* code(Slot slot) const noexcept { return codes + slot * shape.stride; }
    [[nodiscard]] const std::byte* fields(Slot slot) const noexcept { return code(slot) + shape.head; }
};

/// A query against packed codes.
/// Requires: Formula has `float distance(const std::byte* head, std::int32_t dot) const noexcept`.
template <class Formula>
class PackedScorer {
public:
    /// `query` is prepared as distance/packed_dots.hpp says and outlives the scorer.
    PackedScorer(const PackedRows& rows, const std::int8_t* query, const Formula& formula) noexcept
        : rows_(rows), query_(query), formula_(formula) {}

    void score(const Slot* slots, std::size_t count, float* out) const noexcept {
        std::array<std::int32_t, block> dots;
        for (std::size_t begin = 0; begin < count; begin += block) {
            const std::size_t now = std::min(block, count - begin);
            rows_.dots.slots(query_, rows_.codes, rows_.shape, slots + begin, now, dots.data());
            for (std::size_t i = 0; i < now; ++i) {
                out[begin + i] = formula_.distance(rows_.code(slots[begin + i]), dots[i]);
            }
        }
    }

    void score_block(Slot first, std::size_t count, float* out) const noexcept {
        std::array<std::int32_t, block> dots;
        for (std::size_t begin = 0; begin < count; begin += block) {
            const std::size_t now = std::min(block, count - begin);
            const std::byte* code = rows_.code(first) + begin * rows_.shape.stride;
            rows_.dots.block(query_, code, rows_.shape, now, dots.data());
            for (std::size_t i = 0; i < now; ++i, code += rows_.shape.stride) {
                out[begin + i] = formula_.distance(code, dots[i]);
            }
        }
    }

    [[gnu::always_inline]] void prefetch(Slot slot) const noexcept {
        prefetch_row(rows_.code(slot), rows_.shape.stride);
    }
    [[gnu::always_inline]] void prefetch_scan(Slot first, std::size_t count) const noexcept {
        detail::prefetch_scan(rows_.code(first), count * rows_.shape.stride);
    }

    [[nodiscard]] const Formula& formula() const noexcept { return formula_; }
    [[nodiscard]] const PackedRows& rows() const noexcept { return rows_; }

private:
    static constexpr std::size_t block = 64;

    PackedRows rows_;
    const std::int8_t* query_;
    Formula formula_;
};

}  // namespace detail

}  // namespace kith::inline v0
