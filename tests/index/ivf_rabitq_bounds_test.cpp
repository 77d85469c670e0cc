// tests/index/ivf_rabitq_bounds_test.cpp — what lists of bits say of a vector is right on average, and a bound but for
// few.
#include "kith/index/ivf.hpp"

#include "index/lists.hpp"
#include "index/points.hpp"
#include "laws/metric_laws.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <vector>

using kith::BitsetView;
using kith::Cosine;
using kith::InnerProduct;
using kith::IvfParams;
using kith::L2;
using kith::Neighbor;
using kith::Slot;
using kith::Training;
using kith_test::asking;
using kith_test::Clusters;
using kith_test::Points;

namespace kith_test {

/// Rows that count the slots they are asked about.
template <class M>
class CountingRows : public kith::RawRows<float, M> {
    using Plain = kith::RawRows<float, M>;

    template <class S>
    struct CountingScorer {
        S plain;
        std::size_t* count;

        void score(const kith::Slot* slots, std::size_t size, float* out) const noexcept {
            *count += size;
            plain.score(slots, size, out);
        }
        void score_block(kith::Slot first, std::size_t size, float* out) const noexcept {
            *count += size;
            plain.score_block(first, size, out);
        }
        void prefetch(kith::Slot slot) const noexcept { plain.prefetch(slot); }
    };

public:
    CountingRows(const Plain& rows, std::size_t& count) : Plain(rows), count_(&count) {}

    [[nodiscard]] auto scorer(const float* query, kith::ScratchMemory& scratch) const {
        return CountingScorer<decltype(Plain::scorer(query, scratch))>{Plain::scorer(query, scratch), count_};
    }

private:
    std::size_t* count_;
};

}  // namespace kith_test

namespace kith::inline v0::detail {

template <class M>
struct MetricOf<kith_test::CountingRows<M>> {
    using type = M;
};

}  // namespace kith::inline v0::detail

using kith_test::CountingRows;

namespace {

/// A list of random vectors about a centroid away from the mean, coded.
template <class M>
class CodedList {
    using Codes = kith::detail::IvfRaBitQCodes;
    static constexpr kith::detail::IvfForm form = kith::detail::form_of<kith::RawRows<float, M>>;

public:
    explicit CodedList(std::size_t dim) : dim_(dim), random_(dim), centroid_(floats(1)), vectors_(floats(count)) {
        for (std::size_t at = 0; at < vectors_.size(); ++at) vectors_[at] = 0.7F * vectors_[at] + centroid_[at % dim];
        normalise(vectors_);
        normalise(centroid_);
        const kith::Centroids centroids(centroid_, dim);
        const std::vector<float> sample = floats(100);
        codes_ = Codes::train({centroids, {sample.data(), 100, dim, dim}, IvfParams{}, form, Training{}});
        records_.resize((count + 31) / 32 * codes_.record_bytes());
        Codes::Encoder encoder(codes_, centroids, form);
        for (std::size_t i = 0; i < count; ++i) {
            std::copy_n(vector(i), dim, encoder.vector());
            encoder.put(0, &records_[i / 32 * codes_.record_bytes()], i % 32);
        }
    }

    /// A query some way off.
    std::vector<float> query() {
        std::vector<float> made = floats(1);
        for (std::size_t d = 0; d < dim_; ++d) made[d] = 0.5F * made[d] + centroid_[d];
        normalise(made);
        return made;
    }

    [[nodiscard]] const float* vector(std::size_t at) const { return &vectors_[at * dim_]; }

    /// The bound of each vector; with a confidence of 0 the estimate of its distance.
    std::vector<float> bounds(const std::vector<float>& query, float confidence) {
        const Codes::Tables tables(codes_, query.data(), confidence, memory_);
        std::vector<std::uint32_t> positions((count + 31) / 32 * 32);
        std::vector<float> found(positions.size());
        const float square = L2::distance(query.data(), centroid_.data(), dim_);
        const std::size_t named =
            tables.scan(records_.data(), count, std::sqrt(square), INFINITY, positions.data(), found.data());
        REQUIRE(named == count);
        found.resize(named);
        const float base =
            form.product ? InnerProduct::distance(query.data(), centroid_.data(), dim_) : form.weight / 2 * square;
        for (float& bound : found) bound += base;
        return found;
    }

    static constexpr std::size_t count = 500;

private:
    std::vector<float> floats(std::size_t rows) { return kith_test::random_floats(random_, rows * dim_, 1); }

    void normalise(std::vector<float>& values) const {
        for (std::size_t at = 0; std::is_same_v<M, Cosine> && at < values.size(); at += dim_) {
            const float scale = kith::detail::inverse_norm(&values[at], dim_);
            for (std::size_t d = 0; d < dim_; ++d) values[at + d] *= scale;
        }
    }

    std::size_t dim_;
    kith::SplitMix64 random_;
    std::vector<float> centroid_;
    std::vector<float> vectors_;
    Codes codes_;
    std::vector<std::byte> records_;
    kith::ScratchMemory memory_;
};

}  // namespace

TEMPLATE_TEST_CASE("Lower bounds hold for the share of vectors they promise, and estimates err to neither side", "", L2,
                   Cosine, InnerProduct) {
    for (const std::size_t dim : {64U, 100U, 384U, 1000U}) {
        CodedList<TestType> list(dim);
        double kept = 0, width = 0, off = 0, distances = 0, squares = 0;
        constexpr std::size_t queries = 30, pairs = queries * CodedList<TestType>::count;
        for (std::size_t turn = 0; turn < queries; ++turn) {
            const std::vector<float> query = list.query();
            const std::vector<float> estimates = list.bounds(query, 0), bounds = list.bounds(query, 1.9F);
            for (std::size_t i = 0; i < list.count; ++i) {
                const float truth = TestType::distance(query.data(), list.vector(i), dim);
                kept += truth >= bounds[i];
                width += static_cast<double>(estimates[i] - bounds[i]);
                const auto error = static_cast<double>(estimates[i] - truth);
                off += error;
                squares += error * error;
                distances += static_cast<double>(std::abs(truth));
            }
        }
        const double deviation = std::sqrt(squares / pairs);
        INFO(TestType::name << ", dim " << dim << ": kept " << kept / pairs << ", width " << width / distances
                            << ", off " << off / pairs << " of " << deviation);
        CHECK(kept / pairs >= 0.97);
        CHECK(kept / pairs <= 0.985);  // they are no wider than they must be
        CHECK(std::abs(off / pairs) < 0.1 * deviation);
        CHECK(width / pairs < 2.2 * deviation);
    }
}

TEMPLATE_TEST_CASE("Far fewer vectors are compared than are read", "", L2, Cosine, InnerProduct) {
    constexpr std::size_t dim = 128;
    Clusters clusters(dim);
    const Points<TestType> points(dim, clusters.make(6000));
    const std::vector<float> queries = clusters.make(20);
    std::size_t compared = 0;
    const CountingRows<TestType> rows(points.view(), compared);
    kith::IvfIndex<CountingRows<TestType>, kith::IvfRaBitQ> index({.lists = 64}, points.count());
    index.insert(rows, points.count());
    compared = 0;
    kith::SearchScratch scratch;
    std::vector<Neighbor> out(10);
    std::size_t hits = 0;
    for (std::size_t at = 0; at < queries.size(); at += dim) {
        const BitsetView all(points.count());
        REQUIRE(index.search(rows, &queries[at], asking(all, 64), scratch, out.data()) == 10);
        hits += kith_test::hits(out, points.nearest(&queries[at], 10, all));
    }
    CHECK(hits >= 198);
    CHECK(compared < 20 * 300);  // of 20 · 6000
}

TEST_CASE("What a scan gathers out of order is scored slot by slot") {
    constexpr std::size_t dim = 3;
    const Points<L2> points(dim, Clusters(dim).make(20));
    const float* const query = points.vector(0);
    kith::ScratchMemory scratch;
    const auto scorer = points.view().scorer(query, scratch);
    std::vector<Neighbor> found(3);
    kith::TopK best(found);
    kith::detail::ScanBlock block(scorer, best);
    for (const Slot slot : {Slot{5}, Slot{9}, Slot{7}}) block.add(slot);  // whose ends look like three in a row
    block.flush();
    for (const Neighbor& neighbor : best.sorted()) {
        CHECK((neighbor.slot == 5 || neighbor.slot == 7 || neighbor.slot == 9));
        CHECK(neighbor.distance == Approx(L2::distance(query, points.vector(neighbor.slot), dim)));
    }
}
