// kith/index/search_scratch.hpp — the memory one search works in, kept from search to search.
//
// A search marks the slots it met, keeps its best candidates, and scores a block of neighbours at a time. All of that
// is here, grows to what the largest search needed, and is then used again without a call to the allocator.
//
// Thread safety: none; every searching thread owns its own. One scratch serves any number of indexes in turn.
#pragma once

#include "kith/core/neighbor.hpp"
#include "kith/core/scratch_memory.hpp"
#include "kith/index/candidate.hpp"
#include "kith/index/ivf_candidates.hpp"
#include "kith/index/search_counts.hpp"
#include "kith/index/visited_set.hpp"

#include <vector>

namespace kith::inline v0 {

/// What is inside belongs to the index layer; others make one a thread and hand it in.
struct SearchScratch {
    ScratchMemory query;  // the prepared query
    VisitedSet visited;
    CandidatePool pool;                // the beam
    std::vector<Candidate> frontier;   // with exclusions: what is still to expand, a heap with the nearest on top
    std::vector<Neighbor> neighbors;   // answers of the graph, before those of the scan join them
    ScratchMemory lists;               // IVF: distances of the lists, tables, blocks
    IvfCandidates candidates;          // IVF: the best by their codes
    std::vector<Neighbor> coarse;      // answers by codes, before they are compared by their vectors
    std::vector<ScratchMemory> batch;  // the prepared queries of a batch
    SearchCounts counts;  // of every search for one query that worked in here; who wants them sets them to 0
};

}  // namespace kith::inline v0
