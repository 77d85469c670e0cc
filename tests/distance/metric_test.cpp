// tests/distance/metric_test.cpp — the metrics: their laws, their numbers, their names on disk.
#include "kith/distance/metric.hpp"

#include "kith/distance/cosine.hpp"
#include "kith/distance/inner_product.hpp"
#include "kith/distance/l2.hpp"
#include "laws/metric_laws.hpp"
#include "support/catch.hpp"

#include <string_view>

using kith::Cosine;
using kith::InnerProduct;
using kith::L2;

TEMPLATE_TEST_CASE("every metric keeps the laws", "", L2, InnerProduct, Cosine) {
    kith_test::check_metric_laws<TestType>();
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
}

TEST_CASE("kernels can be made of sums only") {
    STATIC_REQUIRE(kith::SumMetric<L2, float>);
    STATIC_REQUIRE(kith::SumMetric<InnerProduct, float>);
    STATIC_REQUIRE_FALSE(kith::SumMetric<Cosine, float>);
}
