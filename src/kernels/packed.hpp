// src/kernels/packed.hpp — inner products with packed codes, written once over what an architecture does with bytes.
//
// Only sources built for one instruction set include this; see table.hpp for how they are reached.
#pragma once

#include "kernels/packed_simd.hpp"
#include "kernels/table.hpp"
#include "kith/core/prefetch.hpp"
#include "kith/core/slot.hpp"
#include "kith/distance/packed_dots.hpp"

#include <cstddef>
#include <cstdint>

namespace kith::inline v0 {

namespace detail {

/// Adds the products of the fields in `bytes`, from part `part` on, to `products`.
template <class A, unsigned field, unsigned part = 0>
[[gnu::always_inline]] inline typename A::Products multiply(typename A::Products products, typename A::Bytes bytes,
                                                            const std::int8_t* query, std::size_t stride) noexcept {
    products = A::multiply(products, A::template field<field, part>(bytes), query + part * stride);
    if constexpr ((part + 1) * field < 8) {
        return multiply<A, field, part + 1>(products, bytes, query, stride);
    } else {
        return products;
    }
}

/// The sums of the products of all fields of one width.
template <class A, unsigned field>
[[gnu::always_inline]] inline typename A::Sums field_sums(const std::int8_t* query, const std::byte* fields,
                                                          std::size_t dim) noexcept {
    const std::size_t bytes = part_bytes(field, dim);
    const std::size_t stride = query_part_bytes(field, dim);
    typename A::Sums sums = A::no_sums();
    std::size_t at = 0;
    if constexpr (field == 8) {  // A product of two whole bytes may need more room than that of a byte and a field.
        for (; at + A::width <= bytes; at += A::width) sums = A::add_whole(sums, A::load(fields + at), query + at);
        if (at < bytes) sums = A::add_whole(sums, A::load_first(fields + at, bytes - at), query + at);
    } else {
        for (; at + A::width <= bytes; at += A::width) {
            sums = A::add(sums, multiply<A, field>(A::no_products(), A::load(fields + at), query + at, stride));
        }
        if (at < bytes) {
            const typename A::Bytes rest = A::load_first(fields + at, bytes - at);
            sums = A::add(sums, multiply<A, field>(A::no_products(), rest, query + at, stride));
        }
    }
    return sums;
}

/// The inner product of one code: that of its widest field, and what the narrower ones add.
template <class A, unsigned bits, unsigned field = 8>
[[gnu::always_inline]] inline typename A::Sums code_sums(const std::int8_t* query, const std::byte* fields,
                                                         std::size_t dim) noexcept {
    if constexpr (field == 0) {
        return A::no_sums();
    } else if constexpr ((bits & field) == 0) {
        return code_sums<A, bits, field / 2>(query, fields, dim);
    } else {
        const typename A::Sums sums = A::template shift<(bits & (field - 1))>(field_sums<A, field>(query, fields, dim));
        if constexpr ((bits & (field - 1)) == 0) {
            return sums;
        } else {
            return A::sum(sums, code_sums<A, bits, field / 2>(query + 8 / field * query_part_bytes(field, dim),
                                                              fields + part_bytes(field, dim), dim));
        }
    }
}

template <class A, unsigned bits>
void packed_slots(const std::int8_t* query, const std::byte* codes, const PackedShape& shape, const Slot* slots,
                  std::size_t count, std::int32_t* out) noexcept {
    constexpr std::size_t ahead = 8;
    std::size_t asked = 0;
    for (std::size_t i = 0; i < count; ++i) {
        for (; asked < count && asked <= i + ahead; ++asked) {
            prefetch_row<lines_ahead_of_kernels>(codes + slots[asked] * shape.stride, shape.stride);
        }
        out[i] = A::total(code_sums<A, bits>(query, codes + slots[i] * shape.stride + shape.head, shape.dim));
    }
}

template <class A, unsigned bits>
void packed_block(const std::int8_t* query, const std::byte* codes, const PackedShape& shape, std::size_t count,
                  std::int32_t* out) noexcept {
    for (std::size_t i = 0; i < count; ++i) {
        out[i] = A::total(code_sums<A, bits>(query, codes + i * shape.stride + shape.head, shape.dim));
    }
}

template <class A>
PackedKernels make_packed_kernels() noexcept {
    return {{{},
             {packed_slots<A, 1>, packed_block<A, 1>},
             {packed_slots<A, 2>, packed_block<A, 2>},
             {packed_slots<A, 3>, packed_block<A, 3>},
             {packed_slots<A, 4>, packed_block<A, 4>},
             {packed_slots<A, 5>, packed_block<A, 5>},
             {packed_slots<A, 6>, packed_block<A, 6>},
             {packed_slots<A, 7>, packed_block<A, 7>},
             {packed_slots<A, 8>, packed_block<A, 8>}}};
}

}  // namespace detail

}  // namespace kith::inline v0
