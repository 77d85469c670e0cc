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
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

namespace kith::inline v0 {

namespace detail {

/// Gathers slots for one kernel call after another, and offers what they score to a TopK.
template <Scorer S>
class ScanBlock {
public:
    ScanBlock(const S& scorer, TopK& best) noexcept : scorer_(scorer), best_(best) {}

    void add(Slot slot) noexcept {
        slots_[count_++] = slot;
        if (count_ == slots_.size()) flush();
    }

    /// Slots that were scored.
    [[nodiscard]] std::size_t scored() const noexcept { return scored_; }

    /// Scores what was added. Slots in a row are read in a row.
    void flush() noexcept {
        if (count_ == 0) return;
        if (in_a_row()) {
            constexpr std::size_t at_once = 16;
            for (std::size_t at = 0; at < count_; at += at_once) {
                const std::size_t now = std::min(at_once, count_ - at);
                if constexpr (requires { scorer_.prefetch_scan(Slot{}, now); }) scorer_.prefetch_scan(slots_[at], now);
                scorer_.score_block(slots_[at], now, &distances_[at]);
            }
        } else {
            scorer_.score(slots_.data(), count_, distances_.data());
        }
        for (std::size_t i = 0; i < count_; ++i) {
            if (!(distances_[i] > best_.worst_distance())) best_.offer({distances_[i], slots_[i]});
        }
        scored_ += count_;
        count_ = 0;
    }

private:
    [[nodiscard]] bool in_a_row() const noexcept {
        // Whoever adds in another order than that of slots is told apart by the ends, but for a few.
        if (slots_[count_ - 1] - slots_[0] != count_ - 1) return false;
        for (std::size_t i = 1; i < count_; ++i) {
            if (slots_[i] != slots_[0] + i) return false;
        }
        return true;
    }

    const S& scorer_;
    TopK& best_;
    std::array<Slot, 64> slots_;  // the first count_
    std::array<float, 64> distances_;
    std::size_t count_ = 0;
    std::size_t scored_ = 0;
};

/// Offers every allowed slot in [first, last) to `best`; returns how many.
template <Scorer S>
std::size_t scan(const S& scorer, Slot first, Slot last, BitsetView allowed, TopK& best) noexcept {
    ScanBlock<S> block(scorer, best);
    const BitsetView within = allowed.first(std::min(last, allowed.count()));
    for (std::size_t begin = first; begin < within.count(); begin += 64 - begin % 64) {  // past the last Slot too
        const auto word = static_cast<Slot>(begin / 64);
        std::uint64_t bits = within.allowed_word(word) & (~std::uint64_t{0} << (begin % 64));
        for (; bits != 0; bits &= bits - 1) block.add(word * 64 + static_cast<Slot>(std::countr_zero(bits)));
    }
    block.flush();
    return block.scored();
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

    void insert(const R&, Slot count, unsigned = 1) noexcept {
        size_.store(std::max(size(), count), std::memory_order_release);
    }

    /// Takes over what `other` holds of the same rows.
    bool adopt(const R&, const FlatIndex& other) noexcept {
        size_.store(other.size(), std::memory_order_release);
        return true;
    }

    /// The nearest allowed slots below size(), nearest first, equal distances by slot; returns how many.
    /// Shape: `query` holds rows.dim() elements, `out` has room for min(params.limit, size()).
    std::size_t search(const R& rows, const float* query, const SearchParams& params, SearchScratch& scratch,
                       Neighbor* out) const {
        TopK best(std::span(out, std::min<std::size_t>(params.limit, size())));
        scratch.counts.distances += detail::scan(rows.scorer(query, scratch.query), 0, size(), params.allowed, best);
        return best.sorted().size();
    }

    template <class Sink>
    void save(const Sink&) const noexcept {}

    [[nodiscard]] static std::size_t memory_bytes() noexcept { return 0; }

private:
    std::atomic<Slot> size_ = 0;
};

}  // namespace kith::inline v0
