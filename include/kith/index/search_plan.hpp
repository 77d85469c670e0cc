// kith/index/search_plan.hpp — how an index would go about a search, before it does.
#pragma once

#include "kith/core/slot.hpp"
#include "kith/index/search_params.hpp"

#include <cstdint>
#include <string_view>

namespace kith::inline v0 {

enum class SearchWay : std::uint8_t {
    compare_all,   ///< the index compares everything, always
    scan_cheaper,  ///< so few vectors may be returned that comparing them costs less than finding a way to them
    scan_codes,    ///< the same, by codes, and the best of them by their full vectors
    not_indexed,   ///< nothing is in the index yet
    indexed,       ///< the index is asked; what it does not hold yet is compared
};

struct SearchPlan {
    std::string_view index;  ///< the stored name, as "hnsw/sq4"
    SearchWay way = SearchWay::compare_all;
    Slot indexed = 0;     ///< slots in the index; the rest is compared
    Slot calibrated = 0;  ///< slots it had when its recall was measured; 0: never
    SearchParams params;  ///< what the index is asked for
    double met = 0;       ///< about how many slots a walk asks of whether they are allowed; others ask all
};

}  // namespace kith::inline v0
