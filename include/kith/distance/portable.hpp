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

#include "kith/core/slot.hpp"
#include "kith/distance/kernels.hpp"
#include "kith/distance/metric.hpp"

#include <cstddef>

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
    return features;
}

using ThisBuild = BuildFlags<build_features()>;

/// The distance of one row.
template <class M, class T, class Flags>
float portable_distance(const T* a, const T* b, std::size_t dim) noexcept {
    // Four registers of SSE. With 32 lanes g++ 12 is 2 to 4 times slower below 128 elements.
    constexpr std::size_t lanes = 16;
    constexpr std::size_t short_lanes = 4;
    float sums[lanes] = {};
    std::size_t i = 0;
    for (; i + lanes <= dim; i += lanes) {
        for (std::size_t lane = 0; lane < lanes; ++lane) sums[lane] += M::term(a[i + lane], b[i + lane]);
    }
    float short_sums[short_lanes] = {};
    for (; i + short_lanes <= dim; i += short_lanes) {
        for (std::size_t lane = 0; lane < short_lanes; ++lane) short_sums[lane] += M::term(a[i + lane], b[i + lane]);
    }
    float rest = 0;
    for (; i < dim; ++i) rest += M::term(a[i], b[i]);

    for (std::size_t half = lanes / 2; half >= short_lanes; half /= 2) {
        for (std::size_t lane = 0; lane < half; ++lane) sums[lane] += sums[lane + half];
    }
    for (std::size_t lane = 0; lane < short_lanes; ++lane) sums[lane] += short_sums[lane];
    return ((sums[0] + sums[2]) + (sums[1] + sums[3])) + rest;
}

template <class M, class T, class Flags>
void portable_slots(const T* query, const T* rows, std::size_t stride, std::size_t dim, const Slot* slots,
                    std::size_t count, float* out) noexcept {
    constexpr std::size_t ahead = 8;
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
void portable_block(const T* query, const T* rows, std::size_t stride, std::size_t dim, std::size_t count,
                    float* out) noexcept {
    for (std::size_t i = 0; i < count; ++i) out[i] = portable_distance<M, T, Flags>(query, rows + i * stride, dim);
}

template <class M, class T, class Flags>
constexpr Kernels<T> portable_kernels() noexcept {
    return {portable_slots<M, T, Flags>, portable_block<M, T, Flags>};
}

}  // namespace detail

}  // namespace kith::inline v0
