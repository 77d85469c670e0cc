// kith/quantize/mean.hpp — the middle of a sample: what codecs take off before they encode.
#pragma once

#include "kith/core/error.hpp"
#include "kith/core/matrix_view.hpp"
#include "kith/distance/cosine.hpp"
#include "kith/quantize/training.hpp"

#include <cstddef>
#include <vector>

namespace kith::inline v0::detail {

/// The mean of the rows, or of the rows brought to length 1 when `normalise` is set; summed in double.
/// Throws: Errc::invalid_argument for no rows, Errc::cancelled, std::bad_alloc.
inline std::vector<float> mean_of(MatrixView sample, bool normalise, const Training& training) {
    if (sample.rows == 0) raise(Errc::invalid_argument, "training: there are 0 vectors, expected at least 1");
    constexpr std::size_t rows_a_report = 16384;
    std::vector<double> sums(sample.dim);
    for (std::size_t row = 0; row < sample.rows; ++row) {
        if (row % rows_a_report == 0) {
            training.report(static_cast<double>(row) / static_cast<double>(sample.rows));
        }
        const float* const vector = sample.row(row);
        const double factor = normalise ? static_cast<double>(inverse_norm(vector, sample.dim)) : 1.0;
        for (std::size_t i = 0; i < sample.dim; ++i) sums[i] += static_cast<double>(vector[i]) * factor;
    }
    std::vector<float> mean(sample.dim);
    for (std::size_t i = 0; i < sample.dim; ++i) {
        mean[i] = static_cast<float>(sums[i] / static_cast<double>(sample.rows));
    }
    return mean;
}

}  // namespace kith::inline v0::detail
