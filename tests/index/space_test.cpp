// tests/index/space_test.cpp — what an index is said to take before it is built is what it takes.
#include "kith/index/index_space.hpp"

#include "index/points.hpp"
#include "kith/index/ivf.hpp"
#include "kith/quantize/float16.hpp"
#include "kith/quantize/opq.hpp"
#include "kith/quantize/pq.hpp"
#include "kith/quantize/rabitq.hpp"
#include "kith/quantize/uniform.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <tuple>
#include <vector>

using kith::HnswParams;
using kith::IndexSpace;
using kith::Slot;
using kith::VectorIndex;

namespace {

constexpr std::size_t dim = 48;
constexpr HnswParams quick{16, 16};  // links are what is counted, and not how good they are

template <class Metric, class IndexTag, class ElementType = float>
struct Kind {
    using M = Metric;
    using Tag = IndexTag;
    using T = ElementType;
};

/// An index as a collection builds it: some vectors at a time, measured when that is due.
template <class K>
std::unique_ptr<VectorIndex> grown(Slot count) {
    constexpr Slot chunk = 256, fewest_measured = 1000;
    kith_test::Clusters clusters(dim);
    auto index = kith::make_vector_index<typename K::M, typename K::Tag, typename K::T>(dim, count);
    while (index->rows() < count) {
        const Slot until = std::min(count, index->rows() + chunk);
        const std::vector<float> vectors = clusters.make(until - index->rows());
        for (std::size_t at = 0; at < vectors.size(); at += dim) index->append(&vectors[at]);
        index->index_up_to(until, 1);
        if (until >= fewest_measured && index->calibration_due()) index->calibrate();
    }
    return index;
}

void check_near(std::uint64_t said, std::uint64_t measured) {
    CAPTURE(said, measured);
    CHECK(static_cast<double>(said) == Approx(static_cast<double>(measured)).epsilon(0.1));
}

template <class K>
void check(Slot count) {
    CAPTURE(count);
    const auto index = grown<K>(count);
    std::uint64_t disk = 0;
    const auto counting = [&](const void*, std::size_t bytes) { disk += bytes; };
    index->save_rows(counting);
    index->save_graph(counting);
    const IndexSpace said = kith::vector_index_space<typename K::M, typename K::Tag, typename K::T>(dim, count);
    check_near(said.memory_bytes, index->memory_bytes());
    check_near(said.disk_bytes, disk);
}

using Kinds = std::tuple<
    Kind<kith::L2, kith::Flat>, Kind<kith::Hamming, kith::Flat, kith::Bits8>, Kind<kith::L2, kith::Hnsw<quick>>,
    Kind<kith::Cosine, kith::Hnsw<quick>, kith::Half>, Kind<kith::L2, kith::Hnsw<HnswParams{4, 8}>>,
    Kind<kith::L2, kith::Hnsw<quick, kith::Sq4>>, Kind<kith::Cosine, kith::Hnsw<quick, kith::Sq8>>,
    Kind<kith::L2, kith::Hnsw<quick, kith::RaBitQ<4>>>, Kind<kith::L2, kith::Coded<kith::Flat, kith::Fp16>>,
    Kind<kith::L2, kith::Coded<kith::Flat, kith::SqUniform<8>>>, Kind<kith::L2, kith::Coded<kith::Flat, kith::Pq<>>>,
    Kind<kith::L2, kith::Coded<kith::Flat, kith::Opq<kith::PqParams{.bits = 4}>>>, Kind<kith::L2, kith::Ivf<>>,
    Kind<kith::Cosine, kith::Ivf<kith::IvfParams{}, kith::IvfRaw>>,
    Kind<kith::L2, kith::Ivf<kith::IvfParams{}, kith::IvfRaBitQ>>,
    Kind<kith::InnerProduct, kith::Ivf<kith::IvfParams{.lists = 96, .graph_from = 96}, kith::IvfRaBitQ>>>;

}  // namespace

TEMPLATE_LIST_TEST_CASE("An index takes what it is said to take", "", Kinds) {
    check<TestType>(100);
    check<TestType>(5000);
}

TEMPLATE_LIST_TEST_CASE("A large index takes what it is said to take", "[slow]", Kinds) {
    check<TestType>(70000);
}

TEST_CASE("What is mapped counts no memory") {
    using K = Kind<kith::L2, kith::Hnsw<quick, kith::Sq8>>;
    const auto index = grown<K>(5000);
    const kith_test::AlignedBytes rows(kith_test::bytes_of([&](const auto& sink) { index->save_rows(sink); }));
    const kith_test::AlignedBytes graph(kith_test::bytes_of([&](const auto& sink) { index->save_graph(sink); }));
    const auto mapped = kith::map_vector_index<K::M, K::Tag>(dim, 5000, rows.view(), graph.view());
    CHECK(mapped->memory_bytes() < 4096);  // the object, the mean, the curve
    CHECK(index->memory_bytes() > 5000 * dim * sizeof(float));
}
