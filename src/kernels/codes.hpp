// src/kernels/codes.hpp — the code kernels, written once over a register of any size.
//
// What differs from one instruction set to the next is how a register of bytes is multiplied with another and summed to
// 32-bit integers: one instruction with VNNI or the dot product of NEON, three without.
//
// Only sources built for one instruction set include this; see table.hpp for how they are reached.
#pragma once

#include "kernels/byte_sums.hpp"
#include "kith/core/slot.hpp"
#include "kith/distance/code_kernels.hpp"
#include "kith/distance/portable_codes.hpp"

#include <cstddef>
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
struct CodeSums512 : ByteSums512<Flags> {
    using Sum = __m512i;
    static constexpr std::size_t width = 64;
    static constexpr bool signed_rows = false;

    [[gnu::always_inline]] static Sum add_bytes(Sum sum, const std::uint8_t* row, const std::int8_t* query) noexcept {
        return ByteSums512<Flags>::add_bytes(sum, _mm512_loadu_si512(row), _mm512_loadu_si512(query));
    }

    [[gnu::always_inline]] static Sum add_nibbles(Sum sum, const std::uint8_t* row, const std::int8_t* query) noexcept {
        const __m512i mask = _mm512_set1_epi8(15);
        const __m512i bytes = _mm512_loadu_si512(row);
        const __m512i low = _mm512_and_si512(bytes, mask);
        const __m512i high = _mm512_and_si512(_mm512_srli_epi16(bytes, 4), mask);
        const __m512i low_codes = _mm512_loadu_si512(query);
        const __m512i high_codes = _mm512_loadu_si512(query + 64);
#if defined(__AVX512VNNI__)
        return _mm512_dpbusd_epi32(_mm512_dpbusd_epi32(sum, low, low_codes), high, high_codes);
#else
        const __m512i pairs =  // at most 4 · 15 · 127
            _mm512_add_epi16(_mm512_maddubs_epi16(low, low_codes), _mm512_maddubs_epi16(high, high_codes));
        return _mm512_add_epi32(sum, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)));
#endif
    }
};

#ifndef __clang__
#pragma GCC diagnostic pop
#endif

template <class Flags>
using CodeSums = CodeSums512<Flags>;

#elif defined(__AVX2__)

template <class Flags>
struct CodeSums256 : ByteSums256<Flags> {
    using Sum = __m256i;
    static constexpr std::size_t width = 32;
    static constexpr bool signed_rows = false;

    [[gnu::always_inline]] static Sum add_bytes(Sum sum, const std::uint8_t* row, const std::int8_t* query) noexcept {
        return ByteSums256<Flags>::add_bytes(sum, load<__m128i>(row), load<__m128i>(row + 16), load<__m128i>(query),
                                             load<__m128i>(query + 16));
    }

    [[gnu::always_inline]] static Sum add_nibbles(Sum sum, const std::uint8_t* row, const std::int8_t* query) noexcept {
        const __m256i mask = _mm256_set1_epi8(15);
        const __m256i bytes = load<__m256i>(row);
        const __m256i low = _mm256_and_si256(bytes, mask);
        const __m256i high = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), mask);
        const __m256i pairs = _mm256_add_epi16(_mm256_maddubs_epi16(low, load<__m256i>(query)),  // at most 4 · 15 · 127
                                               _mm256_maddubs_epi16(high, load<__m256i>(query + 64)));
        return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
    }

private:
    template <class Register>
    [[gnu::always_inline]] static Register load(const void* from) noexcept {
        Register loaded;
        __builtin_memcpy(&loaded, from, sizeof(loaded));
        return loaded;
    }
};

template <class Flags>
using CodeSums = CodeSums256<Flags>;

#elif defined(__aarch64__)

template <class Flags>
struct CodeSums128 {
    using Sum = int32x4_t;
    static constexpr std::size_t width = 16;
    static constexpr bool signed_rows = true;

    [[gnu::always_inline]] static Sum zero() noexcept { return vdupq_n_s32(0); }

    // The bytes of a row become signed: byte − 128 is the byte with its highest bit turned.
    [[gnu::always_inline]] static Sum add_bytes(Sum sum, const std::uint8_t* row, const std::int8_t* query) noexcept {
        return add(sum, vreinterpretq_s8_u8(veorq_u8(vld1q_u8(row), vdupq_n_u8(128))), vld1q_s8(query));
    }

    [[gnu::always_inline]] static Sum add_nibbles(Sum sum, const std::uint8_t* row, const std::int8_t* query) noexcept {
        const uint8x16_t bytes = vld1q_u8(row);
        const int8x16_t low = vreinterpretq_s8_u8(vandq_u8(bytes, vdupq_n_u8(15)));
        const int8x16_t high = vreinterpretq_s8_u8(vshrq_n_u8(bytes, 4));
        return add(add(sum, low, vld1q_s8(query)), high, vld1q_s8(query + 64));
    }

    [[gnu::always_inline]] static void sum_four(const Sum* sums, std::int32_t* out) noexcept {
        vst1q_s32(out, vpaddq_s32(vpaddq_s32(sums[0], sums[1]), vpaddq_s32(sums[2], sums[3])));
    }

private:
    [[gnu::always_inline]] static Sum add(Sum sum, int8x16_t bytes, int8x16_t codes) noexcept {
#if defined(__ARM_FEATURE_DOTPROD)
        return vdotq_s32(sum, bytes, codes);
#else
        const int16x8_t low = vmull_s8(vget_low_s8(bytes), vget_low_s8(codes));
        return vpadalq_s16(vpadalq_s16(sum, low), vmull_high_s8(bytes, codes));
#endif
    }
};

template <class Flags>
using CodeSums = CodeSums128<Flags>;

#endif

/// Scores `count` rows, at most four.
template <unsigned bits, class Flags, std::size_t count>
[[gnu::always_inline]] inline void score_code_group(const CodeQuery& query, const std::uint8_t* const* rows,
                                                    std::size_t dim, float* out) noexcept {
    using Sums = CodeSums<Flags>;
    typename Sums::Sum sums[4] = {Sums::zero(), Sums::zero(), Sums::zero(), Sums::zero()};
    const std::size_t bytes = CodeShape<bits>::bytes(dim);
    for (std::size_t at = 0; at < bytes; at += Sums::width) {
        for (std::size_t row = 0; row < count; ++row) {
            if constexpr (bits == 8) {
                sums[row] = Sums::add_bytes(sums[row], rows[row] + at, query.codes + at);
            } else {  // the halves of 64 bytes stand 64 codes apart
                sums[row] = Sums::add_nibbles(sums[row], rows[row] + at, query.codes + at + at / 64 * 64);
            }
        }
    }
    std::int32_t totals[4];
    Sums::sum_four(sums, totals);
    const std::int32_t bias = bits == 8 && Sums::signed_rows ? query.bias : 0;
    for (std::size_t row = 0; row < count; ++row) {
        out[row] = finish_code<bits, Flags>(query, rows[row], dim, totals[row] + bias);
    }
}

template <unsigned bits, class Flags>
void score_code_slots(const CodeQuery& query, const std::uint8_t* rows, std::size_t stride, std::size_t dim,
                      const Slot* slots, std::size_t count, float* out) noexcept {
    const std::size_t ahead = codes_ahead<bits>(dim);
    std::size_t asked = 0;
    for (std::size_t i = 0; i < count; i += 4) {
        for (; asked < count && asked < i + 4 + ahead; ++asked) {
            fetch_code<bits, Flags>(rows + slots[asked] * stride, dim);
        }
        const std::size_t left = count - i < 4 ? count - i : 4;
        const std::uint8_t* group[4];
        for (std::size_t row = 0; row < left; ++row) group[row] = rows + slots[i + row] * stride;
        if (left == 4) {
            score_code_group<bits, Flags, 4>(query, group, dim, out + i);
            continue;
        }
        for (std::size_t row = 0; row < left; ++row) {
            score_code_group<bits, Flags, 1>(query, group + row, dim, out + i + row);
        }
    }
}

template <unsigned bits, class Flags>
void score_code_block(const CodeQuery& query, const std::uint8_t* rows, std::size_t stride, std::size_t dim,
                      std::size_t count, float* out) noexcept {
    std::size_t i = 0;
    for (; i + 4 <= count; i += 4) {
        const std::uint8_t* group[4];
        for (std::size_t row = 0; row < 4; ++row) group[row] = rows + (i + row) * stride;
        score_code_group<bits, Flags, 4>(query, group, dim, out + i);
    }
    for (; i < count; ++i) {
        const std::uint8_t* row = rows + i * stride;
        score_code_group<bits, Flags, 1>(query, &row, dim, out + i);
    }
}

template <unsigned bits, class Flags>
CodeKernels make_code_kernels() noexcept {
    return {score_code_slots<bits, Flags>, score_code_block<bits, Flags>, portable_code_encode<Flags>};
}

}  // namespace detail

}  // namespace kith::inline v0
