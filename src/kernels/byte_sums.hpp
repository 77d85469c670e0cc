// src/kernels/byte_sums.hpp — registers of 32-bit sums: products of bytes added to them, and four added up at once.
//
// Bytes of a row have no sign, those of a query have one. VNNI multiplies and adds them in one instruction. VPMADDUBSW
// would do in two what takes five here, but 255 · 127 twice is too much for its 16 bits.
//
// Only sources built for one instruction set include this. Flags (portable.hpp) keep their functions apart.
#pragma once

#include "kernels/simd.hpp"

#include <cstdint>

namespace kith::inline v0 {

namespace detail {

#if defined(__AVX512BW__) && defined(__AVX512VL__)

// GCC 12 takes the register that _mm512_undefined_epi32 leaves undefined on purpose for a mistake.
#ifndef __clang__
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

template <class Flags>
struct ByteSums512 {
    using Sum = __m512i;

    [[gnu::always_inline]] static Sum zero() noexcept { return _mm512_setzero_si512(); }
    [[gnu::always_inline]] static Sum join(Sum a, Sum b) noexcept { return _mm512_add_epi32(a, b); }

    [[gnu::always_inline]] static Sum add_bytes(Sum sum, __m512i row, __m512i query) noexcept {
#if defined(__AVX512VNNI__)
        return _mm512_dpbusd_epi32(sum, row, query);
#else
        const __m512i low = _mm512_madd_epi16(_mm512_cvtepu8_epi16(_mm512_castsi512_si256(row)),
                                              _mm512_cvtepi8_epi16(_mm512_castsi512_si256(query)));
        const __m512i high = _mm512_madd_epi16(_mm512_cvtepu8_epi16(_mm512_extracti64x4_epi64(row, 1)),
                                               _mm512_cvtepi8_epi16(_mm512_extracti64x4_epi64(query, 1)));
        return join(sum, join(low, high));
#endif
    }

    /// out[i] is the sum of the elements of sums[i], for four registers.
    template <class Total>
    [[gnu::always_inline]] static void sum_four(const Sum* sums, Total* out) noexcept {
        const __m512i ab = join(_mm512_unpacklo_epi32(sums[0], sums[1]), _mm512_unpackhi_epi32(sums[0], sums[1]));
        const __m512i cd = join(_mm512_unpacklo_epi32(sums[2], sums[3]), _mm512_unpackhi_epi32(sums[2], sums[3]));
        const __m512i abcd = join(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
        const __m256i halves = _mm256_add_epi32(_mm512_castsi512_si256(abcd), _mm512_extracti64x4_epi64(abcd, 1));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(out),
                         _mm_add_epi32(_mm256_castsi256_si128(halves), _mm256_extracti128_si256(halves, 1)));
    }
};

#ifndef __clang__
#pragma GCC diagnostic pop
#endif

#endif

#if defined(__AVX2__)

template <class Flags>
struct ByteSums256 {
    using Sum = __m256i;

    [[gnu::always_inline]] static Sum zero() noexcept { return _mm256_setzero_si256(); }
    [[gnu::always_inline]] static Sum join(Sum a, Sum b) noexcept { return _mm256_add_epi32(a, b); }

    /// In halves, which a caller may load as it widens them.
    [[gnu::always_inline]] static Sum add_bytes(Sum sum, __m128i row_low, __m128i row_high, __m128i query_low,
                                                __m128i query_high) noexcept {
        const __m256i low = _mm256_madd_epi16(_mm256_cvtepu8_epi16(row_low), _mm256_cvtepi8_epi16(query_low));
        const __m256i high = _mm256_madd_epi16(_mm256_cvtepu8_epi16(row_high), _mm256_cvtepi8_epi16(query_high));
        return join(sum, join(low, high));
    }

    template <class Total>
    [[gnu::always_inline]] static void sum_four(const Sum* sums, Total* out) noexcept {
        const __m256i abcd =
            _mm256_hadd_epi32(_mm256_hadd_epi32(sums[0], sums[1]), _mm256_hadd_epi32(sums[2], sums[3]));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(out),
                         _mm_add_epi32(_mm256_castsi256_si128(abcd), _mm256_extracti128_si256(abcd, 1)));
    }
};

#endif

}  // namespace detail

}  // namespace kith::inline v0
