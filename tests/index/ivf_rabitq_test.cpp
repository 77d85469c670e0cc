// tests/index/ivf_rabitq_test.cpp — lists of bits find what is near by a bound, and nobody says how many to compare.
#include "kith/index/ivf.hpp"

#include "index/lists.hpp"
#include "index/points.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/raised.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

using kith::BitsetView;
using kith::Cosine;
using kith::Errc;
using kith::InnerProduct;
using kith::IvfIndex;
using kith::IvfParams;
using kith::L2;
using kith::Neighbor;
using kith::Slot;
using kith::Training;
using kith_test::asking;
using kith_test::Clusters;
using kith_test::Exclusions;
using kith_test::Points;
using kith_test::raised;
using kith_test::recall;

namespace {

template <class M>
using Bits = IvfIndex<kith::RawRows<float, M>, kith::IvfRaBitQ>;

/// What a check of an image asks.
struct SearchWhat {
    Slot count = 0;
    std::uint32_t nprobe = 0;
};

}  // namespace

TEMPLATE_TEST_CASE("With all lists read nearly all neighbours are found, though nobody said how many to compare", "",
                   L2, Cosine, InnerProduct) {
    for (const std::size_t dim : {24U, 100U}) {
        Clusters clusters(dim);
        const Points<TestType> points(dim, clusters.make(6000));
        const std::vector<float> queries = clusters.make(60);
        Bits<TestType> index({.lists = 64}, points.count());
        index.insert(points.view(), points.count());
        REQUIRE(index.lists() == 64);
        const BitsetView all(points.count());
        CHECK(recall(index, points, queries, dim, asking(all, 64)) >= 0.99);
        CHECK(recall(index, points, queries, dim, asking(all, 64, 100)) >= 0.99);
        CHECK(recall(index, points, queries, dim, asking(all, 64, 1)) >= 0.98);
        CHECK(recall(index, points, queries, dim, asking(all, 16)) >
              (std::is_same_v<TestType, InnerProduct> ? 0.7 : 0.95));
        for (const Neighbor& found : kith_test::search(index, points.view(), queries.data(), asking(all, 4))) {
            const float truth = TestType::distance(queries.data(), points.vector(found.slot), dim);
            CHECK(found.distance == Approx(truth).margin(1e-4));
        }
    }
}

TEST_CASE("Excluded slots are never returned, and enough lists of bits are read to find what is left") {
    constexpr std::size_t dim = 16;
    Clusters clusters(dim);
    const Points<L2> points(dim, clusters.make(5000));
    Bits<L2> index({.lists = 64, .graph_from = 64}, points.count());
    index.insert(points.view(), points.count());
    const std::vector<float> queries = clusters.make(10);
    for (const Slot every : {Slot{2}, Slot{10}, Slot{300}, Slot{2500}, Slot{6000}}) {
        Exclusions most(points.count());
        Slot kept = 0;
        for (Slot slot = 0; slot < points.count(); ++slot) {
            if (slot % every == 1) {
                ++kept;
            } else {
                most.exclude(slot);
            }
        }
        for (std::size_t at = 0; at < queries.size(); at += dim) {
            const auto found = kith_test::search(index, points.view(), &queries[at], asking(most.view(), 1));
            CHECK(found.size() == std::min<std::size_t>(10, kept));
            for (const Neighbor& neighbor : found) CHECK(neighbor.slot % every == 1);
        }
        CHECK(recall(index, points, queries, dim, asking(most.view(), 64)) >= 0.97);
    }
    CHECK(kith_test::search(index, points.view(), queries.data(), asking(BitsetView(), 4)).empty());
}

TEMPLATE_TEST_CASE("A mapped image of bits answers as the index that wrote it", "", L2, Cosine, InnerProduct) {
    constexpr std::size_t dim = 15;
    Clusters clusters(dim);
    const Points<TestType> points(dim, clusters.make(4000));
    const std::vector<float> queries = clusters.make(20);
    Bits<TestType> index({.lists = 32, .graph_from = 32}, points.count());
    const auto check = [&](const SearchWhat& what) {
        const std::string bytes = kith_test::graph_of(index);
        const kith_test::AlignedBytes image(bytes);
        const auto mapped = Bits<TestType>::map(image.view(), what.count);
        CHECK(mapped.size() == what.count);
        CHECK(mapped.lists() == index.lists());
        CHECK(mapped.drift() == index.drift());
        CHECK(mapped.params() == index.params());
        CHECK((kith_test::graph_of(mapped) == bytes));
        for (std::size_t at = 0; at < queries.size(); at += dim) {
            const auto params = asking(BitsetView(what.count), what.nprobe);
            CHECK(kith_test::search(mapped, points.view(), &queries[at], params) ==
                  kith_test::search(index, points.view(), &queries[at], params));
        }
    };
    for (const Slot count : {Slot{10}, Slot{3000}, Slot{4000}}) {
        index.insert(points.view(), count, count % 3 + 1);
        check({count, 5});
        check({count, 32});
    }
    index.retrain(points.view(), {.seed = 99, .threads = 2, .progress = {}});  // with another rotation
    check({4000, 32});
    CHECK(recall(index, points, queries, dim, asking(BitsetView(4000), 32)) >= 0.98);
}

TEST_CASE("A damaged image of bits is refused or answers with slots that exist") {
    constexpr std::size_t dim = 6;
    Clusters clusters(dim);
    const Points<L2> points(dim, clusters.make(700));
    Bits<L2> index({.lists = 20, .graph_from = 20}, points.count());
    index.insert(points.view(), points.count());
    const std::string good = kith_test::graph_of(index);
    const std::vector<float> query = clusters.make(1);
    const auto map = [&](const std::string& bytes) {
        const kith_test::AlignedBytes image(bytes);
        return raised([&] { static_cast<void>(Bits<L2>::map(image.view(), 700)); });
    };
    CHECK_FALSE(map(good).code);
    CHECK(map(good.substr(0, 127)).says("within its header"));
    CHECK(map(good.substr(0, good.size() - 1)).says("its header asks for"));
    CHECK(map(good + '\0').code == Errc::corrupt);
    const kith_test::AlignedBytes image(good);
    CHECK(raised([&] {
              static_cast<void>(IvfIndex<kith::RawRows<float, L2>, kith::IvfPq>::map(image.view(), 700));
          }).says("content at offset 112"));
    CHECK(raised([&] {
              static_cast<void>(IvfIndex<kith::RawRows<float, L2>, kith::IvfRaw>::map(image.view(), 700));
          }).says("content at offset 112"));
    for (const std::size_t at : {std::size_t{12}, std::size_t{24}}) {  // the dimension and the pieces
        for (const int value : {0, 1, 17, 255}) {
            std::string bytes = good;
            bytes[at] = static_cast<char>(value);
            bytes[at + 3] = static_cast<char>(value / 2);
            CHECK(map(bytes).code == Errc::corrupt);
        }
    }
    for (std::size_t at = 0; at < good.size(); at += at < 1000 ? 1 : 37) {
        for (const int flip : {0x01, 0x80, 0xff}) {
            std::string bytes = good;
            bytes[at] = static_cast<char>(bytes[at] ^ flip);
            const kith_test::AlignedBytes damaged(bytes);
            const auto outcome = raised([&] {
                const auto mapped = Bits<L2>::map(damaged.view(), 700);
                for (const Neighbor& found :
                     kith_test::search(mapped, points.view(), query.data(), asking(BitsetView(700), 4))) {
                    CHECK(found.slot < 700);
                }
            });
            if (outcome.code) CHECK((outcome.code == Errc::corrupt || outcome.code == Errc::unsupported_version));
        }
    }
}

TEST_CASE("Every dimension from one to thousands can be listed by bits, and no more than there are pieces for") {
    for (const std::size_t dim : {1U, 2U, 3U, 4U, 5U, 15U, 16U, 17U, 31U, 4096U}) {
        const std::size_t count = dim > 1000 ? 600 : 2000;
        Clusters clusters(dim, 3, 50);
        const Points<L2> points(dim, clusters.make(count));
        const std::vector<float> queries = clusters.make(5);
        Bits<L2> index({.lists = 16}, points.count());
        index.insert(points.view(), points.count());
        INFO("dim " << dim);
        CHECK(recall(index, points, queries, dim, asking(BitsetView(points.count()), 16)) > 0.98);
    }
    constexpr std::size_t dim = 16385;
    const Points<L2> points(dim, std::vector<float>(dim * 64, 1.0F));
    Bits<L2> index({.lists = 2}, points.count());
    const auto refused = raised([&] { index.insert(points.view(), points.count()); });
    CHECK(refused.code == Errc::invalid_argument);
    CHECK(refused.says("16385"));
}

TEMPLATE_TEST_CASE("Equal vectors, duplicates by the thousand, zeros and constant elements are found by bits", "", L2,
                   Cosine, InnerProduct) {
    constexpr std::size_t dim = 9;
    Clusters clusters(dim);
    std::vector<float> values = clusters.make(1500);
    for (std::size_t i = 0; i < 4000; ++i) values.insert(values.end(), values.begin(), values.begin() + dim);
    for (std::size_t at = 4; at < values.size(); at += dim) values[at] = 2.5F;  // an element without variance
    values.insert(values.end(), 100 * dim, 0.0F);
    const Points<TestType> points(dim, values);
    Bits<TestType> index({.lists = 64}, points.count());
    index.insert(points.view(), points.count());
    std::vector<float> queries = clusters.make(20);
    for (std::size_t at = 4; at < queries.size(); at += dim) queries[at] = 2.5F;
    const BitsetView all(points.count());
    CHECK(recall(index, points, queries, dim, asking(all, 64)) > 0.95);
    REQUIRE(kith_test::search(index, points.view(), values.data(), asking(all, 8)).size() == 10);
    CHECK(recall(index, points, std::vector<float>(dim, 0.0F), dim, asking(all, 64)) == 1);

    const Points<TestType> equal(dim, std::vector<float>(3000 * dim, 1.5F));
    Bits<TestType> one({.lists = 32}, equal.count());
    one.insert(equal.view(), equal.count());
    const auto found = kith_test::search(one, equal.view(), queries.data(), asking(BitsetView(equal.count()), 1));
    REQUIRE(found.size() == 10);
    for (std::size_t i = 0; i < found.size(); ++i) CHECK(found[i].slot == i);  // equal distances go by slot

    const Points<TestType> zeros(dim, std::vector<float>(1000 * dim, 0.0F));
    Bits<TestType> nothing({.lists = 16}, zeros.count());
    nothing.insert(zeros.view(), zeros.count());
    CHECK(kith_test::search(nothing, zeros.view(), queries.data(), asking(BitsetView(1000), 1)).size() == 10);
}

TEST_CASE("Huge, tiny and far-off vectors and queries come to no harm among bits") {
    constexpr std::size_t dim = 8;
    for (const float scale : {1e-30F, 1e-18F, 1e-6F, 1e6F, 1e15F, 1e18F, 3e37F}) {
        Clusters clusters(dim);
        std::vector<float> values = clusters.make(2000);
        for (float& value : values) value *= scale;
        const Points<L2> points(dim, values);
        Bits<L2> index({.lists = 16}, points.count());
        index.insert(points.view(), points.count());
        INFO("scale " << scale);
        for (const float queried : {0.0F, 1.0F, 1e4F}) {
            std::vector<float> query = clusters.make(1);
            for (float& value : query) value *= scale * queried;
            CHECK(kith_test::search(index, points.view(), query.data(), asking(BitsetView(2000), 4)).size() == 10);
        }
        std::vector<float> query(dim, 3e38F);
        CHECK(kith_test::search(index, points.view(), query.data(), asking(BitsetView(2000), 4)).size() == 10);
    }
    // Where the mean is far from zero, distances from centroids are rounded; what that hides is compared.
    Clusters clusters(dim);
    for (const float far : {100.0F, 1000.0F, 10000.0F}) {
        std::vector<float> values = clusters.make(3000), queries = clusters.make(20);
        for (std::vector<float>* const part : {&values, &queries}) {
            for (float& value : *part) value += far;
        }
        const Points<L2> points(dim, values);
        Bits<L2> index({.lists = 32}, points.count());
        index.insert(points.view(), points.count());
        CHECK(recall(index, points, queries, dim, asking(BitsetView(points.count()), 32)) >= 0.97);
    }
}

TEST_CASE("A search of bits allocates nothing once its scratch has grown") {
    constexpr std::size_t dim = 16;
    Clusters clusters(dim);
    const Points<Cosine> points(dim, clusters.make(6000));
    for (const std::uint32_t graph_from : {64U, 100U}) {
        Bits<Cosine> index({.lists = 64, .graph_from = graph_from}, points.count());
        index.insert(points.view(), points.count());
        const std::vector<float> queries = clusters.make(50);
        kith::SearchScratch scratch;
        std::vector<Neighbor> out(10);
        const auto rows = points.view();
        const auto ask_all = [&] {
            for (std::size_t at = 0; at < queries.size(); at += dim) {
                static_cast<void>(index.search(rows, &queries[at], asking(BitsetView(6000), 16), scratch, out.data()));
            }
        };
        ask_all();
        const std::size_t before = kith_test::allocation_count();
        ask_all();
        CHECK(kith_test::allocation_count() == before);
    }
}

TEST_CASE("The same rows give the same bits, whatever the number of threads and pieces they come in") {
    constexpr std::size_t dim = 20;
    const Points<Cosine> points(dim, Clusters(dim).make(5000));
    const auto image = [&](unsigned threads, std::uint64_t seed) {
        Bits<Cosine> index({.lists = 40, .seed = seed}, points.count());
        index.insert(points.view(), 4000, threads);
        for (Slot count = 4010; count <= 5000; count += 90) index.insert(points.view(), count, threads);
        return kith_test::graph_of(index);
    };
    const std::string one = image(1, 7);
    CHECK((image(3, 7) == one));
    CHECK((image(1, 8) != one));
}

TEST_CASE("Searches of bits go on beside inserts and see what was there before them", "[threads]") {
    constexpr std::size_t dim = 8;
    Clusters clusters(dim);
    const Points<L2> points(dim, clusters.make(6000));
    const std::vector<float> queries = clusters.make(16);
    Bits<L2> index({.lists = 32}, points.count());
    std::atomic<bool> done = false;
    std::atomic<std::size_t> wrong = 0;
    std::vector<std::thread> readers;
    for (unsigned reader = 0; reader < 2; ++reader) {
        readers.emplace_back([&, reader] {
            kith::SearchScratch scratch;
            std::vector<Neighbor> out(10);
            for (std::size_t turn = reader; !done.load() || turn < 50; ++turn) {
                const Slot size = index.size();
                const std::size_t found = index.search(points.view(), &queries[turn % 16 * dim],
                                                       asking(BitsetView(size), 8), scratch, out.data());
                wrong += found != std::min<std::size_t>(10, size);
                for (std::size_t i = 0; i < found; ++i) wrong += out[i].slot >= size;
            }
        });
    }
    for (Slot count = 100; count <= points.count(); count += 100) index.insert(points.view(), count);
    done = true;
    for (std::thread& reader : readers) reader.join();
    CHECK(wrong == 0);
    CHECK(recall(index, points, queries, dim, asking(BitsetView(6000), 32)) > 0.98);
}

TEST_CASE("The seam of collections takes lists of bits by their own name") {
    constexpr std::size_t dim = 12;
    using Tag = kith::Ivf<IvfParams{.lists = 32}, kith::IvfRaBitQ>;
    STATIC_REQUIRE(Tag::name == "ivf_rabitq1");
    Clusters clusters(dim);
    const Points<Cosine> points(dim, clusters.make(4000));
    const auto index = kith::make_vector_index<Cosine, Tag>(dim, points.count());
    for (Slot slot = 0; slot < points.count(); ++slot) index->append(points.vector(slot));
    index->index_up_to(3900, 1);
    const std::vector<float> queries = clusters.make(20);
    std::size_t hits = 0;
    for (std::size_t at = 0; at < queries.size(); at += dim) {
        kith::SearchScratch scratch;
        std::vector<Neighbor> found(10);
        const kith::SearchParams params = asking(BitsetView(points.count()), 16);
        found.resize(index->search(&queries[at], params, scratch, found.data()));
        hits += kith_test::hits(found, points.nearest(&queries[at], 10, params.allowed));
    }
    CHECK(hits > 190);
}
