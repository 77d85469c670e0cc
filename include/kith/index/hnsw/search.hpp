// kith/index/hnsw/search.hpp — walking an HNSW graph towards a query.
//
// The walk is bound by cache misses, not by arithmetic, so it keeps many of them in flight. It expands a few of the
// nearest candidates at a time, drops the neighbours already met, and hands the rest to one kernel call, which fetches
// ahead. What enters the pool is expanded soon, so its links are fetched at once.
//
// Thread safety: reads only; any number at a time, beside a writer.
// Source: Malkov & Yashunin, arXiv:1603.09320, Algorithms 2 and 5; Al-Jazzazi et al., "Distance adaptive beam search
// for provably accurate graph-based nearest neighbor search", arXiv:2505.15636 (the horizon).
#pragma once

#include "kith/core/bitset_view.hpp"
#include "kith/core/residency.hpp"
#include "kith/core/slot.hpp"
#include "kith/distance/scorer.hpp"
#include "kith/index/candidate.hpp"
#include "kith/index/hnsw/graph.hpp"
#include "kith/index/search_counts.hpp"
#include "kith/index/search_scratch.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <functional>

namespace kith::inline v0::detail {

/// Nodes that are expanded together. Some of them a stricter search would not have expanded, which finds a little more
/// for it; at equal recall, four answer 10 to 15 % more queries a second than one (100 to 784 dimensions).
inline constexpr std::size_t nodes_at_once = 4;

/// The neighbours of a few nodes on their way through a kernel.
struct NeighborBlock {
    static constexpr std::size_t most = nodes_at_once * 2 * HnswParams::most_links;

    std::array<Slot, most> slots;
    std::array<float, most> distances;
    std::size_t count = 0;

    template <Scorer S>
    void score(const S& scorer) noexcept {
        scorer.score(slots.data(), count, distances.data());
    }
};

/// Adds to `block` the neighbours of `node` but for `absent`.
inline void add_links(const HnswGraph& graph, unsigned level, Slot node, Slot bound, Slot absent,
                      NeighborBlock& block) noexcept {
    const Held held = graph.hold_links(&node, 1, level);
    const Slot* const links = graph.links(node, level);
    if (links == nullptr) return;
    for (std::size_t i = 0; i < graph.width(level); ++i) {
        const Slot slot = load_link(links + i);
        if (slot == no_slot) break;
        if (slot < bound && slot != absent) block.slots[block.count++] = slot;
    }
}

/// Moves greedily from `from` to a node on `level` with no nearer neighbour, never onto `absent`.
/// Requires: from.slot() is below `bound`, the graph's reach.
template <Scorer S>
Candidate descend(const HnswGraph& graph, const S& scorer, unsigned level, Candidate from, Slot bound, Slot absent,
                  SearchCounts& counts) noexcept {
    NeighborBlock block;
    for (bool moved = true; moved;) {
        moved = false;
        block.count = 0;
        add_links(graph, level, from.slot(), bound, absent, block);
        block.score(scorer);
        ++counts.nodes;
        counts.distances += block.count;
        for (std::size_t i = 0; i < block.count; ++i) {
            const Candidate candidate(block.distances[i], block.slots[i]);
            if (candidate < from) {
                from = candidate;
                moved = true;
            }
        }
    }
    return from;
}

/// From the entry down to the node nearest to the query on level `last`, greedily.
/// Requires: entry is a node of the graph, below `bound`.
template <Scorer S>
Candidate descend_to(const HnswGraph& graph, const S& scorer, Slot entry, unsigned last, Slot bound,
                     SearchCounts& counts, Slot absent = no_slot) noexcept {
    float distance = 0;
    scorer.score(&entry, 1, &distance);
    ++counts.distances;
    Candidate nearest(distance, entry);
    for (unsigned level = graph.level_of(entry); level > last; --level) {
        nearest = descend(graph, scorer, level, nearest, bound, absent, counts);
    }
    return nearest;
}

/// Adds to `block` the neighbours of `node` that this search has not met. Requires: its links are held.
inline void add_unmet(const HnswGraph& graph, unsigned level, Slot node, Slot bound, VisitedSet& visited,
                      NeighborBlock& block) noexcept {
    const Slot* const links = graph.links(node, level);
    if (links == nullptr) return;
    for (std::size_t i = 0; i < graph.width(level); ++i) {
        const Slot slot = load_link(links + i);
        if (slot == no_slot) break;
        if (slot >= bound) continue;
        block.slots[block.count] = slot;
        block.count += visited.insert(slot) ? 1U : 0U;
    }
}

/// Keeps the links in memory of those nodes that beam() expands next.
[[gnu::noinline, gnu::cold]] inline Held hold_next(const HnswGraph& graph, CandidatePool& pool, std::size_t next,
                                                   unsigned level) noexcept {
    std::array<Slot, nodes_at_once> nodes;
    std::size_t count = 0;
    for (; next < pool.size() && count < nodes_at_once; ++next) {
        if (!pool[next].marked()) nodes[count++] = pool[next].slot();
    }
    return graph.hold_links(nodes.data(), count, level);
}

/// Fills scratch.pool with the nodes on `level` nearest to the query, starting from `start`.
/// Requires: scratch.pool is reset to the number wanted, scratch.visited cleared for `bound` slots.
template <Scorer S>
void beam(const HnswGraph& graph, const S& scorer, unsigned level, Candidate start, Slot bound, const Horizon& horizon,
          SearchScratch& scratch) noexcept {
    CandidatePool& pool = scratch.pool;
    const auto reach = [&] { return std::min(pool.worst_distance(), pool.reach(horizon)); };
    NeighborBlock block;
    scratch.visited.insert(start.slot());
    pool.offer(start);
    std::size_t next = 0;  // everything before it is expanded
    float farthest = reach();
    while (next < pool.size() && !(pool[next].distance() > farthest)) {
        block.count = 0;
        {
            const Held held = graph.residency() == nullptr ? Held() : hold_next(graph, pool, next, level);
            std::size_t taken = 0;
            for (; next < pool.size() && taken < nodes_at_once; ++next) {
                if (pool[next].marked()) continue;
                pool[next].mark();
                add_unmet(graph, level, pool[next].slot(), bound, scratch.visited, block);
                ++taken;
            }
            scratch.counts.nodes += taken;
        }
        block.score(scorer);
        scratch.counts.distances += block.count;
        for (std::size_t i = 0; i < block.count; ++i) {
            if (block.distances[i] > farthest) continue;
            const std::size_t at = pool.offer(Candidate(block.distances[i], block.slots[i]));
            if (at == pool.size()) continue;
            if (level == 0) graph.prefetch_bottom(block.slots[i]);
            next = std::min(next, at);
            farthest = reach();
        }
    }
}

/// As beam on the bottom level, but walks through nodes that are not allowed without returning them: fills
/// scratch.pool with the nearest allowed nodes, and returns true; or false once it expects to expand more than
/// `most_nodes`. A walk that has found enough ends at `last_node` nodes, however far its horizon.
/// Requires: scratch.visited is cleared, scratch.pool reset to the number that is returned, or to that of candidates
/// where the horizon has no stretch; scratch.frontier empty with room for `bound` elements.
template <Scorer S>
bool filtered_beam(const HnswGraph& graph, const S& scorer, Candidate start, Slot bound, BitsetView allowed,
                   const Horizon& horizon, std::size_t last_node, std::size_t most_nodes,
                   SearchScratch& scratch) noexcept {
    constexpr std::size_t enough_to_expect = 30;  // nodes, before what was met says what will be
    auto& frontier = scratch.frontier;
    CandidatePool& found = scratch.pool;
    NeighborBlock block;
    const bool by_distance = horizon.stretch > 0;
    const std::size_t needed = by_distance ? horizon.count : found.capacity();
    const auto reach = [&] { return by_distance ? found.reach(horizon) : found.worst_distance(); };
    float farthest = reach();
    const auto meet = [&](Candidate candidate) {
        const bool nearer = candidate.distance() < found.worst_distance();
        if (candidate.distance() > farthest || !(nearer || by_distance)) return;
        frontier.push_back(candidate);
        std::push_heap(frontier.begin(), frontier.end(), std::greater<>());
        graph.prefetch_bottom(candidate.slot());
        if (!nearer || !allowed.allows(candidate.slot())) return;
        found.offer(candidate);
        farthest = reach();
    };
    scratch.visited.insert(start.slot());
    meet(start);
    std::size_t expanded = 0;
    for (bool more = true; more;) {
        block.count = 0;
        std::array<Slot, nodes_at_once> nodes;
        std::size_t taken = 0;
        while (!frontier.empty() && taken < nodes_at_once) {
            const Candidate nearest = frontier.front();
            if (nearest.distance() > farthest) break;
            std::pop_heap(frontier.begin(), frontier.end(), std::greater<>());
            frontier.pop_back();
            nodes[taken++] = nearest.slot();
        }
        more = taken > 0;
        expanded += taken;
        if (expanded > last_node && found.full()) return true;
        // Until there are as many as are needed, they are expected to come as they came so far.
        const std::size_t met = expanded < enough_to_expect ? needed : std::min(found.size() + 1, needed);
        if (static_cast<double>(expanded) * static_cast<double>(needed) >
            static_cast<double>(most_nodes) * static_cast<double>(met)) {
            return false;
        }
        {
            const Held held = graph.hold_links(nodes.data(), taken, 0);
            for (std::size_t i = 0; i < taken; ++i) add_unmet(graph, 0, nodes[i], bound, scratch.visited, block);
        }
        block.score(scorer);
        scratch.counts.nodes += taken;
        scratch.counts.distances += block.count;
        for (std::size_t i = 0; i < block.count; ++i) meet(Candidate(block.distances[i], block.slots[i]));
    }
    return true;
}

}  // namespace kith::inline v0::detail
