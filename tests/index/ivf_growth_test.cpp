// tests/index/ivf_growth_test.cpp — lists that rows are added to, that are made anew, and that a collection holds.
#include "index/lists.hpp"
#include "index/points.hpp"
#include "kith/index/ivf.hpp"
#include "support/catch.hpp"
#include "support/raised.hpp"

#include <cstddef>
#include <string>
#include <vector>

using kith::BitsetView;
using kith::Cosine;
using kith::Errc;
using kith::IvfIndex;
using kith::IvfParams;
using kith::L2;
using kith::Neighbor;
using kith::SearchParams;
using kith::Slot;
using kith::Training;
using kith_test::asking;
using kith_test::Clusters;
using kith_test::Points;
using kith_test::raised;
using kith_test::recall;

namespace {

template <class M>
using Coded = IvfIndex<kith::RawRows<float, M>, kith::IvfPq>;

}  // namespace

TEST_CASE("Drift grows when rows come from elsewhere, and training anew ends it") {
    constexpr std::size_t dim = 10;
    Clusters clusters(dim, 1), others(dim, 99);
    std::vector<float> values = clusters.make(3000);
    std::vector<float> more = clusters.make(1000);
    values.insert(values.end(), more.begin(), more.end());
    more = others.make(3000);
    for (float& value : more) value += 3;
    values.insert(values.end(), more.begin(), more.end());
    const Points<L2> points(dim, values);
    Coded<L2> index({.lists = 60}, points.count());
    CHECK(index.drift() == 1);
    index.insert(points.view(), 3000);
    CHECK(index.drift() == 1);
    index.insert(points.view(), 4000);
    CHECK(index.drift() < 1.25);
    index.insert(points.view(), 7000);
    CHECK(index.drift() > 2);
    const std::string before = kith_test::graph_of(index);
    Training refusing;
    refusing.progress = [](double) { return false; };
    CHECK(raised([&] { index.retrain(points.view(), refusing); }).code == Errc::cancelled);
    CHECK((kith_test::graph_of(index) == before));
    index.retrain(points.view(), {});
    CHECK(index.drift() == 1);
    CHECK(index.size() == 7000);
    CHECK(recall(index, points, others.make(20), dim, asking(BitsetView(7000), 20)) > 0.9);
}

TEST_CASE("A search of an earlier moment finds as many as there were then") {
    constexpr std::size_t dim = 8;
    const Points<L2> points(dim, Clusters(dim).make(8000));
    Coded<L2> index({.lists = 64}, points.count());
    index.insert(points.view(), points.count());
    for (const Slot then : {Slot{10}, Slot{100}, Slot{3000}}) {
        CHECK(kith_test::search(index, points.view(), points.vector(7000), asking(BitsetView(then), 4)).size() == 10);
    }
}

TEST_CASE("Lists that became too few are made anew when the recall is measured") {
    constexpr std::size_t dim = 6;
    const Points<L2> points(dim, Clusters(dim).make(24000));
    Coded<L2> index({}, points.count());
    for (Slot count = 256; count < points.count(); count += 256) index.insert(points.view(), count);
    CHECK(index.lists() == IvfParams{}.lists_for(5120));  // the first count that is enough to train with
    CHECK(index.outgrown());
    index.retrain(points.view(), {});
    CHECK(index.lists() == IvfParams{}.lists_for(points.count()));
    CHECK_FALSE(index.outgrown());

    const auto seam = kith::make_vector_index<L2, kith::Ivf<>>(dim, points.count());
    for (Slot slot = 0; slot < points.count(); ++slot) seam->append(points.vector(slot));
    for (Slot count = 256; count < points.count(); count += 256) seam->index_up_to(count, 1);
    const auto bytes = [&] { return kith_test::bytes_of([&](const auto& sink) { seam->save_graph(sink); }).size(); };
    const std::size_t few = bytes();
    seam->calibrate();
    CHECK(bytes() > few + 100 * dim * sizeof(float));  // centroids of the lists that came
}

TEST_CASE("The seam of collections takes lists as it takes graphs") {
    constexpr std::size_t dim = 12;
    using Tag = kith::Ivf<IvfParams{.lists = 32}>;
    Clusters clusters(dim);
    const Points<Cosine> points(dim, clusters.make(4000));
    const auto index = kith::make_vector_index<Cosine, Tag>(dim, points.count());
    for (Slot slot = 0; slot < points.count(); ++slot) index->append(points.vector(slot));
    index->index_up_to(3900, 1);  // the others are scanned
    const std::vector<float> queries = clusters.make(20);
    const SearchParams params = asking(BitsetView(points.count()), 16);
    kith::SearchScratch scratch;
    const auto ask = [&](const kith::VectorIndex& asked, const float* query) {
        std::vector<Neighbor> found(10);
        found.resize(asked.search(query, params, scratch, found.data()));
        return found;
    };
    std::size_t hits = 0;
    for (std::size_t at = 0; at < queries.size(); at += dim) {
        hits += kith_test::hits(ask(*index, &queries[at]), points.nearest(&queries[at], 10, params.allowed));
    }
    CHECK(hits > 190);

    index->index_up_to(points.count(), 1);
    const kith_test::AlignedBytes rows(kith_test::bytes_of([&](const auto& sink) { index->save_rows(sink); }));
    const kith_test::AlignedBytes lists(kith_test::bytes_of([&](const auto& sink) { index->save_graph(sink); }));
    const auto mapped = kith::map_vector_index<Cosine, Tag>(dim, points.count(), rows.view(), lists.view());
    for (std::size_t at = 0; at < queries.size(); at += dim) {
        CHECK(ask(*mapped, &queries[at]) == ask(*index, &queries[at]));
    }
}
