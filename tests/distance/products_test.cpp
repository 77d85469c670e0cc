// tests/distance/products_test.cpp — the kernels for many vectors against many, beside sums in double.
#include "kith/distance/products.hpp"

#include "kith/distance/dispatch.hpp"
#include "laws/metric_laws.hpp"
#include "support/available_isas.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

using kith::Isa;
using kith_test::random_floats;

namespace {

double product(const float* a, const float* b, std::size_t dim) {
    double sum = 0;
    for (std::size_t d = 0; d < dim; ++d) sum += static_cast<double>(a[d]) * static_cast<double>(b[d]);
    return sum;
}

/// Rows of vectors as panels of the kernels.
std::vector<float> panels_of(const std::vector<float>& rows, std::size_t dim, std::size_t panel) {
    const std::size_t count = rows.size() / dim;
    std::vector<float> panels((count + panel - 1) / panel * panel * dim);
    for (std::size_t v = 0; v < count; ++v) {
        for (std::size_t d = 0; d < dim; ++d) panels[(v / panel * dim + d) * panel + v % panel] = rows[v * dim + d];
    }
    return panels;
}

}  // namespace

TEST_CASE("products of rows and panels are the true ones, and the same in any company") {
    kith::SplitMix64 random(1);
    for (const Isa isa : kith_test::available_isas()) {
        const kith::ProductKernels kernels = kith::product_kernels(isa);
        for (const std::size_t dim : {1U, 2U, 3U, 17U, 100U, 785U}) {
            const std::size_t stride = dim + 3;
            const std::size_t vectors = 8 * kernels.panel + 5;
            const std::vector<float> rows = random_floats(random, 31 * stride);
            const std::vector<float> others = random_floats(random, vectors * dim);
            const std::vector<float> panels = panels_of(others, dim, kernels.panel);
            const std::size_t out_stride = 9 * kernels.panel + 1;
            std::vector<float> all(31 * out_stride);
            kernels.products(rows.data(), stride, 31, panels.data(), 9, dim, all.data(), out_stride);
            INFO(kith::name(isa) << ", dim " << dim);
            std::size_t wrong = 0, moved = 0;
            for (std::size_t row = 0; row < 31; ++row) {
                for (std::size_t v = 0; v < vectors; ++v) {
                    const double truth = product(&rows[row * stride], &others[v * dim], dim);
                    wrong +=
                        std::abs(static_cast<double>(all[row * out_stride + v]) - truth) > 1e-5 * std::sqrt(dim) + 1e-6;
                }
                std::vector<float> alone(9 * kernels.panel);
                kernels.products(&rows[row * stride], stride, 1, panels.data(), 9, dim, alone.data(), alone.size());
                moved += !std::equal(alone.begin(), alone.end(), &all[row * out_stride]);
            }
            CHECK(wrong == 0);
            CHECK(moved == 0);
        }
    }
}

TEST_CASE("what products reach is found in order, and what is no number is below nothing") {
    kith::SplitMix64 random(3);
    constexpr float infinity = std::numeric_limits<float>::infinity();
    for (const Isa isa : kith_test::available_isas()) {
        const kith::ProductKernels kernels = kith::product_kernels(isa);
        const std::size_t count = 3 * kernels.panel, stride = count + 5, rows = 13;
        std::vector<float> products = random_floats(random, rows * stride);
        for (float& value : products) value = std::round(value * 4);  // so that many are equal
        const std::vector<float> scales = {1, 1, 2, 1, 0.5F, 1, 1, 1, 0, 0, 1, 1, 1};
        const std::vector<float> shifts = {0, 1, 0, -1, 0, 0, 2, 0, -infinity, -infinity, 0, infinity, 0};
        products[9 * stride + 4] = infinity;
        products[10 * stride + 4] = std::numeric_limits<float>::quiet_NaN();
        std::vector<float> least(count);
        for (std::size_t v = 0; v < count; ++v) least[v] = static_cast<float>(v % 7) - 3;
        least[0] = -infinity;
        least[count - 1] = infinity;
        std::vector<std::uint32_t> truth;
        for (std::size_t row = 0; row < rows; ++row) {
            for (std::size_t v = 0; v < count; ++v) {
                if (!(products[row * stride + v] * scales[row] - shifts[row] < least[v])) {
                    truth.push_back(static_cast<std::uint32_t>(row * stride + v));
                }
            }
        }
        std::vector<std::uint32_t> found(rows * count);
        found.resize(kernels.reached(products.data(), stride, rows, scales.data(), shifts.data(), least.data(), count,
                                     found.data()));
        INFO(kith::name(isa));
        CHECK(found == truth);
    }
}

TEST_CASE("the nearest is the first of the least, fillers never") {
    kith::SplitMix64 random(2);
    for (const Isa isa : kith_test::available_isas()) {
        const kith::ProductKernels kernels = kith::product_kernels(isa);
        for (std::size_t count = kernels.panel; count < 10 * kernels.panel; count += kernels.panel) {
            std::vector<float> products = random_floats(random, count);
            std::vector<float> half_norms = random_floats(random, count);
            for (float& value : products) value = std::round(value * 4);  // so that many are equal
            for (float& value : half_norms) value = std::round(value * 4);
            half_norms.back() = std::numeric_limits<float>::infinity();
            std::size_t truth = 0;
            for (std::size_t i = 0; i < count; ++i) {
                if (half_norms[i] - products[i] < half_norms[truth] - products[truth]) truth = i;
            }
            float least = 0;
            INFO(kith::name(isa) << ", " << count);
            CHECK(kernels.nearest(products.data(), half_norms.data(), count, &least) == truth);
            CHECK(least == half_norms[truth] - products[truth]);
        }
    }
}

TEST_CASE("huge and infinite scores are compared like any other, and what is no number is never the least") {
    constexpr float infinity = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
    constexpr float huge = std::numeric_limits<float>::max();
    struct Case {
        float all, at_5, at_37;  // scores
        std::size_t least;
    };
    constexpr Case cases[] = {{huge, huge, huge, 0},
                              {infinity, infinity, huge, 37},
                              {infinity, huge, huge, 5},
                              {infinity, -huge, 1, 5},
                              {infinity, nan, infinity, 0},
                              {infinity, nan, 2, 37},
                              {nan, nan, nan, 0},
                              {nan, 3, 2, 37},
                              {nan, infinity, infinity, 0},
                              {nan, huge, -infinity, 37},
                              {1, nan, 1, 0},
                              {huge, nan, -infinity, 37}};
    for (const Isa isa : kith_test::available_isas()) {
        const kith::ProductKernels kernels = kith::product_kernels(isa);
        for (const Case& scores : cases) {
            INFO(kith::name(isa) << ": " << scores.all << ", " << scores.at_5 << ", " << scores.at_37);
            constexpr std::size_t words = 256;
            std::vector<float> half_norms(words, scores.all);
            half_norms[5] = scores.at_5;
            half_norms[37] = scores.at_37;
            const std::vector<float> zeros(words);
            float least = 0;
            CHECK(kernels.nearest(zeros.data(), half_norms.data(), words, &least) == scores.least);
            CHECK(least == (half_norms[scores.least] <= huge ? half_norms[scores.least] : infinity));
            const float element = 0;
            std::uint8_t word = 1;
            kernels.nearest_words(&element, zeros.data(), half_norms.data(), 1, 1, words, &word);
            CHECK(word == scores.least);
        }
    }
}

TEST_CASE("words are compared piece by piece") {
    kith::SplitMix64 random(3);
    for (const Isa isa : kith_test::available_isas()) {
        const kith::ProductKernels kernels = kith::product_kernels(isa);
        for (const std::size_t words : {16U, 256U}) {
            for (const std::size_t sub_dim : {1U, 2U, 5U}) {
                constexpr std::size_t pieces = 7;
                const std::vector<float> vector = random_floats(random, pieces * sub_dim);
                const std::vector<float> codebooks = random_floats(random, pieces * sub_dim * words);
                const std::vector<float> half_norms = random_floats(random, pieces * words);
                std::vector<float> sums(pieces * words);
                std::vector<std::uint8_t> nearest(pieces);
                kernels.words(vector.data(), codebooks.data(), pieces, sub_dim, words, sums.data());
                kernels.nearest_words(vector.data(), codebooks.data(), half_norms.data(), pieces, sub_dim, words,
                                      nearest.data());
                INFO(kith::name(isa) << ", " << words << " words of " << sub_dim);
                for (std::size_t m = 0; m < pieces; ++m) {
                    std::size_t wrong = 0;
                    for (std::size_t k = 0; k < words; ++k) {
                        double truth = 0;
                        for (std::size_t d = 0; d < sub_dim; ++d) {
                            truth += static_cast<double>(vector[m * sub_dim + d]) *
                                     static_cast<double>(codebooks[(m * sub_dim + d) * words + k]);
                        }
                        wrong += std::abs(static_cast<double>(sums[m * words + k]) - truth) > 1e-5;
                        wrong += half_norms[m * words + k] - sums[m * words + k] <
                                 half_norms[m * words + nearest[m]] - sums[m * words + nearest[m]] - 1e-6F;
                    }
                    CHECK(wrong == 0);
                }
            }
        }
    }
}
