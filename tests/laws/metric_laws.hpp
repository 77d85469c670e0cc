// tests/laws/metric_laws.hpp — what every metric promises, whichever it is and whatever it compares.
#pragma once

#include "kith/core/random.hpp"
#include "kith/distance/metric.hpp"
#include "laws/elements.hpp"
#include "support/catch.hpp"

#include <cmath>
#include <cstddef>
#include <type_traits>
#include <vector>

namespace kith_test {

/// A metric and the elements it is asked about, for typed tests.
template <class M, class T>
struct Pair {
    using Metric = M;
    using Element = T;
};

template <class M, class T>
    requires kith::Metric<M, T>
void check_metric_laws() {
    INFO(M::name << '/' << kith::element_name<T>);
    kith::SplitMix64 random(1);
    for (std::size_t dim = 1; dim <= 130; ++dim) {
        INFO("dim " << dim);
        const std::vector<T> a = random_elements<T>(random, dim);
        const std::vector<T> b = random_elements<T>(random, dim);
        const float distance = M::distance(a.data(), b.data(), dim);
        CHECK(distance == M::distance(b.data(), a.data(), dim));
        CHECK_FALSE(std::isnan(distance));
    }

    constexpr std::size_t dim = 64;
    for (const T x : extreme_elements<T>()) {
        for (const T y : extreme_elements<T>()) {
            std::vector<T> a(dim, x);
            std::vector<T> b(dim, y);
            CHECK_FALSE(std::isnan(M::distance(a.data(), b.data(), dim)));
            b[0] = extreme_elements<T>().back();  // so that terms of both signs meet
            CHECK_FALSE(std::isnan(M::distance(a.data(), b.data(), dim)));
        }
    }

    const bool rises = M::score(1.0F) > M::score(0.5F);
    for (float distance = -2; distance < 2; distance += 0.25F) {
        CHECK((M::score(distance + 0.25F) > M::score(distance)) == rises);
    }
}

}  // namespace kith_test
