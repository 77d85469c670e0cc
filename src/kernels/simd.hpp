// src/kernels/simd.hpp — the only door to xsimd: what kernels need of a register of floats, whatever the version.
//
// xsimd 8.1 is what Debian 12 ships, 14.3 the newest; between them `hadd` became `reduce_add`. Neither has a masked
// load that every version knows, nor the sums of four registers at once, so those two are intrinsics where they pay;
// and 8.1 has no fused operation for AVX-512.
//
// Every name depends on the architecture A, so that no two sources built with different flags share a function.
#pragma once

#include <xsimd/xsimd.hpp>

#include <cstddef>
#include <cstdint>

namespace kith::inline v0 {

namespace detail {

/// A register of floats.
template <class A>
using Floats = xsimd::batch<float, A>;

template <class A>
[[gnu::always_inline]] inline Floats<A> load(const float* from) noexcept {
    return Floats<A>::load_unaligned(from);
}

/// a · b + sum, rounded once.
template <class A>
[[gnu::always_inline]] inline Floats<A> multiply_add(Floats<A> a, Floats<A> b, Floats<A> sum) noexcept {
    return xsimd::fma(a, b, sum);
}

/// What one architecture does in its own way. This is the way of those that have no better.
template <class A>
struct Simd {
    /// The first `count` elements, then zeros; nothing past them is read. Requires: count is below the register's size.
    [[gnu::always_inline]] static Floats<A> load_first(const float* from, std::size_t count) noexcept {
        float elements[Floats<A>::size] = {};
        for (std::size_t i = 0; i < count; ++i) elements[i] = from[i];
        return load<A>(elements);
    }

    /// out[i] is the sum of the elements of registers[i], for four registers. The order of the additions is the same
    /// for each of the four.
    [[gnu::always_inline]] static void sum_four(const Floats<A>* registers, float* out) noexcept {
        for (std::size_t i = 0; i < 4; ++i) {
#if XSIMD_VERSION_MAJOR >= 9
            out[i] = xsimd::reduce_add(registers[i]);
#else
            out[i] = xsimd::hadd(registers[i]);
#endif
        }
    }
};

#if defined(__AVX2__) && defined(__FMA__)

using Avx2 = xsimd::fma3<xsimd::avx2>;

template <>
struct Simd<Avx2> {
    [[gnu::always_inline]] static Floats<Avx2> load_first(const float* from, std::size_t count) noexcept {
        // Lane i is read when i < count.
        const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
        return _mm256_maskload_ps(from, _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count)), lanes));
    }

    /// The first `bytes` bytes, then zeros; nothing past them is read. Requires: bytes is between 1 and 15.
    [[gnu::always_inline]] static __m128i load_first_bytes(const void* from, std::size_t bytes) noexcept {
        // Two loads that overlap, for there is no masked load of bytes.
        const auto* const first = static_cast<const unsigned char*>(from);
        std::uint64_t low = 0, high = 0;
        if (bytes >= 8) {
            __builtin_memcpy(&low, first, 8);
            __builtin_memcpy(&high, first + bytes - 8, 8);
            high = (high >> 1) >> (8 * (16 - bytes) - 1);  // in two steps, for all 64 bits may have to go
        } else if (bytes >= 4) {
            std::uint32_t begin = 0, end = 0;
            __builtin_memcpy(&begin, first, 4);
            __builtin_memcpy(&end, first + bytes - 4, 4);
            low = begin | std::uint64_t{end} << (8 * (bytes - 4));
        } else {
            low = first[0] | std::uint64_t{first[bytes / 2]} << (8 * (bytes / 2)) |
                  std::uint64_t{first[bytes - 1]} << (8 * (bytes - 1));
        }
        return _mm_set_epi64x(static_cast<long long>(high), static_cast<long long>(low));
    }

    [[gnu::always_inline]] static void sum_four(const Floats<Avx2>* registers, float* out) noexcept {
        const __m256 a = registers[0], b = registers[1], c = registers[2], d = registers[3];
        // Each 128-bit half ends as the four sums of its own quarter columns.
        const __m256 ab = _mm256_add_ps(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
        const __m256 cd = _mm256_add_ps(_mm256_unpacklo_ps(c, d), _mm256_unpackhi_ps(c, d));
        const __m256 abcd = _mm256_add_ps(_mm256_shuffle_ps(ab, cd, 0x44), _mm256_shuffle_ps(ab, cd, 0xee));
        _mm_storeu_ps(out, _mm_add_ps(_mm256_castps256_ps128(abcd), _mm256_extractf128_ps(abcd, 1)));
    }
};

#endif

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__)

using Avx512 = xsimd::avx512f;  // floats need no more of it

// xsimd 8.1 multiplies and adds here, in two roundings.
template <>
[[gnu::always_inline]] inline Floats<Avx512> multiply_add<Avx512>(Floats<Avx512> a, Floats<Avx512> b,
                                                                  Floats<Avx512> sum) noexcept {
    return _mm512_fmadd_ps(a, b, sum);
}

// GCC 12 takes the register that _mm512_undefined_ps leaves undefined on purpose for a mistake.
#ifndef __clang__
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

template <>
struct Simd<Avx512> {
    [[gnu::always_inline]] static Floats<Avx512> load_first(const float* from, std::size_t count) noexcept {
        return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1U << count) - 1), from);
    }

    [[gnu::always_inline]] static void sum_four(const Floats<Avx512>* registers, float* out) noexcept {
        const __m512 a = registers[0], b = registers[1], c = registers[2], d = registers[3];
        // Each 128-bit quarter ends as the four sums of its own columns.
        const __m512 ab = _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
        const __m512 cd = _mm512_add_ps(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
        const __m512 abcd = _mm512_add_ps(_mm512_shuffle_ps(ab, cd, 0x44), _mm512_shuffle_ps(ab, cd, 0xee));
        const __m256 halves = _mm256_add_ps(_mm512_castps512_ps256(abcd), _mm512_extractf32x8_ps(abcd, 1));
        _mm_storeu_ps(out, _mm_add_ps(_mm256_castps256_ps128(halves), _mm256_extractf128_ps(halves, 1)));
    }
};

#ifndef __clang__
#pragma GCC diagnostic pop
#endif

#endif

#if defined(__aarch64__)

using Neon = xsimd::neon64;

#endif

}  // namespace detail

}  // namespace kith::inline v0
