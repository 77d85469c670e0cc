// kith/distance/cosine.hpp — the angle between two vectors, whatever their lengths.
//
// There is no kernel of its own: rows keep their inverse norm, and the inner product does the rest.
#pragma once

#include "kith/core/element.hpp"
#include "kith/distance/metric.hpp"

#include <cmath>
#include <cstddef>
#include <limits>
#include <string_view>

namespace kith::inline v0 {

/// 1 − ⟨a, b⟩ / (‖a‖ ‖b‖): 0 in the same direction, 1 at right angles, 2 opposite. Score: the cosine similarity, larger
/// is nearer. A vector of length zero has no direction; collections refuse it, and here it is at 1 from everything.
struct Cosine {
    static constexpr std::string_view name = "cosine";  // on disk: never rename

    /// The truth that kernels are measured against: summed in double, rounded once.
    template <Number T>
    static float distance(const T* a, const T* b, std::size_t dim) noexcept {
        double product = 0, squares_a = 0, squares_b = 0;
        for (std::size_t i = 0; i < dim; ++i) {
            const auto x = static_cast<double>(a[i]), y = static_cast<double>(b[i]);
            product += x * y;
            squares_a += x * x;
            squares_b += y * y;
        }
        const double norms = std::sqrt(squares_a * squares_b);
        return norms > 0 ? static_cast<float>(1.0 - product / norms) : 1.0F;
    }

    static constexpr float score(float distance) noexcept { return 1.0F - distance; }
};

static_assert(Metric<Cosine, float>);

namespace detail {

/// 1 / ‖vector‖; 0 for a vector of length zero, which puts it at 1 from everything.
template <Number T>
double inverse_length(const T* vector, std::size_t dim) noexcept {
    double squares = 0;
    for (std::size_t i = 0; i < dim; ++i) squares += static_cast<double>(vector[i]) * static_cast<double>(vector[i]);
    return squares > 0 ? 1.0 / std::sqrt(squares) : 0.0;
}

/// The same as a float, finite for every finite vector.
template <Number T>
float inverse_norm(const T* vector, std::size_t dim) noexcept {
    constexpr double largest = std::numeric_limits<float>::max();
    const double inverse = inverse_length(vector, dim);
    return static_cast<float>(inverse < largest ? inverse : largest);
}

}  // namespace detail

}  // namespace kith::inline v0
