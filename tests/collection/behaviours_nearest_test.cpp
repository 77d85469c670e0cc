// tests/collection/behaviours_nearest_test.cpp — searches as other vector databases are expected to answer them, above
// all under a condition; see docs/behaviours.md.
#include "tales.hpp"

#include "kith/distance/cosine.hpp"
#include "kith/distance/inner_product.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

using kith::Collection;
using kith_test::FileFaults;
using kith_test::in_each_state;
using kith_test::Numbers;
using kith_test::on_call;
using kith_test::Tale;
using kith_test::TaleCollection;
using kith_test::tales;
using kith_test::TemporaryDirectory;

namespace {

struct Point {
    std::int64_t number = 0;
    std::int32_t rank = 0;
    std::int32_t plain_rank = 0;  // the same, without an index
    std::array<float, 3> by_l2{};
    std::array<float, 3> by_cosine{};
    std::array<float, 3> by_product{};
};

using Points =
    kith::Schema<Point, kith::Key<&Point::number>, kith::Field<&Point::rank, kith::indexed>,
                 kith::VectorField<&Point::by_l2, kith::L2>, kith::VectorField<&Point::by_cosine, kith::Cosine>,
                 kith::VectorField<&Point::by_product, kith::InnerProduct>>;

constexpr std::int64_t many = 20'000;

/// As many points as said, of ranks from 0 up that have nothing to do with where the points lie.
std::vector<Point> points(std::int64_t count) {
    kith::SplitMix64 random(7);
    std::vector<Point> made;
    for (std::int64_t number = 0; number < count; ++number) {
        Point point;
        point.number = number;
        point.rank = point.plain_rank = static_cast<std::int32_t>(number * 7919 % count);
        for (float& element : point.by_l2) element = static_cast<float>(random.uniform());
        point.by_cosine = point.by_product = point.by_l2;
        made.push_back(point);
    }
    return made;
}

/// Many points, linked into their graphs; made once.
const Collection<Points>& many_points() {
    static const Collection<Points> collection = [] {
        Collection<Points> made(kith::in_memory);
        made.insert(points(many));
        made.link();
        return made;
    }();
    return collection;
}

constexpr std::array<float, 3> middle{0.5F, 0.5F, 0.5F};

template <class Hits>
Numbers keys_of(const Hits& hits) {
    Numbers keys;
    for (const auto& hit : hits) keys.push_back(hit.record.number);
    return keys;
}

}  // namespace

TEST_CASE("Hits come nearest first, with a squared distance, a cosine or a product as their score") {
    Collection<Points> collection(kith::in_memory);
    collection.insert(points(300));
    const std::array<float, 3> query{0.25F, 0.5F, 0.75F};
    const auto dot = [&](const std::array<float, 3>& a, const std::array<float, 3>& b) {
        return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
    };
    const auto by_l2 = collection.nearest<&Point::by_l2>(query).limit(50).run();
    const auto by_cosine = collection.nearest<&Point::by_cosine>(query).limit(50).run();
    const auto by_product = collection.nearest<&Point::by_product>(query).limit(50).run();
    REQUIRE(by_l2.size() + by_cosine.size() + by_product.size() == 150);
    for (std::size_t at = 0; at < 50; ++at) {
        const auto& p = by_l2[at].record.by_l2;
        const std::array<float, 3> apart{p[0] - query[0], p[1] - query[1], p[2] - query[2]};
        CHECK(by_l2[at].score == Approx(dot(apart, apart)));
        const auto& c = by_cosine[at].record.by_cosine;
        CHECK(by_cosine[at].score == Approx(dot(c, query) / std::sqrt(dot(c, c) * dot(query, query))));
        CHECK(by_product[at].score == Approx(dot(by_product[at].record.by_product, query)));
        if (at == 0) continue;
        CHECK(by_l2[at - 1].score <= by_l2[at].score);
        CHECK(by_cosine[at - 1].score >= by_cosine[at].score);
        CHECK(by_product[at - 1].score >= by_product[at].score);
    }
}

TEST_CASE("A hit carries the vector that was written, though the graph is walked by codes") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    const std::vector<Tale> written = tales(0, 1500);
    TaleCollection collection(directory / "tales", on_call());
    collection.insert(written);
    collection.checkpoint();
    const auto explanation = collection.nearest<&Tale::place>(written[5].place).explain();
    REQUIRE(explanation.segments.at(0).plan.index == "hnsw/sq4");
    for (const auto& hit : collection.nearest<&Tale::place>(written[5].place).where("year > 3").limit(200).run()) {
        CHECK(hit.record == written[static_cast<std::size_t>(hit.record.number)]);
    }
    CHECK(collection.get(1234) == written[1234]);
    CHECK_FALSE(collection.get(1500).has_value());
}

TEST_CASE("What was erased is never found again, and what was replaced is found once, where it is now") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    const std::vector<Tale> written = tales(0, 400);
    TaleCollection collection(directory / "tales", on_call());
    collection.insert(written);
    collection.checkpoint();
    CHECK(collection.erase_where("number % 2 = 1") == 200);
    Tale moved = written[10];
    moved.place = written[11].place;  // where an erased one was
    collection.upsert(moved);
    for (int state = 0; state < 3; ++state) {
        const auto hits = collection.nearest<&Tale::place>(written[11].place).limit(400).run();
        CHECK(hits.size() == 200);
        CHECK(hits[0].record == moved);
        CHECK(hits[0].distance == 0);
        const Numbers keys = keys_of(hits);
        CHECK(std::set<std::int64_t>(keys.begin(), keys.end()).size() == 200);
        CHECK(std::none_of(keys.begin(), keys.end(), [](std::int64_t number) { return number % 2 == 1; }));
        CHECK(collection.nearest<&Tale::place>(written[10].place).limit(1).run()[0].record.number != 10);
        if (state == 0) collection.checkpoint();
        if (state == 1) collection.compact();
    }
}

TEST_CASE("One record of many thousands is found, with an index of its field and without") {
    for (const std::int32_t rank : {0, 4711, static_cast<std::int32_t>(many) - 1}) {
        const auto by_index = many_points().nearest<&Point::by_l2>(middle).where("rank = ?", rank).run();
        const auto by_column = many_points().nearest<&Point::by_l2>(middle).where("plain_rank = ?", rank).run();
        REQUIRE(by_index.size() == 1);
        CHECK(by_index[0].record.rank == rank);
        CHECK(keys_of(by_column) == keys_of(by_index));
    }
    CHECK(many_points().nearest<&Point::by_l2>(middle).where("rank < 0").run().empty());
    CHECK(many_points().nearest<&Point::by_l2>(middle).where("plain_rank > 1 AND rank < 2").run().empty());
}

TEST_CASE("A search finds as many as are asked for, whatever share of the records satisfies the condition") {
    for (const std::int32_t matches : {2, 20, 200, 2'000, 10'000, 18'000, 19'980}) {
        for (const std::size_t limit : {std::size_t{10}, std::size_t{100}, std::size_t{1000}}) {
            for (const std::string column : {"rank", "plain_rank"}) {
                CAPTURE(matches, limit, column);
                const auto ask = [&](const char* op) {
                    return many_points().nearest<&Point::by_l2>(middle).where(column + op, matches).limit(limit).run();
                };
                const auto few = ask(" < ?");
                CHECK(few.size() == std::min(limit, static_cast<std::size_t>(matches)));
                const auto others = ask(" >= ?");
                CHECK(others.size() == std::min(limit, static_cast<std::size_t>(many - matches)));
                CHECK(std::all_of(few.begin(), few.end(), [&](const auto& hit) { return hit.record.rank < matches; }));
                CHECK(std::none_of(others.begin(), others.end(),
                                   [&](const auto& hit) { return hit.record.rank < matches; }));
            }
        }
    }
}

TEST_CASE("An answer as large as the collection holds every record, each with its key") {
    const Numbers keys = keys_of(many_points().nearest<&Point::by_l2>(middle).where("rank >= 0").limit(many).run());
    CHECK(keys.size() == many);
    CHECK(std::set<std::int64_t>(keys.begin(), keys.end()).size() == many);
}

TEST_CASE("The same question has the same answer, before and after the collection was opened again") {
    Numbers first;
    in_each_state(tales(0, 600), [&](const TaleCollection& collection) {
        const auto ask = [&] {
            const std::array<float, 32> origin{};
            return keys_of(collection.nearest<&Tale::place>(origin).where("year % 3 = 1").exact().limit(40).run());
        };
        const Numbers answer = ask();
        CHECK(answer.size() == 40);
        CHECK(ask() == answer);
        if (first.empty()) first = answer;
        CHECK(answer == first);
    });
}

TEST_CASE("A record that was erased changes nothing about how the others are searched") {
    Collection<Points> collection(kith::in_memory);
    collection.insert(points(5000));
    collection.link();
    const auto plan = [&] { return collection.nearest<&Point::by_l2>(middle).explain().segments.at(0).plan; };
    const kith::SearchPlan before = plan();
    REQUIRE(before.way == kith::SearchWay::indexed);
    const auto nearest = collection.nearest<&Point::by_l2>(middle).limit(2).exact().run();
    collection.erase(nearest[0].record.number);
    const kith::SearchPlan after = plan();
    CHECK(after.way == before.way);
    CHECK(after.indexed == before.indexed);
    CHECK(after.params.ef_search == before.params.ef_search);
    CHECK(after.params.stretch == before.params.stretch);
    CHECK(collection.nearest<&Point::by_l2>(middle).limit(1).exact().run()[0].record.number ==
          nearest[1].record.number);
}
