// kith/quantize/opq/polar.hpp — the rotation that is nearest to a matrix.
//
// For A = U·S·Vᵀ that is U·Vᵀ, of all rotations the one with the largest tr(Qᵀ·A). Products of matrices alone find it:
// each step lifts all singular values towards 1 and leaves U and V as they are.
//
// Source: Björck & Bowie, "An iterative algorithm for computing the best estimate of an orthogonal matrix", SIAM J.
// Numer. Anal. 8(2), 1971 (the step); Chen & Chow, "A stable scaling of Newton–Schulz for improving the sign function
// computation of a Hermitian matrix", 2014 (its scale).
#pragma once

#include "kith/core/random.hpp"
#include "kith/quantize/opq/matrix.hpp"
#include "kith/quantize/training.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace kith::inline v0::detail {

/// No singular value of `matrix` is larger.
inline double largest_stretch(const Matrix& matrix) {
    std::vector<double> columns(matrix.columns);
    double widest = 0;
    for (std::size_t i = 0; i < matrix.rows; ++i) {
        double sum = 0;
        for (std::size_t j = 0; j < matrix.columns; ++j) {
            const double size = std::abs(static_cast<double>(matrix.row(i)[j]));
            sum += size;
            columns[j] += size;
        }
        widest = std::max(widest, sum);
    }
    return std::sqrt(widest * *std::max_element(columns.begin(), columns.end()));
}

/// `matrix` is square. `least` is about its smallest singular value: a hint that costs steps when it is wrong.
/// None when the matrix is not finite or too near to one that has no nearest rotation.
/// Throws: what training.progress throws, Errc::cancelled.
/// Cost: 4 · width³ floating-point operations a step; some 8 steps, and one more for each factor of 2.5 that the
///       singular values lie apart.
inline std::optional<Matrix> nearest_rotation(Matrix matrix, double least, const Training& training) {
    constexpr unsigned most_steps = 50;
    constexpr double near_enough = 1e-4;  // one more step squares it
    const double bound = largest_stretch(matrix);
    if (!(bound > 0) || !std::isfinite(bound)) return std::nullopt;
    for (float& value : matrix.values) value = static_cast<float>(static_cast<double>(value) / bound);
    double lowest = std::clamp(least / bound, 0.0, 1.0);
    for (unsigned step = 0; step < most_steps; ++step) {
        training.report(0);
        Matrix square = times_transposed(matrix.view(), matrix.view(), training);
        double off = 0;
        for (std::size_t i = 0; i < square.rows; ++i) {
            for (std::size_t j = 0; j < square.columns; ++j) {
                off = std::max(off, std::abs(static_cast<double>(square.row(i)[j]) - (i == j ? 1 : 0)));
            }
        }
        if (!std::isfinite(off)) return std::nullopt;
        const bool last = off < near_enough;
        // The scale that lifts `lowest` to what becomes of 1; more than 1.7 would send 1 itself near to 0.
        const double scale = last ? 1 : std::min(1.7, std::sqrt(3 / (1 + lowest + lowest * lowest)));
        for (std::size_t i = 0; i < square.rows; ++i) {
            for (std::size_t j = 0; j < square.columns; ++j) {
                const double value = static_cast<double>(square.row(i)[j]) * scale * scale;
                square.row(i)[j] = static_cast<float>(((i == j ? 3 : 0) - value) * scale / 2);
            }
        }
        matrix = times_transposed(square.view(), transposed(matrix.view()).view(), training);
        if (last) return matrix;
        lowest = std::min(
            {1.0, scale * lowest * (3 - scale * scale * lowest * lowest) / 2, scale * (3 - scale * scale) / 2});
    }
    return std::nullopt;
}

/// A rotation as good as any other. Throws: as nearest_rotation.
inline Matrix random_rotation(std::size_t width, std::uint64_t seed, const Training& training) {
    SplitMix64 random(seed);
    Matrix noise(width, width);
    for (float& value : noise.values) {  // a sum of three is round enough
        value = static_cast<float>(random.uniform() + random.uniform() + random.uniform() - 1.5);
    }
    return nearest_rotation(std::move(noise), 0.1, training).value_or(identity_matrix(width));
}

}  // namespace kith::inline v0::detail
