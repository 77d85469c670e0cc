// kith/distance/scorer.hpp — the seam between vectors and indexes: Rows make Scorers, these turn slots into distances.
//
// An index asks for nothing else, so one search loop serves plain vectors and every quantizer's codes. A scorer is
// asked about many slots at once, because that is what hides the time a row takes to arrive from memory.
//
// Thread safety: Rows may be asked by any number of threads at once; a Scorer belongs to one.
#pragma once

#include "kith/core/scratch_memory.hpp"
#include "kith/core/slot.hpp"

#include <concepts>
#include <cstddef>

namespace kith::inline v0 {

/// A Scorer holds a query, prepared, and says how far each slot is from it.
/// Requires: every slot asked about has a row.
/// Shape:  `slots` holds `count` slots in any order; `out` has room for `count` distances, out[i] is for slots[i], and
///         in score_block for slot first + i.
/// Units:  the distances of the metric, or an approximation of them on the same scale; smaller is nearer.
/// Laws:   a slot's distance is the same to the last bit whichever other slots are asked about, and by either call.
/// Cost:   no allocation, no lock. `prefetch` reads nothing; it begins to fetch what scoring the slot will read. A
///         scorer whose rows a scan had better ask for itself has prefetch_scan(first, count) too, which is called
///         before those slots are scored and fetches what comes a little later; it may be told of slots without rows.
template <class S>
concept Scorer = requires(const S& scorer, const Slot* slots, Slot first, std::size_t count, float* out) {
    { scorer.score(slots, count, out) } noexcept -> std::same_as<void>;
    { scorer.score_block(first, count, out) } noexcept -> std::same_as<void>;
    { scorer.prefetch(first) } noexcept -> std::same_as<void>;
};

/// Rows hold what an index searches, one row for each slot, and prepare queries against it.
/// Shape:  `query` holds dim() elements and outlives the scorer made from it, as does `scratch`, where the scorer may
///         keep the prepared query: the next scorer made with the same scratch ends the use of this one.
/// Throws: std::bad_alloc while `scratch` still grows.
/// Laws:   scorer_of(a) at slot b equals scorer_of(b) at slot a to the last bit.
template <class R>
concept Rows = requires(const R& rows, const float* query, Slot slot, ScratchMemory& scratch) {
    { rows.dim() } noexcept -> std::same_as<std::size_t>;
    { rows.scorer(query, scratch) } -> Scorer;
    { rows.scorer_of(slot, scratch) } -> Scorer;
};

}  // namespace kith::inline v0
