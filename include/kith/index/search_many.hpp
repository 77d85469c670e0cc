// kith/index/search_many.hpp — exact answers by several threads: many queries shared among them, or the rows of one.
//
// Enough queries keep every thread busy with its own, and each of them passes over the rows once. Fewer queries than
// threads are answered one after the other, and then it is the rows that are shared.
//
// Thread safety: reads only; each thread works in a scratch of its own.
#pragma once

#include "kith/core/bitset_view.hpp"
#include "kith/core/neighbor.hpp"
#include "kith/core/parallel.hpp"
#include "kith/core/slot.hpp"
#include "kith/core/top_k.hpp"
#include "kith/distance/cpu.hpp"
#include "kith/distance/scorer.hpp"
#include "kith/index/flat.hpp"
#include "kith/index/flat_batch.hpp"
#include "kith/index/search_params.hpp"
#include "kith/index/search_scratch.hpp"

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

namespace kith::inline v0::detail {

/// One query, its rows shared among as many threads as there are scratches. Returns how many neighbours there are.
/// Shape: `out` has room for `limit`.
template <Rows R>
std::size_t search_in_parts(const R& rows, const float* query, std::size_t limit, BitsetView allowed,
                            std::span<SearchScratch* const> scratches, Neighbor* out) {
    const std::size_t parts = scratches.size();
    const std::size_t words = (std::size_t{allowed.count()} + 63) / 64;
    const auto begin_of = [&](std::size_t part) {
        return static_cast<Slot>(std::min<std::size_t>(words * part / parts * 64, allowed.count()));
    };
    share_work(static_cast<unsigned>(parts), parts, [&](std::size_t part, unsigned thread) {
        std::vector<Neighbor>& kept = scratches[part]->neighbors;
        kept.resize(limit);
        TopK best(kept);
        scan(rows.scorer(query, scratches[thread]->query), begin_of(part), begin_of(part + 1), allowed, best);
        kept.resize(best.sorted().size());
    });
    TopK best(std::span(out, limit));
    for (const SearchScratch* scratch : scratches) {
        for (const Neighbor& neighbor : scratch->neighbors) best.offer(neighbor);
    }
    return best.sorted().size();
}

/// Calls act(first, size, thread) for parts of `count` queries that a thread each answers at once.
template <class Act>
void share_batches(std::size_t count, std::size_t threads, const Act& act) {
    if (count == 0) return;
    constexpr std::size_t whole = 32;  // queries in a panel of the widest kernel
    const std::size_t share = (count + threads - 1) / threads;
    const std::size_t piece = std::min(widest_batch, share < whole ? share : (share + whole - 1) / whole * whole);
    share_work(static_cast<unsigned>(threads), (count + piece - 1) / piece,
               [&](std::size_t at, unsigned thread) { act(at * piece, std::min(piece, count - at * piece), thread); });
}

/// As search_batch, with as many threads as there are scratches.
template <Rows R>
void search_batch_in_threads(const R& rows, const float* queries, std::size_t count, std::size_t limit,
                             BitsetView allowed, std::span<SearchScratch* const> scratches, Neighbor* out,
                             std::size_t* found) {
    const std::size_t threads = scratches.size();
    if (count < threads) {
        for (std::size_t at = 0; at < count; ++at) {
            found[at] = search_in_parts(rows, queries + at * rows.dim(), limit, allowed, scratches, out + at * limit);
        }
        return;
    }
    const Isa isa = best_isa();
    share_batches(count, threads, [&](std::size_t first, std::size_t size, unsigned thread) {
        search_batch(rows, queries + first * rows.dim(), size, limit, allowed, *scratches[thread], out + first * limit,
                     found + first, isa);
    });
}

}  // namespace kith::inline v0::detail
