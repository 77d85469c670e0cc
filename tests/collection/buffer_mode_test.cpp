// tests/collection/buffer_mode_test.cpp — indexes larger than the cache they are read through answer as in memory.
#include "kith/core/residency.hpp"
#include "kith/index.hpp"
#include "kith/storage/cached_file.hpp"
#include "kith/storage/segment_file.hpp"

#include "index/points.hpp"
#include "support/catch.hpp"
#include "support/mapped_pages.hpp"
#include "support/raised.hpp"
#include "support/temporary_directory.hpp"

#include <atomic>
#include <cstring>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

using kith::BitsetView;
using kith::Errc;
using kith::HnswParams;
using kith::IvfParams;
using kith::Neighbor;
using kith::SearchParams;
using kith::SearchScratch;
using kith::Slot;
using kith::VectorIndex;
using kith::detail::BlockCache;
using kith::detail::CachedFile;
using kith::detail::SegmentFile;
using kith::detail::SegmentFileTag;
using kith_test::Clusters;
using kith_test::raised;
using kith_test::resident_bytes;
using kith_test::TemporaryDirectory;

namespace {

constexpr std::size_t dim = 96;
constexpr Slot count = 5000;
constexpr std::size_t block_bytes = BlockCache::block_bytes;
constexpr SegmentFileTag rows_tag{{}, 1, 0}, graph_tag{{}, 1, 1};

/// A metric, an index and an element, as a test is named by them.
template <class M, class Tag, class T = float>
struct Kind {
    using Metric = M;
    using Index = Tag;
    using Element = T;
};

constexpr HnswParams small_graph{.max_links = 8, .ef_construction = 40};
constexpr IvfParams few_lists{.lists = 64, .graph_from = 32};
using FloatGraph = Kind<kith::Cosine, kith::Hnsw<small_graph>>;
using CodedGraph = Kind<kith::L2, kith::Hnsw<small_graph, kith::Sq4>>;

/// Two files of a sealed segment, and what is mapped over them: all of it, and through a cache.
template <class K>
class Sealed {
public:
    Sealed() {
        Clusters clusters(dim);
        const std::vector<float> vectors = clusters.make(count);
        queries_ = clusters.make(30);
        const auto index =
            kith::make_vector_index<typename K::Metric, typename K::Index, typename K::Element>(dim, count);
        for (Slot slot = 0; slot < count; ++slot) index->append(&vectors[slot * dim]);
        index->index_up_to(count, 2);
        write_segment_file(rows_path(), rows_tag, [&](const auto& sink) { index->save_rows(sink); });
        write_segment_file(graph_path(), graph_tag, [&](const auto& sink) { index->save_graph(sink); });
        rows_.emplace(rows_path(), rows_tag);
        graph_.emplace(graph_path(), graph_tag);
        whole_ = map(rows_->payload(), graph_->payload());
    }

    [[nodiscard]] std::filesystem::path folder() const { return directory_.path(); }
    [[nodiscard]] std::filesystem::path rows_path() const { return directory_ / "v.rows"; }
    [[nodiscard]] std::filesystem::path graph_path() const { return directory_ / "v.graph"; }
    [[nodiscard]] const VectorIndex& whole() const { return *whole_; }
    [[nodiscard]] const float* query(std::size_t at) const { return &queries_[at * dim]; }
    [[nodiscard]] std::size_t query_count() const { return queries_.size() / dim; }
    [[nodiscard]] std::size_t bytes() const {
        return std::filesystem::file_size(rows_path()) + std::filesystem::file_size(graph_path());
    }

    /// Lets go of what is mapped as a whole, which would count as resident.
    void unmap() {
        whole_.reset();
        rows_.reset();
        graph_.reset();
    }

    static std::unique_ptr<VectorIndex> map(const kith::ImageBytes& rows, const kith::ImageBytes& graph) {
        return kith::map_vector_index<typename K::Metric, typename K::Index, typename K::Element>(dim, count, rows,
                                                                                                  graph);
    }

private:
    TemporaryDirectory directory_;
    std::vector<float> queries_;
    std::optional<SegmentFile> rows_, graph_;
    std::unique_ptr<VectorIndex> whole_;
};

/// The same index, read through a cache of so many blocks.
template <class K>
struct Buffered {
    Buffered(const Sealed<K>& sealed, std::size_t blocks)
        : cache(std::make_shared<BlockCache>(blocks * block_bytes)),
          rows(cache, sealed.rows_path(), rows_tag),
          graph(cache, sealed.graph_path(), graph_tag),
          index(Sealed<K>::map(rows.image(), graph.image())) {}

    void raise_damage() const {
        rows.raise_damage();
        graph.raise_damage();
    }

    std::shared_ptr<BlockCache> cache;
    CachedFile rows, graph;
    std::unique_ptr<VectorIndex> index;
};

std::vector<Neighbor> ask(const VectorIndex& index, const float* query, const SearchParams& params, bool exact) {
    SearchScratch scratch;
    std::vector<Neighbor> found(params.limit);
    found.resize(exact ? index.search_exact(query, params, scratch, found.data())
                       : index.search(query, params, scratch, found.data()));
    return found;
}

/// Every question a collection puts to an index, about every query: with and without exclusions.
template <class K>
std::vector<Neighbor> answers(const Sealed<K>& sealed, const VectorIndex& index, const auto& after_each) {
    kith_test::Exclusions third(count);
    for (Slot slot = 0; slot < count; slot += 3) third.exclude(slot);
    std::vector<Neighbor> all;
    const auto keep = [&](const std::vector<Neighbor>& found) {
        all.insert(all.end(), found.begin(), found.end());
        after_each();
    };
    for (std::size_t at = 0; at < sealed.query_count(); ++at) {
        const SearchParams some{10, 40, third.view(), 6};
        keep(ask(index, sealed.query(at), {10, 40, BitsetView(count), 6}, false));
        keep(ask(index, sealed.query(at), some, false));
        if (at % 10 == 0) keep(ask(index, sealed.query(at), some, true));
    }
    SearchScratch one, other;
    SearchScratch* const scratches[] = {&one, &other};
    const SearchParams params{5, 30, BitsetView(count), 6};
    std::vector<Neighbor> found(sealed.query_count() * params.limit);
    std::vector<std::size_t> counts(sealed.query_count());
    index.search_many(sealed.query(0), counts.size(), params, scratches, found.data(), counts.data());
    keep(found);
    index.search_exact_many(sealed.query(0), counts.size(), params, scratches, found.data(), counts.data());
    keep(found);
    return all;
}

}  // namespace

TEMPLATE_TEST_CASE("An index several times larger than its cache answers bit for bit as in memory, within the limit",
                   "", FloatGraph, CodedGraph, (Kind<kith::InnerProduct, kith::Hnsw<small_graph>, std::int8_t>),
                   (Kind<kith::L2, kith::Flat>), (Kind<kith::Cosine, kith::Flat, kith::Half>),
                   (Kind<kith::Cosine, kith::Coded<kith::Flat, kith::Sq8>>), (Kind<kith::L2, kith::Ivf<few_lists>>),
                   (Kind<kith::Cosine, kith::Ivf<few_lists, kith::IvfRaBitQ>>),
                   (Kind<kith::InnerProduct, kith::Ivf<few_lists, kith::IvfRaw>>)) {
    Sealed<TestType> sealed;
    const std::vector<Neighbor> expected = answers(sealed, sealed.whole(), [] {});
    std::vector<float> vectors(count * dim), vector(dim);
    for (Slot slot = 0; slot < count; ++slot) sealed.whole().vector(slot, &vectors[slot * dim]);
    sealed.unmap();

    // The second is smaller than what one query reads.
    for (const std::size_t blocks : {std::size_t{4}, std::size_t{1}}) {
        REQUIRE(sealed.bytes() > 2 * blocks * block_bytes);
        const Buffered<TestType> buffered(sealed, blocks);
        std::size_t most = 0;
        const auto measure = [&] { most = std::max(most, resident_bytes(sealed.folder())); };
        measure();
        CHECK(answers(sealed, *buffered.index, measure) == expected);
        bool same = true;
        for (Slot slot = 0; slot < count; slot += 7) {
            buffered.index->vector(slot, vector.data());
            same = same && std::memcmp(vector.data(), &vectors[slot * dim], dim * sizeof(float)) == 0;
        }
        measure();
        CHECK(same);
        CHECK(most <= blocks * block_bytes);  // between questions nothing is held
        CHECK(buffered.cache->stats().evictions > 100);
        buffered.raise_damage();
    }
}

TEST_CASE("Threads that search through one small cache all find what is there", "[threads]") {
    Sealed<CodedGraph> sealed;
    const auto answers_of = [&](const VectorIndex& index, std::size_t at) {
        return ask(index, sealed.query(at), {10, 40, BitsetView(count)}, at % 5 == 0);
    };
    std::vector<std::vector<Neighbor>> expected;
    for (std::size_t at = 0; at < sealed.query_count(); ++at) expected.push_back(answers_of(sealed.whole(), at));
    sealed.unmap();
    constexpr std::size_t blocks = 6, thread_count = 4;
    const Buffered<CodedGraph> buffered(sealed, blocks);
    std::atomic<std::size_t> wrong = 0, running = thread_count;
    std::vector<std::thread> threads;
    for (std::size_t thread = 0; thread < thread_count; ++thread) {
        threads.emplace_back([&, thread] {
            for (std::size_t i = 0; i < 40; ++i) {
                const std::size_t at = (i + thread * 7) % sealed.query_count();
                if (answers_of(*buffered.index, at) != expected[at]) ++wrong;
            }
            --running;
        });
    }
    std::size_t most = 0;
    while (running > 0) most = std::max(most, resident_bytes(sealed.folder()));
    for (std::thread& thread : threads) thread.join();
    CHECK(wrong == 0);
    // What is scored at once lies in as many blocks as there are pieces, or in two each, for every thread.
    CHECK(most <= (blocks + thread_count * BlockCache::most_held) * block_bytes);
    CHECK(resident_bytes(sealed.folder()) <= blocks * block_bytes);
    buffered.raise_damage();
}

TEMPLATE_TEST_CASE("Damage that is met only when a block comes in again is told after the search, which ends all right",
                   "", FloatGraph, CodedGraph, (Kind<kith::L2, kith::Ivf<few_lists>>)) {
    Sealed<TestType> sealed;
    sealed.unmap();
    Buffered<TestType> buffered(sealed, 4);
    static_cast<void>(answers(sealed, *buffered.index, [&] { buffered.raise_damage(); }));
    for (const auto& path : {sealed.rows_path(), sealed.graph_path()}) {
        const std::string whole = kith_test::bytes_of(path);
        kith::detail::File file = kith::detail::File::open_to_write(path);
        for (std::size_t at = 2 * block_bytes + 9; at < whole.size() - 100; at += block_bytes) {
            file.write_at(at, std::string(1, static_cast<char>(~whole[at])));
        }
        file.sync();
    }
    static_cast<void>(answers(sealed, *buffered.index, [] {}));
    const auto trouble = raised([&] { buffered.raise_damage(); });
    CHECK(trouble.code == Errc::corrupt);
    CHECK(trouble.says(sealed.folder().string() + "/v."));
    CHECK(trouble.says(": the checksum of the block that begins there is wrong"));
    CHECK(buffered.cache->stats().damaged > 3);
    CHECK(resident_bytes(sealed.folder()) <= 4 * block_bytes);
}
