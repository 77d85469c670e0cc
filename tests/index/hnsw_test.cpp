// tests/index/hnsw_test.cpp — the graph asks of its rows what the concept says, and no more.
#include "kith/index/hnsw.hpp"

#include "kith/core/random.hpp"
#include "kith/index/flat.hpp"

#include "support/catch.hpp"
#include "support/poor_rows.hpp"

#include <vector>

using kith::BitsetView;
using kith::Neighbor;
using kith::SearchParams;
using kith::Slot;

TEST_CASE("The poorest rows that fit the concept are searched by every index") {
    kith::SplitMix64 random(1);
    std::vector<float> places;
    for (int i = 0; i < 1500; ++i) places.push_back(static_cast<float>(random.uniform()));
    const kith_test::PoorRows rows(places);
    kith::HnswIndex<kith_test::PoorRows> graph(kith::HnswParams{}, 1500);
    kith::FlatIndex<kith_test::PoorRows> flat;
    graph.insert(rows, 1500);
    flat.insert(rows, 1500);
    kith::SearchScratch scratch;
    for (int round = 0; round < 50; ++round) {
        const auto query = static_cast<float>(random.uniform());
        std::vector<Neighbor> walked(5);
        std::vector<Neighbor> scanned(5);
        const SearchParams params{5, 100, BitsetView(1500)};
        REQUIRE(graph.search(rows, &query, params, scratch, walked.data()) == 5);
        REQUIRE(flat.search(rows, &query, params, scratch, scanned.data()) == 5);
        CHECK(walked == scanned);
    }
}

TEST_CASE("Parameters out of range are refused with the range") {
    for (const std::uint32_t links : {0U, 3U, 65U}) {
        try {
            const kith::HnswIndex<kith_test::PoorRows> graph(kith::HnswParams{.max_links = links}, 10);
            FAIL("took " << links << " links");
        } catch (const kith::Error& error) {
            CHECK(error.code() == kith::Errc::invalid_argument);
            CHECK(std::string(error.what()).find(std::to_string(links)) != std::string::npos);
        }
    }
}
