// tests/quantize/rabitq_test.cpp — RaBitQ against the laws of codecs, and against what its paper promises.
#include "kith/quantize/rabitq.hpp"

#include "kith/distance.hpp"
#include "laws/codec_laws.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <vector>

using kith::Cosine;
using kith::InnerProduct;
using kith::L2;
using kith::RaBitQ;

namespace {

/// The share of what is left about the mean that codes of so many bits may lose: few dimensions lose most.
constexpr std::array losses = {0.0, 0.85, 0.5, 0.3, 0.18, 0.08, 0.045, 0.025, 0.015};

/// What became of the bounds of many pairs.
struct Bounds {
    double below = 0;  // share of pairs nearer than their lower bound
    double width = 0;  // mean distance from the estimate to the bound, of the mean true distance
};

template <class M, unsigned bits>
Bounds measure_bounds(std::size_t dim, float confidence) {
    constexpr std::size_t count = 400;
    const std::vector<float> vectors = kith_test::blob(count, dim, 17);
    const auto codes = kith_test::coded<typename RaBitQ<bits>::template Codec<M>>(vectors, dim);
    kith::ScratchMemory scratch;
    Bounds bounds;
    double distance_sum = 0;
    constexpr std::size_t queries = 20;
    const std::vector<float> query = kith_test::blob(queries, dim, 18);
    for (std::size_t at = 0; at < queries; ++at) {
        const auto scorer = codes.rows().scorer(&query[at * dim], scratch);
        std::vector<float> estimates(count);
        scorer.score_block(0, count, estimates.data());
        for (kith::Slot slot = 0; slot < count; ++slot) {
            const float truth = M::distance(&query[at * dim], &vectors[slot * dim], dim);
            const float bound = scorer.lower_bound(slot, estimates[slot], confidence);
            bounds.below += truth < bound;
            bounds.width += static_cast<double>(estimates[slot] - bound);
            distance_sum += std::abs(static_cast<double>(truth));
        }
    }
    bounds.below /= queries * count;
    bounds.width /= distance_sum;
    return bounds;
}

template <class M, unsigned bits>
void check_bounds(double widest) {
    for (const std::size_t dim : {64U, 100U, 384U, 1000U}) {
        const Bounds bounds = measure_bounds<M, bits>(dim, RaBitQ<bits>::confidence);
        INFO(M::name << ", " << bits << " bits, dim " << dim << ": below " << bounds.below << ", width "
                     << bounds.width);
        CHECK(bounds.below <= 0.035);
        CHECK(bounds.width <= widest * std::sqrt(64.0 / static_cast<double>(dim)));
        CHECK(measure_bounds<M, bits>(dim, 0.5F).below >= 0.2);  // it is no wider than it must be
    }
}

/// The largest cosine any point of the grid of so many bits has with u: every stretch that changes a level is tried.
template <unsigned bits>
double best_cosine(const std::vector<float>& u) {
    const int levels = 1 << (bits - 1);
    std::vector<double> stretches = {1e-9};
    for (const float element : u) {
        for (int level = 1; level < levels; ++level)
            stretches.push_back(level / std::abs(static_cast<double>(element)) * (1 + 1e-9));
    }
    double best = 0;
    for (const double stretch : stretches) {
        double product = 0, squares = 0, length = 0;
        for (const float element : u) {
            const double absolute = std::abs(static_cast<double>(element));
            const double at = 2 * std::min(std::floor(absolute * stretch), levels - 1.0) + 1;
            product += absolute * at;
            squares += at * at;
            length += absolute * absolute;
        }
        best = std::max(best, product / std::sqrt(squares * length));
    }
    return best;
}

template <unsigned bits>
void check_fit() {
    for (const std::size_t dim : {10U, 64U, 200U}) {
        double worst = 1, sum = 0;
        constexpr std::size_t rounds = 30;
        for (std::size_t round = 0; round < rounds; ++round) {
            const std::vector<float> u = kith_test::blob(1, dim, round * 100 + dim);
            std::vector<std::uint8_t> elements(dim);
            const auto fit = kith::detail::RaBitQGrid<bits>::fit(u.data(), dim, elements.data());
            const double cosine = fit.product / std::sqrt(fit.squares) / kith_test::length(u.data(), dim);
            // What it says of the point is true of the elements it wrote.
            double product = 0;
            for (std::size_t i = 0; i < dim; ++i) {
                product += static_cast<double>(u[i]) * kith::detail::RaBitQGrid<bits>::value(elements[i]);
            }
            CHECK(product == Approx(fit.product));
            // The share of the least possible loss: 1 − cos², as errors are measured.
            const double least = 1 - std::pow(best_cosine<bits>(u), 2) + 1e-9;
            const double ratio = (1 - cosine * cosine + 1e-9) / least;
            worst = std::max(worst, ratio);
            sum += ratio;
        }
        INFO(bits << " bits, dim " << dim << ": worst " << worst << ", mean " << sum / rounds);
        CHECK(sum / rounds <= (dim == 10 ? 1.5 : 1.1));
    }
}

}  // namespace

TEST_CASE("RaBitQ codes of 1 bit keep the laws of codecs") {
    kith_test::check_codec_laws<RaBitQ<1>, L2>(losses[1]);
    kith_test::check_codec_laws<RaBitQ<1>, InnerProduct>(losses[1]);
    kith_test::check_codec_laws<RaBitQ<1>, Cosine>(losses[1]);
}

TEST_CASE("RaBitQ codes of more bits keep the laws of codecs") {
    kith_test::check_codec_laws<RaBitQ<2>, L2>(losses[2]);
    kith_test::check_codec_laws<RaBitQ<3>, Cosine>(losses[3]);
    kith_test::check_codec_laws<RaBitQ<4>, InnerProduct>(losses[4]);
    kith_test::check_codec_laws<RaBitQ<5>, L2>(losses[5]);
    kith_test::check_codec_laws<RaBitQ<6>, Cosine>(losses[6]);
    kith_test::check_codec_laws<RaBitQ<7>, InnerProduct>(losses[7]);
    kith_test::check_codec_laws<RaBitQ<8>, L2>(losses[8]);
}

TEST_CASE("the lower bounds of RaBitQ hold for the share of pairs they promise, and are not wider than that") {
    check_bounds<L2, 1>(0.35);
    check_bounds<Cosine, 1>(0.35);
    check_bounds<InnerProduct, 1>(0.35);
    check_bounds<L2, 4>(0.06);
    check_bounds<L2, 8>(0.015);
}

TEST_CASE("RaBitQ finds nearly the best code there is") {
    check_fit<2>();
    check_fit<3>();
    check_fit<4>();
    check_fit<6>();
}

TEST_CASE("the distances of RaBitQ are right on average over rotations") {
    constexpr std::size_t dim = 50;
    const std::vector<float> vectors = kith_test::blob(60, dim, 3);
    const std::vector<float> query = kith_test::blob(1, dim, 4);
    const double truth = static_cast<double>(L2::distance(query.data(), &vectors[dim], dim));
    double sum = 0, squares = 0;
    constexpr std::size_t seeds = 300;
    for (std::size_t seed = 0; seed < seeds; ++seed) {
        kith::Training training;
        training.seed = seed;
        const kith_test::Coded codes(RaBitQ<1>::Codec<L2>::train(kith_test::view_of(vectors, dim), training), vectors);
        const double error = static_cast<double>(codes.distances(query.data())[1]) - truth;
        sum += error;
        squares += error * error;
    }
    const double deviation = std::sqrt(squares / seeds);
    INFO("mean error " << sum / seeds << ", deviation " << deviation << " of " << truth);
    CHECK(std::abs(sum / seeds) <= 3 * deviation / std::sqrt(static_cast<double>(seeds)));
    CHECK(deviation > 0);
}
