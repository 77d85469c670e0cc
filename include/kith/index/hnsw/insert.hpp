// kith/index/hnsw/insert.hpp — linking a node into an HNSW graph that others are reading.
//
// All neighbours of a node are found first, on every level. Then its own lists are stored, and only then do links to it
// appear, from the bottom up: whoever reaches the node on some level finds its lists complete from there down.
//
// Duplicates. A thousand equal vectors would fill each other's lists and drop off the graph together. So a node equal
// to one that is there gets no links of its own making: it copies the list of the other and is chained to it, as the
// first link of that list. A walk that reaches the first of them reaches them all; the upper levels never see them.
//
// Thread safety: any number of insert_node at once, beside searches; one list is written by one thread at a time.
// Source: Malkov & Yashunin, arXiv:1603.09320, Algorithm 1.
#pragma once

#include "kith/core/slot.hpp"
#include "kith/distance/scorer.hpp"
#include "kith/index/candidate.hpp"
#include "kith/index/hnsw/graph.hpp"
#include "kith/index/hnsw/prune.hpp"
#include "kith/index/hnsw/search.hpp"
#include "kith/index/search_scratch.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

namespace kith::inline v0::detail {

/// The memory one inserting thread works in.
struct InsertScratch {
    SearchScratch search;
    ScratchMemory other;              // a node's row, prepared, while search.query holds that of the new one
    std::vector<Candidate> nearest;   // the beam's pool, unmarked
    std::vector<Candidate> selected;  // what the node links to on each level, max_links apart
    std::vector<std::size_t> counts;  // how many on each level

    /// Bytes that reserve() makes room for. Scorers of prepared rows take a little more.
    [[nodiscard]] static std::size_t bytes_for(const HnswParams& params, Slot bound) noexcept {
        constexpr std::size_t levels = HnswGraph::highest_level + 1;
        return sizeof(InsertScratch) + VisitedSet::bytes_for(bound) +
               (2 * std::size_t{params.ef_construction} + params.max_links * levels) * sizeof(Candidate) +
               levels * sizeof(std::size_t);
    }

    /// Makes room, so that insert_node allocates nothing.
    void reserve(const HnswParams& params, Slot bound, unsigned levels) {
        search.visited.clear(bound);
        search.pool.reset(params.ef_construction);
        nearest.reserve(params.ef_construction);
        selected.resize(std::size_t{params.max_links} * levels);
        counts.resize(levels);
    }
};

/// Adds a link from `owner` to `added`, whose distance is to the owner; prunes the list when it is full.
template <Rows R>
void link_to(HnswGraph& graph, const R& rows, unsigned level, Slot owner, Candidate added,
             ScratchMemory& scratch) noexcept {
    HnswGraph::NodeState& state = graph.state(owner);
    const NodeGuard guard(&state.lock);
    Slot* links = graph.writable_links(owner, level);
    std::size_t width = graph.width(level);
    std::size_t settled = 0;
    if (level == 0) {  // a chained link stays where it is, whatever is pruned
        links += state.chained;
        width -= state.chained;
        settled = state.settled;
    }
    const std::size_t count = count_links(links, width);
    if (count < width) {
        store_link(links + count, added.slot());
        return;
    }
    std::array<Slot, 2 * HnswParams::most_links> slots;
    std::array<float, 2 * HnswParams::most_links> distances;
    std::array<Candidate, 2 * HnswParams::most_links + 1> candidates;
    std::array<Candidate, 2 * HnswParams::most_links> kept;
    for (std::size_t i = 0; i < count; ++i) slots[i] = load_link(links + i);
    rows.scorer_of(owner, scratch).score(slots.data(), count, distances.data());
    for (std::size_t i = 0; i < count; ++i) candidates[i] = Candidate(distances[i], slots[i], i < settled);
    candidates[count] = added.unmarked();
    std::sort(candidates.data(), candidates.data() + count + 1);
    const std::size_t diverse = select_diverse(rows, {candidates.data(), count + 1}, width, kept.data(), scratch);
    for (std::size_t i = 0; i < diverse; ++i) slots[i] = kept[i].slot();
    store_links(links, width, slots.data(), diverse);
    if (level == 0) state.settled = static_cast<std::uint8_t>(diverse);
}

/// Among the nearest of `slot`, one that scores as `slot` itself does, both ways: for every metric, an equal vector.
template <Rows R, Scorer S>
std::optional<Slot> find_duplicate(const R& rows, const S& scorer, Slot slot, const CandidatePool& pool,
                                   ScratchMemory& scratch) noexcept {
    float self = 0;
    scorer.score(&slot, 1, &self);
    // Usually the nearest of all; under InnerProduct longer vectors come before it.
    const Candidate* const at = std::lower_bound(pool.begin(), pool.end(), Candidate(self, 0));
    if (at == pool.end() || at->distance() != self) return std::nullopt;
    const Slot other = at->slot();
    float other_self = 0;
    rows.scorer_of(other, scratch).score(&other, 1, &other_self);
    return other_self == self ? std::optional(other) : std::nullopt;
}

/// Puts `slot` behind `original`, an equal vector: a copy of its bottom list, which then begins with a link to `slot`.
inline void chain_duplicate(HnswGraph& graph, Slot original, Slot slot) noexcept {
    HnswGraph::NodeState& state = graph.state(original);
    const NodeGuard guard(&state.lock);
    Slot* const links = graph.writable_links(original, 0);
    const std::size_t width = graph.width(0);
    const std::size_t count = count_links(links, width);
    store_links(graph.writable_links(slot, 0), width, links, count);
    graph.state(slot).chained = state.chained;
    graph.state(slot).settled = state.settled;
    if (state.chained == 0 && count > 0) {
        // The first link moves to the end; from a full list the last goes, which the copy still has.
        const std::size_t last = std::min(count, width - 1);
        store_link(links + last, load_link(links));
        if (state.settled > 0)
            state.settled = static_cast<std::uint8_t>(std::min<std::size_t>(state.settled, last) - 1);
    }
    store_link(links, slot);
    state.chained = 1;
}

/// Stores the links of `slot` on `level`: diverse ones among what the beam left in the pool.
template <Rows R>
void choose_links(HnswGraph& graph, const R& rows, Slot slot, unsigned level, InsertScratch& scratch) noexcept {
    const std::size_t wanted = graph.params().max_links;
    scratch.nearest.clear();
    for (const Candidate candidate : scratch.search.pool) scratch.nearest.push_back(candidate.unmarked());
    Candidate* const selected = scratch.selected.data() + level * wanted;
    const std::size_t count = select_diverse(rows, scratch.nearest, wanted, selected, scratch.other);
    scratch.counts[level] = count;
    Slot* const links = graph.writable_links(slot, level);
    for (std::size_t i = 0; i < count; ++i) store_link(links + i, selected[i].slot());
    if (level == 0) graph.state(slot).settled = static_cast<std::uint8_t>(count);
}

/// Links a node that add_nodes made. Nothing links to it yet.
/// Requires: scratch has room for this graph; the rows below `bound`, the graph's reach, are readable.
template <Rows R>
void insert_node(HnswGraph& graph, const R& rows, Slot slot, Slot bound, InsertScratch& scratch) noexcept {
    const unsigned level = graph.level_of(slot);
    Slot entry = graph.entry();
    std::unique_lock<std::mutex> entry_lock(graph.entry_mutex(), std::defer_lock);
    if (entry == no_slot || level > graph.level_of(entry)) {
        entry_lock.lock();  // one node at a time becomes the entry, and only once it is linked
        entry = graph.entry();
        if (entry == no_slot) {
            graph.set_entry(slot);
            return;
        }
    }
    const unsigned top = graph.level_of(entry);
    const unsigned highest = std::min(level, top);
    const auto scorer = rows.scorer_of(slot, scratch.search.query);
    SearchScratch& search = scratch.search;
    Candidate nearest = descend_to(graph, scorer, entry, highest, bound, search.counts);
    for (unsigned at = highest;; --at) {
        search.visited.clear(bound);
        search.pool.reset(graph.params().ef_construction);
        beam(graph, scorer, at, nearest, bound, Horizon{}, search);
        nearest = search.pool.begin()->unmarked();
        if (at == 0) break;
        choose_links(graph, rows, slot, at, scratch);
    }
    if (const std::optional<Slot> original = find_duplicate(rows, scorer, slot, search.pool, scratch.other)) {
        chain_duplicate(graph, *original, slot);
        return;
    }
    choose_links(graph, rows, slot, 0, scratch);
    for (unsigned at = 0; at <= highest; ++at) {
        const Candidate* const selected = scratch.selected.data() + at * graph.params().max_links;
        for (std::size_t i = 0; i < scratch.counts[at]; ++i) {
            link_to(graph, rows, at, selected[i].slot(), Candidate(selected[i].distance(), slot), scratch.other);
        }
    }
    if (level > top) graph.set_entry(slot);
}

}  // namespace kith::inline v0::detail
