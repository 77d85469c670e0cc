// kith/distance/inner_product.hpp — the inner product, turned round so that smaller is nearer.
#pragma once

#include "kith/core/element.hpp"
#include "kith/distance/metric.hpp"

#include <cstddef>
#include <string_view>

namespace kith::inline v0 {

/// −Σ aᵢ bᵢ. Score: the inner product itself, larger is nearer.
struct InnerProduct {
    static constexpr std::string_view name = "inner_product";  // on disk: never rename

    template <class T>
    [[gnu::always_inline]] static constexpr T term(T a, T b) noexcept {
        return -(a * b);
    }

    /// The truth that kernels are measured against: summed in double, which is exact for integers, rounded once.
    template <Number T>
    static float distance(const T* a, const T* b, std::size_t dim) noexcept {
        double sum = 0;
        for (std::size_t i = 0; i < dim; ++i) sum += term(static_cast<double>(a[i]), static_cast<double>(b[i]));
        return static_cast<float>(sum);
    }

    static constexpr float score(float distance) noexcept { return -distance; }
};

static_assert(SumMetric<InnerProduct, float>);

}  // namespace kith::inline v0
