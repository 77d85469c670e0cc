// tests/index/real_sets_test.cpp — the recall that is asked for, on real vectors and queries that were held out.
//
// The words that the project carries are always asked. Set KITH_DATA to a folder of the sets that docs/benchmarks.md
// names to ask those that are there too, which takes minutes.
#include "kith/index.hpp"

#include "../../benchmarks/ann/dataset.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

using kith::BitsetView;
using kith::Neighbor;
using kith::SearchParams;
using kith::SearchScratch;
using kith::Slot;
using kith::VectorIndex;

namespace {

constexpr std::size_t deepest = 100;

template <class Tag>
std::unique_ptr<VectorIndex> calibrated_index_of(const ann::Dataset& set) {
    const auto count = static_cast<Slot>(set.base.rows());
    auto index = set.cosine ? kith::make_vector_index<kith::Cosine, Tag>(set.base.dim, count)
                            : kith::make_vector_index<kith::L2, Tag>(set.base.dim, count);
    for (Slot slot = 0; slot < count; ++slot) index->append(set.base.row(slot));
    index->index_up_to(count, 2);
    index->calibrate();
    return index;
}

/// The share of true neighbours among `limit` that queries find when they ask for `recall`.
double reached(const VectorIndex& index, const ann::Dataset& set, double recall, std::size_t limit) {
    constexpr double rounding = 1 + 1e-5;
    const SearchParams asked{limit, 1, BitsetView(index.rows())};
    const auto tuned = index.tuned(recall, asked);
    SearchScratch scratch;
    std::vector<Neighbor> found(limit);
    std::size_t hits = 0;
    for (std::size_t query = 0; query < set.queries.rows(); ++query) {
        const float* const vector = set.queries.row(query);
        const std::size_t count = tuned.has_value() ? index.search(vector, *tuned, scratch, found.data())
                                                    : index.search_exact(vector, asked, scratch, found.data());
        const double reach = static_cast<double>(set.reach(query, limit)) * rounding;
        hits += static_cast<std::size_t>(std::count_if(
            found.begin(), found.begin() + static_cast<std::ptrdiff_t>(count),
            [&](const Neighbor& at) { return ann::true_distance(set, vector, set.base.row(at.slot)) <= reach; }));
    }
    return static_cast<double>(hits) / static_cast<double>(set.queries.rows() * limit);
}

template <class Tag>
void check(const ann::Dataset& set) {
    const auto index = calibrated_index_of<Tag>(set);
    for (const double recall : {0.80, 0.90, 0.95, 0.98, 0.99}) {
        for (const std::size_t limit : {std::size_t{10}, deepest}) {
            CAPTURE(set.name, Tag::name, recall, limit);
            CHECK(reached(*index, set, recall, limit) >= recall - 0.01);
        }
    }
}

}  // namespace

TEST_CASE("Words that were held out find the share of neighbours that is asked for") {
    const ann::Dataset words = ann::load(KITH_EXAMPLE_DATA, "words", ~std::size_t{0}, 500, deepest);
    check<kith::AutoIndex<100>>(words);
    check<kith::Ivf<>>(words);
}

TEST_CASE("So do the queries of every real set", "[slow]") {
    const char* const folder = std::getenv("KITH_DATA");
    if (folder == nullptr) {
        WARN("KITH_DATA is not set, so no real set but the words was asked");
        return;
    }
    std::size_t asked = 0;
    for (const char* const name : {"fashion", "text", "glove", "sift"}) {
        if (!std::filesystem::exists(std::filesystem::path(folder) / (std::string(name) + ".gt.i32bin.zst"))) continue;
        const ann::Dataset set = ann::load(folder, name, ~std::size_t{0}, 1000, deepest);
        check<kith::AutoIndex<100>>(set);
        check<kith::Ivf<>>(set);
        ++asked;
    }
    CHECK(asked > 0);
}
