// tests/laws/metric_laws.hpp — what every metric promises, whichever it is.
#pragma once

#include "kith/core/random.hpp"
#include "kith/distance/metric.hpp"
#include "support/catch.hpp"

#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

namespace kith_test {

/// `count` numbers, about as many below as above zero, with magnitudes near `scale`.
inline std::vector<float> random_floats(kith::SplitMix64& random, std::size_t count, double scale = 1) {
    std::vector<float> made(count);
    for (float& element : made) element = static_cast<float>((random.uniform() * 2 - 1) * scale);
    return made;
}

template <class M>
    requires kith::Metric<M, float>
void check_metric_laws() {
    kith::SplitMix64 random(1);
    for (std::size_t dim = 1; dim <= 130; ++dim) {
        INFO(M::name << ", dim " << dim);
        const std::vector<float> a = random_floats(random, dim);
        const std::vector<float> b = random_floats(random, dim);
        CHECK(M::distance(a.data(), b.data(), dim) == M::distance(b.data(), a.data(), dim));
    }

    constexpr std::size_t dim = 64;
    constexpr float largest = std::numeric_limits<float>::max();
    constexpr float smallest = std::numeric_limits<float>::denorm_min();
    for (const float x : {0.0F, smallest, 1.0F, largest}) {
        for (const float y : {-largest, -1.0F, -smallest, 0.0F, smallest, 1.0F, largest}) {
            INFO(M::name << " of " << x << " and " << y);
            std::vector<float> a(dim, x);
            std::vector<float> b(dim, y);
            CHECK_FALSE(std::isnan(M::distance(a.data(), b.data(), dim)));
            b[0] = -b[0];  // so that terms of both signs meet
            CHECK_FALSE(std::isnan(M::distance(a.data(), b.data(), dim)));
        }
    }

    const bool rises = M::score(1.0F) > M::score(0.5F);
    for (float distance = -2; distance < 2; distance += 0.25F) {
        CHECK((M::score(distance + 0.25F) > M::score(distance)) == rises);
    }
}

}  // namespace kith_test
