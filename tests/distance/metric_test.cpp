// tests/distance/metric_test.cpp — the metrics: their laws, their numbers, their names on disk.
#include "kith/distance/metric.hpp"

#include "kith/distance/cosine.hpp"
#include "kith/distance/hamming.hpp"
#include "kith/distance/inner_product.hpp"
#include "kith/distance/jaccard.hpp"
#include "kith/distance/l2.hpp"
#include "laws/metric_laws.hpp"
#include "support/catch.hpp"

#include <cstdint>
#include <string_view>
#include <vector>

using kith::Bfloat16;
using kith::Bits8;
using kith::Cosine;
using kith::Half;
using kith::Hamming;
using kith::InnerProduct;
using kith::Jaccard;
using kith::L2;

TEMPLATE_TEST_CASE("every metric of numbers keeps the laws, whatever the numbers", "", L2, InnerProduct, Cosine) {
    kith_test::check_metric_laws<TestType, float>();
    kith_test::check_metric_laws<TestType, Half>();
    kith_test::check_metric_laws<TestType, Bfloat16>();
    kith_test::check_metric_laws<TestType, std::int8_t>();
    kith_test::check_metric_laws<TestType, std::uint8_t>();
}

TEMPLATE_TEST_CASE("every metric of bits keeps the laws", "", Hamming, Jaccard) {
    kith_test::check_metric_laws<TestType, Bits8>();
}

TEST_CASE("Hamming counts the bits that differ, and its score is the count") {
    const Bits8 a[] = {{0b1010'0001}, {0xff}};
    const Bits8 b[] = {{0b0010'0011}, {0x0f}};
    CHECK(Hamming::distance(a, b, 2) == 6);
    CHECK(Hamming::distance(a, a, 2) == 0);
    CHECK(Hamming::score(6) == 6);
}

TEST_CASE("Jaccard is the share of the union that is not common, and its score the share that is") {
    const Bits8 a[] = {{0b0000'0111}, {0}};
    const Bits8 b[] = {{0b0000'0011}, {1}};
    const Bits8 none[] = {{0}, {0}};
    CHECK(Jaccard::distance(a, b, 2) == 0.5F);
    CHECK(Jaccard::score(0.25F) == 0.75F);
    CHECK(Jaccard::distance(a, a, 2) == 0);
    CHECK(Jaccard::distance(a, none, 2) == 1);
    CHECK(Jaccard::distance(none, none, 2) == 0);
}

TEST_CASE("Distances of integers are exact beyond what a float sum could hold") {
    const std::vector<std::int8_t> low(65536, -128), high(65536, 127);
    CHECK(L2::distance(low.data(), high.data(), low.size()) == 65536.0F * 65025.0F);
    CHECK(InnerProduct::distance(low.data(), high.data(), low.size()) == 65536.0F * 16256.0F);
    CHECK(Cosine::distance(low.data(), low.data(), low.size()) == 0);
    CHECK(Cosine::distance(low.data(), high.data(), low.size()) == 2);
}

TEST_CASE("L2 is the squared distance and its own score") {
    const float a[] = {1, 2, 3};
    const float b[] = {4, 6, 3};
    CHECK(L2::distance(a, b, 3) == 25);
    CHECK(L2::distance(a, b, 1) == 9);
    CHECK(L2::distance(a, a, 3) == 0);
    CHECK(L2::score(25) == 25);
}

TEST_CASE("InnerProduct is nearer the larger the product, which is its score") {
    const float a[] = {1, 2, 3};
    const float b[] = {4, -5, 6};
    CHECK(InnerProduct::distance(a, b, 3) == -12);
    CHECK(InnerProduct::score(InnerProduct::distance(a, b, 3)) == 12);
}

TEST_CASE("Cosine sees directions, not lengths, and its score is the cosine") {
    const float east[] = {1, 0};
    const float far_east[] = {1000, 0};
    const float north[] = {0, 0.001F};
    const float west[] = {-3, 0};
    CHECK(Cosine::distance(east, far_east, 2) == 0);
    CHECK(Cosine::distance(east, north, 2) == 1);
    CHECK(Cosine::distance(east, west, 2) == 2);
    CHECK(Cosine::score(Cosine::distance(east, west, 2)) == -1);
    CHECK(Cosine::score(Cosine::distance(east, far_east, 2)) == 1);
}

TEST_CASE("Cosine of a vector with itself is exactly 0, and with nothing 1") {
    kith::SplitMix64 random(2);
    for (const double scale : {1e-30, 1.0, 1e30}) {
        const auto vector = kith_test::random_floats(random, 77, scale);
        CHECK(Cosine::distance(vector.data(), vector.data(), vector.size()) == 0);
    }
    const float zero[] = {0, 0};
    const float one[] = {1, 0};
    CHECK(Cosine::distance(zero, one, 2) == 1);
    CHECK(Cosine::distance(zero, zero, 2) == 1);
}

TEST_CASE("the names of metrics are those on disk") {
    CHECK(L2::name == "l2");
    CHECK(InnerProduct::name == "inner_product");
    CHECK(Cosine::name == "cosine");
    CHECK(Hamming::name == "hamming");
    CHECK(Jaccard::name == "jaccard");
}

TEST_CASE("kernels can be made of sums only") {
    STATIC_REQUIRE(kith::SumMetric<L2, float>);
    STATIC_REQUIRE(kith::SumMetric<InnerProduct, float>);
    STATIC_REQUIRE(kith::SumMetric<InnerProduct, std::int8_t>);
    STATIC_REQUIRE_FALSE(kith::SumMetric<Cosine, float>);
}

TEST_CASE("metrics of numbers are not for bits, nor those of bits for numbers") {
    STATIC_REQUIRE(kith::Metric<Cosine, Half>);
    STATIC_REQUIRE(kith::Metric<Hamming, Bits8>);
    STATIC_REQUIRE_FALSE(kith::Metric<L2, Bits8>);
    STATIC_REQUIRE_FALSE(kith::Metric<Hamming, float>);
    STATIC_REQUIRE_FALSE(kith::Metric<Jaccard, std::uint8_t>);
}
