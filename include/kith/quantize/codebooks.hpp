// kith/quantize/codebooks.hpp — product quantization: a vector cut into pieces, each named by the nearest word.
//
// With 16 or 256 words a piece, a code is a few bits a piece, and the product with any query is one look-up a piece in
// tables made once a query. A dimension that pieces do not divide is filled up with zeros, which every word has too.
//
// Thread safety: immutable; any number of threads may ask.
// Source: Jégou, Douze & Schmid, "Product quantization for nearest neighbor search", IEEE TPAMI 33(1), 2011.
#pragma once

#include "kith/core/matrix_view.hpp"
#include "kith/core/parallel.hpp"
#include "kith/core/random.hpp"
#include "kith/distance/cpu.hpp"
#include "kith/distance/dispatch.hpp"
#include "kith/quantize/kmeans.hpp"
#include "kith/quantize/training.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace kith::inline v0 {

class Codebooks {
public:
    Codebooks() noexcept = default;

    /// Shape: `values` holds the words, [piece][word][element], sub_dim elements each; words is 16 or 256.
    Codebooks(std::vector<float> values, std::size_t subvectors, std::size_t words, Isa isa = best_isa())
        : subvectors_(subvectors),
          words_(words),
          sub_dim_(values.size() / subvectors / words),
          products_(product_kernels(isa)),
          values_(std::move(values)),
          columns_(values_.size()),
          half_norms_(subvectors * words) {
        for (std::size_t word = 0; word < subvectors_ * words_; ++word) {
            double square = 0;
            for (std::size_t d = 0; d < sub_dim_; ++d) {
                const float element = values_[word * sub_dim_ + d];
                columns_[(word / words_ * sub_dim_ + d) * words_ + word % words_] = element;
                square += static_cast<double>(element) * static_cast<double>(element);
            }
            half_norms_[word] = static_cast<float>(square / 2);
        }
    }

    static constexpr KMeansParams many_steps{.iterations = 12, .rows_a_centroid = 256, .least_gain = 2e-3};

    /// Words for each piece of the rows of `sample`, which is as wide as all pieces together. `effort` says how k-means
    /// goes about it, but for the number of centroids.
    /// Throws: as train_kmeans, for fewer rows than words.
    [[nodiscard]] static Codebooks train(MatrixView sample, std::size_t subvectors, std::size_t words,
                                         const Training& training, KMeansParams effort = many_steps) {
        const std::size_t sub_dim = sample.dim / subvectors;
        effort.centroids = words;
        std::vector<float> values(sample.dim * words);
        share_work(training.threads, subvectors, [&](std::size_t piece, unsigned thread) {
            if (thread == 0) training.report(static_cast<double>(piece) / static_cast<double>(subvectors));
            const MatrixView part{sample.data + piece * sub_dim, sample.rows, sub_dim, sample.stride};
            const KMeans made =
                train_kmeans(part, effort, {.seed = mix64(training.seed + piece), .threads = 1, .progress = {}});
            std::copy(made.values.begin(), made.values.end(),
                      values.begin() + static_cast<std::ptrdiff_t>(piece * words * sub_dim));
        });
        training.report(1);
        // Differences of numbers near the largest are infinite; words stay finite.
        for (float& value : values) value = std::isfinite(value) ? value : 0.0F;
        return Codebooks(std::move(values), subvectors, words);
    }

    [[nodiscard]] std::size_t dim() const noexcept { return subvectors_ * sub_dim_; }
    [[nodiscard]] std::size_t subvectors() const noexcept { return subvectors_; }
    [[nodiscard]] std::size_t sub_dim() const noexcept { return sub_dim_; }
    [[nodiscard]] std::size_t words() const noexcept { return words_; }
    [[nodiscard]] const std::vector<float>& values() const noexcept { return values_; }
    [[nodiscard]] const float* word(std::size_t piece, std::size_t number) const noexcept {
        return values_.data() + (piece * words_ + number) * sub_dim_;
    }

    /// The number of the nearest word of each piece. Shape: `vector` holds dim() elements, `out` subvectors() numbers.
    void encode(const float* vector, std::uint8_t* out) const noexcept {
        products_.nearest_words(vector, columns_.data(), half_norms_.data(), subvectors_, sub_dim_, words_, out);
    }

    /// The words one after the other. Shape: `out` has room for dim() elements.
    void decode(const std::uint8_t* numbers, float* out) const noexcept {
        for (std::size_t piece = 0; piece < subvectors_; ++piece) {
            out = std::copy_n(word(piece, numbers[piece]), sub_dim_, out);
        }
    }

    /// Products of each piece of `vector` with its words. Shape: `out` has room for subvectors() rows of words().
    void products(const float* vector, float* out) const noexcept {
        products_.words(vector, columns_.data(), subvectors_, sub_dim_, words_, out);
    }

private:
    std::size_t subvectors_ = 0;
    std::size_t words_ = 0;
    std::size_t sub_dim_ = 0;
    ProductKernels products_;
    std::vector<float> values_;      // [piece][word][element]
    std::vector<float> columns_;     // [piece][element][word], as the kernels read them
    std::vector<float> half_norms_;  // [piece][word]
};

}  // namespace kith::inline v0
