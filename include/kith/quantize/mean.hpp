// kith/quantize/mean.hpp — the middle of a sample: what codecs take off before they encode.
#pragma once

#include "kith/core/error.hpp"
#include "kith/core/matrix_view.hpp"
#include "kith/distance/cosine.hpp"
#include "kith/quantize/training.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace kith::inline v0::detail {

/// Which rows count towards a mean: those at most a hundred times as long as the median. One that is 10^9 times as long
/// as the others would leave all of them with the same code.
inline std::vector<bool> rows_of_usual_length(MatrixView sample) {
    constexpr double times = 100;
    std::vector<double> lengths(sample.rows);
    for (std::size_t row = 0; row < sample.rows; ++row) {
        const float* const vector = sample.row(row);
        double squares = 0;
        for (std::size_t i = 0; i < sample.dim; ++i) {
            squares += static_cast<double>(vector[i]) * static_cast<double>(vector[i]);
        }
        lengths[row] = std::sqrt(squares);
    }
    std::vector<double> sorted = lengths;
    const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2);
    std::nth_element(sorted.begin(), middle, sorted.end());
    std::vector<bool> usual(sample.rows, true);
    for (std::size_t row = 0; row < sample.rows; ++row) usual[row] = *middle == 0 || lengths[row] <= times * *middle;
    return usual;
}

/// The mean of the rows, but for those much longer than the others, or of the rows brought to length 1 when `normalise`
/// is set; summed in double.
/// Throws: Errc::invalid_argument for no rows, Errc::cancelled.
inline std::vector<float> mean_of(MatrixView sample, bool normalise, const Training& training) {
    if (sample.rows == 0) raise(Errc::invalid_argument, "training: there are 0 vectors, expected at least 1");
    constexpr std::size_t rows_a_report = 16384;
    const std::vector<bool> counts = normalise ? std::vector<bool>(sample.rows, true) : rows_of_usual_length(sample);
    std::size_t counted = 0;
    std::vector<double> sums(sample.dim);
    for (std::size_t row = 0; row < sample.rows; ++row) {
        if (row % rows_a_report == 0) {
            training.report(static_cast<double>(row) / static_cast<double>(sample.rows));
        }
        const float* const vector = sample.row(row);
        const double factor = normalise ? static_cast<double>(inverse_norm(vector, sample.dim)) : 1.0;
        if (!counts[row]) continue;
        ++counted;
        for (std::size_t i = 0; i < sample.dim; ++i) sums[i] += static_cast<double>(vector[i]) * factor;
    }
    std::vector<float> mean(sample.dim);
    for (std::size_t i = 0; i < sample.dim; ++i) {
        mean[i] = static_cast<float>(sums[i] / static_cast<double>(counted));
    }
    return mean;
}

}  // namespace kith::inline v0::detail
