// tests/index/raw_rows_test.cpp — rows of every element under every metric it has, alone and in an index.
#include "kith/index/raw_rows.hpp"

#include "index/points.hpp"
#include "kith/index/row_memory.hpp"
#include "kith/index/vector_index.hpp"
#include "laws/metric_laws.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/raised.hpp"

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

// Every metric and element that rows are made of.
#define ROW_PAIRS                                                                                               \
    (Pair<L2, float>), (Pair<InnerProduct, float>), (Pair<Cosine, float>), (Pair<L2, Half>),                    \
        (Pair<InnerProduct, Half>), (Pair<Cosine, Half>), (Pair<L2, Bfloat16>), (Pair<InnerProduct, Bfloat16>), \
        (Pair<Cosine, Bfloat16>), (Pair<L2, std::int8_t>), (Pair<InnerProduct, std::int8_t>),                   \
        (Pair<Cosine, std::int8_t>), (Pair<L2, std::uint8_t>), (Pair<InnerProduct, std::uint8_t>),              \
        (Pair<Cosine, std::uint8_t>), (Pair<Hamming, Bits8>), (Pair<Jaccard, Bits8>)

using kith::Bfloat16;
using kith::Bits8;
using kith::BitsetView;
using kith::Cosine;
using kith::Half;
using kith::Hamming;
using kith::InnerProduct;
using kith::Jaccard;
using kith::L2;
using kith::Neighbor;
using kith::RawRows;
using kith::ScratchMemory;
using kith::SearchScratch;
using kith::Slot;
using kith_test::Pair;

namespace {

/// Clusters spread over the range of T, so that rounding leaves them apart.
template <class T>
class Vectors {
public:
    explicit Vectors(std::size_t dim) : clusters_(dim) {}

    std::vector<float> make(std::size_t count) {
        std::vector<float> made = clusters_.make(count);
        if constexpr (std::same_as<T, std::int8_t> || std::same_as<T, std::uint8_t>) {
            const float middle = std::same_as<T, std::uint8_t> ? 128 : 0;
            for (float& value : made) value = middle + 16 * value;
        }
        return made;
    }

private:
    kith_test::Clusters clusters_;
};

/// Vectors as rows, and as the elements they are rounded to.
template <class M, class T>
class TypedPoints {
public:
    using View = RawRows<T, M>;

    TypedPoints(std::size_t dim, const std::vector<float>& floats) : dim_(dim), count_(floats.size() / dim) {
        rows_.resize(count_ * View::stride_for(dim));
        elements_.resize(count_ * kith::elements_for<T>(dim));
        for (Slot slot = 0; slot < count_; ++slot) {
            View::write_row(&rows_[slot * View::stride_for(dim)], &floats[slot * dim], dim);
            kith::encode_elements(&floats[slot * dim], dim, &elements_[slot * kith::elements_for<T>(dim)]);
        }
    }

    [[nodiscard]] Slot count() const { return static_cast<Slot>(count_); }
    [[nodiscard]] const T* vector(Slot slot) const { return &elements_[slot * kith::elements_for<T>(dim_)]; }
    [[nodiscard]] View view(kith::Isa isa) const { return View(rows_.data(), dim_, View::kernels_for(isa)); }

    /// The distance of a query from a slot, the query as kernels take it.
    [[nodiscard]] float distance(const float* query, Slot slot) const {
        if constexpr (std::same_as<kith::QueryElement<T>, float>) {
            std::vector<float> floats(dim_);
            kith::decode_elements(vector(slot), dim_, floats.data());
            return M::distance(query, floats.data(), dim_);
        } else {
            return distance_of_elements(query, slot);
        }
    }

private:
    [[nodiscard]] float distance_of_elements(const float* query, Slot slot) const {
        std::vector<T> rounded(kith::elements_for<T>(dim_));
        kith::encode_elements(query, dim_, rounded.data());
        return M::distance(rounded.data(), vector(slot), rounded.size());
    }

    std::size_t dim_, count_;
    std::vector<T> rows_;
    std::vector<T> elements_;
};

std::vector<kith::Isa> available() {
    std::vector<kith::Isa> sets;
    for (const kith::Isa isa : kith::all_isas) {
        if (kith::supports(isa)) sets.push_back(isa);
    }
    return sets;
}

}  // namespace

TEMPLATE_TEST_CASE("rows score what they hold, the same way round either way", "", ROW_PAIRS) {
    using M = typename TestType::Metric;
    using T = typename TestType::Element;
    for (const std::size_t dim : {1U, 7U, 20U, 64U, 99U, 256U, 515U}) {
        Vectors<T> vectors(dim);
        const TypedPoints<M, T> points(dim, vectors.make(20));
        for (const kith::Isa isa : available()) {
            INFO(M::name << '/' << kith::element_name<T> << '/' << kith::name(isa) << '/' << dim);
            const auto rows = points.view(isa);
            ScratchMemory scratch, other;
            std::vector<Slot> slots(points.count());
            for (Slot slot = 0; slot < points.count(); ++slot) slots[slot] = points.count() - 1 - slot;
            std::vector<float> gathered(slots.size()), block(slots.size()), floats(dim);
            for (const Slot slot : slots) {
                const auto scorer = rows.scorer_of(slot, scratch);
                scorer.score(slots.data(), slots.size(), gathered.data());
                scorer.score_block(0, slots.size(), block.data());
                rows.decode(slot, floats.data());
                const auto asked = rows.scorer(floats.data(), other);
                for (std::size_t i = 0; i < slots.size(); ++i) {
                    const float truth =
                        M::distance(points.vector(slot), points.vector(slots[i]), kith::elements_for<T>(dim));
                    CHECK(gathered[i] == Approx(truth).epsilon(1e-4).margin(1e-4));
                    CHECK(gathered[i] == block[slots[i]]);
                    float turned = 0, exact = 0;
                    rows.scorer_of(slots[i], other).score(&slot, 1, &turned);
                    CHECK(turned == gathered[i]);
                    rows.scorer(floats.data(), other).score(&slots[i], 1, &exact);
                    CHECK(exact == gathered[i]);  // what was decoded is the row
                }
                asked.prefetch(slot);
            }
        }
    }
}

TEMPLATE_TEST_CASE("rows of elements are those of the floats they stand for", "", ROW_PAIRS) {
    using T = typename TestType::Element;
    using View = RawRows<T, typename TestType::Metric>;
    for (const std::size_t dim : {1U, 13U, 64U, 300U}) {
        Vectors<T> vectors(dim);
        const std::vector<float> floats = vectors.make(1);
        std::vector<T> elements(kith::elements_for<T>(dim));
        kith::encode_elements(floats.data(), dim, elements.data());
        std::vector<T> row(View::stride_for(dim) + 1), same(View::stride_for(dim) + 1);
        std::memset(static_cast<void*>(row.data()), 0x5a, row.size() * sizeof(T));
        std::memset(static_cast<void*>(same.data()), 0x5a, same.size() * sizeof(T));
        View::write_row(row.data(), floats.data(), dim);
        View::write_elements(same.data(), elements.data(), dim);
        CHECK(std::memcmp(row.data(), same.data(), row.size() * sizeof(T)) == 0);
        const T untouched = same.back();
        std::vector<float> decoded(dim), expected(dim);
        View(same.data(), dim, View::kernels_for(kith::Isa::scalar)).decode(0, decoded.data());
        kith::decode_elements(elements.data(), dim, expected.data());
        CHECK(decoded == expected);
        CHECK(std::memcmp(&untouched, "\x5a\x5a\x5a\x5a", sizeof(T)) == 0);
    }
}

TEST_CASE("Bits past the last dimension are dropped, for they would count") {
    using View = RawRows<Bits8, Hamming>;
    const Bits8 all[] = {{255}, {255}};
    std::vector<Bits8> row(View::stride_for(11));
    View::write_elements(row.data(), all, 11);
    CHECK(row[0].bits == 255);
    CHECK(row[1].bits == 7);
}

TEST_CASE("Rows of floats are laid out as they ever were") {
    CHECK(RawRows<float, L2>::stride_for(3) == 4);
    CHECK(RawRows<float, Cosine>::stride_for(4) == 8);
    CHECK(RawRows<float, L2>::stride_for(100) == 100);
    CHECK(RawRows<float, Cosine>::stride_for(100) == 104);
    CHECK(RawRows<float, Cosine>::stride_for(128) == 144);
    CHECK(RawRows<std::int8_t, Cosine>::stride_for(128) == 144);
    CHECK(RawRows<Bits8, Hamming>::stride_for(1024) == 128);
    CHECK(RawRows<Half, L2>::stride_for(784) == 800);
    const float vector[] = {3, 4};
    std::vector<float> row(RawRows<float, Cosine>::stride_for(2), 9);
    RawRows<float, Cosine>::write_row(row.data(), vector, 2);
    CHECK(row == std::vector<float>{3, 4, 0.2F, 0});
}

TEMPLATE_TEST_CASE("Vectors that round to nothing, or to the end of the range, have distances all the same", "", float,
                   Half, Bfloat16, std::int8_t, std::uint8_t) {
    // Where elements reach as far as the sums of their products, those may overflow.
    constexpr bool has_range_of_float = std::same_as<TestType, float> || std::same_as<TestType, Bfloat16>;
    const std::size_t dim = 40;
    std::vector<float> floats(4 * dim, 0.0F);  // the last is nothing
    for (std::size_t i = 0; i < dim; ++i) {
        floats[i] = 1e-20F;
        floats[dim + i] = i % 2 == 0 ? 1e-5F : 1e-22F;
        floats[2 * dim + i] = has_range_of_float ? 1e17F : std::numeric_limits<float>::max();
    }
    const auto check = [&](const auto& points) {
        for (const kith::Isa isa : available()) {
            const auto rows = points.view(isa);
            ScratchMemory scratch;
            float out[4];
            for (Slot slot = 0; slot < 4; ++slot) {
                rows.scorer_of(slot, scratch).score_block(0, 4, out);
                for (const float distance : out) CHECK_FALSE(std::isnan(distance));
                rows.scorer(&floats[slot * dim], scratch).score_block(0, 4, out);
                for (const float distance : out) CHECK_FALSE(std::isnan(distance));
            }
        }
    };
    check(TypedPoints<Cosine, TestType>(dim, floats));
    check(TypedPoints<L2, TestType>(dim, floats));
    const TypedPoints<Cosine, TestType> points(dim, floats);
    ScratchMemory scratch;
    float out[4];
    points.view(kith::best_isa()).scorer_of(3, scratch).score_block(0, 4, out);
    for (const float distance : out) CHECK(distance == 1);
}

TEMPLATE_TEST_CASE("How long a query is says nothing under Cosine, even to rows of whole numbers", "", std::int8_t,
                   std::uint8_t) {
    constexpr std::size_t dim = 30;
    kith::SplitMix64 random(5);
    std::vector<float> floats(40 * dim);
    for (float& value : floats) value = static_cast<float>(random.below(120));
    const TypedPoints<Cosine, TestType> points(dim, floats);
    const auto rows = points.view(kith::best_isa());
    ScratchMemory scratch;
    for (const float scale : {1.0F, 0.001F, 1e6F}) {
        std::vector<float> query(floats.begin() + 7 * dim, floats.begin() + 8 * dim);
        for (float& value : query) value *= scale;
        float out[40];
        rows.scorer(query.data(), scratch).score_block(0, 40, out);
        CHECK(std::min_element(out, out + 40) - out == 7);
        CHECK(out[7] < 1e-4F);
    }
}

TEMPLATE_TEST_CASE("an index over any element finds what a naive search finds, in memory and mapped", "", ROW_PAIRS) {
    using M = typename TestType::Metric;
    using T = typename TestType::Element;
    using SmallHnsw = kith::Hnsw<kith::HnswParams{8, 60}>;
    const std::size_t dim = std::same_as<T, Bits8> ? 95 : 20;
    Vectors<T> vectors(dim);
    const std::vector<float> floats = vectors.make(1500);
    const TypedPoints<M, T> points(dim, floats);
    const auto index = kith::make_vector_index<M, SmallHnsw, T>(dim, points.count());
    for (Slot slot = 0; slot < points.count(); ++slot) index->append(&floats[slot * dim]);
    index->index_up_to(points.count(), 1);

    const std::string row_image = kith_test::bytes_of([&](const auto& sink) { index->save_rows(sink); });
    const std::string graph_image = kith_test::bytes_of([&](const auto& sink) { index->save_graph(sink); });
    const kith_test::AlignedBytes row_bytes(row_image), graph_bytes(graph_image);
    const auto mapped =
        kith::map_vector_index<M, SmallHnsw, T>(dim, points.count(), row_bytes.view(), graph_bytes.view());

    std::vector<float> kept(dim), expected(dim);
    index->vector(77, kept.data());
    kith::decode_elements(points.vector(77), dim, expected.data());
    CHECK(kept == expected);

    std::vector<float> queries = vectors.make(30);
    if constexpr (std::integral<T>) {  // others are scaled before they are rounded, under Cosine
        for (float& element : queries) element = std::nearbyint(element);
    }
    SearchScratch scratch;
    std::size_t hits = 0, exact_hits = 0;
    for (std::size_t at = 0; at < queries.size(); at += dim) {
        std::vector<float> truth(points.count());
        for (Slot slot = 0; slot < points.count(); ++slot) truth[slot] = points.distance(&queries[at], slot);
        std::vector<float> sorted = truth;
        std::sort(sorted.begin(), sorted.end());
        const float reach = sorted[9] + 1e-4F * std::abs(sorted[9]) + 1e-5F;
        std::vector<Neighbor> found(10), again(10);
        const BitsetView all(points.count());
        REQUIRE(index->search_exact(&queries[at], {10, 60, all}, scratch, found.data()) == 10);
        for (const Neighbor& neighbor : found) exact_hits += truth[neighbor.slot] <= reach;
        REQUIRE(index->search(&queries[at], {10, 60, all}, scratch, found.data()) == 10);
        for (const Neighbor& neighbor : found) hits += truth[neighbor.slot] <= reach;
        REQUIRE(mapped->search(&queries[at], {10, 60, all}, scratch, again.data()) == 10);
        CHECK(found == again);
    }
    CHECK(exact_hits == 300);
    CHECK(hits >= 285);

    std::vector<Neighbor> found(10);
    const std::size_t before = kith_test::allocation_count();
    index->search(queries.data(), {10, 60, BitsetView(points.count())}, scratch, found.data());
    CHECK(kith_test::allocation_count() == before);
}

TEMPLATE_TEST_CASE("codes and lists are made of rows of any numbers", "", (Pair<L2, Half>), (Pair<Cosine, Bfloat16>),
                   (Pair<InnerProduct, std::int8_t>), (Pair<Cosine, std::uint8_t>)) {
    using M = typename TestType::Metric;
    using T = typename TestType::Element;
    const std::size_t dim = 20;
    Vectors<T> vectors(dim);
    const std::vector<float> floats = vectors.make(3000), queries = vectors.make(20);
    const auto check = [&](const auto& index) {
        for (std::size_t at = 0; at < floats.size(); at += dim) index->append(&floats[at]);
        index->index_up_to(3000, 1);
        SearchScratch scratch;
        std::size_t hits = 0;
        for (std::size_t at = 0; at < queries.size(); at += dim) {
            std::vector<Neighbor> truth(10), found(10);
            const BitsetView all(3000);
            index->search_exact(&queries[at], {10, 100, all}, scratch, truth.data());
            kith::SearchParams params{10, 100, all};
            REQUIRE(index->search(&queries[at], params, scratch, found.data()) == 10);
            for (const Neighbor& neighbor : found) hits += !(truth.back() < neighbor);
        }
        CHECK(hits >= 180);
    };
    check(kith::make_vector_index<M, kith::Hnsw<kith::HnswParams{8, 60}, kith::Sq8>, T>(dim, 3000));
    check(kith::make_vector_index<M, kith::Ivf<>, T>(dim, 3000));
}

TEST_CASE("An image of rows is refused by an index of another element") {
    kith::detail::RowMemory<std::int8_t, L2> rows(16, 3);
    const std::int8_t row[16] = {1, -2, 3};
    for (int i = 0; i < 3; ++i) rows.append_elements(row);
    const std::string image = kith_test::bytes_of([&](const auto& sink) { rows.save(sink); });
    const kith_test::AlignedBytes bytes(image);
    const kith::detail::RowMemory<std::int8_t, L2> mapped(16, 3, bytes.view());
    CHECK(std::memcmp(mapped.view().row(2), row, sizeof(row)) == 0);
    const auto refused = kith_test::raised([&] { kith::detail::RowMemory<std::uint8_t, L2>(16, 3, bytes.view()); });
    CHECK(refused.code == kith::Errc::corrupt);
    CHECK(refused.says("type u8"));
}
