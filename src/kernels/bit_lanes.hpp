// src/kernels/bit_lanes.hpp — registers of packed bits, of which the differing ones are counted.
//
// AVX-512 has an instruction for the count, NEON one for each byte. AVX2 looks each half of a byte up in a table of
// sixteen, which a register holds.
// Source: Muła, Kurz & Lemire, "Faster Population Counts Using AVX2 Instructions", arXiv:1611.07612, section 4.
//
// Only sources built for one instruction set include this. Flags (portable.hpp) keep their functions apart.
#pragma once

#include "kernels/integer_lanes.hpp"
#include "kith/core/element.hpp"

#include <cstddef>
#include <cstdint>

namespace kith::inline v0 {

namespace detail {

#if defined(__AVX512BW__) && defined(__AVX512VL__)

#ifndef __clang__
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

template <class Flags>
struct Bits512 {
    using Count = __m512i;
    using Register = __m512i;
    static constexpr std::size_t width = 64;

    [[gnu::always_inline]] static Register load(const Bits8* from) noexcept { return _mm512_loadu_si512(from); }
    [[gnu::always_inline]] static Register load_first(const Bits8* from, std::size_t count) noexcept {
        return _mm512_maskz_loadu_epi8((std::uint64_t{1} << count) - 1, from);
    }

    [[gnu::always_inline]] static Register differing(Register a, Register b) noexcept { return _mm512_xor_si512(a, b); }
    [[gnu::always_inline]] static Register either(Register a, Register b) noexcept { return _mm512_or_si512(a, b); }

    [[gnu::always_inline]] static Count add(Count count, Register bits) noexcept {
#if defined(__AVX512VPOPCNTDQ__)
        return _mm512_add_epi64(count, _mm512_popcnt_epi64(bits));
#else
        const __m512i table = _mm512_set4_epi32(0x04030302, 0x03020201, 0x03020201, 0x02010100);
        const __m512i nibble = _mm512_set1_epi8(0x0f);
        const __m512i low = _mm512_shuffle_epi8(table, _mm512_and_si512(bits, nibble));
        const __m512i high = _mm512_shuffle_epi8(table, _mm512_and_si512(_mm512_srli_epi16(bits, 4), nibble));
        return _mm512_add_epi64(count, _mm512_sad_epu8(_mm512_add_epi8(low, high), _mm512_setzero_si512()));
#endif
    }
};

#ifndef __clang__
#pragma GCC diagnostic pop
#endif

template <class Flags>
using PackedBits = Bits512<Flags>;

#elif defined(__AVX2__)

template <class Flags>
struct Bits256 {
    using Count = __m256i;
    using Register = __m256i;
    static constexpr std::size_t width = 32;

    [[gnu::always_inline]] static Register load(const Bits8* from) noexcept {
        return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
    }
    [[gnu::always_inline]] static Register load_first(const Bits8* from, std::size_t count) noexcept {
        if (count < 16) return _mm256_zextsi128_si256(Simd<Avx2>::load_first_bytes(from, count));
        const __m128i low = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
        if (count == 16) return _mm256_zextsi128_si256(low);
        return _mm256_set_m128i(Simd<Avx2>::load_first_bytes(from + 16, count - 16), low);
    }

    [[gnu::always_inline]] static Register differing(Register a, Register b) noexcept { return _mm256_xor_si256(a, b); }
    [[gnu::always_inline]] static Register either(Register a, Register b) noexcept { return _mm256_or_si256(a, b); }

    [[gnu::always_inline]] static Count add(Count count, Register bits) noexcept {
        const __m256i table = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4,  //
                                               0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
        const __m256i nibble = _mm256_set1_epi8(0x0f);
        const __m256i low = _mm256_shuffle_epi8(table, _mm256_and_si256(bits, nibble));
        const __m256i high = _mm256_shuffle_epi8(table, _mm256_and_si256(_mm256_srli_epi16(bits, 4), nibble));
        return _mm256_add_epi64(count, _mm256_sad_epu8(_mm256_add_epi8(low, high), _mm256_setzero_si256()));
    }
};

template <class Flags>
using PackedBits = Bits256<Flags>;

#elif defined(__aarch64__)

template <class Flags>
struct Bits128 {
    using Count = uint32x4_t;
    using Register = uint8x16_t;
    static constexpr std::size_t width = 16;

    [[gnu::always_inline]] static Register load(const Bits8* from) noexcept { return vld1q_u8(&from->bits); }
    [[gnu::always_inline]] static Register load_first(const Bits8* from, std::size_t count) noexcept {
        std::uint8_t elements[width] = {};
        for (std::size_t i = 0; i < count; ++i) elements[i] = from[i].bits;
        return vld1q_u8(elements);
    }

    [[gnu::always_inline]] static Register differing(Register a, Register b) noexcept { return veorq_u8(a, b); }
    [[gnu::always_inline]] static Register either(Register a, Register b) noexcept { return vorrq_u8(a, b); }

    [[gnu::always_inline]] static Count add(Count count, Register bits) noexcept {
#if defined(__ARM_FEATURE_DOTPROD)
        return vdotq_u32(count, vcntq_u8(bits), vdupq_n_u8(1));
#else
        return vpadalq_u16(count, vpaddlq_u8(vcntq_u8(bits)));
#endif
    }
};

template <class Flags>
using PackedBits = Bits128<Flags>;

#endif

/// What a BitMetric M counts. Lanes and terms in one, for no metric shares them.
template <class M, class Flags>
struct BitTerms : PackedBits<Flags> {
    using Bits = PackedBits<Flags>;
    using Integers = detail::Integers<std::uint8_t, Flags>;  // counts are 32-bit elements of the same registers
    using Element = Bits8;
    using Query = Bits8;
    struct Sum {
        typename Bits::Count differing;
        typename Bits::Count either;  // stays 0 unless the metric asks for it
    };

    [[gnu::always_inline]] static Sum zero() noexcept { return {Integers::zero(), Integers::zero()}; }
    [[gnu::always_inline]] static Sum join(Sum a, Sum b) noexcept {
        return {Integers::join(a.differing, b.differing), Integers::join(a.either, b.either)};
    }

    [[gnu::always_inline]] static Sum add(Sum sum, typename Bits::Register a, typename Bits::Register b) noexcept {
        sum.differing = Bits::add(sum.differing, Bits::differing(a, b));
        if constexpr (M::needs_either) sum.either = Bits::add(sum.either, Bits::either(a, b));
        return sum;
    }

    [[gnu::always_inline]] static void finish(const Sum* sums, float* out) noexcept {
        typename Bits::Count counts[4];
        std::uint32_t differing[4], either[4] = {};
        for (std::size_t i = 0; i < 4; ++i) counts[i] = sums[i].differing;
        Integers::sum_four(counts, differing);
        if constexpr (M::needs_either) {
            for (std::size_t i = 0; i < 4; ++i) counts[i] = sums[i].either;
            Integers::sum_four(counts, either);
        }
        for (std::size_t i = 0; i < 4; ++i) out[i] = M::of_counts(differing[i], either[i]);
    }
    [[gnu::always_inline]] static float turn(float distance) noexcept { return distance; }
};

}  // namespace detail

}  // namespace kith::inline v0
