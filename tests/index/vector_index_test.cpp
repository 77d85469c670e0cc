// tests/index/vector_index_test.cpp — what an index of vectors promises, for every metric and every index.
#include "kith/index/vector_index.hpp"

#include "kith/core/error.hpp"
#include "kith/distance/cosine.hpp"
#include "kith/distance/inner_product.hpp"
#include "kith/distance/l2.hpp"
#include "kith/index/tags.hpp"
#include "kith/index/typed_vector_index.hpp"

#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/vectors.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <vector>

using kith::BitsetView;
using kith::Cosine;
using kith::Flat;
using kith::Hnsw;
using kith::InnerProduct;
using kith::L2;
using kith::Neighbor;
using kith::SearchParams;
using kith::SearchScratch;
using kith::Slot;
using kith::VectorIndex;
using kith_test::clustered_vectors;

namespace {

template <class M, class Tag = Hnsw<>>
std::unique_ptr<VectorIndex> filled(const std::vector<float>& vectors, std::size_t dim, unsigned threads = 1) {
    const std::size_t count = vectors.size() / dim;
    auto index = kith::make_vector_index<M, Tag>(dim, static_cast<Slot>(count));
    for (std::size_t row = 0; row < count; ++row) index->append(vectors.data() + row * dim);
    index->index_up_to(static_cast<Slot>(count), threads);
    return index;
}

std::vector<Neighbor> ask(const VectorIndex& index, const float* query, std::size_t limit, std::uint32_t ef,
                          BitsetView allowed) {
    SearchScratch scratch;
    std::vector<Neighbor> found(limit);
    found.resize(index.search(query, SearchParams{limit, ef, allowed}, scratch, found.data()));
    return found;
}

std::vector<Neighbor> ask_exact(const VectorIndex& index, const float* query, std::size_t limit, BitsetView allowed) {
    SearchScratch scratch;
    std::vector<Neighbor> found(limit);
    found.resize(index.search_exact(query, SearchParams{limit, 1, allowed}, scratch, found.data()));
    return found;
}

/// The share of the true nearest 10 that a search finds, over `queries`.
double recall_at_10(const VectorIndex& index, const std::vector<float>& queries, std::uint32_t ef, BitsetView allowed) {
    std::size_t found = 0;
    std::size_t expected = 0;
    for (std::size_t at = 0; at < queries.size(); at += index.dim()) {
        const auto exact = ask_exact(index, queries.data() + at, 10, allowed);
        for (const Neighbor& hit : ask(index, queries.data() + at, 10, ef, allowed)) {
            found += hit.distance <= exact.back().distance ? 1U : 0U;
        }
        expected += exact.size();
    }
    return static_cast<double>(found) / static_cast<double>(expected);
}

std::string image_of(const VectorIndex& index, bool graph) {
    std::string image;
    const kith::ByteSink sink = [&](const void* data, std::size_t bytes) {
        image.append(static_cast<const char*>(data), bytes);
    };
    graph ? index.save_graph(sink) : index.save_rows(sink);
    return image;
}

/// A copy of bytes at an address that a mapped file would have.
class Aligned {
public:
    explicit Aligned(const std::string& bytes)
        : bytes_(bytes.size()), memory_(std::aligned_alloc(4096, (bytes.size() / 4096 + 1) * 4096)) {
        std::memcpy(memory_, bytes.data(), bytes.size());
    }
    Aligned(const Aligned&) = delete;
    Aligned& operator=(const Aligned&) = delete;
    ~Aligned() { std::free(memory_); }

    [[nodiscard]] std::span<const std::byte> span() const { return {static_cast<const std::byte*>(memory_), bytes_}; }

private:
    std::size_t bytes_;
    void* memory_;
};

}  // namespace

TEMPLATE_TEST_CASE("An exact search equals the metric applied to every vector", "", L2, InnerProduct, Cosine) {
    for (const std::size_t dim : {1U, 2U, 3U, 17U, 100U}) {
        const std::vector<float> vectors = clustered_vectors(500, dim, 1);
        const std::vector<float> queries = clustered_vectors(5, dim, 2);
        const auto index = filled<TestType, Flat>(vectors, dim);
        for (std::size_t at = 0; at < queries.size(); at += dim) {
            std::vector<Neighbor> expected;
            for (Slot slot = 0; slot < 500; ++slot) {
                expected.push_back({TestType::distance(queries.data() + at, vectors.data() + slot * dim, dim), slot});
            }
            std::sort(expected.begin(), expected.end());
            const auto found = ask_exact(*index, queries.data() + at, 20, BitsetView(500));
            REQUIRE(found.size() == 20);
            for (std::size_t i = 0; i < 20; ++i) {
                CHECK(found[i].distance == Approx(expected[i].distance).margin(1e-5));
                CHECK(index->score(found[i].distance) == TestType::score(found[i].distance));
            }
            CHECK(std::is_sorted(found.begin(), found.end()));
        }
    }
}

TEMPLATE_TEST_CASE("A graph search finds at least 97 of 100 true neighbours", "", L2, InnerProduct, Cosine) {
    const std::vector<float> vectors = clustered_vectors(4000, 24, 3);
    const std::vector<float> queries = clustered_vectors(60, 24, 4);
    const auto index = filled<TestType>(vectors, 24);
    CHECK(index->indexed() == 4000);
    CHECK(recall_at_10(*index, queries, 100, BitsetView(4000)) >= 0.97);
    CHECK(recall_at_10(*index, queries, 10, BitsetView(4000)) < 1.0);
}

TEST_CASE("A vector comes back bit for bit, whatever its metric keeps beside it") {
    std::vector<float> vectors = clustered_vectors(50, 13, 5);
    vectors[3] = -0.0F;
    vectors[4] = 1e-40F;
    for (const auto& index : {filled<L2>(vectors, 13), filled<Cosine>(vectors, 13)}) {
        for (Slot slot = 0; slot < 50; ++slot) {
            std::vector<float> back(13);
            index->vector(slot, back.data());
            CHECK(std::memcmp(back.data(), vectors.data() + slot * 13, sizeof(float) * 13) == 0);
        }
    }
}

TEST_CASE("What is not linked yet is found by scanning, and what was truncated is gone") {
    const std::vector<float> vectors = clustered_vectors(3000, 8, 6);
    auto index = kith::make_vector_index<L2, Hnsw<>>(8, 3000);
    for (Slot slot = 0; slot < 3000; ++slot) index->append(vectors.data() + slot * 8);
    index->index_up_to(2500, 1);
    CHECK(index->indexed() == 2500);
    for (const Slot wanted : {Slot{5}, Slot{2499}, Slot{2500}, Slot{2999}}) {
        const auto found = ask(*index, vectors.data() + wanted * 8, 1, 50, BitsetView(3000));
        REQUIRE(found.size() == 1);
        CHECK(found[0] == Neighbor{0, wanted});
    }
    CHECK(ask(*index, vectors.data() + 2999 * 8, 1, 50, BitsetView(2999))[0].slot != 2999);
    index->truncate(2600);
    CHECK(index->rows() == 2600);
    index->index_up_to(2600, 1);
    CHECK(ask(*index, vectors.data(), 3000, 50, BitsetView(2600)).size() == 2600);
}

TEST_CASE("Excluded slots are never returned, and as many as exist always are") {
    const std::vector<float> vectors = clustered_vectors(4000, 16, 7);
    const std::vector<float> queries = clustered_vectors(20, 16, 8);
    const auto index = filled<L2>(vectors, 16);
    for (const unsigned percent : {10U, 50U, 90U, 99U}) {
        kith::SplitMix64 random(percent);
        std::vector<std::uint64_t> excluded(63);
        for (Slot slot = 0; slot < 4000; ++slot) {
            if (random.below(100) < percent) excluded[slot / 64] |= std::uint64_t{1} << (slot % 64);
        }
        const BitsetView allowed(excluded.data(), 4000);
        for (std::size_t at = 0; at < queries.size(); at += 16) {
            const auto found = ask(*index, queries.data() + at, 10, 64, allowed);
            REQUIRE(found.size() == std::min<std::size_t>(10, allowed.count_allowed()));
            for (const Neighbor& hit : found) CHECK(allowed.allows(hit.slot));
        }
        CHECK(recall_at_10(*index, queries, 128, allowed) >= 0.95);
        CHECK(ask(*index, queries.data(), 4000, 10, allowed).size() == allowed.count_allowed());
    }
}

TEST_CASE("One thread and one seed give the same graph, another seed another") {
    const std::vector<float> vectors = clustered_vectors(2000, 12, 9);
    const std::string first = image_of(*filled<L2>(vectors, 12), true);
    CHECK(first == image_of(*filled<L2>(vectors, 12), true));
    using OtherSeed = Hnsw<kith::HnswParams{.seed = 99}>;
    CHECK(first != image_of(*filled<L2, OtherSeed>(vectors, 12), true));
}

TEST_CASE("A graph built by several threads finds as much", "[threads]") {
    const std::vector<float> vectors = clustered_vectors(5000, 16, 10);
    const std::vector<float> queries = clustered_vectors(50, 16, 11);
    const auto index = filled<L2>(vectors, 16, 4);
    CHECK(index->indexed() == 5000);
    CHECK(recall_at_10(*index, queries, 100, BitsetView(5000)) >= 0.97);
}

TEST_CASE("Searches beside a writer see only what they were told of", "[threads]") {
    constexpr Slot count = 3000;
    const std::vector<float> vectors = clustered_vectors(count, 16, 12);
    auto index = kith::make_vector_index<L2, Hnsw<>>(16, count);
    std::atomic<Slot> published{0};
    std::atomic<int> wrong{0};
    const auto search = [&] {
        SearchScratch scratch;
        std::vector<Neighbor> found(10);
        for (Slot seen = 0; seen < count;) {
            seen = published.load();
            const float* const query = vectors.data() + (seen / 2) * 16;
            const std::size_t hits = index->search(query, {10, 40, BitsetView(seen)}, scratch, found.data());
            if (hits != std::min<std::size_t>(10, seen)) ++wrong;
            for (std::size_t i = 0; i < hits; ++i) {
                const float truth = L2::distance(query, vectors.data() + found[i].slot * 16, 16);
                if (found[i].slot >= seen || std::abs(truth - found[i].distance) > 1e-4F) ++wrong;
            }
        }
    };
    std::vector<std::thread> searchers;
    for (int i = 0; i < 3; ++i) searchers.emplace_back(search);
    std::thread linker([&] {
        while (index->indexed() < count) index->index_up_to(published.load(), 2);
    });
    for (Slot slot = 0; slot < count; ++slot) {
        index->append(vectors.data() + slot * 16);
        published.store(slot + 1);
    }
    linker.join();
    for (std::thread& searcher : searchers) searcher.join();
    CHECK(wrong == 0);
}

TEMPLATE_TEST_CASE("A mapped index answers as the one it was saved from", "", Hnsw<>, Flat) {
    const std::vector<float> vectors = clustered_vectors(3000, 20, 13);
    const std::vector<float> queries = clustered_vectors(20, 20, 14);
    const auto index = filled<Cosine, TestType>(vectors, 20);
    const Aligned rows(image_of(*index, false));
    const Aligned graph(image_of(*index, true));
    const auto mapped = kith::map_vector_index<Cosine, TestType>(20, 3000, rows.span(), graph.span());
    CHECK(mapped->indexed() == 3000);
    for (std::size_t at = 0; at < queries.size(); at += 20) {
        CHECK(ask(*mapped, queries.data() + at, 10, 50, BitsetView(3000)) ==
              ask(*index, queries.data() + at, 10, 50, BitsetView(3000)));
    }
    CHECK(image_of(*mapped, false) == image_of(*index, false));
}

TEST_CASE("An image that is cut or garbled is refused or harmless") {
    const std::vector<float> vectors = clustered_vectors(600, 6, 15);
    const auto index = filled<L2>(vectors, 6);
    const std::string rows = image_of(*index, false);
    const std::string graph = image_of(*index, true);
    const auto try_to_use = [&](const std::string& some_rows, const std::string& some_graph) {
        const Aligned row_bytes(some_rows);
        const Aligned graph_bytes(some_graph);
        const auto mapped = kith::map_vector_index<L2, Hnsw<>>(6, 600, row_bytes.span(), graph_bytes.span());
        for (Slot slot = 0; slot < 600; slot += 40) {
            for (const Neighbor& hit : ask(*mapped, vectors.data() + slot * 6, 5, 30, BitsetView(600))) {
                REQUIRE(hit.slot < 600);
            }
        }
    };
    for (std::size_t size = 0; size < graph.size(); size += 1 + graph.size() / 60) {
        CHECK_THROWS_AS(try_to_use(rows, graph.substr(0, size)), kith::Error);
    }
    for (std::size_t size = 0; size < rows.size(); size += 1 + rows.size() / 60) {
        CHECK_THROWS_AS(try_to_use(rows.substr(0, size), graph), kith::Error);
    }
    kith::SplitMix64 random(16);
    for (int round = 0; round < 300; ++round) {
        std::string garbled = graph;
        const std::size_t at = random.below(round < 100 ? 200 : garbled.size());
        garbled[at] = static_cast<char>(random());
        try {
            try_to_use(rows, garbled);
        } catch (const kith::Error&) {
        }
    }
}

TEST_CASE("Duplicates by the thousand do not hide the others") {
    std::vector<float> vectors = clustered_vectors(4000, 8, 17);
    for (std::size_t row = 0; row < 4000; row += 2) std::fill_n(vectors.data() + row * 8, 8, 0.25F);
    const auto index = filled<L2>(vectors, 8);
    std::size_t found = 0;
    for (Slot slot = 1; slot < 4000; slot += 20) {
        const auto hits = ask(*index, vectors.data() + slot * 8, 1, 64, BitsetView(4000));
        found += hits.at(0).distance == 0 ? 1U : 0U;
    }
    CHECK(found >= 195);
}

TEST_CASE("All vectors equal, dimension 1 and dimension 4096 are ordinary") {
    const std::vector<float> equal(3 * 1000, 1.0F);
    CHECK(ask(*filled<L2>(equal, 3), equal.data(), 10, 32, BitsetView(1000)).size() == 10);
    const std::vector<float> line = clustered_vectors(2000, 1, 18);
    CHECK(recall_at_10(*filled<L2>(line, 1), clustered_vectors(20, 1, 19), 64, BitsetView(2000)) >= 0.95);
    const std::vector<float> wide = clustered_vectors(60, 4096, 20);
    CHECK(ask(*filled<Cosine>(wide, 4096), wide.data() + 7 * 4096, 1, 32, BitsetView(60)).at(0).slot == 7);
}

TEST_CASE("A limit of nothing, beyond the count, and an index of nothing") {
    const std::vector<float> vectors = clustered_vectors(100, 4, 21);
    const auto index = filled<L2>(vectors, 4);
    CHECK(ask(*index, vectors.data(), 0, 10, BitsetView(100)).empty());
    CHECK(ask(*index, vectors.data(), 5000, 10, BitsetView(100)).size() == 100);
    CHECK(ask(*index, vectors.data(), 10, 10, BitsetView()).empty());
    const auto empty = kith::make_vector_index<L2, Hnsw<>>(4, 10);
    CHECK(ask(*empty, vectors.data(), 10, 10, BitsetView()).empty());
}

TEST_CASE("A search allocates nothing once its scratch is warm") {
    const std::vector<float> vectors = clustered_vectors(5000, 16, 22);
    const auto index = filled<L2>(vectors, 16);
    SearchScratch scratch;
    std::vector<Neighbor> found(10);
    std::vector<std::uint64_t> excluded(79, 0x1111111111111111);
    const SearchParams all{10, 64, BitsetView(5000)};
    const SearchParams some{10, 64, BitsetView(excluded.data(), 5000)};
    for (const SearchParams& params : {all, some}) {
        index->search(vectors.data(), params, scratch, found.data());
        const std::size_t before = kith_test::allocation_count();
        for (Slot slot = 0; slot < 100; ++slot)
            index->search(vectors.data() + slot * 16, params, scratch, found.data());
        CHECK(kith_test::allocation_count() == before);
    }
}
