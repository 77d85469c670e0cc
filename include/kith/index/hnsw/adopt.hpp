// kith/index/hnsw/adopt.hpp — a copy of a finished graph that goes on growing.
//
// Two segments become one sooner when the larger keeps its graph and only the rows of the smaller are linked. Whoever
// links trusts what stands in the graph, which a search does not; so all of it is checked on the way.
//
// Thread safety: the copy is the caller's alone; the graph that is copied is only read.
#pragma once

#include "kith/core/assert.hpp"
#include "kith/core/residency.hpp"
#include "kith/core/slot.hpp"
#include "kith/index/hnsw/graph.hpp"

#include <algorithm>
#include <cstddef>

namespace kith::inline v0::detail {

/// Copies the list of a node on `level`; false when a link leads where no node of that level is.
inline bool adopt_list(HnswGraph& to, const HnswGraph& from, Slot slot, unsigned level) noexcept {
    const Held held = level > 0 ? from.hold_links(&slot, 1, level) : Held();  // those at the bottom are held already
    const Slot* const links = from.links(slot, level);
    if (links == nullptr) return false;
    Slot* const copy = to.writable_links(slot, level);
    for (std::size_t i = 0; i < to.width(level); ++i) {
        copy[i] = links[i];
        if (copy[i] == no_slot) continue;
        if (copy[i] >= from.size() || (level > 0 && to.level_of(copy[i]) < level)) return false;
    }
    return true;
}

/// Makes `to` a copy of `from`; false, and `to` is as empty as before, where they have other parameters or `from` is
/// not sound. Requires: `to` is empty, with room for the nodes of `from`; nobody inserts, and nobody searches `to`.
inline bool adopt_graph(HnswGraph& to, const HnswGraph& from) noexcept {
    const Slot count = from.size();
    KITH_ASSERT(to.reach() == 0 && count <= to.capacity());
    // Links decide how long lists are, the seed on which levels a node is.
    if (to.params().max_links != from.params().max_links || to.params().seed != from.params().seed) return false;
    if (count == 0) return true;
    if (from.entry() >= count) return false;
    to.add_nodes(count);
    bool sound = to.arrays().block_count == from.arrays().block_count;
    constexpr Slot at_once = 1024;
    for (Slot first = 0; first < count && sound; first += at_once) {
        const Slot end = first + std::min(at_once, count - first);
        const Held held = from.hold_nodes(first, end - first);
        for (Slot slot = first; slot < end && sound; ++slot) {
            const unsigned top = to.level_of(slot);
            sound = to.tower(slot) == from.tower(slot);
            for (unsigned level = 0; level <= top && sound; ++level) sound = adopt_list(to, from, slot, level);
            to.remember(slot, from.remembered(slot));
        }
    }
    if (!sound) {
        to.clear();
        return false;
    }
    to.set_entry(from.entry());
    to.set_size(count);
    return true;
}

}  // namespace kith::inline v0::detail
