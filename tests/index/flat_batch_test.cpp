// tests/index/flat_batch_test.cpp — a batch of queries beside each of them alone.
#include "kith/index/flat_batch.hpp"

#include "index/points.hpp"
#include "laws/elements.hpp"
#include "laws/metric_laws.hpp"
#include "support/allocations.hpp"
#include "support/archetype_rows.hpp"
#include "support/available_isas.hpp"
#include "support/catch.hpp"

#include <cstddef>
#include <limits>
#include <vector>

using kith::BitsetView;
using kith::Isa;
using kith::Neighbor;
using kith::SearchScratch;
using kith::Slot;
using kith_test::Clusters;
using kith_test::Exclusions;
using kith_test::Pair;

namespace {

/// Vectors as rows of any element.
template <class T, class M>
class RowsOf {
public:
    using View = kith::RawRows<T, M>;

    RowsOf(std::size_t dim, const std::vector<float>& values)
        : dim_(dim), count_(static_cast<Slot>(values.size() / dim)), rows_(count_ * View::stride_for(dim)) {
        for (Slot slot = 0; slot < count_; ++slot) {
            View::write_row(&rows_[slot * View::stride_for(dim)], &values[slot * dim], dim);
        }
    }

    [[nodiscard]] Slot count() const { return count_; }
    [[nodiscard]] View view(Isa isa) const { return View(rows_.data(), dim_, View::kernels_for(isa)); }

private:
    std::size_t dim_;
    Slot count_;
    std::vector<T> rows_;
};

/// How many of the queries get another answer in a batch than alone; a distance may differ in no bit.
template <class R>
std::size_t different(const R& rows, const std::vector<float>& queries, std::size_t limit, BitsetView allowed,
                      Isa isa) {
    const std::size_t count = queries.size() / rows.dim();
    SearchScratch scratch;
    const kith::FlatIndex<R> index(allowed.count());
    limit = std::min<std::size_t>(limit, allowed.count());
    std::vector<Neighbor> together(count * limit), alone(limit);
    std::vector<std::size_t> found(count);
    kith::detail::search_batch(rows, queries.data(), count, limit, allowed, scratch, together.data(), found.data(),
                               isa);
    std::size_t wrong = 0;
    for (std::size_t at = 0; at < count; ++at) {
        kith::SearchParams params;
        params.limit = limit;
        params.allowed = allowed;
        const std::size_t truth = index.search(rows, &queries[at * rows.dim()], params, scratch, alone.data());
        wrong += found[at] != truth || !std::equal(alone.data(), alone.data() + truth, together.data() + at * limit);
    }
    return wrong;
}

}  // namespace

TEMPLATE_TEST_CASE("A batch answers as its queries do alone, to the last bit", "", (Pair<kith::L2, float>),
                   (Pair<kith::Cosine, float>), (Pair<kith::InnerProduct, float>), (Pair<kith::L2, kith::Half>),
                   (Pair<kith::Cosine, kith::Bfloat16>), (Pair<kith::InnerProduct, kith::Bfloat16>),
                   (Pair<kith::L2, std::int8_t>), (Pair<kith::Cosine, std::uint8_t>),
                   (Pair<kith::Hamming, kith::Bits8>)) {
    using M = typename TestType::Metric;
    using T = typename TestType::Element;
    for (const std::size_t dim : {1U, 3U, 20U, 129U}) {
        Clusters clusters(dim);
        const RowsOf<T, M> rows(dim, clusters.make(500));
        Exclusions some(rows.count()), most(rows.count());
        for (Slot slot = 0; slot < rows.count(); ++slot) {
            if (slot % 7 < 3 || (slot > 100 && slot < 300)) some.exclude(slot);
            if (slot != 77 && slot != 471) most.exclude(slot);
        }
        for (const Isa isa : kith_test::available_isas()) {
            INFO(M::name << '/' << kith::element_name<T> << '/' << kith::name(isa) << ", dim " << dim);
            for (const std::size_t count : {1U, 3U, 4U, 33U, 260U}) {
                const std::vector<float> queries = clusters.make(count);
                CHECK(different(rows.view(isa), queries, 10, BitsetView(rows.count()), isa) == 0);
                CHECK(different(rows.view(isa), queries, 1, some.view(), isa) == 0);
            }
            const std::vector<float> queries = clusters.make(9);
            for (const std::size_t limit : {std::size_t{0}, std::size_t{3}, std::size_t{1000}}) {
                CHECK(different(rows.view(isa), queries, limit, some.view(), isa) == 0);
                CHECK(different(rows.view(isa), queries, limit, most.view(), isa) == 0);
                CHECK(different(rows.view(isa), queries, limit, BitsetView(97), isa) == 0);
                CHECK(different(rows.view(isa), queries, limit, BitsetView(), isa) == 0);
            }
        }
    }
}

TEMPLATE_TEST_CASE("A batch rules nothing out by a difference that rounding makes", "", kith::L2, kith::Cosine,
                   kith::InnerProduct) {
    constexpr std::size_t dim = 40;
    kith::SplitMix64 random(5);
    const auto around = [&](float centre, float spread, std::size_t count) {
        std::vector<float> made = kith_test::random_floats(random, count * dim);
        for (float& value : made) value = centre + spread * value;
        return made;
    };
    // Of 2000 and 2001 in each dimension the squares have seven digits in common; of 1 and 1 + 1e-6, all.
    for (const auto& [centre, spread] : {std::pair(2000.0F, 1.0F), std::pair(1.0F, 1e-6F), std::pair(1e8F, 64.0F)}) {
        const RowsOf<float, TestType> rows(dim, around(centre, spread, 1000));
        const std::vector<float> queries = around(centre, spread, 40);
        for (const Isa isa : kith_test::available_isas()) {
            INFO(TestType::name << '/' << kith::name(isa) << ", " << centre << " and " << spread);
            CHECK(different(rows.view(isa), queries, 10, BitsetView(rows.count()), isa) == 0);
        }
    }
}

TEMPLATE_TEST_CASE("A batch is right about the longest, the shortest and equal vectors", "", kith::L2, kith::Cosine,
                   kith::InnerProduct) {
    constexpr std::size_t dim = 7;
    kith::SplitMix64 random(6);
    std::vector<float> values;
    const auto add = [&](float scale, std::size_t count) {
        for (const float value : kith_test::random_floats(random, count * dim)) values.push_back(scale * value);
    };
    for (const float scale :
         {1.0F, 0.0F, 1e-44F, 1e-38F, 1e-30F, 1e-22F, 1e-19F, 1e-16F, 1e-14F, 1e-8F, 1e8F, 1e14F, 1e16F, 1e18F, 1.0F}) {
        add(scale, 20);
        values.insert(values.end(), values.end() - 10 * dim, values.end());
    }
    const RowsOf<float, TestType> rows(dim, values);
    for (const Isa isa : kith_test::available_isas()) {
        INFO(TestType::name << '/' << kith::name(isa));
        for (const std::size_t limit : {1U, 10U, 100U}) {
            CHECK(different(rows.view(isa), values, limit, BitsetView(rows.count()), isa) == 0);
        }
        // None but the short ones, so that their distances are what a limit is made of.
        for (std::size_t first = 0; first + 30 * dim <= values.size(); first += 30 * dim) {
            const std::vector<float> part(values.begin() + static_cast<std::ptrdiff_t>(first),
                                          values.begin() + static_cast<std::ptrdiff_t>(first + 30 * dim));
            const RowsOf<float, TestType> few(dim, part);
            CHECK(different(few.view(isa), part, 3, BitsetView(few.count()), isa) == 0);
        }
    }
}

TEST_CASE("A batch asks of its rows what the concept says and no more") {
    const kith_test::ArchetypeRows rows(0);
    const std::vector<float> queries = {0, 1, 5000, 10007, 3.5F};
    CHECK(different(rows, queries, 5, BitsetView(9000), Isa::scalar) == 0);
}

TEST_CASE("A scan ends at the last slot there can be, alone and in a batch") {
    constexpr Slot most = std::numeric_limits<Slot>::max(), first = most - 100;
    const kith_test::ArchetypeScorer scorer(kith_test::ArchetypeScorer::position(most - 1));
    std::vector<Neighbor> out(3);
    kith::TopK best(out);
    kith::detail::scan(scorer, first, most, BitsetView(most), best);
    CHECK(best.sorted().size() == 3);
    CHECK(out[0].slot == most - 1);

    Slot slots[kith::detail::batch_rows];
    std::size_t begin = first, met = 0;
    while (const std::size_t count = kith::detail::next_slots(BitsetView(most), begin, slots)) {
        CHECK(slots[0] == first + met);
        met += count;
    }
    CHECK(met == 100);
}

TEST_CASE("The second batch allocates nothing") {
    constexpr std::size_t dim = 20;
    Clusters clusters(dim);
    const RowsOf<float, kith::L2> rows(dim, clusters.make(1000));
    const std::vector<float> queries = clusters.make(50);
    SearchScratch scratch;
    std::vector<Neighbor> out(500);
    std::vector<std::size_t> found(50);
    const Isa isa = kith::best_isa();
    const auto ask = [&] {
        kith::detail::search_batch(rows.view(isa), queries.data(), 50, 10, BitsetView(rows.count()), scratch,
                                   out.data(), found.data(), isa);
    };
    ask();
    const std::size_t before = kith_test::allocation_count();
    ask();
    CHECK(kith_test::allocation_count() == before);
}
