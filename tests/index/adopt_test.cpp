// tests/index/adopt_test.cpp — an index that took over another one goes on as if it had grown there.
#include "kith/index/typed_vector_index.hpp"

#include "index/points.hpp"
#include "kith/core/residency.hpp"
#include "kith/index/ivf.hpp"
#include "kith/quantize/opq.hpp"
#include "kith/quantize/pq.hpp"
#include "kith/quantize/rabitq.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstring>
#include <list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

using kith::BitsetView;
using kith::HnswParams;
using kith::Neighbor;
using kith::SearchParams;
using kith::SearchScratch;
using kith::Slot;
using kith::VectorIndex;
using kith_test::Clusters;

namespace {

constexpr std::size_t dim = 32;
constexpr HnswParams small{8, 60};
constexpr Slot before = 3000, after = 5000;  // codes are learned anew at 4096

template <class Metric, class IndexTag, class ElementType = float>
struct Kind {
    using M = Metric;
    using Tag = IndexTag;
    using T = ElementType;

    static std::unique_ptr<VectorIndex> make(Slot capacity, std::size_t elements = dim) {
        return kith::make_vector_index<M, Tag, T>(elements, capacity);
    }
};

using Graph = Kind<kith::L2, kith::Hnsw<small>>;
using Listed = Kind<kith::L2, kith::Ivf<kith::IvfParams{.lists = 32}, kith::IvfRaw>>;

/// An index over the images that another one wrote.
class Mapped {
public:
    template <class K>
    static Mapped of(const K&, const VectorIndex& index) {
        Mapped mapped;
        mapped.rows_ = kith_test::bytes_of([&](const auto& sink) { index.save_rows(sink); });
        mapped.graph_ = kith_test::bytes_of([&](const auto& sink) { index.save_graph(sink); });
        mapped.map<K>(index.rows());
        return mapped;
    }

    /// The same with a byte of the graph's image changed.
    template <class K>
    Mapped garbled(const K&, std::size_t at, std::uint32_t number) const {
        Mapped mapped;
        mapped.rows_ = rows_;
        mapped.graph_ = graph_;
        std::memcpy(mapped.graph_.data() + at, &number, sizeof(number));
        mapped.map<K>(index_->rows());
        return mapped;
    }

    const VectorIndex& operator*() const { return *index_; }
    [[nodiscard]] const std::string& rows() const { return rows_; }
    [[nodiscard]] const std::string& graph() const { return graph_; }

    friend bool operator==(const Mapped& a, const Mapped& b) { return a.rows_ == b.rows_ && a.graph_ == b.graph_; }

private:
    template <class K>
    void map(Slot count) {
        row_memory_ = std::make_unique<kith_test::AlignedBytes>(rows_);
        graph_memory_ = std::make_unique<kith_test::AlignedBytes>(graph_);
        index_ = kith::map_vector_index<typename K::M, typename K::Tag, typename K::T>(dim, count, row_memory_->view(),
                                                                                       graph_memory_->view());
    }

    std::string rows_, graph_;
    std::unique_ptr<kith_test::AlignedBytes> row_memory_, graph_memory_;
    std::unique_ptr<VectorIndex> index_;
};

/// Bytes of an image that are there only while they are held, and nothing but ones otherwise.
class Fleeting final : public kith::Residency {
public:
    explicit Fleeting(const std::string& image) : image_(image), memory_(image.size()), times_(image.size()) {
        std::fill_n(memory_.data(), image.size(), std::byte{0xff});
    }

    [[nodiscard]] kith::ImageBytes image() { return {std::span<const std::byte>(memory_.data(), image_.size()), this}; }

    void* hold(std::span<const Piece> pieces, Use) noexcept override {
        for (const Piece& piece : pieces) change(piece, 1);
        return &held_.emplace_back(pieces.begin(), pieces.end());
    }
    void release(void* held) noexcept override {
        held_.remove_if([&](const std::vector<Piece>& pieces) {
            if (&pieces != held) return false;
            for (const Piece& piece : pieces) change(piece, -1);
            return true;
        });
    }

private:
    void change(const Piece& piece, int by) noexcept {
        const auto first = static_cast<std::size_t>(static_cast<const std::byte*>(piece.first) - memory_.data());
        for (std::size_t at = first; at < std::min(first + piece.bytes, image_.size()); ++at) {
            times_[at] += by;
            memory_.data()[at] = times_[at] > 0 ? static_cast<std::byte>(image_[at]) : std::byte{0xff};
        }
    }

    std::string image_;
    kith::ReservedMemory memory_;
    std::vector<int> times_;  // that each byte is held
    std::list<std::vector<Piece>> held_;
};

void append(VectorIndex& index, const std::vector<float>& vectors, Slot count) {
    for (Slot slot = index.rows(); slot < count; ++slot) index.append(&vectors[slot * dim]);
}

void grow(VectorIndex& index, const std::vector<float>& vectors, Slot count, unsigned threads = 1) {
    append(index, vectors, count);
    index.index_up_to(count, threads);
}

std::vector<Neighbor> ask(const VectorIndex& index, const float* query, std::size_t limit = 10,
                          std::uint32_t ef = 100) {
    SearchScratch scratch;
    std::vector<Neighbor> found(limit);
    found.resize(index.search(query, {limit, ef, BitsetView(index.rows())}, scratch, found.data()));
    return found;
}

/// The share of the true nearest ten that are found.
double recall(const VectorIndex& index, const std::vector<float>& queries) {
    std::size_t hits = 0;
    for (std::size_t at = 0; at < queries.size(); at += dim) {
        SearchScratch scratch;
        std::vector<Neighbor> truth(10);
        truth.resize(index.search_exact(&queries[at], {10, 1, BitsetView(index.rows())}, scratch, truth.data()));
        hits += kith_test::hits(ask(index, &queries[at], 10, 50), truth);
    }
    return static_cast<double>(hits) / (static_cast<double>(queries.size() / dim) * 10);
}

/// Vectors around centres, some hundred of them equal.
std::vector<float> with_copies(Clusters& clusters, std::size_t count) {
    std::vector<float> made = clusters.make(count);
    for (std::size_t at = 0; at < count; at += 17) std::copy_n(&made[0], dim, &made[at * dim]);
    return made;
}

}  // namespace

TEMPLATE_TEST_CASE("An index that took over another grows as that one would have", "", (Kind<kith::L2, kith::Flat>),
                   (Kind<kith::L2, kith::Hnsw<small>>), (Kind<kith::Cosine, kith::Hnsw<HnswParams{16, 40}>>),
                   (Kind<kith::InnerProduct, kith::Hnsw<small>>), (Kind<kith::L2, kith::Hnsw<small>, kith::Half>),
                   (Kind<kith::Cosine, kith::Hnsw<small>, std::int8_t>),
                   (Kind<kith::Hamming, kith::Hnsw<small>, kith::Bits8>),
                   (Kind<kith::Cosine, kith::Hnsw<small, kith::Sq8>>), (Kind<kith::L2, kith::Hnsw<small, kith::Sq4>>),
                   (Kind<kith::L2, kith::Hnsw<small, kith::RaBitQ<4>>>),
                   (Kind<kith::L2, kith::Hnsw<small, kith::Opq<kith::PqParams{.bits = 4}>>>),
                   (Kind<kith::Cosine, kith::Coded<kith::Flat, kith::Sq4>>),
                   (Kind<kith::L2, kith::Ivf<kith::IvfParams{.lists = 32}>>),
                   (Kind<kith::Cosine, kith::Ivf<kith::IvfParams{.lists = 32}, kith::IvfRaw>>),
                   (Kind<kith::InnerProduct, kith::Ivf<kith::IvfParams{.lists = 32}, kith::IvfRaBitQ>>),
                   (Kind<kith::L2, kith::Ivf<kith::IvfParams{.lists = 64, .graph_from = 64}, kith::IvfRaw>>)) {
    Clusters clusters(dim);
    const std::vector<float> vectors = with_copies(clusters, after);
    const auto grown = TestType::make(after);
    grow(*grown, vectors, before);
    grown->calibrate();
    const Mapped saved = Mapped::of(TestType(), *grown);
    const auto adopted = TestType::make(after);
    REQUIRE(adopted->adopt(*saved));
    CHECK(adopted->rows() == before);
    CHECK(adopted->indexed() == before);
    CHECK(adopted->calibrated() == grown->calibrated());
    CHECK(adopted->calibration_due() == grown->calibration_due());
    CHECK(Mapped::of(TestType(), *adopted) == saved);

    grow(*grown, vectors, after);
    grow(*adopted, vectors, after);
    const Mapped grown_on = Mapped::of(TestType(), *grown), adopted_on = Mapped::of(TestType(), *adopted);
    CHECK(adopted_on == grown_on);
    const std::vector<float> queries = clusters.make(30);
    std::size_t wrong = 0;
    for (std::size_t at = 0; at < queries.size(); at += dim) {
        const auto found = ask(*adopted, &queries[at]);
        wrong += found != ask(*grown, &queries[at]) || found != ask(*adopted_on, &queries[at]);
    }
    CHECK(wrong == 0);
}

TEMPLATE_TEST_CASE("An index that took over another finds as much as one that was built anew", "[threads][measured]",
                   (Kind<kith::L2, kith::Hnsw<small>>), (Kind<kith::Cosine, kith::Hnsw<small, kith::Sq4>>),
                   (Kind<kith::InnerProduct, kith::Hnsw<small>>)) {
    Clusters clusters(dim);
    const std::vector<float> vectors = with_copies(clusters, after), queries = clusters.make(100);
    const auto first = TestType::make(before), rebuilt = TestType::make(after);
    grow(*first, vectors, before);
    grow(*rebuilt, vectors, after);
    const Mapped saved = Mapped::of(TestType(), *first);
    const double expected = recall(*rebuilt, queries) - 0.02;
    for (const unsigned threads : {1U, 3U}) {
        const auto adopted = TestType::make(after);
        REQUIRE(adopted->adopt(*saved));
        append(*adopted, vectors, after);
        std::atomic<bool> linked = false;
        std::atomic<std::size_t> wrong = 0;
        std::thread searcher([&] {  // what was taken over is searched while it grows
            for (std::size_t at = 0; !linked; at = (at + dim) % queries.size()) {
                wrong += ask(*adopted, &queries[at]).size() != 10;
            }
        });
        adopted->index_up_to(after, threads);
        linked = true;
        searcher.join();
        CHECK(wrong == 0);
        CHECK(recall(*adopted, queries) >= expected);
    }
}

TEMPLATE_TEST_CASE("What is taken over is held while it is read", "", (Kind<kith::Cosine, kith::Flat>), Graph,
                   (Kind<kith::L2, kith::Hnsw<small, kith::Sq4>>),
                   (Kind<kith::L2, kith::Ivf<kith::IvfParams{.lists = 32}>>), Listed,
                   (Kind<kith::L2, kith::Ivf<kith::IvfParams{.lists = 64, .graph_from = 64}, kith::IvfRaBitQ>>)) {
    Clusters clusters(dim);
    const auto index = TestType::make(before);
    grow(*index, with_copies(clusters, before), before);
    const Mapped saved = Mapped::of(TestType(), *index);
    Fleeting rows(saved.rows()), graph(saved.graph());
    const auto mapped = kith::map_vector_index<typename TestType::M, typename TestType::Tag, typename TestType::T>(
        dim, before, rows.image(), graph.image());
    const auto adopted = TestType::make(before);
    REQUIRE(adopted->adopt(*mapped));
    CHECK(Mapped::of(TestType(), *adopted) == saved);
}

TEST_CASE("Equal vectors are all found after a graph was taken over") {
    Clusters clusters(dim);
    std::vector<float> vectors = clusters.make(2000);
    for (std::size_t at = 500; at < 1500; ++at) std::copy_n(&vectors[0], dim, &vectors[at * dim]);
    const auto first = Graph::make(1000);
    grow(*first, vectors, 1000);
    const Mapped saved = Mapped::of(Graph(), *first);
    const auto adopted = Graph::make(2000);
    REQUIRE(adopted->adopt(*saved));
    grow(*adopted, vectors, 2000);
    const auto found = ask(*adopted, vectors.data(), 1001, 1001);
    REQUIRE(found.size() == 1001);
    CHECK(found.back().distance == 0);
}

TEMPLATE_TEST_CASE("What is too little to learn from, or not indexed yet, is taken over as well", "", Graph,
                   (Kind<kith::L2, kith::Hnsw<small, kith::Sq8>>), Listed) {
    Clusters clusters(dim);
    const std::vector<float> vectors = clusters.make(2000), queries = clusters.make(20);
    for (const Slot rows : {Slot{0}, Slot{1}, Slot{500}}) {
        const auto first = TestType::make(500);
        grow(*first, vectors, rows);
        const auto from_memory = TestType::make(2000), from_image = TestType::make(2000);
        const Mapped saved = Mapped::of(TestType(), *first);
        append(*first, vectors, 500);  // and some that wait
        REQUIRE(from_memory->adopt(*first));
        REQUIRE(from_image->adopt(*saved));
        CHECK(from_memory->rows() == 500);
        CHECK(from_memory->indexed() == rows);
        CHECK(from_image->rows() == rows);
        CHECK(from_image->indexed() == rows);
        for (VectorIndex* const adopted : {from_memory.get(), from_image.get()}) {
            grow(*adopted, vectors, 2000);
            CHECK(recall(*adopted, queries) > 0.9);
        }
    }
}

TEST_CASE("An index of another kind is not taken over") {
    Clusters clusters(dim);
    const std::vector<float> vectors = clusters.make(2000), queries = clusters.make(20);
    const auto graph = Graph::make(2000), lists = Listed::make(2000);
    grow(*graph, vectors, 1500);
    grow(*lists, vectors, 1500);
    const auto refused = [&](const VectorIndex& other) {
        const auto index = Graph::make(2000);
        const bool taken = index->adopt(other);
        if (taken || index->rows() != 0 || index->indexed() != 0) return false;
        grow(*index, vectors, 1500);  // and it is as good as new
        return Mapped::of(Graph(), *index) == Mapped::of(Graph(), *graph);
    };
    CHECK(refused(*lists));
    CHECK(refused(*Kind<kith::Cosine, kith::Hnsw<small>>::make(10)));
    CHECK(refused(*Kind<kith::L2, kith::Hnsw<small, kith::Sq8>>::make(10)));
    CHECK(refused(*Kind<kith::L2, kith::Hnsw<HnswParams{9, 60}>>::make(10)));
    CHECK(refused(*Kind<kith::L2, kith::Hnsw<small>, kith::Half>::make(10)));
    CHECK(refused(*Kind<kith::L2, kith::Flat>::make(10)));
    CHECK(refused(*Graph::make(10, dim + 1)));
    CHECK(!Listed::make(2000)->adopt(*graph));
}

TEST_CASE("A damaged graph is not taken over") {
    Clusters clusters(dim);
    constexpr Slot count = 1500;
    const std::vector<float> vectors = clusters.make(count);
    const auto graph = Graph::make(count);
    grow(*graph, vectors, count);
    const Mapped saved = Mapped::of(Graph(), *graph);
    const auto layout = kith::detail::GraphLayout::of(small.max_links, count, 0);
    const std::size_t begin = kith::RecallCurve::image_bytes;
    const auto taken = [&](std::size_t at, std::uint32_t number) {
        const Mapped garbled = saved.garbled(Graph(), begin + at, number);
        const auto index = Graph::make(count);
        const bool adopted = index->adopt(*garbled);
        CHECK(index->rows() == (adopted ? count : 0));
        if (!adopted) {  // it is as good as new
            grow(*index, vectors, count);
            CHECK(Mapped::of(Graph(), *index) == saved);
        }
        return adopted;
    };
    CHECK(taken(layout.bottom, 7));
    CHECK(!taken(layout.bottom, count));            // a link to nowhere
    CHECK(!taken(layout.towers + 4 * 700, 12345));  // a tower that is not there
    CHECK(!taken(layout.towers + 4 * 700, 1));
    const kith::detail::HnswGraph levels(small, count);
    Slot low = 0;
    while (levels.level_of(low) != 0) ++low;
    CHECK(!taken(layout.blocks, low));  // a link of a higher level to a node that is not on it
    CHECK(!taken(24, 99));              // another seed: other levels
}

TEST_CASE("Lists that name slots that do not exist are not taken over") {
    Clusters clusters(dim);
    constexpr Slot count = 1500;
    const std::vector<float> vectors = clusters.make(count);
    const auto lists = Listed::make(count);
    grow(*lists, vectors, count);
    const Mapped saved = Mapped::of(Listed(), *lists);
    // Slots are the last part of the image; its last words may stand for no vector.
    const std::size_t first_slot = saved.graph().size() - sizeof(Slot) * 32;
    CHECK(!Listed::make(count)->adopt(*saved.garbled(Listed(), first_slot, count)));
    CHECK(Listed::make(count)->adopt(*saved));
}
