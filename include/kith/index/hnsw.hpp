// kith/index/hnsw.hpp — a navigable small-world graph: near the nearest in a few thousand distances.
//
// The graph knows slots and links; the vectors, or the codes of them, are Rows that every call is given. So there is
// one HNSW for all of them. The back room index/hnsw/ holds its parts: graph, search, prune, insert, adopt, format.
//
// Thread safety: insert is called by one thread at a time; search by any number, beside it, without waiting.
// Source: Malkov & Yashunin, arXiv:1603.09320.
#pragma once

#include "kith/core/assert.hpp"
#include "kith/core/error.hpp"
#include "kith/core/neighbor.hpp"
#include "kith/core/residency.hpp"
#include "kith/core/slot.hpp"
#include "kith/distance/scorer.hpp"
#include "kith/index/hnsw/adopt.hpp"
#include "kith/index/hnsw/format.hpp"
#include "kith/index/hnsw/graph.hpp"
#include "kith/index/hnsw/insert.hpp"
#include "kith/index/hnsw/params.hpp"
#include "kith/index/hnsw/search.hpp"
#include "kith/index/index_space.hpp"
#include "kith/index/search_params.hpp"
#include "kith/index/search_scratch.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <thread>
#include <vector>

namespace kith::inline v0 {

template <Rows R>
class HnswIndex {
public:
    /// An empty graph for up to `capacity` slots. Address space is reserved for all of them, memory is used as they
    /// come. Throws: Errc::invalid_argument (parameters out of range), Errc::limit_exceeded.
    HnswIndex(const HnswParams& params, Slot capacity) : graph_(params, capacity) {}

    /// The graph of `count` slots that save() wrote, over bytes that outlive it; it serves searches only.
    /// Requires: image.data() is aligned to 64 bytes.
    /// Throws: Errc::corrupt, Errc::unsupported_version.
    [[nodiscard]] static HnswIndex map(const ImageBytes& image, Slot count) {
        return HnswIndex(detail::map_graph(image, count));
    }

    /// The first so many slots are in the graph.
    [[nodiscard]] Slot size() const noexcept { return graph_.size(); }

    [[nodiscard]] const HnswParams& params() const noexcept { return graph_.params(); }

    /// Links the slots from size() up to `count`. With one thread the graph depends on seed and rows alone.
    /// Requires: count is at most the capacity; those rows are readable and stay as they are.
    /// Throws: std::bad_alloc before anything is changed.
    /// Cost: about 3000 distances a slot with the usual parameters.
    void insert(const R& rows, Slot count, unsigned threads = 1) {
        const Slot first = graph_.size();
        if (count <= first) return;
        KITH_ASSERT(count <= graph_.capacity());
        if (threads == 0) threads = 1;
        if (inserters_.size() < threads) inserters_.resize(threads);
        constexpr unsigned levels = detail::HnswGraph::highest_level + 1;
        for (detail::InsertScratch& scratch : inserters_) {
            scratch.reserve(graph_.params(), count, levels);
            static_cast<void>(rows.scorer_of(first, scratch.search.query));  // their memory grows here, or nowhere
            static_cast<void>(rows.scorer_of(first, scratch.other));
        }

        graph_.add_nodes(count);
        const Slot alone = threads == 1 ? count : std::clamp(parallel_from, first, count);
        for (Slot slot = first; slot < alone; ++slot) {
            detail::insert_node(graph_, rows, slot, count, inserters_[0]);
            graph_.set_size(slot + 1);
        }
        if (alone < count) insert_parallel(rows, alone, count, threads);
    }

    /// Takes over the graph of `other`, over the same rows: later slots are linked into it as if it had grown here.
    /// False, and nothing has changed, where it has other parameters or is damaged.
    /// Requires: this is empty, with room for it.
    bool adopt(const R&, const HnswIndex& other) noexcept { return detail::adopt_graph(graph_, other.graph_); }

    /// The nearest allowed slots of the graph, nearest first, equal distances by slot; returns how many.
    /// Slots that are not linked yet are not returned, whatever is allowed. Or given_up: see SearchParams::most_nodes.
    /// Shape: `query` holds rows.dim() elements, `out` has room for min(params.limit, size()).
    /// Throws: std::bad_alloc while `scratch` still grows.
    std::size_t search(const R& rows, const float* query, const SearchParams& params, SearchScratch& scratch,
                       Neighbor* out) const {
        const Slot linked = graph_.size();
        const Slot entry = graph_.entry();
        const Slot bound = graph_.reach();
        const Slot returned = std::min(linked, params.allowed.count());
        const std::size_t limit = std::min<std::size_t>(params.limit, returned);
        if (limit == 0 || entry == no_slot) return 0;
        const std::size_t wanted = std::min<std::size_t>(std::max<std::size_t>(params.ef_search, limit), bound);
        scratch.visited.clear(bound);
        if (params.absent < bound) scratch.visited.insert(params.absent);

        const auto scorer = rows.scorer(query, scratch.query);
        const Candidate start = detail::descend_to(graph_, scorer, entry, 0, bound, scratch.counts, params.absent);
        // The nearest alone says little of how far to look: a walk would end at the first that has no nearer neighbour.
        constexpr std::size_t fewest_stretched = 10;
        const std::size_t stretched = params.stretched == 0 ? limit : std::min(params.stretched, limit);
        const std::size_t last = std::min(std::max(stretched, fewest_stretched), wanted);
        const Horizon horizon{last, params.stretch, params.bound, (last + 1) / 2};
        const BitsetView allowed = params.allowed.first(returned);
        if (allowed.all() && returned == bound) {
            scratch.pool.reset(wanted);
            detail::beam(graph_, scorer, 0, start, bound, horizon, scratch);
        } else {
            scratch.pool.reset(params.stretch > 0 ? std::max(limit, last) : wanted);
            scratch.frontier.clear();
            scratch.frontier.reserve(bound);
            const std::size_t last_node = wanted * bound / std::max<Slot>(allowed.count_allowed(), 1);
            if (!detail::filtered_beam(graph_, scorer, start, bound, allowed, horizon, last_node, params.most_nodes,
                                       scratch)) {
                return given_up;
            }
        }
        std::size_t count = 0;
        for (const Candidate& candidate : scratch.pool) {
            if (count == limit) break;
            out[count++] = candidate.neighbor();
        }
        return count;
    }

    /// Writes the image that map() reads. Requires: no insert runs.
    template <class Sink>
    void save(const Sink& sink) const {
        detail::save_graph(graph_, sink);
    }

    [[nodiscard]] std::size_t memory_bytes() const noexcept {
        const std::size_t inserter = detail::InsertScratch::bytes_for(graph_.params(), graph_.size());
        return graph_.memory_bytes() + inserters_.size() * inserter;
    }

    /// What `count` nodes take. Which of them are on higher levels is chance, which evens out.
    [[nodiscard]] static IndexSpace space(const HnswParams& params, Slot count) noexcept {
        const Slot blocks = count / (params.max_links - 1);
        return {detail::HnswGraph::memory_bytes_for(params, count, blocks) +
                    (count == 0 ? 0 : detail::InsertScratch::bytes_for(params, count)),
                detail::GraphLayout::of(params.max_links, count, blocks).end};
    }

private:
    /// Below this many nodes one thread links alone: in a tiny graph, threads would overlook each other's nodes.
    static constexpr Slot parallel_from = 1000;

    explicit HnswIndex(const detail::MappedGraph& mapped) : graph_(mapped.params, mapped.arrays) {}

    void insert_parallel(const R& rows, Slot first, Slot count, unsigned threads) {
        std::atomic<Slot> next = first;
        const auto work = [&](detail::InsertScratch& scratch) noexcept {
            for (Slot slot = next.fetch_add(1); slot < count; slot = next.fetch_add(1)) {
                detail::insert_node(graph_, rows, slot, count, scratch);
            }
        };
        std::vector<std::thread> others;
        // A thread that cannot be had is missed only in speed: those that run take its share.
        static_cast<void>(attempt([&] {
            others.reserve(threads - 1);
            for (unsigned i = 1; i < threads; ++i) others.emplace_back(work, std::ref(inserters_[i]));
        }));
        work(inserters_[0]);
        for (std::thread& other : others) other.join();
        graph_.set_size(count);
    }

    detail::HnswGraph graph_;
    std::vector<detail::InsertScratch> inserters_;  // one a thread of insert()
};

}  // namespace kith::inline v0
