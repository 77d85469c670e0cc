// kith/core/slot.hpp — the dense number a segment gives each record.
//
// An index sees slots and nothing else: a slot is the position of a vector in its rows and of a node in its graph.
// Slots are given out in order from 0 and never reused while the segment lives.
#pragma once

#include <cstdint>

namespace kith::inline v0 {

using Slot = std::uint32_t;

/// No slot: an empty link in a graph, a key that is absent. On disk: never change.
inline constexpr Slot no_slot = 0xffffffff;

}  // namespace kith::inline v0
