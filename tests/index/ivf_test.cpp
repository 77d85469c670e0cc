// tests/index/ivf_test.cpp — lists find what is near, keep what they were given, and refuse what they cannot be.
#include "kith/index/ivf.hpp"

#include "index/lists.hpp"
#include "index/points.hpp"
#include "laws/metric_laws.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/raised.hpp"

#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

using kith::BitsetView;
using kith::Cosine;
using kith::Errc;
using kith::InnerProduct;
using kith::IvfIndex;
using kith::IvfParams;
using kith::L2;
using kith::Neighbor;
using kith::SearchParams;
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
using Coded = IvfIndex<kith::RawRows<float, M>, kith::IvfPq>;
template <class M>
using Raw = IvfIndex<kith::RawRows<float, M>, kith::IvfRaw>;

}  // namespace

TEMPLATE_TEST_CASE("Lists of codes find nearly all neighbours, and all lists find all but what codes confuse", "", L2,
                   Cosine, InnerProduct) {
    constexpr std::size_t dim = 24;
    Clusters clusters(dim);
    const Points<TestType> points(dim, clusters.make(8000));
    const std::vector<float> queries = clusters.make(60);
    Coded<TestType> index({.lists = 64}, points.count());
    index.insert(points.view(), points.count());
    REQUIRE(index.size() == points.count());
    REQUIRE(index.lists() == 64);
    const BitsetView all(points.count());
    CHECK(recall(index, points, queries, dim, asking(all, 64)) > 0.99);
    CHECK(recall(index, points, queries, dim, asking(all, 16)) > (std::is_same_v<TestType, InnerProduct> ? 0.7 : 0.95));
    CHECK(recall(index, points, queries, dim, asking(all, 64, 10, 800)) == 1);  // every row is compared
}

TEMPLATE_TEST_CASE("Lists without codes are exact once all are read", "", L2, Cosine, InnerProduct) {
    constexpr std::size_t dim = 7;
    Clusters clusters(dim);
    const Points<TestType> points(dim, clusters.make(3000));
    const std::vector<float> queries = clusters.make(20);
    Raw<TestType> index({.lists = 40}, points.count());
    index.insert(points.view(), points.count());
    Exclusions odd(points.count());
    for (Slot slot = 1; slot < points.count(); slot += 2) odd.exclude(slot);
    for (const BitsetView allowed : {BitsetView(points.count()), odd.view(), BitsetView(1000)}) {
        for (std::size_t at = 0; at < queries.size(); at += dim) {
            const auto truth = points.nearest(&queries[at], 10, allowed);
            const auto found = kith_test::search(index, points.view(), &queries[at], asking(allowed, 40));
            REQUIRE(found.size() == truth.size());
            CHECK(kith_test::hits(found, truth) == truth.size());
        }
    }
}

TEMPLATE_TEST_CASE("Distances that are returned are those of the vectors", "", L2, Cosine, InnerProduct) {
    constexpr std::size_t dim = 10;
    Clusters clusters(dim);
    const Points<TestType> points(dim, clusters.make(3000));
    Coded<TestType> index({.lists = 32}, points.count());
    index.insert(points.view(), points.count());
    const std::vector<float> query = clusters.make(1);
    for (const Neighbor& neighbor :
         kith_test::search(index, points.view(), query.data(), asking(BitsetView(points.count()), 4))) {
        const float truth = TestType::distance(query.data(), points.vector(neighbor.slot), dim);
        CHECK(neighbor.distance == Approx(truth).margin(1e-4));
    }
}

TEST_CASE("Few rows are compared one by one until there are enough to train") {
    constexpr std::size_t dim = 16;
    Clusters clusters(dim);
    const Points<L2> points(dim, clusters.make(4000));
    const std::vector<float> queries = clusters.make(10);
    Coded<L2> index({.lists = 100}, points.count());
    for (const Slot count : {Slot{1}, Slot{5}, Slot{3199}}) {
        index.insert(points.view(), count);
        CHECK(index.size() == count);
        CHECK(index.lists() == 0);
        CHECK(recall(index, points, queries, dim, asking(BitsetView(count), 1)) == 1);
    }
    index.insert(points.view(), 3200);
    CHECK(index.lists() == 100);
    CHECK(recall(index, points, queries, dim, asking(BitsetView(3200), 100)) > 0.99);
    index.insert(points.view(), 3200);  // nothing new is fine
    index.insert(points.view(), 100);   // and so is less
    CHECK(index.size() == 3200);
}

TEST_CASE("Rows that come later, in any pieces, are found, each once") {
    constexpr std::size_t dim = 12;
    Clusters clusters(dim);
    const Points<L2> points(dim, clusters.make(6000));
    Coded<L2> index({.lists = 50}, points.count());
    for (Slot count = 2000; count < points.count(); count += 1 + count % 97) index.insert(points.view(), count);
    index.insert(points.view(), points.count(), 2);
    const std::vector<float> queries = clusters.make(30);
    CHECK(recall(index, points, queries, dim, asking(BitsetView(points.count()), 50)) > 0.98);
    const auto found =
        kith_test::search(index, points.view(), queries.data(), asking(BitsetView(points.count()), 50, points.count()));
    std::set<Slot> slots;
    for (const Neighbor& neighbor : found) slots.insert(neighbor.slot);
    CHECK(found.size() == points.count());
    CHECK(slots.size() == points.count());
}

TEST_CASE("The same rows give the same image, whatever the number of threads") {
    constexpr std::size_t dim = 20;
    const Points<Cosine> points(dim, Clusters(dim).make(5000));
    const auto image = [&](unsigned threads, std::uint64_t seed) {
        Coded<Cosine> index({.lists = 40, .seed = seed}, points.count());
        index.insert(points.view(), 4000, threads);
        index.insert(points.view(), 5000, threads);
        return kith_test::graph_of(index);
    };
    const std::string one = image(1, 7);
    CHECK((image(1, 7) == one));
    CHECK((image(3, 7) == one));
    CHECK((image(1, 8) != one));
}

TEST_CASE("Excluded slots are never returned, and enough lists are read to find what is left") {
    constexpr std::size_t dim = 16;
    Clusters clusters(dim);
    const Points<L2> points(dim, clusters.make(5000));
    Coded<L2> index({.lists = 64}, points.count());
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
    }
    CHECK(kith_test::search(index, points.view(), queries.data(), asking(BitsetView(), 4)).empty());
    CHECK(kith_test::search(index, points.view(), queries.data(), asking(BitsetView(5000), 4, 0)).empty());
}

TEMPLATE_TEST_CASE("A mapped image answers as the index that wrote it", "", L2, Cosine, InnerProduct) {
    constexpr std::size_t dim = 15;  // which pieces of two do not divide
    Clusters clusters(dim);
    const Points<TestType> points(dim, clusters.make(4000));
    const std::vector<float> queries = clusters.make(20);
    const auto check = [&](auto& index) {
        for (const Slot count : {Slot{10}, Slot{3000}, Slot{4000}}) {
            index.insert(points.view(), count);
            const std::string bytes = kith_test::graph_of(index);
            const kith_test::AlignedBytes image(bytes);
            const auto mapped = std::remove_reference_t<decltype(index)>::map(image.view(), count);
            CHECK(mapped.size() == count);
            CHECK(mapped.lists() == index.lists());
            CHECK(mapped.drift() == index.drift());
            CHECK(mapped.params() == index.params());
            CHECK((kith_test::graph_of(mapped) == bytes));
            for (std::size_t at = 0; at < queries.size(); at += dim) {
                const SearchParams params = asking(BitsetView(count), 5);
                CHECK(kith_test::search(mapped, points.view(), &queries[at], params) ==
                      kith_test::search(index, points.view(), &queries[at], params));
            }
        }
    };
    Coded<TestType> coded({.lists = 32}, points.count());
    check(coded);
    Raw<TestType> raw({.lists = 32}, points.count());
    check(raw);
    Coded<TestType> walked({.lists = 64, .graph_from = 64}, points.count());
    check(walked);
}

TEMPLATE_TEST_CASE("A graph over many centroids finds the lists to read, or all are compared after all", "", L2, Cosine,
                   InnerProduct) {
    constexpr std::size_t dim = 12;
    Clusters clusters(dim);
    const Points<TestType> points(dim, clusters.make(8000));
    const std::vector<float> queries = clusters.make(40);
    Coded<TestType> compared({.lists = 200}, points.count());
    Coded<TestType> walked({.lists = 200, .graph_from = 200}, points.count());
    compared.insert(points.view(), points.count());
    walked.insert(points.view(), points.count());
    const BitsetView all(points.count());
    CHECK(recall(walked, points, queries, dim, asking(all, 20)) >
          recall(compared, points, queries, dim, asking(all, 20)) - 0.03);
    CHECK(recall(walked, points, queries, dim, asking(all, 200)) > 0.98);
    Exclusions most(points.count());
    for (Slot slot = 0; slot < points.count(); ++slot) {
        if (slot % 500 != 3) most.exclude(slot);
    }
    for (std::size_t at = 0; at < queries.size(); at += dim) {
        CHECK(kith_test::search(walked, points.view(), &queries[at], asking(most.view(), 2)).size() == 10);
    }
}

TEST_CASE("A damaged image is refused or answers with slots that exist") {
    constexpr std::size_t dim = 6;
    Clusters clusters(dim);
    const Points<L2> points(dim, clusters.make(700));
    Coded<L2> index({.lists = 20, .graph_from = 20}, points.count());
    index.insert(points.view(), points.count());
    const std::string good = kith_test::graph_of(index);
    const std::vector<float> query = clusters.make(1);
    const auto map = [&](const std::string& bytes, Slot count = 700) {
        const kith_test::AlignedBytes image(bytes);
        return raised([&] { static_cast<void>(Coded<L2>::map(image.view(), count)); });
    };
    CHECK_FALSE(map(good).code);
    CHECK(map("").says("offset 0"));
    CHECK(map(good.substr(0, 60)).code == Errc::corrupt);
    CHECK(map(good.substr(0, good.size() - 1)).says("its header asks for"));
    CHECK(map(good + '\0').code == Errc::corrupt);
    CHECK(map(good, 699).says("not 699"));
    std::string bytes = good;
    bytes[8] = 9;
    CHECK(map(bytes).code == Errc::unsupported_version);
    const kith_test::AlignedBytes image(good);
    CHECK(raised([&] { static_cast<void>(Coded<Cosine>::map(image.view(), 700)); }).says("metric"));
    CHECK(raised([&] { static_cast<void>(Raw<L2>::map(image.view(), 700)); }).code == Errc::corrupt);

    for (std::size_t at = 0; at < good.size(); at += at < 1000 ? 1 : 37) {
        for (const int flip : {0x01, 0x80, 0xff}) {
            bytes = good;
            bytes[at] = static_cast<char>(bytes[at] ^ flip);
            const kith_test::AlignedBytes damaged(bytes);
            const auto outcome = raised([&] {
                const auto mapped = Coded<L2>::map(damaged.view(), 700);
                for (const Neighbor& neighbor :
                     kith_test::search(mapped, points.view(), query.data(), asking(BitsetView(700), 4))) {
                    CHECK(neighbor.slot < 700);
                }
            });
            if (outcome.code) CHECK((outcome.code == Errc::corrupt || outcome.code == Errc::unsupported_version));
        }
    }
}

TEST_CASE("A training that is cancelled or throws leaves the index as it was") {
    constexpr std::size_t dim = 8;
    const Points<L2> points(dim, Clusters(dim).make(4000));
    for (const unsigned threads : {1U, 2U}) {
        Coded<L2> index({.lists = 64}, points.count());
        index.insert(points.view(), 50);
        const std::string before = kith_test::graph_of(index);
        for (const double until : {0.0, 0.3, 0.85}) {
            Training training{.seed = 1, .threads = threads, .progress = [&](double done) { return done < until; }};
            CHECK(raised([&] { index.insert(points.view(), 4000, training); }).code == Errc::cancelled);
            CHECK((kith_test::graph_of(index) == before));
            training.progress = [&](double done) -> bool {
                if (done >= until) throw std::runtime_error("enough");
                return true;
            };
            CHECK_THROWS_AS(index.insert(points.view(), 4000, training), std::runtime_error);
            CHECK(index.size() == 50);
            CHECK(index.lists() == 0);
        }
        index.insert(points.view(), 4000, threads);
        CHECK(index.lists() == 64);
    }
}

TEST_CASE("What does not fit is refused in a sentence with both numbers") {
    constexpr std::size_t dim = 10;
    const Points<L2> points(dim, Clusters(dim).make(2000));
    const auto insert = [&](const IvfParams& params) {
        Coded<L2> index(params, points.count());
        return raised([&] { index.insert(points.view(), points.count()); });
    };
    const auto odd = insert({.lists = 16, .subvectors = 3});
    CHECK(odd.code == Errc::invalid_argument);
    CHECK(odd.says("3 sub-vectors"));
    CHECK(odd.says("dimension 10"));
    CHECK_FALSE(insert({.lists = 16, .subvectors = 5}).code);
    CHECK(insert({.lists = 16, .subvectors = 5000}).code == Errc::invalid_argument);
}

TEST_CASE("Every dimension from one to thousands can be listed") {
    for (const std::size_t dim : {1U, 2U, 3U, 4U, 5U, 31U, 4096U}) {
        const std::size_t count = dim > 1000 ? 600 : 2000;
        Clusters clusters(dim, 3, 50);
        const Points<L2> points(dim, clusters.make(count));
        const std::vector<float> queries = clusters.make(5);
        Coded<L2> index({.lists = 16}, points.count());
        index.insert(points.view(), points.count());
        INFO("dim " << dim);
        CHECK(recall(index, points, queries, dim, asking(BitsetView(points.count()), 16)) > 0.98);
    }
}

TEMPLATE_TEST_CASE("Equal vectors, duplicates by the thousand and constant elements are found", "", L2, Cosine,
                   InnerProduct) {
    constexpr std::size_t dim = 9;
    Clusters clusters(dim);
    std::vector<float> values = clusters.make(1500);
    for (std::size_t i = 0; i < 4000; ++i) values.insert(values.end(), values.begin(), values.begin() + dim);
    for (std::size_t at = 4; at < values.size(); at += dim) values[at] = 2.5F;  // an element without variance
    const Points<TestType> points(dim, values);
    Coded<TestType> index({.lists = 64}, points.count());
    index.insert(points.view(), points.count());
    std::vector<float> queries = clusters.make(20);
    for (std::size_t at = 4; at < queries.size(); at += dim) queries[at] = 2.5F;
    CHECK(recall(index, points, queries, dim, asking(BitsetView(points.count()), 64)) > 0.95);
    const auto same = kith_test::search(index, points.view(), values.data(), asking(BitsetView(points.count()), 8));
    REQUIRE(same.size() == 10);

    const Points<TestType> equal(dim, std::vector<float>(3000 * dim, 1.5F));
    Coded<TestType> one({.lists = 32}, equal.count());
    one.insert(equal.view(), equal.count());
    const auto found = kith_test::search(one, equal.view(), queries.data(), asking(BitsetView(equal.count()), 1));
    REQUIRE(found.size() == 10);
    for (std::size_t i = 0; i < found.size(); ++i) CHECK(found[i].slot == i);  // equal distances go by slot

    const Points<TestType> zeros(dim, std::vector<float>(1000 * dim, 0.0F));
    Coded<TestType> nothing({.lists = 16}, zeros.count());
    nothing.insert(zeros.view(), zeros.count());
    CHECK(kith_test::search(nothing, zeros.view(), queries.data(), asking(BitsetView(1000), 1)).size() == 10);
}

TEST_CASE("Huge and tiny vectors and queries come to no harm") {
    constexpr std::size_t dim = 8;
    for (const float scale : {1e-18F, 1e-6F, 1e6F, 1e15F}) {
        Clusters clusters(dim);
        std::vector<float> values = clusters.make(2000);
        for (float& value : values) value *= scale;
        const Points<L2> points(dim, values);
        Coded<L2> index({.lists = 16}, points.count());
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
}

TEST_CASE("A search allocates nothing once its scratch has grown") {
    constexpr std::size_t dim = 16;
    Clusters clusters(dim);
    const Points<Cosine> points(dim, clusters.make(6000));
    Coded<Cosine> index({.lists = 64}, points.count());
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

TEST_CASE("Searches go on beside inserts and see what was there before them", "[threads]") {
    constexpr std::size_t dim = 8;
    Clusters clusters(dim);
    const Points<L2> points(dim, clusters.make(6000));
    const std::vector<float> queries = clusters.make(16);
    Coded<L2> index({.lists = 32}, points.count());
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
    for (Slot count = 100; count <= points.count(); count += 100) {
        index.insert(points.view(), count);
        if (count % 2000 == 0) index.retrain(points.view(), {});
    }
    done = true;
    for (std::thread& reader : readers) reader.join();
    CHECK(wrong == 0);
    CHECK(recall(index, points, queries, dim, asking(BitsetView(6000), 32)) > 0.98);
}
