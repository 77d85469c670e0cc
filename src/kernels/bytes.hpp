// src/kernels/bytes.hpp — the byte kernels, written once over a register of any size.
//
// What differs from one instruction set to the next is how a register of bytes is multiplied with another and summed to
// 32-bit integers: one instruction with VNNI or the dot product of NEON, three without.
//
// Only sources built for one instruction set include this; see table.hpp for how they are reached.
#pragma once

#include "kernels/simd.hpp"
#include "kith/core/slot.hpp"
#include "kith/distance/byte_kernels.hpp"
#include "kith/distance/portable_bytes.hpp"

#include <cstddef>
#include <cstdint>

namespace kith::inline v0 {

namespace detail {

#if defined(__AVX512BW__)

// GCC 12 takes the register that _mm512_undefined_epi32 leaves undefined on purpose for a mistake.
#ifndef __clang__
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

template <class Flags>
struct ByteSums512 {
    using Sum = __m512i;
    static constexpr std::size_t width = 64;

    [[gnu::always_inline]] static Sum zero() noexcept { return _mm512_setzero_si512(); }

    [[gnu::always_inline]] static Sum add(Sum sum, const std::uint8_t* row, const std::int8_t* query) noexcept {
        const __m512i bytes = _mm512_loadu_si512(row);
        const __m512i codes = _mm512_loadu_si512(query);
#if defined(__AVX512VNNI__)
        return _mm512_dpbusd_epi32(sum, bytes, codes);
#else
        const __m512i low = _mm512_madd_epi16(_mm512_cvtepu8_epi16(_mm512_castsi512_si256(bytes)),
                                              _mm512_cvtepi8_epi16(_mm512_castsi512_si256(codes)));
        const __m512i high = _mm512_madd_epi16(_mm512_cvtepu8_epi16(_mm512_extracti64x4_epi64(bytes, 1)),
                                               _mm512_cvtepi8_epi16(_mm512_extracti64x4_epi64(codes, 1)));
        return _mm512_add_epi32(sum, _mm512_add_epi32(low, high));
#endif
    }

    /// out[i] is the sum of the elements of sums[i], for four registers.
    [[gnu::always_inline]] static void sum_four(const Sum* sums, std::int32_t* out) noexcept {
        const __m512i ab =
            _mm512_add_epi32(_mm512_unpacklo_epi32(sums[0], sums[1]), _mm512_unpackhi_epi32(sums[0], sums[1]));
        const __m512i cd =
            _mm512_add_epi32(_mm512_unpacklo_epi32(sums[2], sums[3]), _mm512_unpackhi_epi32(sums[2], sums[3]));
        const __m512i abcd = _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
        const __m256i halves = _mm256_add_epi32(_mm512_castsi512_si256(abcd), _mm512_extracti64x4_epi64(abcd, 1));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(out),
                         _mm_add_epi32(_mm256_castsi256_si128(halves), _mm256_extracti128_si256(halves, 1)));
    }
};

#ifndef __clang__
#pragma GCC diagnostic pop
#endif

template <class Flags>
using ByteSums = ByteSums512<Flags>;

#elif defined(__AVX2__)

template <class Flags>
struct ByteSums256 {
    using Sum = __m256i;
    static constexpr std::size_t width = 32;

    [[gnu::always_inline]] static Sum zero() noexcept { return _mm256_setzero_si256(); }

    // Not VPMADDUBSW: 255 · 127 twice is too much for its 16 bits.
    [[gnu::always_inline]] static Sum add(Sum sum, const std::uint8_t* row, const std::int8_t* query) noexcept {
        const __m256i low =
            _mm256_madd_epi16(_mm256_cvtepu8_epi16(load_half(row)), _mm256_cvtepi8_epi16(load_half(query)));
        const __m256i high =
            _mm256_madd_epi16(_mm256_cvtepu8_epi16(load_half(row + 16)), _mm256_cvtepi8_epi16(load_half(query + 16)));
        return _mm256_add_epi32(sum, _mm256_add_epi32(low, high));
    }

    [[gnu::always_inline]] static void sum_four(const Sum* sums, std::int32_t* out) noexcept {
        const __m256i abcd =
            _mm256_hadd_epi32(_mm256_hadd_epi32(sums[0], sums[1]), _mm256_hadd_epi32(sums[2], sums[3]));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(out),
                         _mm_add_epi32(_mm256_castsi256_si128(abcd), _mm256_extracti128_si256(abcd, 1)));
    }

private:
    [[gnu::always_inline]] static __m128i load_half(const void* from) noexcept {
        return _mm_loadu_si128(static_cast<const __m128i*>(from));
    }
};

template <class Flags>
using ByteSums = ByteSums256<Flags>;

#elif defined(__aarch64__)

template <class Flags>
struct ByteSums128 {
    using Sum = int32x4_t;
    static constexpr std::size_t width = 16;

    [[gnu::always_inline]] static Sum zero() noexcept { return vdupq_n_s32(0); }

    // The bytes of a row become signed: byte − 128 is the byte with its highest bit turned. So the bias is taken off
    // here.
    [[gnu::always_inline]] static Sum add(Sum sum, const std::uint8_t* row, const std::int8_t* query) noexcept {
        const int8x16_t bytes = vreinterpretq_s8_u8(veorq_u8(vld1q_u8(row), vdupq_n_u8(128)));
        const int8x16_t codes = vld1q_s8(query);
#if defined(__ARM_FEATURE_DOTPROD)
        return vdotq_s32(sum, bytes, codes);
#else
        const int16x8_t low = vmull_s8(vget_low_s8(bytes), vget_low_s8(codes));
        const int16x8_t high = vmull_high_s8(bytes, codes);
        return vpadalq_s16(vpadalq_s16(sum, low), high);
#endif
    }

    [[gnu::always_inline]] static void sum_four(const Sum* sums, std::int32_t* out) noexcept {
        vst1q_s32(out, vpaddq_s32(vpaddq_s32(sums[0], sums[1]), vpaddq_s32(sums[2], sums[3])));
    }
};

template <class Flags>
using ByteSums = ByteSums128<Flags>;

#endif

#if defined(__aarch64__)
inline constexpr bool signed_rows = true;
#else
inline constexpr bool signed_rows = false;
#endif

/// Scores `count` rows, at most four.
template <class Flags, std::size_t count>
[[gnu::always_inline]] inline void score_byte_group(const ByteQuery& query, const std::uint8_t* const* rows,
                                                    std::size_t dim, float* out) noexcept {
    using Sums = ByteSums<Flags>;
    typename Sums::Sum sums[4] = {Sums::zero(), Sums::zero(), Sums::zero(), Sums::zero()};
    for (std::size_t i = 0; i < dim; i += Sums::width) {
        for (std::size_t row = 0; row < count; ++row) sums[row] = Sums::add(sums[row], rows[row] + i, query.codes + i);
    }
    std::int32_t totals[4];
    Sums::sum_four(sums, totals);
    const std::int32_t bias = signed_rows ? query.bias : 0;
    for (std::size_t row = 0; row < count; ++row) {
        out[row] = finish_bytes<Flags>(query, rows[row], dim, totals[row] + bias);
    }
}

template <class Flags>
void score_byte_slots(const ByteQuery& query, const std::uint8_t* rows, std::size_t stride, std::size_t dim,
                      const Slot* slots, std::size_t count, float* out) noexcept {
    constexpr std::size_t ahead = 12;
    std::size_t asked = 0;
    for (std::size_t i = 0; i < count; i += 4) {
        for (; asked < count && asked < i + 4 + ahead; ++asked) {
            fetch_byte_row<Flags>(rows + slots[asked] * stride, dim);
        }
        const std::size_t left = count - i < 4 ? count - i : 4;
        const std::uint8_t* group[4];
        for (std::size_t row = 0; row < left; ++row) group[row] = rows + slots[i + row] * stride;
        if (left == 4) {
            score_byte_group<Flags, 4>(query, group, dim, out + i);
        } else {
            for (std::size_t row = 0; row < left; ++row)
                score_byte_group<Flags, 1>(query, group + row, dim, out + i + row);
        }
    }
}

template <class Flags>
void score_byte_block(const ByteQuery& query, const std::uint8_t* rows, std::size_t stride, std::size_t dim,
                      std::size_t count, float* out) noexcept {
    std::size_t i = 0;
    for (; i + 4 <= count; i += 4) {
        const std::uint8_t* group[4];
        for (std::size_t row = 0; row < 4; ++row) group[row] = rows + (i + row) * stride;
        score_byte_group<Flags, 4>(query, group, dim, out + i);
    }
    for (; i < count; ++i) {
        const std::uint8_t* row = rows + i * stride;
        score_byte_group<Flags, 1>(query, &row, dim, out + i);
    }
}

template <class Flags>
ByteKernels make_byte_kernels() noexcept {
    return {score_byte_slots<Flags>, score_byte_block<Flags>, portable_byte_encode<Flags>};
}

}  // namespace detail

}  // namespace kith::inline v0
