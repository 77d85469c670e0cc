// kith/core/neighbor.hpp — a slot and how far it is from the query.
#pragma once

#include "kith/core/slot.hpp"

namespace kith::inline v0 {

/// One answer of a search inside a segment. Nearer first; equal distances order by slot, so that the same data and
/// the same request always give the same answer.
struct Neighbor {
    float distance = 0;
    Slot slot = no_slot;

    friend constexpr bool operator==(const Neighbor& a, const Neighbor& b) noexcept {
        return a.distance == b.distance && a.slot == b.slot;
    }
    friend constexpr bool operator<(const Neighbor& a, const Neighbor& b) noexcept {
        return a.distance < b.distance || (a.distance == b.distance && a.slot < b.slot);
    }
};

}  // namespace kith::inline v0
