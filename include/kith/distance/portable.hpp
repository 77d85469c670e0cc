// kith/distance/portable.hpp — kernels in plain C++, as fast as the compiler's flags allow.
//
// Header-only programs use these, and so does the compiled unit where a processor has nothing better. A float sum may
// not be reordered by the compiler, so the loop keeps many sums side by side, which is an order it can turn into
// vectors.
//
// Each kernel carries the flags of the source it was compiled in, as a template argument. Two sources built with
// different flags then hold different functions, and the linker cannot hand the AVX-512 one to the source that was
// built without.
#pragma once

#include "kith/core/element.hpp"
#include "kith/core/slot.hpp"
#include "kith/distance/kernels.hpp"
#include "kith/distance/metric.hpp"

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace kith::inline v0 {

namespace detail {

template <unsigned features>
struct BuildFlags {};

/// The instruction sets the compiler may use in the source that includes this header, a bit each.
consteval unsigned build_features() noexcept {
    unsigned features = 0;
#ifdef __SSE4_2__
    features |= 1U << 0;
#endif
#ifdef __AVX__
    features |= 1U << 1;
#endif
#ifdef __AVX2__
    features |= 1U << 2;
#endif
#ifdef __FMA__
    features |= 1U << 3;
#endif
#ifdef __AVX512F__
    features |= 1U << 4;
#endif
#ifdef __AVX512VL__
    features |= 1U << 5;
#endif
#ifdef __AVX512DQ__
    features |= 1U << 6;
#endif
#ifdef __AVX512VNNI__
    features |= 1U << 8;
#endif
#ifdef __ARM_FEATURE_DOTPROD
    features |= 1U << 9;
#endif
#ifdef __ARM_FEATURE_SVE
    features |= 1U << 7;
#endif
#ifdef __POPCNT__
    features |= 1U << 10;
#endif
#ifdef __F16C__
    features |= 1U << 11;
#endif
#ifdef __AVX512BW__
    features |= 1U << 12;
#endif
#ifdef __AVX512VPOPCNTDQ__
    features |= 1U << 13;
#endif
    return features;
}

using ThisBuild = BuildFlags<build_features()>;

/// The distance of one row of floats, of four bytes or two.
template <class M, class T, class Flags>
    requires SumMetric<M, T> && std::same_as<QueryElement<T>, float>
float portable_distance(const float* a, const T* b, std::size_t dim) noexcept {
    const auto term = [&](std::size_t i) { return M::term(a[i], static_cast<float>(b[i])); };
    // Four registers of SSE. With 32 lanes g++ 12 is 2 to 4 times slower below 128 elements.
    constexpr std::size_t lanes = 16;
    constexpr std::size_t short_lanes = 4;
    float sums[lanes] = {};
    std::size_t i = 0;
    for (; i + lanes <= dim; i += lanes) {
        for (std::size_t lane = 0; lane < lanes; ++lane) sums[lane] += term(i + lane);
    }
    float short_sums[short_lanes] = {};
    for (; i + short_lanes <= dim; i += short_lanes) {
        for (std::size_t lane = 0; lane < short_lanes; ++lane) short_sums[lane] += term(i + lane);
    }
    float rest = 0;
    for (; i < dim; ++i) rest += term(i);

    for (std::size_t half = lanes / 2; half >= short_lanes; half /= 2) {
        for (std::size_t lane = 0; lane < half; ++lane) sums[lane] += sums[lane + half];
    }
    for (std::size_t lane = 0; lane < short_lanes; ++lane) sums[lane] += short_sums[lane];
    return ((sums[0] + sums[2]) + (sums[1] + sums[3])) + rest;
}

/// The distance of one row of integers. Their sum may be reordered, so the compiler needs no help.
template <class M, class T, class Flags>
    requires SumMetric<M, T> && std::integral<T>
float portable_distance(const T* a, const T* b, std::size_t dim) noexcept {
    constexpr std::size_t longest = 32768;  // terms that a sum of 32 bits holds
    std::int64_t total = 0;
    for (std::size_t begin = 0; begin < dim; begin += longest) {
        const std::size_t end = begin + longest < dim ? begin + longest : dim;
        std::int32_t sum = 0;
        for (std::size_t i = begin; i < end; ++i) sum += M::term(std::int32_t{a[i]}, std::int32_t{b[i]});
        total += sum;
    }
    return static_cast<float>(total);
}

/// The bits set in a word, by the processor's instruction where the build has one.
template <class Flags>
[[gnu::always_inline]] inline std::uint64_t portable_popcount(std::uint64_t word) noexcept {
#if defined(__POPCNT__) || defined(__aarch64__)
    return static_cast<std::uint64_t>(std::popcount(word));
#else
    // Without it std::popcount is a call that looks tables up. Source: Warren, Hacker's Delight, section 5-1.
    word -= (word >> 1) & 0x5555555555555555U;
    word = (word & 0x3333333333333333U) + ((word >> 2) & 0x3333333333333333U);
    word = (word + (word >> 4)) & 0x0f0f0f0f0f0f0f0fU;
    return (word * 0x0101010101010101U) >> 56;
#endif
}

template <class M, class T, class Flags>
    requires BitMetric<M, T>
float portable_distance(const T* a, const T* b, std::size_t dim) noexcept {
    std::uint64_t differing = 0, either = 0;
    const auto count = [&](std::size_t at, std::size_t bytes) {
        std::uint64_t first = 0, second = 0;
        std::memcpy(&first, a + at, bytes);
        std::memcpy(&second, b + at, bytes);
        differing += portable_popcount<Flags>(first ^ second);
        if constexpr (M::needs_either) either += portable_popcount<Flags>(first | second);
    };
    constexpr std::size_t word = sizeof(std::uint64_t);
    std::size_t i = 0;
    for (; i + word <= dim; i += word) count(i, word);
    if (i < dim) count(i, dim - i);
    return M::of_counts(static_cast<std::uint32_t>(differing), static_cast<std::uint32_t>(either));
}

template <class M, class T, class Flags>
void portable_slots(const QueryElement<T>* query, const T* rows, std::size_t stride, std::size_t dim, const Slot* slots,
                    std::size_t count, float* out) noexcept {
    const std::size_t ahead = rows_ahead(dim * sizeof(T));
    constexpr std::size_t elements_a_line = 64 / sizeof(T);
    constexpr std::size_t longest = 16 * elements_a_line;  // the processor's own prefetcher follows from there
    const std::size_t fetched = dim < longest ? dim : longest;
    for (std::size_t i = 0; i < count + ahead; ++i) {
        if (i < count) {
            const T* row = rows + slots[i] * stride;
            for (std::size_t element = 0; element < fetched; element += elements_a_line) {
                __builtin_prefetch(row + element);
            }
        }
        if (i >= ahead) out[i - ahead] = portable_distance<M, T, Flags>(query, rows + slots[i - ahead] * stride, dim);
    }
}

template <class M, class T, class Flags>
void portable_block(const QueryElement<T>* query, const T* rows, std::size_t stride, std::size_t dim, std::size_t count,
                    float* out) noexcept {
    for (std::size_t i = 0; i < count; ++i) out[i] = portable_distance<M, T, Flags>(query, rows + i * stride, dim);
}

template <class M, class T, class Flags>
constexpr Kernels<T> portable_kernels() noexcept {
    return {portable_slots<M, T, Flags>, portable_block<M, T, Flags>};
}

}  // namespace detail

}  // namespace kith::inline v0
