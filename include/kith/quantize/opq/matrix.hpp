// kith/quantize/opq/matrix.hpp — products of matrices, by the kernels that k-means has.
//
// Thread safety: what is made is only read.
#pragma once

#include "kith/core/assert.hpp"
#include "kith/core/matrix_view.hpp"
#include "kith/core/parallel.hpp"
#include "kith/distance/cpu.hpp"
#include "kith/distance/dispatch.hpp"
#include "kith/quantize/training.hpp"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace kith::inline v0::detail {

struct Matrix {
    Matrix() noexcept = default;
    Matrix(std::size_t height, std::size_t width) : values(height * width), rows(height), columns(width) {}

    [[nodiscard]] float* row(std::size_t at) noexcept { return values.data() + at * columns; }
    [[nodiscard]] const float* row(std::size_t at) const noexcept { return values.data() + at * columns; }
    [[nodiscard]] MatrixView view() const noexcept { return {values.data(), rows, columns, columns}; }

    std::vector<float> values;  // row after row
    std::size_t rows = 0;
    std::size_t columns = 0;
};

inline Matrix identity_matrix(std::size_t width) {
    Matrix made(width, width);
    for (std::size_t i = 0; i < width; ++i) made.row(i)[i] = 1;
    return made;
}

inline Matrix transposed(MatrixView from) {
    Matrix made(from.dim, from.rows);
    for (std::size_t row = 0; row < from.rows; ++row) {
        for (std::size_t column = 0; column < from.dim; ++column) made.row(column)[row] = from.row(row)[column];
    }
    return made;
}

/// The rows of a matrix as the kernels of products read them.
class Panels {
public:
    explicit Panels(MatrixView rows, Isa isa = best_isa())
        : size_(rows.rows), dim_(rows.dim), products_(product_kernels(isa)), values_(padded() * dim_) {
        for (std::size_t row = 0; row < size_; ++row) {
            for (std::size_t column = 0; column < dim_; ++column) values_[place(row, column)] = rows.row(row)[column];
        }
    }

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] std::size_t dim() const noexcept { return dim_; }
    [[nodiscard]] std::size_t padded() const noexcept {
        return (size_ + products_.panel - 1) / products_.panel * products_.panel;
    }
    [[nodiscard]] float at(std::size_t row, std::size_t column) const noexcept { return values_[place(row, column)]; }

    /// Inner products of each of `rows` with every row here. Shape: `out` has room for rows of padded() floats; those
    /// past size() mean nothing.
    void products(MatrixView rows, float* out) const noexcept {
        products_.products(rows.data, rows.stride, rows.rows, values_.data(), padded() / products_.panel, dim_, out,
                           padded());
    }

    /// Adds weights[row] times each row to `out`, which holds dim() elements.
    void add_weighted(const float* weights, float* out) const noexcept {
        for (std::size_t first = 0; first < size_; first += products_.panel) {
            const std::size_t count = std::min(products_.panel, size_ - first);
            for (std::size_t column = 0; column < dim_; ++column) {
                const float* const elements = &values_[place(first, column)];
                float sum = 0;
                for (std::size_t i = 0; i < count; ++i) sum += elements[i] * weights[first + i];
                out[column] += sum;
            }
        }
    }

private:
    [[nodiscard]] std::size_t place(std::size_t row, std::size_t column) const noexcept {
        return (row / products_.panel * dim_ + column) * products_.panel + row % products_.panel;
    }

    std::size_t size_;
    std::size_t dim_;
    ProductKernels products_;
    std::vector<float> values_;  // panel after panel, the last filled up with zeros
};

/// a · bᵀ. Throws: what training.progress throws, Errc::cancelled.
inline Matrix times_transposed(MatrixView a, MatrixView b, const Training& training) {
    KITH_ASSERT(a.dim == b.dim);
    constexpr std::size_t band = 96;  // a multiple of the rows the widest kernel takes at once
    const Panels panels(b);
    Matrix made(a.rows, b.rows);
    share_work(training.threads, (a.rows + band - 1) / band, [&](std::size_t piece, unsigned thread) {
        if (thread == 0) training.report(0);
        const std::size_t first = piece * band;
        const std::size_t count = std::min(band, a.rows - first);
        std::vector<float> products(count * panels.padded());
        panels.products({a.row(first), count, a.dim, a.stride}, products.data());
        for (std::size_t i = 0; i < count; ++i) {
            std::copy_n(&products[i * panels.padded()], b.rows, made.row(first + i));
        }
    });
    return made;
}

/// aᵀ · b, each divided by the number of rows.
/// Throws: as times_transposed.
inline Matrix mean_products(MatrixView a, MatrixView b, const Training& training) {
    KITH_ASSERT(a.rows == b.rows);
    constexpr std::size_t chunk = 1024;  // rows whose panel stays in the near cache
    Matrix made(a.dim, b.dim);
    for (std::size_t first = 0; first < a.rows; first += chunk) {
        const std::size_t count = std::min(chunk, a.rows - first);
        const Matrix left = transposed({a.row(first), count, a.dim, a.stride});
        const Matrix right = transposed({b.row(first), count, b.dim, b.stride});
        const Matrix part = times_transposed(left.view(), right.view(), training);
        for (std::size_t i = 0; i < made.values.size(); ++i) made.values[i] += part.values[i];
    }
    for (float& value : made.values) value /= static_cast<float>(a.rows);
    return made;
}

}  // namespace kith::inline v0::detail
