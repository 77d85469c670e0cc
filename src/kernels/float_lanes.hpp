// src/kernels/float_lanes.hpp — registers of floats, filled from floats of four bytes or of two.
//
// Rows of two bytes are widened as they are loaded and multiplied as floats. The processor's own dot product of
// bfloat16 (VDPBF16PS) is left out: it wants the query rounded as well, flushes subnormals, rounds otherwise, and
// brings little where it would count. Measured on Zen 5 in GB/s, against widening: rows in order in the second cache
// 169 and 230 against 88 and 90 (128 and 768 elements), from memory 37 and 36 against 35 and 33; gathered from memory
// 21 and 31 against 20 and 34. The arithmetic of AVX512-FP16 is left out because it sums in half precision: its 11 bits
// are spent after a few hundred terms, and a sum of squares ends at 65504.
//
// Only sources built for one instruction set include this.
#pragma once

#include "kernels/simd.hpp"
#include "kith/core/element.hpp"

#include <concepts>
#include <cstddef>
#include <cstdint>

namespace kith::inline v0 {

namespace detail {

/// How rows of two bytes are widened, each architecture in its own way.
template <class A, class T>
struct Widen;

#if defined(__AVX2__) && defined(__FMA__) && defined(__F16C__)

template <class T>
struct Widen<Avx2, T> {
    [[gnu::always_inline]] static Floats<Avx2> load(const T* from) noexcept {
        return widen(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
    }

    [[gnu::always_inline]] static Floats<Avx2> load_first(const T* from, std::size_t count) noexcept {
        return widen(Simd<Avx2>::load_first_bytes(from, count * sizeof(T)));
    }

private:
    [[gnu::always_inline]] static __m256 widen(__m128i elements) noexcept {
        if constexpr (std::same_as<T, Half>) {
            return _mm256_cvtph_ps(elements);
        } else {
            return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(elements), 16));
        }
    }
};

#endif

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__)

// GCC 12 takes registers that intrinsics leave undefined on purpose for a mistake.
#ifndef __clang__
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

template <class T>
struct Widen<Avx512, T> {
    [[gnu::always_inline]] static Floats<Avx512> load(const T* from) noexcept {
        return widen(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
    }

    [[gnu::always_inline]] static Floats<Avx512> load_first(const T* from, std::size_t count) noexcept {
        return widen(_mm256_maskz_loadu_epi16(static_cast<__mmask16>((1U << count) - 1), from));
    }

private:
    [[gnu::always_inline]] static __m512 widen(__m256i elements) noexcept {
        if constexpr (std::same_as<T, Half>) {
            return _mm512_cvtph_ps(elements);
        } else {
            return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(elements), 16));
        }
    }
};

#ifndef __clang__
#pragma GCC diagnostic pop
#endif

#endif

#if defined(__aarch64__)

template <class T>
struct Widen<Neon, T> {
    [[gnu::always_inline]] static Floats<Neon> load(const T* from) noexcept {
        return widen(vld1_u16(reinterpret_cast<const std::uint16_t*>(from)));
    }

    [[gnu::always_inline]] static Floats<Neon> load_first(const T* from, std::size_t count) noexcept {
        std::uint16_t elements[4] = {};
        for (std::size_t i = 0; i < count; ++i) elements[i] = from[i].bits();
        return widen(vld1_u16(elements));
    }

private:
    [[gnu::always_inline]] static float32x4_t widen(uint16x4_t elements) noexcept {
        if constexpr (std::same_as<T, Half>) {
            return vcvt_f32_f16(vreinterpret_f16_u16(elements));
        } else {
            return vreinterpretq_f32_u32(vshll_n_u16(elements, 16));
        }
    }
};

#endif

/// Floats against rows of T: float, Half or Bfloat16.
template <class A, class T>
struct FloatLanes {
    using Element = T;
    using Query = float;
    using Register = Floats<A>;
    using Sum = Floats<A>;
    static constexpr std::size_t width = Register::size;

    [[gnu::always_inline]] static Register load(const float* from) noexcept { return detail::load<A>(from); }
    [[gnu::always_inline]] static Register load_first(const float* from, std::size_t count) noexcept {
        return Simd<A>::load_first(from, count);
    }
    template <class Other>
    [[gnu::always_inline]] static Register load(const Other* from) noexcept {
        return Widen<A, Other>::load(from);
    }
    template <class Other>
    [[gnu::always_inline]] static Register load_first(const Other* from, std::size_t count) noexcept {
        return Widen<A, Other>::load_first(from, count);
    }

    [[gnu::always_inline]] static Sum zero() noexcept { return Sum(0.0F); }
    [[gnu::always_inline]] static Sum join(Sum a, Sum b) noexcept { return a + b; }

    [[gnu::always_inline]] static Sum add_squares(Sum sum, Register a, Register b) noexcept {
        const Register difference = a - b;
        return multiply_add<A>(difference, difference, sum);
    }
    [[gnu::always_inline]] static Sum add_products(Sum sum, Register a, Register b) noexcept {
        return multiply_add<A>(a, b, sum);
    }

    [[gnu::always_inline]] static void finish(const Sum* sums, float* out) noexcept { Simd<A>::sum_four(sums, out); }
};

}  // namespace detail

}  // namespace kith::inline v0
