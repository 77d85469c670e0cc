// src/kernels/integer_lanes.hpp — registers of bytes, whose squares and products are summed exactly.
//
// Bytes are widened to 16 bits as they are loaded, where one instruction multiplies and adds in pairs; VNNI adds them
// to the sum as well. NEON's dot product takes bytes as they are. The 32-bit sums may wrap: they are read as the type
// that holds them up to longest_integer_row, unsigned for squares and products of unsigned bytes.
//
// Only sources built for one instruction set include this. Flags (portable.hpp) keep their functions apart.
#pragma once

#include "kernels/byte_sums.hpp"

#include <concepts>
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
struct Integers512 : ByteSums512<Flags> {
    using Sum = __m512i;
    using Register = __m512i;
    static constexpr std::size_t width = 32;

    template <class T>
    [[gnu::always_inline]] static Register load(const T* from) noexcept {
        return widen<T>(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
    }
    template <class T>
    [[gnu::always_inline]] static Register load_first(const T* from, std::size_t count) noexcept {
        return widen<T>(_mm256_maskz_loadu_epi8(static_cast<__mmask32>((1U << count) - 1), from));
    }

    [[gnu::always_inline]] static Sum add_products(Sum sum, Register a, Register b) noexcept {
#if defined(__AVX512VNNI__)
        return _mm512_dpwssd_epi32(sum, a, b);
#else
        return _mm512_add_epi32(sum, _mm512_madd_epi16(a, b));
#endif
    }
    [[gnu::always_inline]] static Sum add_squares(Sum sum, Register a, Register b) noexcept {
        const Register difference = _mm512_sub_epi16(a, b);
        return add_products(sum, difference, difference);
    }

private:
    template <class T>
    [[gnu::always_inline]] static Register widen(__m256i bytes) noexcept {
        if constexpr (std::same_as<T, std::int8_t>) {
            return _mm512_cvtepi8_epi16(bytes);
        } else {
            return _mm512_cvtepu8_epi16(bytes);
        }
    }
};

#ifndef __clang__
#pragma GCC diagnostic pop
#endif

template <class T, class Flags>
using Integers = Integers512<Flags>;

#elif defined(__AVX2__)

template <class Flags>
struct Integers256 : ByteSums256<Flags> {
    using Sum = __m256i;
    using Register = __m256i;
    static constexpr std::size_t width = 16;

    template <class T>
    [[gnu::always_inline]] static Register load(const T* from) noexcept {
        return widen<T>(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
    }
    template <class T>
    [[gnu::always_inline]] static Register load_first(const T* from, std::size_t count) noexcept {
        return widen<T>(Simd<Avx2>::load_first_bytes(from, count));
    }

    [[gnu::always_inline]] static Sum add_products(Sum sum, Register a, Register b) noexcept {
        return _mm256_add_epi32(sum, _mm256_madd_epi16(a, b));
    }
    [[gnu::always_inline]] static Sum add_squares(Sum sum, Register a, Register b) noexcept {
        const Register difference = _mm256_sub_epi16(a, b);
        return add_products(sum, difference, difference);
    }

private:
    template <class T>
    [[gnu::always_inline]] static Register widen(__m128i bytes) noexcept {
        if constexpr (std::same_as<T, std::int8_t>) {
            return _mm256_cvtepi8_epi16(bytes);
        } else {
            return _mm256_cvtepu8_epi16(bytes);
        }
    }
};

template <class T, class Flags>
using Integers = Integers256<Flags>;

#elif defined(__aarch64__)

template <class T>
struct NeonBytes;
template <>
struct NeonBytes<std::int8_t> {
    using Register = int8x16_t;
};
template <>
struct NeonBytes<std::uint8_t> {
    using Register = uint8x16_t;
};

template <class T, class Flags>
struct Integers128 {
    using Sum = uint32x4_t;
    using Register = typename NeonBytes<T>::Register;
    static constexpr std::size_t width = 16;

    [[gnu::always_inline]] static Sum zero() noexcept { return vdupq_n_u32(0); }
    [[gnu::always_inline]] static Sum join(Sum a, Sum b) noexcept { return vaddq_u32(a, b); }

    [[gnu::always_inline]] static Register load(const T* from) noexcept {
        if constexpr (std::same_as<T, std::int8_t>) {
            return vld1q_s8(from);
        } else {
            return vld1q_u8(from);
        }
    }
    [[gnu::always_inline]] static Register load_first(const T* from, std::size_t count) noexcept {
        T elements[width] = {};
        for (std::size_t i = 0; i < count; ++i) elements[i] = from[i];
        return load(elements);
    }

    // Differences of bytes fit an unsigned byte, whichever sign the bytes had.
    [[gnu::always_inline]] static Sum add_squares(Sum sum, Register a, Register b) noexcept {
        if constexpr (std::same_as<T, std::int8_t>) {
            const uint8x16_t difference = vreinterpretq_u8_s8(vabdq_s8(a, b));
            return add_unsigned(sum, difference, difference);
        } else {
            const uint8x16_t difference = vabdq_u8(a, b);
            return add_unsigned(sum, difference, difference);
        }
    }

    [[gnu::always_inline]] static Sum add_products(Sum sum, Register a, Register b) noexcept {
        if constexpr (std::same_as<T, std::uint8_t>) {
            return add_unsigned(sum, a, b);
        } else {
            const int32x4_t signed_sum = vreinterpretq_s32_u32(sum);
#if defined(__ARM_FEATURE_DOTPROD)
            return vreinterpretq_u32_s32(vdotq_s32(signed_sum, a, b));
#else
            const int16x8_t low = vmull_s8(vget_low_s8(a), vget_low_s8(b));
            return vreinterpretq_u32_s32(vpadalq_s16(vpadalq_s16(signed_sum, low), vmull_high_s8(a, b)));
#endif
        }
    }

    [[gnu::always_inline]] static void sum_four(const Sum* sums, std::uint32_t* out) noexcept {
        vst1q_u32(out, vpaddq_u32(vpaddq_u32(sums[0], sums[1]), vpaddq_u32(sums[2], sums[3])));
    }

private:
    [[gnu::always_inline]] static Sum add_unsigned(Sum sum, uint8x16_t a, uint8x16_t b) noexcept {
#if defined(__ARM_FEATURE_DOTPROD)
        return vdotq_u32(sum, a, b);
#else
        const uint16x8_t low = vmull_u8(vget_low_u8(a), vget_low_u8(b));
        return vpadalq_u16(vpadalq_u16(sum, low), vmull_high_u8(a, b));
#endif
    }
};

template <class T, class Flags>
using Integers = Integers128<T, Flags>;

#endif

/// Rows of T, bytes with a sign or without. `Total` is what their 32-bit sum is read as.
template <class T, class Total, class Flags>
struct IntegerLanes : Integers<T, Flags> {
    using Element = T;
    using Query = T;

    [[gnu::always_inline]] static void finish(const typename Integers<T, Flags>::Sum* sums, float* out) noexcept {
        std::uint32_t totals[4];
        Integers<T, Flags>::sum_four(sums, totals);
        for (std::size_t i = 0; i < 4; ++i) out[i] = static_cast<float>(static_cast<Total>(totals[i]));
    }
};

}  // namespace detail

}  // namespace kith::inline v0
