// kith/quantize/centroids.hpp — which of many points each of many vectors is nearest to.
//
// Nearest under L2 is the least ‖c‖²/2 − ⟨x, c⟩, for ‖x‖² is the same for all c. So the work is a product of two
// matrices, done in tiles, and the centroids are kept in the panels that the kernels read.
//
// Thread safety: immutable; any number of threads may ask.
#pragma once

#include "kith/core/assert.hpp"
#include "kith/core/matrix_view.hpp"
#include "kith/core/scratch_memory.hpp"
#include "kith/distance/cpu.hpp"
#include "kith/distance/dispatch.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

namespace kith::inline v0 {

class Centroids {
public:
    Centroids() noexcept = default;

    /// Shape: `values` holds rows of `dim` elements, one a centroid; dim is positive.
    Centroids(std::vector<float> values, std::size_t dim, Isa isa = best_isa())
        : dim_(dim),
          count_(values.size() / dim),
          products_(product_kernels(isa)),
          lengths_(kernels<InnerProduct, float>(isa)),
          values_(std::move(values)) {
        const std::size_t panel = products_.panel;
        const std::size_t padded = (count_ + panel - 1) / panel * panel;
        panels_.resize(padded * dim_);
        half_norms_.assign(padded, std::numeric_limits<float>::infinity());
        for (std::size_t at = 0; at < count_; ++at) {
            float* const to = &panels_[at / panel * panel * dim_ + at % panel];
            for (std::size_t d = 0; d < dim_; ++d) to[d * panel] = row(at)[d];
            half_norms_[at] = 0.5F * square(row(at));
        }
    }

    [[nodiscard]] std::size_t size() const noexcept { return count_; }
    [[nodiscard]] std::size_t dim() const noexcept { return dim_; }
    [[nodiscard]] const float* row(std::size_t at) const noexcept { return values_.data() + at * dim_; }
    [[nodiscard]] const std::vector<float>& values() const noexcept { return values_; }

    [[nodiscard]] std::size_t memory_bytes() const noexcept {
        return (values_.size() + panels_.size() + half_norms_.size()) * sizeof(float);
    }

    /// Half of ‖c‖².
    [[nodiscard]] float half_norm(std::size_t at) const noexcept { return half_norms_[at]; }

    /// Inner products with all centroids. Shape: `out` has room for padded() floats; those past size() mean nothing.
    void products(const float* vector, float* out) const noexcept {
        products_.products(vector, dim_, 1, panels_.data(), padded() / products_.panel, dim_, out, padded());
    }
    [[nodiscard]] std::size_t padded() const noexcept { return half_norms_.size(); }

    /// nearest[i] is the centroid nearest to row i, the first of equals; distances[i], unless null, how far it is,
    /// squared.
    /// Requires: there is a centroid. Throws: std::bad_alloc while `scratch` grows.
    /// Laws: a row's answer does not depend on the other rows.
    void nearest(MatrixView rows, std::uint32_t* nearest, float* distances, ScratchMemory& scratch) const {
        KITH_ASSERT(count_ > 0 && rows.dim == dim_);
        constexpr std::size_t block = 24;      // rows whose products are held at once: two tiles of the widest kernel
        constexpr std::size_t columns = 1024;  // and of so many centroids, so that they stay in the near cache
        const std::size_t panels_a_chunk = std::max<std::size_t>(1, columns / products_.panel);
        const std::size_t chunk = panels_a_chunk * products_.panel;
        float* const products = scratch.take_array<float>(block * chunk);
        for (std::size_t first = 0; first < rows.rows; first += block) {
            const std::size_t count = std::min(block, rows.rows - first);
            float best[block];
            for (std::size_t column = 0; column < padded(); column += chunk) {
                const std::size_t width = std::min(chunk, padded() - column);
                products_.products(rows.row(first), rows.stride, count, panels_.data() + column * dim_,
                                   width / products_.panel, dim_, products, chunk);
                for (std::size_t i = 0; i < count; ++i) {
                    float least = 0;
                    const std::uint32_t at =
                        products_.nearest(products + i * chunk, half_norms_.data() + column, width, &least);
                    if (column == 0 || least < best[i]) {
                        best[i] = least;
                        nearest[first + i] = static_cast<std::uint32_t>(column) + at;
                    }
                }
            }
            if (distances == nullptr) continue;
            for (std::size_t i = 0; i < count; ++i) {
                distances[first + i] = std::max(0.0F, 2 * best[i] + square(rows.row(first + i)));
            }
        }
    }

private:
    [[nodiscard]] float square(const float* vector) const noexcept {
        float negative = 0;
        lengths_.block(vector, vector, dim_, dim_, 1, &negative);
        return -negative;
    }

    std::size_t dim_ = 0;
    std::size_t count_ = 0;
    ProductKernels products_;
    Kernels<float> lengths_;
    std::vector<float> values_;      // count_ rows
    std::vector<float> panels_;      // the same as products_ reads them
    std::vector<float> half_norms_;  // count_, then infinity up to whole panels
};

}  // namespace kith::inline v0
