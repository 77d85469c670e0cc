// tests/index/recall_test.cpp — the recall that is asked for is reached by queries the index has never seen.
#include "kith/index/recall_curve.hpp"

#include "index/points.hpp"
#include "kith/quantize.hpp"
#include "support/catch.hpp"
#include "support/raised.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

using kith::BitsetView;
using kith::Neighbor;
using kith::RecallCurve;
using kith::RecallRung;
using kith::SearchParams;
using kith::SearchScratch;
using kith::Slot;
using kith::VectorIndex;
using kith_test::Clusters;
using kith_test::Points;

namespace {

constexpr std::size_t dim = 24;
constexpr std::size_t query_count = 300;

template <class M, class Tag>
std::unique_ptr<VectorIndex> index_of(const Points<M>& points, Slot count = kith::no_slot) {
    auto index = kith::make_vector_index<M, Tag>(dim, points.count());
    for (Slot slot = 0; slot < points.count(); ++slot) index->append(points.vector(slot));
    index->index_up_to(std::min(count, points.count()), 1);
    return index;
}

/// What a search finds when it is asked for `recall`, over all queries.
template <class M>
double reached(const VectorIndex& index, const Points<M>& points, const std::vector<float>& queries, double recall,
               std::size_t limit) {
    SearchScratch scratch;
    std::vector<Neighbor> found(limit);
    std::size_t hits = 0;
    for (std::size_t at = 0; at < queries.size(); at += dim) {
        const BitsetView all(points.count());
        const std::optional<SearchParams> params = index.tuned(recall, {limit, 1, all});
        found.resize(limit);
        found.resize(params.has_value() ? index.search(&queries[at], *params, scratch, found.data())
                                        : index.search_exact(&queries[at], {limit, 1, all}, scratch, found.data()));
        hits += kith_test::hits(found, points.nearest(&queries[at], limit, all));
    }
    return static_cast<double>(hits) / static_cast<double>(queries.size() / dim * limit);
}

using Floats = kith::Hnsw<kith::HnswParams{8, 60}>;
using Halves = kith::Hnsw<kith::HnswParams{8, 60}, kith::Sq4>;
using Lists = kith::Ivf<kith::IvfParams{.lists = 200}>;
template <class Q>
using Codes = kith::Coded<kith::Flat, Q>;

}  // namespace

TEST_CASE("A curve answers between its rungs, and says so when it cannot") {
    const RecallCurve curve({{1.0F, 0.5F, 0.3F}, {2.0F, 0.9F, 0.8F}, {4.0F, 0.85F, 0.9F}, {8.0F, 0.99F, 0.9F}});
    CHECK(curve.effort_for(0.2, 10) == 1.0F);
    CHECK(curve.effort_for(0.5, 10) == 1.0F);
    CHECK(*curve.effort_for(0.7, 10) == Approx(1.5));
    CHECK(*curve.effort_for(0.9, 1) == Approx(2.0));
    CHECK(*curve.effort_for(0.95, 10) > 4.0F);  // the dip at 4 is noise
    CHECK(*curve.effort_for(0.9, 100) == Approx(4.0));
    CHECK_FALSE(curve.effort_for(0.91, 100).has_value());
    CHECK_FALSE(curve.effort_for(0.999, 10).has_value());
    CHECK(*curve.effort_for(0.8, 32) > *curve.effort_for(0.8, 10));
    CHECK(*curve.effort_for(0.8, 32) < *curve.effort_for(0.8, 100));
    CHECK_FALSE(RecallCurve().effort_for(0.1, 10).has_value());
}

TEST_CASE("A curve comes back from its image, and a damaged image is refused") {
    const RecallCurve curve({{1.0F, 0.5F, 0.25F}, {1.5F, 0.75F, 0.5F}}, 4321);
    const std::string image = curve.image();
    REQUIRE(image.size() == RecallCurve::image_bytes);
    const RecallCurve back = RecallCurve::from_image(image);
    CHECK(std::equal(back.rungs().begin(), back.rungs().end(), curve.rungs().begin(), curve.rungs().end()));
    CHECK(back.rows() == 4321);
    CHECK(RecallCurve::from_image(RecallCurve().image()).empty());
    // The magic, the version, the count, the first effort, a share of each rung, and an effort below the one before.
    for (const std::size_t at : {0U, 8U, 15U, 23U, 27U, 43U, 35U}) {
        std::string garbled = image;
        garbled[at] = static_cast<char>(garbled[at] ^ 0x80);
        CHECK_THROWS_AS(RecallCurve::from_image(garbled), kith::Error);
    }
    for (const std::size_t size : {std::size_t{0}, std::size_t{7}, std::size_t{15}, std::size_t{19}, std::size_t{30}}) {
        CHECK_THROWS_AS(RecallCurve::from_image(image.substr(0, size)), kith::Error);
    }
}

TEMPLATE_TEST_CASE("The recall asked for is reached by queries never seen", "", Floats, Halves, Lists, Codes<kith::Sq8>,
                   Codes<kith::RaBitQ<1>>) {
    Clusters clusters(dim);
    const Points<kith::L2> points(dim, clusters.make(12000));
    const std::vector<float> queries = clusters.make(query_count);
    const auto index = index_of<kith::L2, TestType>(points);
    CHECK(index->calibrated() == 0);
    index->calibrate();
    CHECK(index->calibrated() == points.count());
    for (const double recall : {0.8, 0.9, 0.95, 0.99}) {
        for (const std::size_t limit : {1U, 3U, 10U, 100U, 400U}) {
            CAPTURE(recall, limit);
            CHECK(reached(*index, points, queries, recall, limit) >= recall - 0.01);
        }
    }
    CHECK(reached(*index, points, queries, 1.0, 10) == 1.0);
}

TEMPLATE_TEST_CASE("Every metric has its efforts", "", kith::Cosine, kith::InnerProduct) {
    Clusters clusters(dim);
    const Points<TestType> points(dim, clusters.make(6000));
    const std::vector<float> queries = clusters.make(query_count);
    const auto index = index_of<TestType, Halves>(points);
    const double guessed = reached(*index, points, queries, 0.95, 10);
    index->calibrate();
    CHECK(guessed >= 0.94);
    CHECK(reached(*index, points, queries, 0.95, 10) >= 0.94);
}

TEST_CASE("Copies do not flatter what is measured") {
    Clusters clusters(dim);
    std::vector<float> values = clusters.make(5000);
    const std::vector<float> copied = clusters.make(300);
    for (std::size_t at = 0; at < copied.size(); at += dim) {
        for (int copy = 0; copy < 30; ++copy) {
            values.insert(values.end(), copied.begin() + static_cast<std::ptrdiff_t>(at),
                          copied.begin() + static_cast<std::ptrdiff_t>(at + dim));
        }
    }
    const Points<kith::L2> points(dim, values);
    const std::vector<float> queries = clusters.make(query_count);
    const auto index = index_of<kith::L2, Lists>(points);
    index->calibrate();
    CHECK(reached(*index, points, queries, 0.95, 10) >= 0.94);
}

TEST_CASE("A scan of codes reads codes, and compares more vectors where they keep less") {
    Clusters clusters(dim);
    const Points<kith::L2> points(dim, clusters.make(4000));
    const auto fine = index_of<kith::L2, Codes<kith::Sq8>>(points);
    const auto rough = index_of<kith::L2, Codes<kith::RaBitQ<1>>>(points);
    fine->calibrate();
    rough->calibrate();
    const SearchParams asked{10, 1, BitsetView(points.count())};
    CHECK(fine->plan(*fine->tuned(0.99, asked)).way == kith::SearchWay::indexed);
    CHECK(fine->tuned(0.99, asked)->rescore < rough->tuned(0.99, asked)->rescore);
}

TEST_CASE("Lists are measured when there are some, and what was measured before they changed is forgotten") {
    using Tag = kith::Ivf<>;
    Clusters clusters(dim);
    const Points<kith::L2> points(dim, clusters.make(24000));
    const std::vector<float> queries = clusters.make(query_count);
    const auto index = kith::make_vector_index<kith::L2, Tag>(dim, points.count());
    for (Slot slot = 0; slot < points.count(); ++slot) index->append(points.vector(slot));
    index->index_up_to(3000, 1);
    CHECK_FALSE(index->calibration_due());
    index->calibrate();
    CHECK(index->calibrated() == 0);
    index->index_up_to(5500, 1);
    CHECK(index->calibration_due());
    CHECK(reached(*index, points, queries, 0.95, 10) >= 0.94);
    index->calibrate();
    CHECK(index->calibrated() == 5500);
    for (Slot count = 6000; count <= points.count(); count += 2000) index->index_up_to(count, 1);
    CHECK(index->calibration_due());
    kith::Training cancelled;
    cancelled.progress = [](double done) { return done < 0.5; };
    CHECK_THROWS_AS(index->calibrate(cancelled), kith::Error);
    CHECK(reached(*index, points, queries, 0.95, 10) >= 0.94);
    index->calibrate();
    CHECK(index->calibrated() == points.count());
    CHECK(reached(*index, points, queries, 0.95, 10) >= 0.94);
}

TEST_CASE("A mapped index knows what was measured") {
    Clusters clusters(dim);
    const Points<kith::L2> points(dim, clusters.make(3000));
    const auto index = index_of<kith::L2, Halves>(points, 2700);
    index->calibrate();
    index->index_up_to(points.count(), 1);
    const kith_test::AlignedBytes rows(kith_test::bytes_of([&](const auto& sink) { index->save_rows(sink); }));
    const kith_test::AlignedBytes graph(kith_test::bytes_of([&](const auto& sink) { index->save_graph(sink); }));
    const auto mapped = kith::map_vector_index<kith::L2, Halves>(dim, points.count(), rows.view(), graph.view());
    CHECK(mapped->calibrated() == 2700);
    const SearchParams asked{10, 1, BitsetView(points.count())};
    CHECK(mapped->tuned(0.97, asked)->stretch == index->tuned(0.97, asked)->stretch);
}
