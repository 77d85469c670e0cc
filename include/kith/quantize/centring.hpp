// kith/quantize/centring.hpp — a vector as a code sees it: in the metric's own form and about the mean.
//
// About the mean of the data, vectors are short, and what a code loses is proportional to that length. Every distance
// then has the same form, for x = μ + u and y = μ + v with μ the mean:
//
//   distance(x, y) = bias(x) + bias(y) − weight · ⟨u, v⟩
//
//   L2            bias ‖u‖²                                      weight 2
//   Cosine        bias ½‖u‖², of x and y divided by their norms  weight 1
//   InnerProduct  bias −⟨μ, u⟩ − ½‖μ‖²                           weight 1
//
// Cosine takes the form of L2 because an error of u is then weighed by how far x is from y, not by their length. A
// vector of length zero is at 1 from everything, so its bias is ½ more.
#pragma once

#include "kith/core/bytes.hpp"
#include "kith/core/element.hpp"
#include "kith/core/error.hpp"
#include "kith/core/matrix_view.hpp"
#include "kith/distance/cosine.hpp"
#include "kith/distance/inner_product.hpp"
#include "kith/distance/l2.hpp"
#include "kith/distance/packed_dots.hpp"
#include "kith/quantize/mean.hpp"
#include "kith/quantize/training.hpp"

#include <cmath>
#include <concepts>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace kith::inline v0 {

namespace detail {

/// Σ a[i]², in double.
inline double squares(const float* a, std::size_t dim) noexcept {
    double sum = 0;
    for (std::size_t i = 0; i < dim; ++i) sum += static_cast<double>(a[i]) * static_cast<double>(a[i]);
    return sum;
}

/// Σ a[i] · b[i], in double.
inline double product(const float* a, const float* b, std::size_t dim) noexcept {
    double sum = 0;
    for (std::size_t i = 0; i < dim; ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
    return sum;
}

// Vectors longer than longest_vector are taken as if they were that long: squares of what is left stay finite, and
// their distances lie beyond those of all others as before.

/// `vector`, or, when it is longer than any may be, a shorter one of its direction in `shortened`.
inline const float* within_reach(const float* vector, std::size_t dim, float* shortened) noexcept {
    const double length = std::sqrt(squares(vector, dim));
    if (!(length > longest_vector)) return vector;
    for (std::size_t i = 0; i < dim; ++i) {
        shortened[i] = static_cast<float>(static_cast<double>(vector[i]) * (longest_vector / length));
    }
    return shortened;
}

/// What a vector is multiplied by to be as metric M compares it; 0 for a vector of length zero under Cosine.
template <class M>
double compared_factor(const float* vector, std::size_t dim) noexcept {
    if constexpr (std::same_as<M, Cosine>) {
        return inverse_length(vector, dim);
    } else {
        const double length = std::sqrt(squares(vector, dim));
        return length > longest_vector ? longest_vector / length : 1;
    }
}

/// A base of every codec, so that a metric no codes are for is refused, and by one sentence.
template <class M>
struct ServedMetric {
    static_assert(std::same_as<M, L2> || std::same_as<M, InnerProduct> || std::same_as<M, Cosine>,
                  "kith: quantizers serve the metrics L2, InnerProduct and Cosine");
};

/// Throws: Errc::invalid_argument.
inline void check_quantized_dim(std::size_t dim) {
    if (dim == 0 || dim > most_packed_elements) {
        raise(Errc::invalid_argument, "quantizer: vectors have " + std::to_string(dim) + " dimensions, expected 1 to " +
                                          std::to_string(most_packed_elements));
    }
}

/// The mean of vectors of which none is longer than longest_vector. Throws: as mean_of does.
inline std::vector<float> mean_within_reach(MatrixView sample, bool normalise, const Training& training) {
    std::vector<float> mean = mean_of(sample, normalise, training);
    std::vector<float> shortened(mean.size());
    if (within_reach(mean.data(), mean.size(), shortened.data()) != mean.data()) mean = std::move(shortened);
    return mean;
}

/// Refuses a mean no training gives. Throws: Errc::corrupt.
inline void check_mean(const std::vector<float>& mean) {
    for (const float element : mean) {
        if (!(std::abs(static_cast<double>(element)) <= longest_vector)) {
            raise(Errc::corrupt, "quantizer: an element of the mean is out of range");
        }
    }
}

/// The centring of metric M: what a codec learns before its codes.
template <class M>
class Centring : ServedMetric<M> {
public:
    static constexpr bool is_cosine = std::same_as<M, Cosine>;
    static constexpr bool is_product = std::same_as<M, InnerProduct>;

    static constexpr float weight = std::same_as<M, L2> ? 2.0F : 1.0F;

    Centring() noexcept = default;

    /// Throws: Errc::invalid_argument when there is nothing to learn from, Errc::cancelled.
    static Centring train(MatrixView sample, const Training& training) {
        check_quantized_dim(sample.dim);
        return Centring(mean_within_reach(sample, is_cosine, training));
    }

    /// mean:f32 × dim. Throws: Errc::corrupt.
    static Centring load(ByteReader& reader, std::size_t dim) {
        check_quantized_dim(dim);
        std::vector<float> mean(dim);
        if (!reader.f32s(mean)) raise(Errc::corrupt, "quantizer: the mean ends early");
        check_mean(mean);
        return Centring(std::move(mean));
    }

    void save(ByteWriter& writer) const { writer.f32s(mean_); }

    [[nodiscard]] std::size_t dim() const noexcept { return mean_.size(); }

    /// Writes u of `vector` and returns what bias adds to the form of u: see bias().
    float centre(const float* vector, float* u) const noexcept {
        const double factor = compared_factor<M>(vector, dim());
        for (std::size_t i = 0; i < dim(); ++i) {
            u[i] = static_cast<float>(factor * static_cast<double>(vector[i]) - static_cast<double>(mean_[i]));
        }
        if constexpr (is_product) {
            return static_cast<float>(-product(mean_.data(), u, dim()) - squares(mean_.data(), dim()) / 2);
        } else if constexpr (is_cosine) {
            return factor == 0 ? 0.5F : 0.0F;
        } else {
            return 0;
        }
    }

    /// bias(x) from what centre() returned and ‖u‖², or that of the vector a code stands for.
    [[nodiscard]] static float bias(float from_centre, double u_squares) noexcept {
        if constexpr (is_product) {
            return from_centre;
        } else {
            return from_centre + static_cast<float>(u_squares * (is_cosine ? 0.5 : 1.0));
        }
    }

    /// μ + u.
    void restore(const float* u, float* vector) const noexcept {
        for (std::size_t i = 0; i < dim(); ++i) vector[i] = u[i] + mean_[i];
    }

private:
    explicit Centring(std::vector<float> mean) noexcept : mean_(std::move(mean)) {}

    std::vector<float> mean_;  // μ, finite
};

}  // namespace detail

}  // namespace kith::inline v0
