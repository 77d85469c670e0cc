// src/kernels/packed_simd.hpp — what each architecture does with registers of bytes that xsimd has no word for.
//
// Every name depends on the architecture, so that no two sources built with different flags share a function.
#pragma once

#include "kernels/byte_sums.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace kith::inline v0 {

namespace detail {

// Each architecture A has
//   width                         bytes a register
//   load, load_first              bytes of a code; the first `count` of them, a multiple of 4, then zeros
//   field<f, p>(bytes)            the fields of f bits at bit p · f of each byte, f below 8
//   multiply(products, …)         adds fields times query to products, which has room for eight such calls
//   add(sums, products)           the products to sums of 32 bits
//   add_whole(sums, …)            whole unsigned bytes times query to sums
//   shift<n>, sum, total          sums · 2ⁿ, the sum of two registers, and of all of one

#if defined(__AVX2__) && defined(__FMA__)

struct PackedAvx2 {
    using Bytes = __m256i;
    using Products = __m256i;  // sums of 16 bits
    using Sums = __m256i;      // sums of 32 bits
    static constexpr std::size_t width = 32;

    [[gnu::always_inline]] static Bytes load(const void* from) noexcept {
        return _mm256_loadu_si256(static_cast<const __m256i*>(from));
    }
    [[gnu::always_inline]] static Bytes load_first(const void* from, std::size_t count) noexcept {
        const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
        return _mm256_maskload_epi32(static_cast<const int*>(from),
                                     _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count / 4)), lanes));
    }
    template <unsigned f, unsigned p>
    [[gnu::always_inline]] static Bytes field(Bytes bytes) noexcept {
        return _mm256_and_si256(_mm256_srli_epi16(bytes, f * p), _mm256_set1_epi8((1 << f) - 1));
    }
    [[gnu::always_inline]] static Products no_products() noexcept { return _mm256_setzero_si256(); }
    [[gnu::always_inline]] static Products multiply(Products products, Bytes fields,
                                                    const std::int8_t* query) noexcept {
        // Two products of a field below 16 and a byte: at most 3,840 a call, and the widest fields take two calls.
        return _mm256_add_epi16(products, _mm256_maddubs_epi16(fields, load(query)));
    }
    [[gnu::always_inline]] static Sums no_sums() noexcept { return _mm256_setzero_si256(); }
    [[gnu::always_inline]] static Sums add(Sums sums, Products products) noexcept {
        return _mm256_add_epi32(sums, _mm256_madd_epi16(products, _mm256_set1_epi16(1)));
    }
    [[gnu::always_inline]] static Sums add_whole(Sums sums, Bytes bytes, const std::int8_t* query) noexcept {
        const __m256i factors = load(query);
        return ByteSums256<PackedAvx2>::add_bytes(sums, _mm256_castsi256_si128(bytes),
                                                  _mm256_extracti128_si256(bytes, 1), _mm256_castsi256_si128(factors),
                                                  _mm256_extracti128_si256(factors, 1));
    }
    template <int n>
    [[gnu::always_inline]] static Sums shift(Sums sums) noexcept {
        return _mm256_slli_epi32(sums, n);
    }
    [[gnu::always_inline]] static Sums sum(Sums a, Sums b) noexcept { return _mm256_add_epi32(a, b); }
    [[gnu::always_inline]] static std::int32_t total(Sums sums) noexcept {
        __m128i four = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
        four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4e));
        return _mm_cvtsi128_si32(_mm_add_epi32(four, _mm_shuffle_epi32(four, 0xb1)));
    }
};

#endif

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__)

// GCC 12 takes the registers that some intrinsics leave undefined on purpose for a mistake.
#ifndef __clang__
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

/// What AVX-512 does the same with VNNI and without; `Self` keeps the two apart for the linker.
template <class Self>
struct PackedWide {
    using Bytes = __m512i;
    using Sums = __m512i;
    static constexpr std::size_t width = 64;

    [[gnu::always_inline]] static Bytes load(const void* from) noexcept { return _mm512_loadu_si512(from); }
    [[gnu::always_inline]] static Bytes load_first(const void* from, std::size_t count) noexcept {
        return _mm512_maskz_loadu_epi32(static_cast<__mmask16>((1U << count / 4) - 1), from);
    }
    template <unsigned f, unsigned p>
    [[gnu::always_inline]] static Bytes field(Bytes bytes) noexcept {
        return _mm512_and_si512(_mm512_srli_epi16(bytes, f * p), _mm512_set1_epi8((1 << f) - 1));
    }
    [[gnu::always_inline]] static Sums no_products() noexcept { return _mm512_setzero_si512(); }
    [[gnu::always_inline]] static Sums no_sums() noexcept { return _mm512_setzero_si512(); }
    [[gnu::always_inline]] static Sums add_whole(Sums sums, Bytes bytes, const std::int8_t* query) noexcept {
        return ByteSums512<Self>::add_bytes(sums, bytes, load(query));
    }
    template <int n>
    [[gnu::always_inline]] static Sums shift(Sums sums) noexcept {
        return _mm512_slli_epi32(sums, n);
    }
    [[gnu::always_inline]] static Sums sum(Sums a, Sums b) noexcept { return _mm512_add_epi32(a, b); }
    [[gnu::always_inline]] static std::int32_t total(Sums sums) noexcept { return _mm512_reduce_add_epi32(sums); }
};

struct PackedAvx512 : PackedWide<PackedAvx512> {
    using Products = __m512i;  // sums of 16 bits

    [[gnu::always_inline]] static Products multiply(Products products, Bytes fields,
                                                    const std::int8_t* query) noexcept {
        return _mm512_add_epi16(products, _mm512_maddubs_epi16(fields, load(query)));
    }
    [[gnu::always_inline]] static Sums add(Sums sums, Products products) noexcept {
        return _mm512_add_epi32(sums, _mm512_madd_epi16(products, _mm512_set1_epi16(1)));
    }
};

#if defined(__AVX512VNNI__)

struct PackedVnni : PackedWide<PackedVnni> {
    using Products = __m512i;  // sums of 32 bits already

    [[gnu::always_inline]] static Products multiply(Products products, Bytes fields,
                                                    const std::int8_t* query) noexcept {
        return _mm512_dpbusd_epi32(products, fields, load(query));
    }
    [[gnu::always_inline]] static Sums add(Sums sums, Products products) noexcept { return sum(sums, products); }
};

#endif

#ifndef __clang__
#pragma GCC diagnostic pop
#endif

#endif

#if defined(__aarch64__)

/// What NEON does the same with the dot product and without; `Self` keeps the two apart for the linker.
template <class Self>
struct PackedNarrow {
    using Bytes = uint8x16_t;
    using Sums = int32x4_t;
    static constexpr std::size_t width = 16;

    [[gnu::always_inline]] static Bytes load(const void* from) noexcept {
        return vld1q_u8(static_cast<const std::uint8_t*>(from));
    }
    [[gnu::always_inline]] static Bytes load_first(const void* from, std::size_t count) noexcept {
        std::uint8_t bytes[width] = {};
        std::memcpy(bytes, from, count);
        return vld1q_u8(bytes);
    }
    template <unsigned f, unsigned p>
    [[gnu::always_inline]] static Bytes field(Bytes bytes) noexcept {
        if constexpr (p == 0) {
            return vandq_u8(bytes, vdupq_n_u8((1 << f) - 1));
        } else {
            return vandq_u8(vshrq_n_u8(bytes, f * p), vdupq_n_u8((1 << f) - 1));
        }
    }
    [[gnu::always_inline]] static Sums no_sums() noexcept { return vdupq_n_s32(0); }
    [[gnu::always_inline]] static Sums add_whole(Sums sums, Bytes bytes, const std::int8_t* query) noexcept {
        const int8x16_t factors = vld1q_s8(query);
        const int16x8_t low = vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(bytes)));
        const int16x8_t high = vreinterpretq_s16_u16(vmovl_high_u8(bytes));
        const int16x8_t low_factors = vmovl_s8(vget_low_s8(factors));
        const int16x8_t high_factors = vmovl_high_s8(factors);
        sums = vmlal_s16(sums, vget_low_s16(low), vget_low_s16(low_factors));
        sums = vmlal_high_s16(sums, low, low_factors);
        sums = vmlal_s16(sums, vget_low_s16(high), vget_low_s16(high_factors));
        return vmlal_high_s16(sums, high, high_factors);
    }
    template <int n>
    [[gnu::always_inline]] static Sums shift(Sums sums) noexcept {
        return vshlq_n_s32(sums, n);
    }
    [[gnu::always_inline]] static Sums sum(Sums a, Sums b) noexcept { return vaddq_s32(a, b); }
    [[gnu::always_inline]] static std::int32_t total(Sums sums) noexcept { return vaddvq_s32(sums); }
};

struct PackedNeon : PackedNarrow<PackedNeon> {
    using Products = int16x8_t;

    [[gnu::always_inline]] static Products no_products() noexcept { return vdupq_n_s16(0); }
    [[gnu::always_inline]] static Products multiply(Products products, Bytes fields,
                                                    const std::int8_t* query) noexcept {
        const int8x16_t signed_fields = vreinterpretq_s8_u8(fields);
        const int8x16_t factors = vld1q_s8(query);
        products = vmlal_s8(products, vget_low_s8(signed_fields), vget_low_s8(factors));
        return vmlal_high_s8(products, signed_fields, factors);
    }
    [[gnu::always_inline]] static Sums add(Sums sums, Products products) noexcept {
        return vpadalq_s16(sums, products);
    }
};

#if defined(__ARM_FEATURE_DOTPROD)

struct PackedNeonDot : PackedNarrow<PackedNeonDot> {
    using Products = int32x4_t;

    [[gnu::always_inline]] static Products no_products() noexcept { return vdupq_n_s32(0); }
    [[gnu::always_inline]] static Products multiply(Products products, Bytes fields,
                                                    const std::int8_t* query) noexcept {
        return vdotq_s32(products, vreinterpretq_s8_u8(fields), vld1q_s8(query));
    }
    [[gnu::always_inline]] static Sums add(Sums sums, Products products) noexcept { return sum(sums, products); }
};

#endif

#endif

}  // namespace detail

}  // namespace kith::inline v0
