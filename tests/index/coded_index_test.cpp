// tests/index/coded_index_test.cpp — graphs over codes meet what no benchmark has: equal, constant and odd vectors.
#include "kith/index/coded_index.hpp"

#include "index/points.hpp"
#include "kith/quantize/float16.hpp"
#include "kith/quantize/opq.hpp"
#include "kith/quantize/pq.hpp"
#include "support/catch.hpp"
#include "support/raised.hpp"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <string>
#include <vector>

using kith::BitsetView;
using kith::Neighbor;
using kith::SearchParams;
using kith::SearchScratch;
using kith::Slot;
using kith::VectorIndex;
using kith_test::Clusters;

namespace {

using Bytes = kith::Hnsw<kith::HnswParams{8, 60}, kith::Sq8>;
using Halves = kith::Hnsw<kith::HnswParams{8, 60}, kith::Sq4>;
using FlatBytes = kith::Coded<kith::Flat, kith::Sq8>;
using Learned = kith::Hnsw<kith::HnswParams{8, 60}, kith::Opq<kith::PqParams{.bits = 4}>>;
using FlatLearned = kith::Coded<kith::Flat, kith::Opq<kith::PqParams{.bits = 4}>>;

template <class M, class Tag>
std::unique_ptr<VectorIndex> index_of(std::size_t dim, const std::vector<float>& vectors) {
    const auto count = static_cast<Slot>(vectors.size() / dim);
    auto index = kith::make_vector_index<M, Tag>(dim, count);
    for (Slot slot = 0; slot < count; ++slot) index->append(&vectors[slot * dim]);
    index->index_up_to(count, 1);
    return index;
}

std::vector<Neighbor> ask(const VectorIndex& index, const float* query, std::size_t limit, std::uint32_t ef) {
    SearchScratch scratch;
    std::vector<Neighbor> found(limit);
    found.resize(index.search(query, {limit, ef, BitsetView(index.rows())}, scratch, found.data()));
    return found;
}

std::vector<Neighbor> ask_exactly(const VectorIndex& index, const float* query, std::size_t limit) {
    SearchScratch scratch;
    std::vector<Neighbor> found(limit);
    found.resize(index.search_exact(query, {limit, 1, BitsetView(index.rows())}, scratch, found.data()));
    return found;
}

template <class M, class Tag>
double recall(const VectorIndex& index, std::size_t dim, const std::vector<float>& queries) {
    std::size_t hits = 0;
    for (std::size_t at = 0; at < queries.size(); at += dim) {
        hits += kith_test::hits(ask(index, &queries[at], 10, 200), ask_exactly(index, &queries[at], 10));
    }
    return static_cast<double>(hits) / static_cast<double>(10 * (queries.size() / dim));
}

}  // namespace

TEMPLATE_TEST_CASE("Codes serve vectors of every length", "", Bytes, Halves, FlatBytes) {
    for (const std::size_t dim :
         {std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{130}, std::size_t{4096}}) {
        CAPTURE(dim);
        Clusters clusters(dim, 3, 40);
        const std::vector<float> vectors = clusters.make(dim == 4096 ? 400 : 4000);
        const auto index = index_of<kith::L2, TestType>(dim, vectors);
        CHECK(recall<kith::L2, TestType>(*index, dim, clusters.make(30)) >= 0.95);
    }
}

TEMPLATE_TEST_CASE("A thousand equal vectors leave the rest as easy to find", "", Bytes, Halves) {
    constexpr std::size_t dim = 16;
    Clusters clusters(dim);
    std::vector<float> vectors = clusters.make(5000);
    const std::vector<float> queries = clusters.make(40);
    const double before = recall<kith::L2, TestType>(*index_of<kith::L2, TestType>(dim, vectors), dim, queries);
    const std::vector<float> repeated(vectors.begin() + 160, vectors.begin() + 160 + dim);
    for (int copy = 0; copy < 1000; ++copy) vectors.insert(vectors.begin() + 320, repeated.begin(), repeated.end());
    const auto index = index_of<kith::L2, TestType>(dim, vectors);
    CHECK(recall<kith::L2, TestType>(*index, dim, queries) >= before - 0.02);
    const auto copies = ask(*index, repeated.data(), 1001, 1200);
    CHECK(std::count_if(copies.begin(), copies.end(), [](const Neighbor& at) { return at.distance == 0; }) == 1001);
}

TEMPLATE_TEST_CASE("Vectors that are all equal, constant in places, or near the end of float are found", "", Bytes,
                   Halves, FlatBytes, Learned, FlatLearned) {
    constexpr std::size_t dim = 20;
    Clusters clusters(dim);
    SECTION("all equal") {
        const std::vector<float> vectors(dim * 3000, 0.25F);
        const auto found = ask(*index_of<kith::Cosine, TestType>(dim, vectors), vectors.data(), 50, 60);
        REQUIRE(found.size() == 50);
        for (const Neighbor& at : found) CHECK(std::abs(at.distance) < 1e-6F);
    }
    SECTION("elements without variance") {
        std::vector<float> vectors = clusters.make(3000), queries = clusters.make(30);
        for (auto* both : {&vectors, &queries}) {
            for (std::size_t at = 0; at < both->size(); at += dim)
                std::fill_n(both->begin() + static_cast<long>(at), 10, 7.0F);
        }
        CHECK(recall<kith::L2, TestType>(*index_of<kith::L2, TestType>(dim, vectors), dim, queries) >= 0.97);
    }
    SECTION("huge and tiny") {
        std::vector<float> vectors = clusters.make(3000);
        for (std::size_t i = 0; i < dim; ++i) {
            vectors[i] = (i % 2 == 0 ? 1 : -1) * std::numeric_limits<float>::max();
            vectors[dim + i] = std::numeric_limits<float>::denorm_min();
        }
        const auto index = index_of<kith::L2, TestType>(dim, vectors);
        CHECK(ask(*index, &vectors[2 * dim], 10, 100).size() == 10);
        CHECK(ask(*index, &vectors[2 * dim], 1, 100)[0].slot == 2);
    }
}

TEMPLATE_TEST_CASE("The same vectors give the same bytes, and the same answers", "", Bytes, Halves, Learned) {
    constexpr std::size_t dim = 48;
    Clusters clusters(dim);
    const std::vector<float> vectors = clusters.make(3000);
    const auto first = index_of<kith::Cosine, TestType>(dim, vectors),
               second = index_of<kith::Cosine, TestType>(dim, vectors);
    const auto image = [](const VectorIndex& index) {
        return kith_test::bytes_of([&](const auto& sink) { index.save_graph(sink); });
    };
    CHECK(image(*first) == image(*second));
}

TEST_CASE("Any number of threads writes the same codes") {
    constexpr std::size_t dim = 33;
    Clusters clusters(dim);
    const std::vector<float> vectors = clusters.make(3000);
    const auto codes_by = [&](unsigned threads) {
        const auto index = kith::make_vector_index<kith::Cosine, FlatBytes>(dim, 3000);
        for (Slot slot = 0; slot < 3000; ++slot) index->append(&vectors[slot * dim]);
        index->index_up_to(700, threads);
        index->index_up_to(3000, threads);
        return kith_test::bytes_of([&](const auto& sink) { index->save_graph(sink); });
    };
    const std::string codes = codes_by(1);
    CHECK(codes_by(2) == codes);
    CHECK(codes_by(5) == codes);
}

TEST_CASE("Codes are learned anew as vectors come, the same however they come") {
    constexpr std::size_t dim = 16;
    using Products = kith::Coded<kith::Flat, kith::Pq<>>;
    Clusters first(dim, 1, 3), others(dim, 2);
    std::vector<float> vectors = first.make(4100);  // what comes first is like itself and unlike the rest
    for (float& value : vectors) value += 5;
    const std::vector<float> rest = others.make(14000), queries = others.make(60);
    vectors.insert(vectors.end(), rest.begin(), rest.end());
    const auto count = static_cast<Slot>(vectors.size() / dim);
    const auto built_by = [&](Slot step) {
        auto index = kith::make_vector_index<kith::L2, Products>(dim, count);
        for (Slot slot = 0; slot < count; ++slot) index->append(&vectors[slot * dim]);
        for (Slot until = step; until < count; until += step) index->index_up_to(until, 1);
        index->index_up_to(count, 1);
        return index;
    };
    const auto graph_of = [](const VectorIndex& index) {
        return kith_test::bytes_of([&](const auto& sink) { index.save_graph(sink); });
    };
    const auto index = built_by(256);
    CHECK((graph_of(*index) == graph_of(*built_by(100))));
    CHECK(recall<kith::L2, Products>(*index, dim, queries) >= 0.95);
}

TEST_CASE("An index of sub-vectors refuses the dimensions that they do not divide") {
    using Tag = kith::Hnsw<kith::HnswParams{}, kith::Pq<kith::PqParams{.subvectors = 7}>>;
    const auto refused = kith_test::raised([] { (void)kith::make_vector_index<kith::L2, Tag>(10, 100); });
    CHECK(refused.code == kith::Errc::invalid_argument);
    CHECK(refused.says("index 'hnsw/pq8' cannot be for vectors of 10 elements: its sub-vectors do not divide them"));
    CHECK_NOTHROW(kith::make_vector_index<kith::L2, Tag>(14, 100));
}

TEST_CASE("Codes of another dimension than the rows are refused") {
    using Tag = kith::Coded<kith::Flat, kith::Fp16>;
    constexpr std::size_t dim = 31;
    const auto index = index_of<kith::L2, Tag>(dim, Clusters(dim).make(1100));
    const kith_test::AlignedBytes rows(kith_test::bytes_of([&](const auto& sink) { index->save_rows(sink); }));
    std::string graph = kith_test::bytes_of([&](const auto& sink) { index->save_graph(sink); });
    graph[kith::RecallCurve::image_bytes + 12] = 32;  // codes of 32 elements take as many bytes
    const kith_test::AlignedBytes image(graph);
    const auto refused =
        kith_test::raised([&] { (void)kith::map_vector_index<kith::L2, Tag>(dim, 1100, rows.view(), image.view()); });
    CHECK(refused.code == kith::Errc::corrupt);
}

TEST_CASE("A damaged image of codes is refused") {
    constexpr std::size_t dim = 30;
    Clusters clusters(dim);
    const std::vector<float> vectors = clusters.make(1100);
    const auto index = index_of<kith::L2, Halves>(dim, vectors);
    const kith_test::AlignedBytes rows(kith_test::bytes_of([&](const auto& sink) { index->save_rows(sink); }));
    const std::string graph = kith_test::bytes_of([&](const auto& sink) { index->save_graph(sink); });
    const std::size_t codes = kith::RecallCurve::image_bytes;
    const auto map = [&](const std::string& bytes) {
        const kith_test::AlignedBytes image(bytes);
        (void)kith::map_vector_index<kith::L2, Halves>(dim, 1100, rows.view(), image.view());
    };
    CHECK_NOTHROW(map(graph));
    for (const int number : {0, 8, 12, 16, 20, 24, 30, 33, 34}) {  // every number of the header
        std::string garbled = graph;
        char& byte = garbled[codes + static_cast<std::size_t>(number)];
        byte = static_cast<char>(byte ^ 0x40);
        CHECK_THROWS_AS(map(garbled), kith::Error);
    }
    for (std::size_t size = 0; size < graph.size(); size += size < 1000 ? 7 : 4001) {
        CHECK_THROWS_AS(map(graph.substr(0, size)), kith::Error);
    }
}
