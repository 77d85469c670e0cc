// kith/distance/portable_packed.hpp — inner products with packed codes in plain C++, the truth for all others.
//
// Written so that a compiler can turn the inner loop into vectors. As in portable.hpp, each function carries the flags
// of the source it was compiled in.
#pragma once

#include "kith/core/assert.hpp"
#include "kith/core/prefetch.hpp"
#include "kith/core/slot.hpp"
#include "kith/distance/packed_dots.hpp"
#include "kith/distance/portable.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

namespace kith::inline v0 {

namespace detail {

template <unsigned bits, class Flags>
std::int32_t portable_packed_dot(const std::int8_t* query, const std::byte* fields, std::size_t dim) noexcept {
    std::int32_t sum = 0;
    for (unsigned field = 8; field > 0; field /= 2) {
        if ((bits & field) == 0) continue;
        const std::size_t bytes = part_bytes(field, dim);
        const unsigned mask = (1U << field) - 1;
        std::int32_t products = 0;
        for (unsigned part = 0; part < 8 / field; ++part, query += query_part_bytes(field, dim)) {
            for (std::size_t byte = 0; byte < bytes; ++byte) {
                products +=
                    query[byte] * static_cast<int>(std::to_integer<unsigned>(fields[byte]) >> part * field & mask);
            }
        }
        sum += products * (1 << (bits & (field - 1)));  // below this field stand as many bits as are left of b
        fields += bytes;
    }
    return sum;
}

template <unsigned bits, class Flags>
void portable_packed_slots(const std::int8_t* query, const std::byte* codes, const PackedShape& shape,
                           const Slot* slots, std::size_t count, std::int32_t* out) noexcept {
    constexpr std::size_t ahead = 8;
    for (std::size_t i = 0; i < count + ahead; ++i) {
        if (i < count) prefetch_row<lines_ahead_of_kernels>(codes + slots[i] * shape.stride, shape.stride);
        if (i >= ahead) {
            const std::byte* fields = codes + slots[i - ahead] * shape.stride + shape.head;
            out[i - ahead] = portable_packed_dot<bits, Flags>(query, fields, shape.dim);
        }
    }
}

template <unsigned bits, class Flags>
void portable_packed_block(const std::int8_t* query, const std::byte* codes, const PackedShape& shape,
                           std::size_t count, std::int32_t* out) noexcept {
    for (std::size_t i = 0; i < count; ++i) {
        out[i] = portable_packed_dot<bits, Flags>(query, codes + i * shape.stride + shape.head, shape.dim);
    }
}

template <class Flags>
PackedDots portable_packed_dots(unsigned bits) noexcept {
    KITH_ASSERT(bits >= 1 && bits <= 8);
    constexpr std::array<PackedDots, 9> by_bits = {
        PackedDots{},
        PackedDots{portable_packed_slots<1, Flags>, portable_packed_block<1, Flags>},
        PackedDots{portable_packed_slots<2, Flags>, portable_packed_block<2, Flags>},
        PackedDots{portable_packed_slots<3, Flags>, portable_packed_block<3, Flags>},
        PackedDots{portable_packed_slots<4, Flags>, portable_packed_block<4, Flags>},
        PackedDots{portable_packed_slots<5, Flags>, portable_packed_block<5, Flags>},
        PackedDots{portable_packed_slots<6, Flags>, portable_packed_block<6, Flags>},
        PackedDots{portable_packed_slots<7, Flags>, portable_packed_block<7, Flags>},
        PackedDots{portable_packed_slots<8, Flags>, portable_packed_block<8, Flags>}};
    return by_bits[bits];
}

}  // namespace detail

}  // namespace kith::inline v0
