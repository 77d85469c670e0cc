// tests/core/top_k_test.cpp — the nearest k, whatever the order they come in.
#include "kith/core/top_k.hpp"

#include "kith/core/bitset_view.hpp"
#include "kith/core/random.hpp"
#include "kith/core/reserved_memory.hpp"

#include "support/catch.hpp"

#include <algorithm>
#include <limits>
#include <vector>

using kith::Neighbor;
using kith::Slot;
using kith::TopK;

TEST_CASE("TopK keeps the nearest when full, equal distances by slot") {
    kith::SplitMix64 random(3);
    for (const std::size_t k : {1U, 2U, 7U, 50U, 300U}) {
        std::vector<Neighbor> all;
        for (Slot slot = 0; slot < 200; ++slot) all.push_back({static_cast<float>(random.below(40)), slot});
        for (std::size_t i = all.size(); i > 1; --i) std::swap(all[i - 1], all[random.below(i)]);

        std::vector<Neighbor> storage(k);
        TopK nearest(storage);
        for (const Neighbor& neighbor : all) nearest.offer(neighbor);
        const auto kept = nearest.sorted();

        std::sort(all.begin(), all.end());
        all.resize(std::min(k, all.size()));
        REQUIRE(std::equal(kept.begin(), kept.end(), all.begin(), all.end()));
    }
}

TEST_CASE("TopK accepts anything until it is full, and then only what is nearer than its worst") {
    std::vector<Neighbor> storage(2);
    TopK nearest(storage);
    CHECK(nearest.worst_distance() == std::numeric_limits<float>::infinity());
    nearest.offer({5, 0});
    CHECK(nearest.worst_distance() == std::numeric_limits<float>::infinity());
    nearest.offer({3, 1});
    CHECK(nearest.worst_distance() == 5);
    nearest.offer({4, 2});
    CHECK(nearest.worst_distance() == 4);
    nearest.offer({9, 3});
    CHECK(nearest.worst_distance() == 4);
}

TEST_CASE("TopK of nothing keeps nothing") {
    TopK nearest({});
    nearest.offer({1, 1});
    CHECK(nearest.size() == 0);
    CHECK(nearest.sorted().empty());
    CHECK(nearest.worst_distance() < 0);
}

TEST_CASE("BitsetView allows what exists and is not excluded") {
    const std::vector<std::uint64_t> excluded{0b101, 1};
    const kith::BitsetView some(excluded.data(), 66);
    CHECK_FALSE(some.allows(0));
    CHECK(some.allows(1));
    CHECK_FALSE(some.allows(2));
    CHECK_FALSE(some.allows(64));
    CHECK(some.allows(65));
    CHECK_FALSE(some.allows(66));
    CHECK_FALSE(some.first(65).allows(65));
    CHECK_FALSE(some.all());
    CHECK(some.count_allowed() == 63);
    CHECK(some.first(3).count_allowed() == 1);
    CHECK(some.allowed_word(0) == ~std::uint64_t{0b101});
    CHECK(some.allowed_word(1) == 0b10);

    const kith::BitsetView every(3);
    CHECK(every.all());
    CHECK(every.count_allowed() == 3);
    CHECK(every.allowed_word(0) == 0b111);
    CHECK(every.allows(2));
    CHECK_FALSE(every.allows(3));
    CHECK_FALSE(kith::BitsetView().allows(0));
}

TEST_CASE("BitsetView counts up to the last slot there can be") {
    // Of 512 MB of bits only the pages that are written take memory.
    constexpr Slot most = std::numeric_limits<Slot>::max();
    const kith::ReservedMemory memory(std::size_t{1} << 29);
    auto* const excluded = reinterpret_cast<std::uint64_t*>(memory.data());
    excluded[0] = 0b11;
    excluded[most / 64] = std::uint64_t{1} << 62;
    const kith::BitsetView view(excluded, most);
    CHECK(view.count_allowed() == most - 3);
    CHECK(view.allows(most - 2));
    CHECK_FALSE(view.allows(most - 1));
    CHECK(view.allowed_word(most / 64) == ~std::uint64_t{0} >> 2);
    CHECK(view.first(64).count_allowed() == 62);
}
