// kith/distance/products.hpp — the inner products of many vectors with many others, as k-means and codebooks ask for.
//
// One vector against many reads each of the many once from memory and uses it once. A few rows at a time against a
// panel of vectors uses what it reads a dozen times, so the arithmetic units are the limit and not the memory.
//
// This header stays free of everything but types, as kernels.hpp does and for the same reason.
#pragma once

#include <cstddef>
#include <cstdint>

namespace kith::inline v0 {

/// Vectors that stand in panels: `panel` of them side by side, element d of all of them in a row, so that element d of
/// vector v is at panels[(v / panel · dim + d) · panel + v % panel]. The last panel is filled up with zeros.
struct ProductKernels {
    /// out[r · out_stride + v] is the inner product of row r and vector v, fillers among them.
    /// Shape: rows begin at rows + r · stride; `panels` holds panel_count panels of dim elements.
    /// Laws:  a product is the same to the last bit whichever other rows are asked about.
    using Products = void (*)(const float* rows, std::size_t stride, std::size_t count, const float* panels,
                              std::size_t panel_count, std::size_t dim, float* out, std::size_t out_stride) noexcept;

    /// The first v with the least half_norms[v] − products[v], which is half the squared distance less what all share.
    /// What is no number is not the least; where nothing is below infinity, v is 0 and the least infinite.
    /// Requires: count is a positive multiple of `panel`.
    using Nearest = std::uint32_t (*)(const float* products, const float* half_norms, std::size_t count,
                                      float* least) noexcept;

    /// Inner products of the pieces of one vector with the words of each piece's codebook:
    /// out[m · words + k] = Σ vector[m · sub_dim + d] · codebooks[(m · sub_dim + d) · words + k].
    /// Requires: words is a multiple of 16.
    using Words = void (*)(const float* vector, const float* codebooks, std::size_t subvectors, std::size_t sub_dim,
                           std::size_t words, float* out) noexcept;

    /// The first k with the least half_norms[m · words + k] − (the product above), for each piece m, as Nearest says.
    using NearestWords = void (*)(const float* vector, const float* codebooks, const float* half_norms,
                                  std::size_t subvectors, std::size_t sub_dim, std::size_t words,
                                  std::uint8_t* out) noexcept;

    /// Writes where products[r · stride + v] · scales[r] − shifts[r] is not below least[v]: the numbers r · stride + v,
    /// rising; returns how many. What is no number is not below anything.
    /// Requires: count is a multiple of `panel`. Shape: `at` has room for rows · count.
    using Reached = std::size_t (*)(const float* products, std::size_t stride, std::size_t rows, const float* scales,
                                    const float* shifts, const float* least, std::size_t count,
                                    std::uint32_t* at) noexcept;

    std::size_t panel = 0;
    Products products = nullptr;
    Nearest nearest = nullptr;
    Words words = nullptr;
    NearestWords nearest_words = nullptr;
    Reached reached = nullptr;
};

}  // namespace kith::inline v0
