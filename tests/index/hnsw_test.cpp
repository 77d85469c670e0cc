// tests/index/hnsw_test.cpp — what an HNSW graph finds, and what it withstands.
#include "kith/index/hnsw.hpp"

#include "index/points.hpp"
#include "support/archetype_rows.hpp"
#include "support/catch.hpp"

#include <atomic>
#include <cmath>
#include <numeric>
#include <set>
#include <thread>
#include <utility>
#include <vector>

using kith::BitsetView;
using kith::HnswIndex;
using kith::HnswParams;
using kith::Neighbor;
using kith::SearchParams;
using kith::Slot;
using kith_test::Clusters;
using kith_test::Exclusions;
using kith_test::Points;

namespace {

template <class M>
using Graph = HnswIndex<kith::RawRows<float, M>>;

constexpr HnswParams small_graph{.max_links = 8, .ef_construction = 60};

template <class M>
double recall(const Graph<M>& graph, const Points<M>& points, const std::vector<float>& queries, std::size_t dim,
              std::uint32_t ef, BitsetView allowed) {
    constexpr std::size_t limit = 10;
    std::size_t found = 0, wanted = 0;
    for (std::size_t at = 0; at < queries.size(); at += dim) {
        const auto truth = points.nearest(&queries[at], limit, allowed);
        found += kith_test::hits(kith_test::search(graph, points.view(), &queries[at], {limit, ef, allowed}), truth);
        wanted += truth.size();
    }
    return static_cast<double>(found) / static_cast<double>(wanted);
}

/// Every slot that a walk from the entry can come to.
template <class M>
std::set<Slot> reachable(const Graph<M>& graph, const Points<M>& points) {
    std::set<Slot> met;
    const SearchParams all{points.count(), points.count(), BitsetView(points.count())};
    for (const Neighbor& neighbor : kith_test::search(graph, points.view(), points.vector(0), all)) {
        met.insert(neighbor.slot);
    }
    return met;
}

}  // namespace

TEMPLATE_TEST_CASE("A graph finds 98 of 100 nearest in clustered vectors", "", kith::L2, kith::Cosine,
                   kith::InnerProduct) {
    constexpr std::size_t dim = 24;
    Clusters clusters(dim);
    const Points<TestType> points(dim, clusters.make(4000));
    Graph<TestType> graph(HnswParams{.ef_construction = 100}, points.count());
    graph.insert(points.view(), points.count());
    CHECK(recall(graph, points, clusters.make(100), dim, 100, BitsetView(points.count())) >= 0.98);
}

TEST_CASE("A graph linked by two threads finds as much") {
    constexpr std::size_t dim = 16;
    Clusters clusters(dim);
    const Points<kith::L2> points(dim, clusters.make(4000));
    Graph<kith::L2> graph(HnswParams{.ef_construction = 100}, points.count());
    graph.insert(points.view(), points.count(), 2);
    CHECK(graph.size() == points.count());
    CHECK(reachable(graph, points).size() >= points.count() * 999 / 1000);
    CHECK(recall(graph, points, clusters.make(100), dim, 100, BitsetView(points.count())) >= 0.98);
}

TEST_CASE("One thread makes the same graph every time, and in any pieces") {
    constexpr std::size_t dim = 8;
    const Points<kith::L2> points(dim, Clusters(dim).make(1500));
    Graph<kith::L2> at_once(small_graph, points.count());
    at_once.insert(points.view(), points.count());
    Graph<kith::L2> in_pieces(small_graph, 2 * points.count());
    for (const Slot count : {Slot{1}, Slot{2}, Slot{700}, Slot{700}, points.count()}) {
        in_pieces.insert(points.view(), count);
        CHECK(in_pieces.size() == count);
    }
    CHECK(kith_test::graph_of(at_once) == kith_test::graph_of(in_pieces));

    HnswParams other = small_graph;
    other.seed += 1;
    Graph<kith::L2> differently(other, points.count());
    differently.insert(points.view(), points.count());
    CHECK(kith_test::graph_of(at_once) != kith_test::graph_of(differently));
}

TEST_CASE("Results come nearest first, equal distances by slot") {
    std::vector<float> grid;
    for (int i = 0; i < 2000; ++i) grid.push_back(static_cast<float>(i % 40 - 20));
    const Points<kith::L2> points(1, grid);
    Graph<kith::L2> graph(small_graph, points.count());
    graph.insert(points.view(), points.count());
    const float query = 3;
    const auto found = kith_test::search(graph, points.view(), &query, {120, 400, BitsetView(points.count())});
    REQUIRE(found.size() == 120);
    CHECK(std::is_sorted(found.begin(), found.end()));
    CHECK(kith_test::hits(found, points.nearest(&query, 120, BitsetView(points.count()))) == 120);
}

namespace {

/// Points on a line that count how often one of them is scored: all different, or every second the same.
class CountingRows {
public:
    explicit CountingRows(bool repeating) noexcept : repeating_(repeating) {}

    class Scorer {
    public:
        Scorer(const CountingRows& rows, float at) noexcept : rows_(rows), at_(at) {}
        void score(const Slot* slots, std::size_t count, float* out) const noexcept {
            for (std::size_t i = 0; i < count; ++i) out[i] = std::abs(at_ - rows_.position(slots[i]));
            rows_.scored_ += count;
        }
        void score_block(Slot first, std::size_t count, float* out) const noexcept {
            for (std::size_t i = 0; i < count; ++i)
                out[i] = std::abs(at_ - rows_.position(first + static_cast<Slot>(i)));
            rows_.scored_ += count;
        }
        void prefetch(Slot) const noexcept {}

    private:
        const CountingRows& rows_;
        float at_;
    };

    [[nodiscard]] std::size_t dim() const noexcept { return 1; }
    [[nodiscard]] Scorer scorer(const float* query, kith::ScratchMemory&) const noexcept { return {*this, *query}; }
    [[nodiscard]] Scorer scorer_of(Slot slot, kith::ScratchMemory&) const noexcept { return {*this, position(slot)}; }
    [[nodiscard]] std::size_t scored() const noexcept { return scored_; }

private:
    [[nodiscard]] float position(Slot slot) const noexcept {
        return repeating_ && slot % 2 == 0 ? 500.0F : static_cast<float>(slot * std::size_t{7919} % 100003);
    }

    bool repeating_;
    mutable std::size_t scored_ = 0;
};

}  // namespace

TEST_CASE("Duplicates cost a build and a search no more than other vectors") {
    constexpr Slot count = 8000;
    const CountingRows various(false), repeating(true);
    HnswIndex<CountingRows> usual(small_graph, count), repeated(small_graph, count);
    usual.insert(various, count);
    repeated.insert(repeating, count);
    CHECK(repeating.scored() < 2 * various.scored());
    const std::size_t built = repeating.scored();
    const float query = 500;
    CHECK(kith_test::search(repeated, repeating, &query, {10, 60, BitsetView(count)}).size() == 10);
    CHECK(repeating.scored() < built + 2000);
}

TEMPLATE_TEST_CASE("Thousands of duplicates stay in the graph, and so does everything else", "", kith::L2, kith::Cosine,
                   kith::InnerProduct) {
    constexpr std::size_t dim = 12;
    constexpr Slot copies = 3000;
    Clusters clusters(dim);
    const std::vector<float> one = clusters.make(1);
    const bool first = GENERATE(true, false);  // the copies come first, or among the others
    std::vector<float> values;
    for (Slot i = 0; i < copies; ++i) {
        values.insert(values.end(), one.begin(), one.end());
        if (first || i % 3 != 0) continue;
        const std::vector<float> other = clusters.make(1);
        values.insert(values.end(), other.begin(), other.end());
    }
    const std::vector<float> others = clusters.make(1000);
    values.insert(values.end(), others.begin(), others.end());

    const Points<TestType> points(dim, values);
    Graph<TestType> graph(small_graph, points.count());
    graph.insert(points.view(), points.count(), GENERATE(1U, 2U));
    const std::set<Slot> met = reachable(graph, points);
    const auto is_copy = [&](Slot slot) { return std::equal(one.begin(), one.end(), points.vector(slot)); };
    CHECK(static_cast<Slot>(std::count_if(met.begin(), met.end(), is_copy)) == copies);
    CHECK(met.size() >= points.count() * 99 / 100);  // under InnerProduct some short vectors are nobody's neighbour
    CHECK(recall(graph, points, clusters.make(50), dim, 100, BitsetView(points.count())) >= 0.95);
}

TEST_CASE("Excluded slots are never returned, and never stand in the way") {
    constexpr std::size_t dim = 16;
    Clusters clusters(dim);
    const Points<kith::L2> points(dim, clusters.make(4000));
    Graph<kith::L2> graph(HnswParams{.ef_construction = 100}, points.count());
    graph.insert(points.view(), points.count());
    const Slot keep_each = GENERATE(Slot{2}, Slot{10}, Slot{100});
    Exclusions excluded(points.count());
    for (Slot slot = 0; slot < points.count(); ++slot) {
        if (slot % keep_each != 0) excluded.exclude(slot);
    }
    const std::vector<float> queries = clusters.make(50);
    for (std::size_t at = 0; at < queries.size(); at += dim) {
        const auto found = kith_test::search(graph, points.view(), &queries[at], {10, 50, excluded.view()});
        CHECK(found.size() == 10);
        for (const Neighbor& neighbor : found) CHECK(excluded.view().allows(neighbor.slot));
    }
    CHECK(recall(graph, points, queries, dim, 50, excluded.view()) >= 0.95);

    const BitsetView early = BitsetView(points.count()).first(300);  // an older snapshot of a graph that grew
    for (const Neighbor& neighbor : kith_test::search(graph, points.view(), queries.data(), {10, 50, early})) {
        CHECK(neighbor.slot < 300);
    }
    CHECK(recall(graph, points, queries, dim, 50, early) >= 0.95);
}

TEST_CASE("Searches go on while the graph grows, and return only what is linked", "[threads]") {
    constexpr std::size_t dim = 8;
    Clusters clusters(dim);
    const Points<kith::L2> points(dim, clusters.make(3000));
    const std::vector<float> queries = clusters.make(64);
    Graph<kith::L2> graph(small_graph, points.count());
    graph.insert(points.view(), 100);

    std::atomic<bool> done = false;
    std::atomic<std::size_t> wrong = 0;
    std::vector<std::thread> searchers;
    for (std::size_t thread = 0; thread < 4; ++thread) {
        searchers.emplace_back([&, thread] {
            kith::SearchScratch scratch;
            std::vector<Neighbor> found(10);
            for (std::size_t query = thread; !done.load(); query = (query + 1) % 64) {
                const Slot before = graph.size();
                const SearchParams params{10, 30, BitsetView(before)};
                const std::size_t got =
                    graph.search(points.view(), &queries[query * dim], params, scratch, found.data());
                if (got != 10) ++wrong;
                for (std::size_t i = 0; i < got; ++i) {
                    if (found[i].slot >= before) ++wrong;
                }
            }
        });
    }
    for (Slot count = 200; count <= points.count(); count += 200)
        graph.insert(points.view(), count, count % 400 == 0 ? 2 : 1);
    done = true;
    for (std::thread& searcher : searchers) searcher.join();
    CHECK(wrong == 0);
    CHECK(recall(graph, points, queries, dim, 60, BitsetView(points.count())) >= 0.95);
}

TEST_CASE("Any dimension, any limit") {
    const std::size_t dim = GENERATE(std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{4096});
    Clusters clusters(dim);
    const Points<kith::Cosine> points(dim, clusters.make(300));
    Graph<kith::Cosine> graph(small_graph, points.count());
    const std::vector<float> query = clusters.make(1);
    CHECK(kith_test::search(graph, points.view(), query.data(), {10, 10, BitsetView(0)}).empty());
    graph.insert(points.view(), points.count());
    const BitsetView all(points.count());
    CHECK(kith_test::search(graph, points.view(), query.data(), {0, 10, all}).empty());
    CHECK(kith_test::search(graph, points.view(), query.data(), {1, 1, all}).size() == 1);
    CHECK(kith_test::search(graph, points.view(), query.data(), {5000, 10, all}).size() >= 299);
    CHECK(recall(graph, points, clusters.make(20), dim, 100, all) >= 0.95);
}

TEST_CASE("A graph asks of its rows what the concept says and no more") {
    const kith_test::ArchetypeRows rows(0);
    HnswIndex<kith_test::ArchetypeRows> graph(small_graph, 2000);
    graph.insert(rows, 2000, 2);
    const float query = 600.5F;
    const auto found = kith_test::search(graph, rows, &query, {2, 50, BitsetView(2000)});
    REQUIRE(found.size() == 2);
    CHECK(found[0] == Neighbor{0.5F, 200});
    CHECK(found[1] == Neighbor{2.5F, 201});
}

TEST_CASE("A graph refuses parameters it cannot keep") {
    using Refused = HnswIndex<kith_test::ArchetypeRows>;
    CHECK_THROWS_AS(Refused(HnswParams{.max_links = 3}, 10), kith::Error);
    CHECK_THROWS_AS(Refused(HnswParams{.max_links = 65}, 10), kith::Error);
    CHECK_THROWS_AS(Refused(HnswParams{.ef_construction = 0}, 10), kith::Error);
    CHECK_THROWS_AS(Refused(HnswParams{}, (Slot{1} << 31) + 1), kith::Error);
}

TEST_CASE("A mapped graph answers as the one that was saved") {
    constexpr std::size_t dim = 16;
    Clusters clusters(dim);
    const Slot count = GENERATE(Slot{0}, Slot{1}, Slot{2000});
    const Points<kith::L2> points(dim, clusters.make(count));
    Graph<kith::L2> graph(small_graph, count);
    graph.insert(points.view(), count);
    const kith_test::AlignedBytes image(kith_test::graph_of(graph));
    const auto mapped = Graph<kith::L2>::map(image.view(), count);
    CHECK(mapped.size() == count);
    CHECK(mapped.params() == small_graph);
    CHECK(kith_test::graph_of(mapped) == kith_test::graph_of(graph));
    const std::vector<float> queries = clusters.make(20);
    for (std::size_t at = 0; at < queries.size(); at += dim) {
        const SearchParams params{10, 40, BitsetView(count)};
        CHECK(kith_test::search(mapped, points.view(), &queries[at], params) ==
              kith_test::search(graph, points.view(), &queries[at], params));
    }
}

TEST_CASE("A damaged graph image is refused or harmless, byte by byte") {
    constexpr std::size_t dim = 4;
    constexpr Slot count = 400;
    const Points<kith::L2> points(dim, Clusters(dim).make(count));
    Graph<kith::L2> graph(HnswParams{.max_links = 4, .ef_construction = 20}, count);
    graph.insert(points.view(), count);
    const std::string whole = kith_test::graph_of(graph);

    for (std::size_t size = 0; size < whole.size(); size += size < 200 ? 1 : 97) {
        const kith_test::AlignedBytes cut(whole.substr(0, size));
        CHECK_THROWS_AS(Graph<kith::L2>::map(cut.view(), count), kith::Error);
    }
    CHECK_THROWS_AS(Graph<kith::L2>::map(kith_test::AlignedBytes(whole).view(), count - 1), kith::Error);

    kith::SplitMix64 random(5);
    std::size_t refused = 0;
    for (std::size_t at = 0; at < whole.size(); at += at < 64 ? 1 : 31) {
        std::string garbled = whole;
        for (std::size_t i = at; i < std::min(at + 9, whole.size()); ++i) garbled[i] = static_cast<char>(random());
        const kith_test::AlignedBytes image(garbled);
        const std::exception_ptr error = kith::attempt([&] {
            const auto mapped = Graph<kith::L2>::map(image.view(), count);
            for (const BitsetView allowed : {BitsetView(count), BitsetView(count).first(count / 2)}) {
                const SearchParams params{10, 20, allowed};
                for (const Neighbor& neighbor : kith_test::search(mapped, points.view(), points.vector(7), params)) {
                    CHECK(allowed.allows(neighbor.slot));
                }
            }
        });
        refused += error == nullptr ? 0U : 1U;
    }
    CHECK(refused >= 20);  // the magic, version, counts and entry
}

TEST_CASE("A stretched walk finds more the farther it may go, and as much as it would without a limit") {
    constexpr std::size_t dim = 24;
    Clusters clusters(dim);
    const Points<kith::L2> points(dim, clusters.make(5000));
    Graph<kith::L2> graph(small_graph, points.count());
    graph.insert(points.view(), points.count());
    const std::vector<float> queries = clusters.make(60);
    Exclusions odd(points.count()), tenth(points.count());
    for (Slot slot = 1; slot < points.count(); slot += 2) odd.exclude(slot);
    for (Slot slot = 1; slot < points.count(); slot += 10) tenth.exclude(slot);
    for (const BitsetView allowed : {BitsetView(points.count()), odd.view(), tenth.view()}) {
        const auto hits_at = [&](float stretch) {
            std::size_t hits = 0;
            for (std::size_t at = 0; at < queries.size(); at += dim) {
                SearchParams params{10, 500, allowed};
                params.stretch = stretch;
                const auto found = kith_test::search(graph, points.view(), &queries[at], params);
                REQUIRE(found.size() == 10);
                hits += kith_test::hits(found, points.nearest(&queries[at], 10, allowed));
            }
            return hits;
        };
        const std::size_t narrow = hits_at(1), wide = hits_at(1.5F), farther = hits_at(100), unlimited = hits_at(0);
        CHECK(narrow < wide);
        CHECK(wide <= unlimited);
        CHECK(farther == unlimited);
        CHECK(unlimited >= 590);
    }
}

TEST_CASE("A bounded walk ends earlier, and finds what is nearer than its bound") {
    constexpr std::size_t dim = 24;
    Clusters clusters(dim);
    const Points<kith::L2> points(dim, clusters.make(5000));
    Graph<kith::L2> graph(small_graph, points.count());
    graph.insert(points.view(), points.count());
    const std::vector<float> queries = clusters.make(60);
    Exclusions tenth(points.count());
    for (Slot slot = 1; slot < points.count(); slot += 10) tenth.exclude(slot);
    for (const BitsetView allowed : {BitsetView(points.count()), tenth.view()}) {
        std::size_t within = 0, found_within = 0, met = 0, met_bounded = 0;
        for (std::size_t at = 0; at < queries.size(); at += dim) {
            const auto truth = points.nearest(&queries[at], 20, allowed);
            SearchParams params{20, 500, allowed};
            params.stretch = 1.5F;
            kith::SearchScratch scratch;
            std::vector<Neighbor> found(20);
            REQUIRE(graph.search(points.view(), &queries[at], params, scratch, found.data()) == 20);
            met += std::exchange(scratch.counts.nodes, 0);
            params.bound = truth[4].distance;
            const std::size_t count = graph.search(points.view(), &queries[at], params, scratch, found.data());
            met_bounded += scratch.counts.nodes;
            within += 5;
            for (std::size_t i = 0; i < count; ++i) found_within += found[i].distance <= params.bound ? 1U : 0U;
        }
        CHECK(found_within >= within * 96 / 100);
        CHECK(met_bounded < met * 9 / 10);
    }
}
