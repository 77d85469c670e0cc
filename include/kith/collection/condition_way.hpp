// kith/collection/condition_way.hpp — how a part of a condition is answered in a segment.
#pragma once

#include <cstdint>

namespace kith::inline v0 {

enum class ConditionWay : std::uint8_t {
    index,   ///< the index of the field says which records satisfy it
    column,  ///< values are looked at that are kept apart from the records
    rows,    ///< records are read
};

}  // namespace kith::inline v0
