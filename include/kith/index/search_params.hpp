// kith/index/search_params.hpp — what one search asks of an index.
#pragma once

#include "kith/core/bitset_view.hpp"
#include "kith/core/slot.hpp"

#include <cstddef>
#include <cstdint>
#include <limits>

namespace kith::inline v0 {

struct SearchParams {
    std::size_t limit = 10;        ///< neighbours wanted; more than there are is fine
    std::uint32_t ef_search = 64;  ///< candidates a graph search keeps, at least `limit`: more is slower, finds more
    BitsetView allowed;            ///< the slots that exist for this search and may be returned
    std::uint32_t nprobe = 0;      ///< lists an IVF search reads; 0: what the index was made with
    /// A graph search ends once what it would walk to next is farther than this many times the distance of the last
    /// neighbour wanted: 1.1 looks a little farther, 1.4 a lot. Unlike ef_search it spends more on queries that need
    /// more. 0: only ef_search ends a search. Not for InnerProduct, whose distances have no zero.
    float stretch = 0;
    std::size_t stretched = 0;  ///< it is the distance of this neighbour that is stretched; 0: of the last wanted
    Slot absent = no_slot;      ///< a graph search goes around this slot, as if it were not there
    /// Only neighbours nearer than this are of use. A graph search looks beyond it no farther than beyond the last wanted,
    /// and may then return fewer than there are; the others take no notice.
    float bound = std::numeric_limits<float>::infinity();
    /// A graph search past slots that are not allowed gives up once it expects to expand more nodes than this.
    std::size_t most_nodes = std::numeric_limits<std::size_t>::max();
    float rescore = 0;  ///< codes: compare `limit` times this many by their full vectors; 0: the quantizer's
};

/// What an index returns instead of a number of neighbours where it gave up.
inline constexpr std::size_t given_up = std::numeric_limits<std::size_t>::max();

/// Recall is measured for at most 100 neighbours. By how much an effort is raised for more of them.
[[nodiscard]] constexpr float beyond_measured(std::size_t limit) noexcept {
    return limit <= 100 ? 1.0F : static_cast<float>(limit) / 100;
}

}  // namespace kith::inline v0
