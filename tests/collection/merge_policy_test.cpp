// tests/collection/merge_policy_test.cpp — segments that grow by merging stay few, and are merged few times.
#include "kith/collection/merge_policy.hpp"

#include "support/catch.hpp"

#include <cmath>
#include <cstdint>
#include <numeric>
#include <vector>

using kith::Slot;
using kith::detail::next_compaction;
using kith::detail::next_merge;
using kith::detail::SegmentSize;

namespace {

using Places = std::vector<std::size_t>;

/// What is left of `sizes` when `places` became one.
std::vector<SegmentSize> merged(const std::vector<SegmentSize>& sizes, const Places& places) {
    std::vector<SegmentSize> after;
    SegmentSize made;
    for (std::size_t at = 0; at < sizes.size(); ++at) {
        if (std::find(places.begin(), places.end(), at) == places.end()) {
            after.push_back(sizes[at]);
        } else {
            made.live += sizes[at].live;
        }
    }
    after.push_back(made);
    return after;
}

}  // namespace

TEST_CASE("Four segments of one size are merged, three are not") {
    const std::vector<SegmentSize> three(3, {1000, 0});
    CHECK(next_merge(three, 1 << 20).empty());
    const std::vector<SegmentSize> four(4, {1000, 0});
    CHECK(next_merge(four, 1 << 20) == Places{0, 1, 2, 3});
    CHECK(next_merge(four, 3999).empty());
    const std::vector<SegmentSize> mixed = {{1000, 0}, {1000, 0}, {1000, 0}, {100'000, 0}};
    CHECK(next_merge(mixed, 1 << 20).empty());
}

TEST_CASE("A segment with more than three tenths deleted is written anew, unless they are few") {
    const std::vector<SegmentSize> sizes = {{700'000, 300'000}, {6990, 3010}};
    CHECK(next_merge(sizes, 1 << 20) == Places{1});
    const std::vector<SegmentSize> dead = {{0, 1000}};
    CHECK(next_merge(dead, 1 << 20) == Places{0});
    const std::vector<SegmentSize> few = {{10, 999}};
    CHECK(next_merge(few, 1 << 20).empty());
}

TEST_CASE("However many segments come, few are left, and no record is linked often") {
    constexpr Slot capacity = Slot{1} << 20;
    std::vector<SegmentSize> sizes;
    std::uint64_t linked = 0;
    for (int round = 0; round < 1000; ++round) {
        sizes.push_back({1000, 0});
        for (Places places = next_merge(sizes, capacity); !places.empty(); places = next_merge(sizes, capacity)) {
            sizes = merged(sizes, places);
            linked += sizes.back().live;
            REQUIRE(sizes.back().live <= capacity);
        }
    }
    CHECK(sizes.size() <= 20);
    CHECK(linked <= 6'000'000);  // six times a record
}

TEST_CASE("A compaction leaves no dead record and no two segments that fit into one") {
    std::vector<SegmentSize> sizes = {{10, 0}, {900, 1}, {500, 0}, {501, 300}, {20, 20}, {0, 7}};
    constexpr Slot capacity = 1000;
    int merges = 0;
    for (Places places = next_compaction(sizes, capacity); !places.empty(); places = next_compaction(sizes, capacity)) {
        sizes = merged(sizes, places);
        REQUIRE(++merges < 20);
    }
    Slot live = 0;
    for (std::size_t a = 0; a < sizes.size(); ++a) {
        CHECK(sizes[a].deleted == 0);
        live += sizes[a].live;
        for (std::size_t b = 0; b < a; ++b) CHECK(sizes[a].live + sizes[b].live > capacity);
    }
    CHECK(live == 1931);
}
