// tests/index/lists.hpp — what the tests of inverted files ask, and how much of the truth they find.
#pragma once

#include "index/points.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace kith_test {

inline kith::SearchParams asking(kith::BitsetView allowed, std::uint32_t nprobe, std::size_t limit = 10,
                                 float rescore = 0) {
    return {.limit = limit, .ef_search = 10, .allowed = allowed, .nprobe = nprobe, .rescore = rescore};
}

/// The share of true neighbours found for vectors that are not in the index.
template <class Index, class M>
double recall(const Index& index, const Points<M>& points, const std::vector<float>& queries, std::size_t dim,
              const kith::SearchParams& params) {
    std::size_t found_of_them = 0, wanted = 0;
    for (std::size_t at = 0; at < queries.size(); at += dim) {
        const auto truth = points.nearest(&queries[at], params.limit, params.allowed);
        const auto found = search(index, points.view(), &queries[at], params);
        REQUIRE(std::is_sorted(found.begin(), found.end()));
        found_of_them += hits(found, truth);
        wanted += truth.size();
    }
    return static_cast<double>(found_of_them) / static_cast<double>(wanted);
}

}  // namespace kith_test
