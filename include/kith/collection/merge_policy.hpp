// kith/collection/merge_policy.hpp — which sealed segments are made one, and when.
//
// Every search asks every segment, so few large ones are faster than many small ones. But a merge links its records
// anew. Merging only segments of about one size, four at a time, links each record again once for each fourfold growth:
// five times on its way from a thousand records to a million.
//
// Thread safety: functions without state.
// Source: size-tiered compaction as in Apache Cassandra's documentation; O'Neil et al., The Log-Structured Merge-Tree,
// 1996.
#pragma once

#include "kith/core/slot.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace kith::inline v0::detail {

struct SegmentSize {
    Slot live = 0;
    Slot deleted = 0;
    bool outdated = false;  // a graph, column or index is missing, or was made by another index
};

inline constexpr std::size_t segments_a_merge = 4;

inline constexpr Slot fewest_dead = 1000;  // for less, writing files anew is not worth its syncs

/// A segment with more than 3 of 10 records deleted, and a thousand of them, is written anew.
[[nodiscard]] constexpr bool mostly_dead(SegmentSize size) noexcept {
    return size.deleted >= fewest_dead &&
           std::uint64_t{size.deleted} * 10 > (std::uint64_t{size.deleted} + size.live) * 3;
}

/// Whether a segment is written anew for its own sake.
[[nodiscard]] constexpr bool needs_rewriting(const SegmentSize& size) noexcept {
    return mostly_dead(size) || size.outdated;
}

/// Segments of one tier hold between 4^n and 4^(n + 1) times a thousand records; smaller ones are in tier 0.
[[nodiscard]] constexpr unsigned tier_of(Slot live) noexcept {
    unsigned tier = 0;
    for (Slot bound = 4096; live >= bound && tier < 10; bound *= 4) ++tier;
    return tier;
}

/// The next segments to merge, by their places in `sizes`; one place means that it is written anew, none that nothing is
/// to be done. What they make has at most `capacity` records.
[[nodiscard]] inline std::vector<std::size_t> next_merge(std::span<const SegmentSize> sizes, Slot capacity) {
    for (std::size_t at = 0; at < sizes.size(); ++at) {
        if (needs_rewriting(sizes[at])) return {at};
    }
    for (unsigned tier = 0; tier <= tier_of(capacity); ++tier) {
        std::vector<std::size_t> same;
        std::uint64_t records = 0;
        for (std::size_t at = 0; at < sizes.size() && same.size() < 2 * segments_a_merge; ++at) {
            if (tier_of(sizes[at].live) != tier || records + sizes[at].live > capacity) continue;
            same.push_back(at);
            records += sizes[at].live;
        }
        if (same.size() >= segments_a_merge) return same;
    }
    return {};
}

/// The next segments to merge until none holds a dead record or is outdated, and no two fit into one.
[[nodiscard]] inline std::vector<std::size_t> next_compaction(std::span<const SegmentSize> sizes, Slot capacity) {
    std::vector<std::size_t> order;
    for (std::size_t at = 0; at < sizes.size(); ++at) order.push_back(at);
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        return sizes[a].live < sizes[b].live || (sizes[a].live == sizes[b].live && a < b);
    });
    std::vector<std::size_t> fitting;
    std::uint64_t records = 0;
    for (const std::size_t at : order) {
        if (records + sizes[at].live > capacity) break;
        fitting.push_back(at);
        records += sizes[at].live;
    }
    if (fitting.size() > 1) return fitting;
    for (std::size_t at = 0; at < sizes.size(); ++at) {
        if (sizes[at].deleted > 0 || sizes[at].outdated) return {at};
    }
    return {};
}

}  // namespace kith::inline v0::detail
