// kith/collection/selection.hpp — which records of a segment satisfy a condition.
//
// Thread safety: as the segments that are asked; a Selection belongs to one thread, for it decodes rows into one record.
#pragma once

#include "kith/collection/snapshot.hpp"
#include "kith/core/bitset_view.hpp"
#include "kith/core/slot.hpp"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace kith::inline v0::detail {

/// Says whether a record may be returned; null stands for every record.
using Accept = std::function<bool(const SegmentView& view, Slot slot)>;

/// Slots of one segment, as bits that are set.
class SlotSet {
public:
    /// All live slots of a segment.
    explicit SlotSet(const SegmentView& view) : words_((std::size_t{view.count} + 63) / 64, ~std::uint64_t{0}) {
        if (view.count % 64 != 0) words_.back() = (std::uint64_t{1} << (view.count % 64)) - 1;
        if (view.deletes == nullptr) return;
        for (std::size_t at = 0; at < words_.size() && at < view.deletes->words.size(); ++at) {
            words_[at] &= ~view.deletes->words[at];
        }
    }

    /// Keeps the slots for which `holds(slot)` is true.
    template <class Holds>
    void keep_if(Holds&& holds) {
        for_each([&](Slot slot) {
            if (!holds(slot)) words_[slot / 64] &= ~(std::uint64_t{1} << (slot % 64));
        });
    }

    /// Calls `take(slot)` for each, in order.
    template <class Take>
    void for_each(Take&& take) const {
        for (std::size_t at = 0; at < words_.size(); ++at) {
            for (std::uint64_t left = words_[at]; left != 0; left &= left - 1) {
                take(static_cast<Slot>(64 * at + static_cast<std::size_t>(std::countr_zero(left))));
            }
        }
    }

    [[nodiscard]] std::size_t size() const noexcept {
        std::size_t size = 0;
        for (const std::uint64_t word : words_) size += static_cast<std::size_t>(std::popcount(word));
        return size;
    }

    [[nodiscard]] bool contains(Slot slot) const noexcept { return ((words_[slot / 64] >> (slot % 64)) & 1U) != 0; }

    [[nodiscard]] std::vector<std::uint64_t>& words() noexcept { return words_; }

private:
    std::vector<std::uint64_t> words_;  // slot s is bit s % 64 of word s / 64
};

/// The live slots of a segment that `accept` accepts.
[[nodiscard]] inline SlotSet select(const SegmentView& view, const Accept* accept) {
    SlotSet slots(view);
    if (accept != nullptr) slots.keep_if([&](Slot slot) { return (*accept)(view, slot); });
    return slots;
}

}  // namespace kith::inline v0::detail
