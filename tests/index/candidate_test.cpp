// tests/index/candidate_test.cpp — the small parts every search stands on.
#include "kith/index/candidate.hpp"

#include "kith/core/random.hpp"
#include "kith/index/visited_set.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <limits>
#include <vector>

using kith::Candidate;
using kith::CandidatePool;
using kith::Neighbor;
using kith::Slot;

TEST_CASE("Candidates order by distance, then slot, whatever the sign") {
    constexpr float infinity = std::numeric_limits<float>::infinity();
    const std::vector<Candidate> ordered = {{-infinity, 1}, {-2.5F, 7}, {-1e-38F, 2},
                                            {0, 3},         {-0.0F, 4}, {1e-45F, 0},
                                            {1, 5},         {1, 6},     {infinity, 0x7fffffff}};
    CHECK(std::is_sorted(ordered.begin(), ordered.end()));
    CHECK(ordered.back() < Candidate(std::numeric_limits<float>::quiet_NaN(), 0));
}

TEST_CASE("A candidate keeps its distance, slot and mark") {
    for (const float distance : {-3.5F, 0.0F, 1e-40F, 123.25F}) {
        for (const Slot slot : {Slot{0}, Slot{77}, Slot{0x7fffffff}}) {
            Candidate candidate(distance, slot);
            CHECK(candidate.neighbor() == Neighbor{distance, slot});
            CHECK_FALSE(candidate.marked());
            candidate.mark();
            CHECK(candidate.marked());
            CHECK(candidate.neighbor() == Neighbor{distance, slot});
            CHECK_FALSE(candidate.unmarked().marked());
        }
    }
}

TEST_CASE("A pool keeps the nearest, sorted, and says where each went") {
    kith::SplitMix64 random(3);
    std::vector<Candidate> nearest;  // of those as far as the last, the ones that came first
    CandidatePool pool;
    pool.reset(20);
    CHECK(pool.worst_distance() == std::numeric_limits<float>::infinity());
    for (Slot slot = 0; slot < 500; ++slot) {
        const Candidate candidate(static_cast<float>(random.below(50)), slot);
        const bool taken = nearest.size() < 20 || candidate.distance() < nearest.back().distance();
        if (taken && nearest.size() == 20) nearest.pop_back();
        if (taken) nearest.push_back(candidate);
        std::sort(nearest.begin(), nearest.end());
        const auto place = std::find(nearest.begin(), nearest.end(), candidate);
        const std::size_t at = pool.offer(candidate);
        CHECK(at == (taken ? static_cast<std::size_t>(place - nearest.begin()) : pool.size()));
    }
    REQUIRE(pool.size() == 20);
    CHECK(std::equal(pool.begin(), pool.end(), nearest.begin()));
    CHECK(pool.worst_distance() == nearest.back().distance());
    pool.reset(5);
    CHECK(pool.size() == 0);
}

TEST_CASE("A visited set knows what it met since it was last cleared") {
    kith::VisitedSet visited;
    for (const Slot count : {Slot{130}, Slot{1}, Slot{1000}}) {
        visited.clear(count);
        for (Slot slot = 0; slot < count; slot += 3) CHECK(visited.insert(slot));
        for (Slot slot = 0; slot < count; ++slot) CHECK(visited.insert(slot) == (slot % 3 != 0));
    }
}
