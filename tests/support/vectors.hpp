// tests/support/vectors.hpp — seeded vectors with structure: points around centres, as real data has.
#pragma once

#include "kith/core/random.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace kith_test {

/// `count` vectors of `dim` elements, row after row, around a centre for every 50 of them.
inline std::vector<float> clustered_vectors(std::size_t count, std::size_t dim, std::uint64_t seed) {
    kith::SplitMix64 random(seed);
    const auto spread = [&](double width) { return static_cast<float>((random.uniform() - 0.5) * width); };
    std::vector<float> centres((count / 50 + 1) * dim);
    for (float& element : centres) element = spread(2.0);
    std::vector<float> vectors(count * dim);
    for (std::size_t row = 0; row < count; ++row) {
        const std::size_t centre = random.below(centres.size() / dim);
        for (std::size_t i = 0; i < dim; ++i) vectors[row * dim + i] = centres[centre * dim + i] + spread(1.0);
    }
    return vectors;
}

}  // namespace kith_test
