// kith/distance/l2.hpp — the squared Euclidean distance.
//
// The square root would cost time and change no order, so neither distances nor scores take it.
#pragma once

#include "kith/core/element.hpp"
#include "kith/distance/metric.hpp"

#include <cstddef>
#include <string_view>

namespace kith::inline v0 {

/// Σ (aᵢ − bᵢ)². Score: the same number, smaller is nearer.
struct L2 {
    static constexpr std::string_view name = "l2";  // on disk: never rename

    template <class T>
    [[gnu::always_inline]] static constexpr T term(T a, T b) noexcept {
        const T difference = a - b;
        return difference * difference;
    }

    /// The truth that kernels are measured against: summed in double, which is exact for integers, rounded once.
    template <Number T>
    static float distance(const T* a, const T* b, std::size_t dim) noexcept {
        double sum = 0;
        for (std::size_t i = 0; i < dim; ++i) sum += term(static_cast<double>(a[i]), static_cast<double>(b[i]));
        return static_cast<float>(sum);
    }

    static constexpr float score(float distance) noexcept { return distance; }
};

static_assert(SumMetric<L2, float>);

}  // namespace kith::inline v0
