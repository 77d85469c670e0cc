// tests/index/vector_index_test.cpp — the seam the collection uses: index and scan together, in memory and mapped.
#include "kith/index/vector_index.hpp"

#include "index/points.hpp"
#include "support/allocations.hpp"
#include "support/archetype_rows.hpp"
#include "support/catch.hpp"

#include <atomic>
#include <cstring>
#include <limits>
#include <thread>
#include <vector>

using kith::BitsetView;
using kith::Neighbor;
using kith::SearchParams;
using kith::SearchScratch;
using kith::Slot;
using kith::VectorIndex;
using kith_test::Clusters;
using kith_test::Exclusions;
using kith_test::Points;

namespace {

using SmallHnsw = kith::Hnsw<kith::HnswParams{8, 60}>;
using CodedHnsw = kith::Hnsw<kith::HnswParams{8, 60}, kith::Sq8>;
using CodedFlat = kith::Coded<kith::Flat, kith::Sq4>;

constexpr std::size_t dim = 20;

template <class M, class Tag>
std::unique_ptr<VectorIndex> index_of(const Points<M>& points) {
    auto index = kith::make_vector_index<M, Tag>(dim, points.count());
    for (Slot slot = 0; slot < points.count(); ++slot) index->append(points.vector(slot));
    return index;
}

std::vector<Neighbor> ask(const VectorIndex& index, const float* query, const SearchParams& params) {
    SearchScratch scratch;
    std::vector<Neighbor> found(std::min<std::size_t>(params.limit, params.allowed.count()));
    found.resize(index.search(query, params, scratch, found.data()));
    return found;
}

std::vector<Neighbor> ask_exactly(const VectorIndex& index, const float* query, const SearchParams& params) {
    SearchScratch scratch;
    std::vector<Neighbor> found(std::min<std::size_t>(params.limit, params.allowed.count()));
    found.resize(index.search_exact(query, params, scratch, found.data()));
    return found;
}

}  // namespace

TEMPLATE_TEST_CASE("An exact search is the naive search", "", kith::L2, kith::Cosine, kith::InnerProduct) {
    Clusters clusters(dim);
    const Points<TestType> points(dim, clusters.make(700));
    const auto index = index_of<TestType, kith::Flat>(points);
    Exclusions some(points.count());
    for (Slot slot = 0; slot < points.count(); ++slot) {
        if (slot % 7 < 3 || (slot > 100 && slot < 300)) some.exclude(slot);
    }
    const std::vector<float> queries = clusters.make(10);
    for (std::size_t at = 0; at < queries.size(); at += dim) {
        for (const BitsetView allowed : {BitsetView(points.count()), BitsetView(65), some.view(), BitsetView()}) {
            for (const std::size_t limit : {std::size_t{0}, std::size_t{1}, std::size_t{10}, std::size_t{1000}}) {
                const auto truth = points.nearest(&queries[at], limit, allowed);
                const auto found = ask_exactly(*index, &queries[at], {limit, 10, allowed});
                REQUIRE(found.size() == truth.size());
                CHECK(std::is_sorted(found.begin(), found.end()));
                CHECK(kith_test::hits(found, truth) == truth.size());
                CHECK(ask(*index, &queries[at], {limit, 10, allowed}) == found);
            }
        }
    }
}

TEMPLATE_TEST_CASE("Many queries are answered as each of them alone, by any number of threads", "[threads]", kith::Flat,
                   SmallHnsw, CodedFlat, (kith::Hnsw<kith::HnswParams{8, 60}, kith::Sq4>)) {
    Clusters clusters(dim);
    const Points<kith::L2> points(dim, clusters.make(3000));
    const auto index = index_of<kith::L2, TestType>(points);
    index->index_up_to(2800, 1);  // the others are scanned
    Exclusions few(points.count()), most(points.count());
    for (Slot slot = 0; slot < points.count(); ++slot) {
        if (slot % 7 == 3) few.exclude(slot);
        if (slot % 50 != 3) most.exclude(slot);
    }
    const std::vector<float> queries = clusters.make(70);
    const auto check = [&](std::size_t count, std::size_t threads, const SearchParams& params) {
        std::vector<SearchScratch> scratches(threads);
        std::vector<SearchScratch*> each;
        for (SearchScratch& scratch : scratches) each.push_back(&scratch);
        const std::size_t width = std::min<std::size_t>(params.limit, params.allowed.count());
        std::vector<Neighbor> together(count * width), exactly(count * width);
        std::vector<std::size_t> found(count), found_exactly(count);
        index->search_many(queries.data(), count, params, each, together.data(), found.data());
        index->search_exact_many(queries.data(), count, params, each, exactly.data(), found_exactly.data());
        std::size_t wrong = 0;
        for (std::size_t at = 0; at < count; ++at) {
            const auto answer_in = [&](const std::vector<Neighbor>& all, std::size_t size) {
                const auto begin = all.begin() + static_cast<std::ptrdiff_t>(at * width);
                return std::vector<Neighbor>(begin, begin + static_cast<std::ptrdiff_t>(size));
            };
            wrong += answer_in(together, found[at]) != ask(*index, &queries[at * dim], params);
            wrong += answer_in(exactly, found_exactly[at]) != ask_exactly(*index, &queries[at * dim], params);
        }
        CHECK(wrong == 0);
    };
    for (const BitsetView allowed :
         {BitsetView(points.count()), few.view(), few.view().first(2700), most.view(), BitsetView(100), BitsetView()}) {
        for (const std::size_t threads : {1U, 3U}) {
            check(70, threads, {10, 40, allowed});
            check(2, threads, {10, 40, allowed});  // rows are shared among three
            check(0, threads, {10, 40, allowed});
        }
        check(20, 2, {500, 40, allowed});
        check(20, 2, {0, 40, allowed});
    }
}

TEST_CASE("An exact search asks of its rows what the concept says and no more") {
    const kith_test::ArchetypeRows rows(0);
    kith::FlatIndex<kith_test::ArchetypeRows> index;
    index.insert(rows, 1000);
    const float query = 301;
    const auto found = kith_test::search(index, rows, &query, {2, 1, BitsetView(1000)});
    REQUIRE(found.size() == 2);
    CHECK(found[0] == Neighbor{1, 100});
    CHECK(found[1] == Neighbor{2, 101});
}

TEMPLATE_TEST_CASE("What the index does not hold yet is found by scanning", "", SmallHnsw, CodedHnsw, CodedFlat) {
    Clusters clusters(dim);
    const Points<kith::L2> points(dim, clusters.make(6000));
    const auto index = index_of<kith::L2, TestType>(points);
    const std::vector<float> queries = clusters.make(40);
    for (const Slot linked : {Slot{0}, Slot{10}, Slot{5900}, Slot{6000}}) {
        index->index_up_to(linked, 1);
        REQUIRE(index->indexed() == linked);
        for (const Slot visible : {Slot{5950}, Slot{6000}}) {
            std::size_t hits = 0;
            for (std::size_t at = 0; at < queries.size(); at += dim) {
                const auto found = ask(*index, &queries[at], {10, 64, BitsetView(visible)});
                REQUIRE(found.size() == 10);
                CHECK(std::is_sorted(found.begin(), found.end()));
                for (std::size_t i = 1; i < found.size(); ++i) CHECK(found[i].slot != found[i - 1].slot);
                for (const Neighbor& neighbor : found) CHECK(neighbor.slot < visible);
                hits += kith_test::hits(found, points.nearest(&queries[at], 10, BitsetView(visible)));
            }
            CHECK(hits >= 390);
        }
    }
}

TEMPLATE_TEST_CASE("A search returns as many as are asked for and exist, whatever is excluded", "", SmallHnsw,
                   CodedHnsw, CodedFlat) {
    Clusters clusters(dim);
    const Points<kith::L2> points(dim, clusters.make(6000));
    const auto index = index_of<kith::L2, TestType>(points);
    index->index_up_to(points.count(), 1);
    const std::vector<float> query = clusters.make(1);
    for (const Slot kept : {Slot{0}, Slot{1}, Slot{7}, Slot{600}, Slot{5000}, Slot{5999}}) {
        Exclusions excluded(points.count());
        for (Slot slot = kept; slot < points.count(); ++slot) excluded.exclude(slot);
        for (const std::size_t limit : {std::size_t{10}, std::size_t{500}, std::size_t{9000}}) {
            const auto found = ask(*index, query.data(), {limit, 32, excluded.view()});
            CHECK(found.size() == std::min<std::size_t>(limit, kept));
            for (const Neighbor& neighbor : found) CHECK(neighbor.slot < kept);
        }
    }
}

TEMPLATE_TEST_CASE("A search with a check finds what it finds with bits, however wrong it is about their number", "",
                   SmallHnsw, CodedHnsw, CodedFlat, kith::Flat) {
    class Below final : public kith::SlotCheck {
    public:
        explicit Below(Slot end) : end_(end) {}
        [[nodiscard]] bool allows(Slot slot) const noexcept override { return slot < end_; }

    private:
        Slot end_;
    };
    Clusters clusters(dim);
    const Points<kith::L2> points(dim, clusters.make(6000));
    const auto index = index_of<kith::L2, TestType>(points);
    index->index_up_to(4000, 1);  // the others are compared
    const std::vector<float> query = clusters.make(1);
    Exclusions thirds(points.count());
    for (Slot slot = 0; slot < points.count(); slot += 3) thirds.exclude(slot);
    for (const Slot end : {Slot{0}, Slot{2}, Slot{300}, Slot{5000}, Slot{6000}}) {
        const Below below(end);
        const Slot exist = end - (end + 2) / 3;
        for (const Slot about : {Slot{0}, Slot{1}, exist, Slot{6000}}) {
            const BitsetView allowed(thirds.view(), about, below);
            for (const std::size_t limit : {std::size_t{10}, std::size_t{500}}) {
                const auto found = ask(*index, query.data(), {limit, 600, allowed});
                CHECK(found.size() == std::min<std::size_t>(limit, exist));
                const auto truth = points.nearest(query.data(), limit, allowed);
                CHECK(kith_test::hits(found, truth) >= truth.size() * 95 / 100);
            }
        }
    }
}

TEMPLATE_TEST_CASE("A walk among what is not allowed is given up for a scan of the allowed, which is cheaper", "",
                   SmallHnsw, CodedHnsw) {
    constexpr Slot far = 2500;
    const Slot near = GENERATE(Slot{5000}, Slot{1500});
    std::vector<float> vectors(std::size_t{near + far} * dim);
    kith::SplitMix64 random(3);
    for (float& element : vectors) element = static_cast<float>(random.uniform());
    for (Slot slot = near; slot < near + far; ++slot) vectors[slot * dim] += 20;  // a ball of its own
    const Points<kith::L2> points(dim, vectors);
    const auto index = index_of<kith::L2, TestType>(points);
    index->index_up_to(points.count(), 1);
    Exclusions excluded(points.count());
    for (Slot slot = 0; slot < near; ++slot) excluded.exclude(slot);
    SearchParams params{10, 32, excluded.view()};
    const bool by_distance = GENERATE(false, true);
    if (by_distance) params.stretch = 1.1F;
    if (by_distance) params.ef_search = 2000;
    REQUIRE(index->plan(params).way == kith::SearchWay::indexed);
    for (Slot slot = 0; slot < 20; ++slot) {
        SearchScratch scratch;
        std::vector<Neighbor> found(10);
        found.resize(index->search(points.vector(slot), params, scratch, found.data()));
        CHECK(kith_test::hits(found, points.nearest(points.vector(slot), 10, excluded.view())) == 10);
        const Slot most = near < far ? far / 5 : far / 20;  // else it would have passed by all that are near
        CHECK(scratch.counts.nodes <= most + 20);
        CHECK(scratch.counts.codes + scratch.counts.distances >= far);
    }
}

TEMPLATE_TEST_CASE("Vectors come back bit for bit", "", kith::L2, kith::Cosine, kith::InnerProduct) {
    constexpr float largest = std::numeric_limits<float>::max();
    std::vector<float> vector(dim, std::numeric_limits<float>::denorm_min());
    vector[0] = -0.0F;
    vector[1] = largest;
    vector[2] = -largest;
    const auto index = kith::make_vector_index<TestType, SmallHnsw>(dim, 3);
    const std::vector<float> ones(dim, 1);
    index->append(ones.data());
    index->append(ones.data());
    index->truncate(1);
    CHECK(index->rows() == 1);
    index->append(vector.data());
    index->index_up_to(2, 1);
    std::vector<float> back(dim);
    index->vector(1, back.data());
    CHECK(std::memcmp(back.data(), vector.data(), dim * sizeof(float)) == 0);
    CHECK(ask(*index, vector.data(), {5, 5, BitsetView(2)}).size() == 2);
}

TEMPLATE_TEST_CASE("Scores follow the convention of the metric", "", kith::L2, kith::Cosine, kith::InnerProduct) {
    const auto index = kith::make_vector_index<TestType, kith::Flat>(dim, 1);
    CHECK(index->score(0.25F) == TestType::score(0.25F));
}

TEMPLATE_TEST_CASE("A mapped index answers as the one that was saved", "", kith::Flat, SmallHnsw, CodedHnsw,
                   CodedFlat) {
    Clusters clusters(dim);
    const Points<kith::Cosine> points(dim, clusters.make(5000));
    const auto index = index_of<kith::Cosine, TestType>(points);
    index->index_up_to(points.count(), 1);
    const kith_test::AlignedBytes rows(kith_test::bytes_of([&](const auto& sink) { index->save_rows(sink); }));
    const kith_test::AlignedBytes graph(kith_test::bytes_of([&](const auto& sink) { index->save_graph(sink); }));
    const auto mapped = kith::map_vector_index<kith::Cosine, TestType>(dim, points.count(), rows.view(), graph.view());
    CHECK(mapped->rows() == points.count());
    CHECK(mapped->indexed() == points.count());
    const std::vector<float> queries = clusters.make(10);
    for (std::size_t at = 0; at < queries.size(); at += dim) {
        const SearchParams params{10, 40, BitsetView(points.count())};
        CHECK(ask(*mapped, &queries[at], params) == ask(*index, &queries[at], params));
    }
    std::vector<float> back(dim);
    mapped->vector(4321, back.data());
    CHECK(std::memcmp(back.data(), points.vector(4321), dim * sizeof(float)) == 0);

    for (const std::size_t at :
         std::vector<std::size_t>{0, 8, 12, 16, 20, 40}) {  // magic, version, dim, stride, count, zeros
        std::string garbled(reinterpret_cast<const char*>(rows.view().data()), rows.view().size());
        garbled[at] ^= 1;
        const kith_test::AlignedBytes image(garbled);
        CHECK_THROWS_AS((kith::map_vector_index<kith::Cosine, TestType>(dim, 5000, image.view(), graph.view())),
                        kith::Error);
    }
    for (const std::size_t size : {std::size_t{0}, std::size_t{7}, std::size_t{63}, rows.view().size() - 1}) {
        CHECK_THROWS_AS(
            (kith::map_vector_index<kith::Cosine, TestType>(dim, 5000, rows.view().first(size), graph.view())),
            kith::Error);
    }
}

TEMPLATE_TEST_CASE("A search allocates nothing once its scratch is warm", "", SmallHnsw, CodedHnsw, CodedFlat) {
    Clusters clusters(dim);
    const Points<kith::Cosine> points(dim, clusters.make(6000));
    const auto index = index_of<kith::Cosine, TestType>(points);
    index->index_up_to(5990, 1);
    Exclusions few(points.count()), half(points.count()), most(points.count());
    few.exclude(17);
    for (Slot slot = 0; slot < points.count(); ++slot) {
        if (slot % 2 == 0) half.exclude(slot);
        if (slot % 50 != 0) most.exclude(slot);
    }
    const std::vector<float> queries = clusters.make(20);
    SearchScratch scratch;
    std::vector<Neighbor> found(10);
    const auto search_all = [&] {
        for (std::size_t at = 0; at < queries.size(); at += dim) {
            for (const BitsetView allowed : {BitsetView(points.count()), few.view(), half.view(), most.view()}) {
                index->search(&queries[at], {10, 64, allowed}, scratch, found.data());
            }
        }
    };
    search_all();
    const std::size_t before = kith_test::allocation_count();
    search_all();
    CHECK(kith_test::allocation_count() == before);
}

TEMPLATE_TEST_CASE("One thread appends, one links, four search", "[threads]", SmallHnsw, CodedHnsw) {
    // Whole registers: the kernels of codes read past shorter rows, into one that may be in the making, and ignore it.
    constexpr std::size_t whole = 64;
    Clusters clusters(whole);
    const Points<kith::L2> points(whole, clusters.make(5000));  // codes are learned anew at 4096
    const std::vector<float> queries = clusters.make(32);
    const auto index = kith::make_vector_index<kith::L2, TestType>(whole, points.count());
    std::atomic<Slot> published = 0;
    std::atomic<std::size_t> wrong = 0;
    std::thread linker([&] {
        while (index->indexed() < points.count()) index->index_up_to(published.load(), 1);
    });
    std::vector<std::thread> searchers;
    for (std::size_t thread = 0; thread < 4; ++thread) {
        searchers.emplace_back([&, thread] {
            SearchScratch scratch;
            std::vector<Neighbor> found(10);
            for (std::size_t query = thread; index->indexed() < points.count(); query = (query + 1) % 32) {
                const Slot visible = published.load();
                const std::size_t got =
                    index->search(&queries[query * whole], {10, 20, BitsetView(visible)}, scratch, found.data());
                if (got != std::min<std::size_t>(10, visible)) ++wrong;
                for (std::size_t i = 0; i < got; ++i) {
                    if (found[i].slot >= visible) ++wrong;
                    if (i > 0 && !(found[i - 1] < found[i])) ++wrong;  // no slot twice
                }
            }
        });
    }
    for (Slot slot = 0; slot < points.count(); ++slot) {
        index->append(points.vector(slot));
        if (slot % 50 == 49) published = slot + 1;
    }
    linker.join();
    for (std::thread& searcher : searchers) searcher.join();
    CHECK(wrong == 0);
}
