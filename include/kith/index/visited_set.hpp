// kith/index/visited_set.hpp — the slots one search has already met.
//
// A search meets a few thousand slots out of millions, at random. One bit a slot is 128 KB for a million and stays in
// the near cache; clearing it takes some 3 µs of such a search. A 16-bit stamp a slot, which needs no clearing, was
// just as fast with 331,000 slots and takes 16 times the memory in each searching thread.
//
// Thread safety: none; every searching thread owns its own set.
// Source: Malkov & Yashunin, arXiv:1603.09320, Algorithm 2 (the set v).
#pragma once

#include "kith/core/slot.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace kith::inline v0 {

class VisitedSet {
public:
    /// Empties the set and makes room for slots below `count`.
    /// Throws: std::bad_alloc when it has to grow; the set is then as before.
    void clear(Slot count) {
        const std::size_t needed = (std::size_t{count} + 63) / 64;
        if (words_.size() < needed) words_.resize(needed + needed / 2);
        std::fill_n(words_.begin(), needed, std::uint64_t{0});
    }

    /// Marks `slot`; true when this search meets it for the first time.
    /// Requires: slot is below the count last given to clear().
    bool insert(Slot slot) noexcept {
        std::uint64_t& word = words_[slot / 64];
        const std::uint64_t bit = std::uint64_t{1} << (slot % 64);
        const bool first = (word & bit) == 0;
        word |= bit;
        return first;
    }

    /// Bytes that a set grown to `count` slots holds, on average.
    [[nodiscard]] static std::size_t bytes_for(Slot count) noexcept { return std::size_t{count} / 8 * 5 / 4; }

private:
    std::vector<std::uint64_t> words_;  // bit s % 64 of word s / 64: slot s was met
};

}  // namespace kith::inline v0
