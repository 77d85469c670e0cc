// tests/quantize/kmeans_test.cpp — k-means finds the middle of things, on any threads, and says why when it cannot.
#include "kith/quantize/kmeans.hpp"

#include "index/points.hpp"
#include "laws/metric_laws.hpp"
#include "support/catch.hpp"
#include "support/raised.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <stdexcept>
#include <vector>

using kith::Centroids;
using kith::Errc;
using kith::KMeans;
using kith::MatrixView;
using kith::train_kmeans;
using kith::Training;
using kith_test::raised;

namespace {

MatrixView view(const std::vector<float>& values, std::size_t dim) {
    return {values.data(), values.size() / dim, dim, dim};
}

std::size_t distinct_rows(const KMeans& made, std::size_t dim) {
    std::set<std::vector<float>> rows;
    for (std::size_t at = 0; at < made.values.size(); at += dim) {
        rows.emplace(&made.values[at], &made.values[at] + dim);
    }
    return rows.size();
}

}  // namespace

TEST_CASE("the nearest centroid is the naive one, in any number of rows") {
    kith::SplitMix64 random(1);
    for (const std::size_t dim : {1U, 2U, 3U, 60U, 4096U}) {
        for (const std::size_t count : {1U, 2U, 37U, 300U, 1500U}) {
            if (dim * count > 500000) continue;
            const Centroids centroids(kith_test::random_floats(random, count * dim), dim);
            const std::vector<float> rows = kith_test::random_floats(random, 53 * dim);
            std::vector<std::uint32_t> nearest(53);
            std::vector<float> distances(53);
            kith::ScratchMemory scratch;
            centroids.nearest(view(rows, dim), nearest.data(), distances.data(), scratch);
            INFO(count << " centroids of " << dim);
            for (std::size_t i = 0; i < 53; ++i) {
                float least = std::numeric_limits<float>::max();
                const std::vector<float> origin(dim);
                for (std::size_t c = 0; c < count; ++c) {
                    least = std::min(least, kith::L2::distance(&rows[i * dim], centroids.row(c), dim));
                }
                const float found = kith::L2::distance(&rows[i * dim], centroids.row(nearest[i]), dim);
                // Distances are differences of squared lengths, and round as those do.
                const float squares = kith::L2::distance(&rows[i * dim], origin.data(), dim) +
                                      kith::L2::distance(centroids.row(nearest[i]), origin.data(), dim);
                CHECK(found <= least + 2e-6F * squares);
                CHECK(std::abs(distances[i] - found) <= 2e-6F * squares);
                std::uint32_t alone = 0;
                centroids.nearest({&rows[i * dim], 1, dim, dim}, &alone, nullptr, scratch);
                CHECK(alone == nearest[i]);
            }
        }
    }
}

TEST_CASE("clusters that lie apart are found, each once") {
    constexpr std::size_t dim = 12;
    kith::SplitMix64 random(2);
    const std::vector<float> centres = kith_test::random_floats(random, 40 * dim, 100);
    std::vector<float> rows;
    for (std::size_t i = 0; i < 4000; ++i) {
        for (std::size_t d = 0; d < dim; ++d) {
            rows.push_back(centres[i % 40 * dim + d] + static_cast<float>(random.uniform() - 0.5));
        }
    }
    const KMeans made = train_kmeans(view(rows, dim), {.centroids = 40}, {});
    CHECK(made.distinct == 40);
    CHECK(made.error < 2 * dim / 12.0);  // the variance of each element is 1 / 12
}

TEST_CASE("the outcome depends on seed and rows, not on threads") {
    constexpr std::size_t dim = 20;
    const std::vector<float> rows = kith_test::Clusters(dim).make(9000);
    const auto train = [&](std::uint64_t seed, unsigned threads) {
        return train_kmeans(view(rows, dim), {.centroids = 100}, {.seed = seed, .threads = threads, .progress = {}});
    };
    const KMeans one = train(5, 1);
    CHECK(train(5, 1).values == one.values);
    CHECK(train(5, 3).values == one.values);
    CHECK(train(5, 3).error == one.error);
    CHECK(train(6, 1).values != one.values);
}

TEST_CASE("a step never makes the error larger") {
    constexpr std::size_t dim = 10;
    const std::vector<float> rows = kith_test::Clusters(dim).make(3000);
    double before = 1e30;
    for (const unsigned iterations : {1U, 2U, 4U, 8U, 16U}) {
        const KMeans made = train_kmeans(view(rows, dim), {.centroids = 64, .iterations = iterations}, {});
        CHECK(made.error <= before * 1.0001);
        before = made.error;
    }
}

TEST_CASE("equal rows, and fewer different ones than centroids, are said to be so") {
    const std::vector<float> equal(500 * 8, 3.5F);
    const KMeans one = train_kmeans(view(equal, 8), {.centroids = 16}, {});
    CHECK(one.distinct == 1);
    CHECK(one.error == 0);
    CHECK(std::all_of(one.values.begin(), one.values.end(), [](float value) { return value == 3.5F; }));

    kith::SplitMix64 random(3);
    const std::vector<float> seven = kith_test::random_floats(random, 7 * 8);
    std::vector<float> rows;
    for (std::size_t i = 0; i < 5000; ++i) rows.insert(rows.end(), &seven[i % 7 * 8], &seven[i % 7 * 8] + 8);
    const KMeans made = train_kmeans(view(rows, 8), {.centroids = 16}, {});
    CHECK(made.distinct == 7);
    CHECK(distinct_rows(made, 8) == 7);
    CHECK(made.error == Approx(0).margin(1e-6));

    const std::vector<float> zeros(100 * 4096, 0.0F);
    CHECK(train_kmeans(view(zeros, 4096), {.centroids = 3}, {}).error == 0);
}

TEST_CASE("a centroid that nobody is nearest to moves to where it helps") {
    // One heap of equal rows and a few far ones: most first choices are worthless.
    std::vector<float> rows(4000, 1.0F);
    for (std::size_t i = 0; i < 30; ++i) rows.push_back(1000.0F + static_cast<float>(i * i));
    const KMeans made =
        train_kmeans(view(rows, 1), {.centroids = 31, .iterations = 40, .rows_a_centroid = 1000, .least_gain = 0}, {});
    CHECK(made.distinct == 31);
    CHECK(made.error == Approx(0).margin(1e-3));
}

TEST_CASE("what cannot be trained is refused in a sentence") {
    const std::vector<float> rows(10 * 4, 1.0F);
    const auto few = raised([&] { static_cast<void>(train_kmeans(view(rows, 4), {.centroids = 11}, {})); });
    CHECK(few.code == Errc::invalid_argument);
    CHECK(few.says("11 centroids"));
    CHECK(few.says("10 vectors"));
    CHECK(raised([&] { static_cast<void>(train_kmeans(view(rows, 4), {.centroids = 0}, {})); }).code ==
          Errc::invalid_argument);
    CHECK(raised([&] { static_cast<void>(train_kmeans({}, {.centroids = 1}, {})); }).code == Errc::invalid_argument);
}

TEST_CASE("progress rises to the end, and may cancel or throw, with any threads") {
    const std::vector<float> rows = kith_test::Clusters(8).make(20000);
    for (const unsigned threads : {1U, 2U}) {
        double last = 0;
        bool fell = false;
        Training watched{.seed = 1, .threads = threads, .progress = [&](double done) {
                             fell = fell || done < last || done > 1;
                             last = done;
                             return true;
                         }};
        // As many steps as are asked for: none is left out because the one before gained little.
        static_cast<void>(train_kmeans(view(rows, 8), {.centroids = 256, .iterations = 5, .least_gain = 0}, watched));
        CHECK_FALSE(fell);
        CHECK(last == 1);
        watched.progress = [](double done) { return done < 0.2; };
        CHECK(raised([&] { static_cast<void>(train_kmeans(view(rows, 8), {.centroids = 256}, watched)); }).code ==
              Errc::cancelled);
        watched.progress = [](double done) -> bool {
            if (done > 0.2) throw std::runtime_error("no more");
            return true;
        };
        CHECK_THROWS_AS(train_kmeans(view(rows, 8), {.centroids = 256}, watched), std::runtime_error);
    }
}
