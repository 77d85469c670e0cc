// kith/index/search_counts.hpp — what searches have done, in numbers.
//
// A search counts once a kernel call, not once a distance, so that it can always count.
//
// Thread safety: none; it belongs to a scratch.
#pragma once

#include <cstdint>

namespace kith::inline v0 {

/// Of the searches for one query since it was made.
struct SearchCounts {
    std::uint64_t nodes = 0;      ///< nodes of a graph whose neighbours were looked at, on each level
    std::uint64_t lists = 0;      ///< lists of an inverted file that were read
    std::uint64_t codes = 0;      ///< vectors compared by their codes
    std::uint64_t distances = 0;  ///< vectors compared by themselves

    friend SearchCounts operator+(SearchCounts a, const SearchCounts& b) noexcept {
        return {a.nodes + b.nodes, a.lists + b.lists, a.codes + b.codes, a.distances + b.distances};
    }
};

}  // namespace kith::inline v0
