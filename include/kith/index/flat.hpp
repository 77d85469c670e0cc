// kith/index/flat.hpp — the exact answer, by comparing every allowed row.
//
// For few rows nothing beats reading them in order: the memory streams, and each block is one kernel call. The graph
// search falls back on it where a graph would have to walk past too many excluded nodes.
//
// Thread safety: reads only; insert is called by one thread at a time, beside any number of searches.
#pragma once

#include "kith/core/bitset_view.hpp"
#include "kith/core/neighbor.hpp"
#include "kith/core/slot.hpp"
#include "kith/core/top_k.hpp"
#include "kith/distance/scorer.hpp"
#include "kith/index/search_params.hpp"
#include "kith/index/search_scratch.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <span>

namespace kith::inline v0 {

namespace detail {

/// Offers every allowed slot in [first, last) to `best`.
template <Scorer S>
void scan(const S& scorer, Slot first, Slot last, BitsetView allowed, TopK& best) noexcept {
    constexpr std::size_t block = 64;
    std::array<Slot, block> slots;
    std::array<float, block> distances;
    last = std::min(last, allowed.count());
    for (Slot slot = first; slot < last;) {
        std::size_t count = 0;
        for (; slot < last && count < block; ++slot) {
            slots[count] = slot;
            count += allowed.allows(slot) ? 1U : 0U;
        }
        if (count == 0) break;
        if (slots[count - 1] - slots[0] == count - 1) {
            scorer.score_block(slots[0], count, distances.data());
        } else {
            scorer.score(slots.data(), count, distances.data());
        }
        for (std::size_t i = 0; i < count; ++i) {
            if (!(distances[i] > best.worst_distance())) best.offer({distances[i], slots[i]});
        }
    }
}

}  // namespace detail

/// The index that keeps nothing: every search compares all rows.
template <Rows R>
class FlatIndex {
public:
    FlatIndex() noexcept = default;
    explicit FlatIndex(Slot count) noexcept : size_(count) {}

    /// Slots that a search may be told of; nothing is stored for them.
    [[nodiscard]] Slot size() const noexcept { return size_.load(std::memory_order_acquire); }

    void insert(const R&, Slot count, unsigned = 1) noexcept { size_.store(std::max(size(), count), std::memory_order_release); }

    /// The nearest allowed slots below size(), nearest first, equal distances by slot; returns how many.
    /// Shape: `query` holds rows.dim() elements, `out` has room for min(params.limit, size()).
    std::size_t search(const R& rows, const float* query, const SearchParams& params, SearchScratch&,
                       Neighbor* out) const noexcept {
        TopK best(std::span(out, std::min<std::size_t>(params.limit, size())));
        detail::scan(rows.scorer(query), 0, size(), params.allowed, best);
        return best.sorted().size();
    }

    template <class Sink>
    void save(const Sink&) const noexcept {}

private:
    std::atomic<Slot> size_ = 0;
};

}  // namespace kith::inline v0
