// kith/index/hnsw/prune.hpp — which of many near nodes are worth a link.
//
// A near node is dropped when a nearer one that is kept lies closer to it than the owner does: the walk gets there
// through that one. Distances dominate a build, and most of them are asked here, so they are asked in blocks: each node
// that is kept is scored at once against all that are still undecided. And a list that was pruned before is settled:
// two of its links have been compared, and need not be again.
//
// Thread safety: none; works on the caller's arrays.
// Source: Malkov & Yashunin, arXiv:1603.09320, Algorithm 4, without extending and without keeping pruned ones.
#pragma once

#include "kith/core/slot.hpp"
#include "kith/distance/scorer.hpp"
#include "kith/index/candidate.hpp"
#include "kith/index/hnsw/params.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>

namespace kith::inline v0::detail {

/// Candidates that are looked at together. Far ones are often not needed at all, so not all at once.
inline constexpr std::size_t prune_chunk = 32;

/// Removes from `undecided` what lies nearer to `kept` than to the owner; returns how many stay.
/// Distances in candidates are to the owner; a mark means settled.
template <Rows R>
std::size_t drop_dominated(const R& rows, Candidate kept, std::span<Candidate> undecided,
                           ScratchMemory& scratch) noexcept {
    std::array<Slot, prune_chunk> slots;
    std::array<float, prune_chunk> distances;
    std::size_t asked = 0;
    for (const Candidate candidate : undecided) {
        slots[asked] = candidate.slot();
        asked += kept.marked() && candidate.marked() ? 0U : 1U;
    }
    if (asked == 0) return undecided.size();
    rows.scorer_of(kept.slot(), scratch).score(slots.data(), asked, distances.data());

    std::size_t stay = 0;
    asked = 0;
    for (const Candidate candidate : undecided) {
        const bool known = kept.marked() && candidate.marked();
        const bool dominated = !known && distances[asked] < candidate.distance();
        asked += known ? 0U : 1U;
        undecided[stay] = candidate;
        stay += dominated ? 0U : 1U;
    }
    return stay;
}

/// Writes at most `wanted` diverse ones of `nearest` to `kept`, nearest first, and returns how many.
/// Requires: `nearest` is sorted, its distances are to the owner, and two marked ones do not dominate each other.
/// Shape: `kept` has room for `wanted`.
template <Rows R>
std::size_t select_diverse(const R& rows, std::span<const Candidate> nearest, std::size_t wanted, Candidate* kept,
                           ScratchMemory& scratch) noexcept {
    std::array<Candidate, prune_chunk> chunk;
    std::size_t count = 0;
    for (std::size_t first = 0; first < nearest.size() && count < wanted; first += prune_chunk) {
        const std::span<const Candidate> next = nearest.subspan(first, std::min(prune_chunk, nearest.size() - first));
        std::copy(next.begin(), next.end(), chunk.begin());
        std::span<Candidate> undecided(chunk.data(), next.size());
        for (std::size_t i = 0; i < count && !undecided.empty(); ++i) {
            undecided = undecided.first(drop_dominated(rows, kept[i], undecided, scratch));
        }
        while (!undecided.empty() && count < wanted) {
            const Candidate chosen = undecided.front();
            kept[count++] = chosen;
            undecided = undecided.subspan(1);
            if (count < wanted) undecided = undecided.first(drop_dominated(rows, chosen, undecided, scratch));
        }
    }
    return count;
}

}  // namespace kith::inline v0::detail
