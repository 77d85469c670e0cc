// tests/collection/effort_test.cpp — a query says how hard to search: lists to read, codes to compare again.
#include "kith/collection.hpp"
#include "kith/core/random.hpp"
#include "kith/index/ivf.hpp"
#include "support/catch.hpp"
#include "support/raised.hpp"
#include "support/temporary_directory.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

using kith::Collection;
using kith::Errc;
using kith_test::raised;
using kith_test::TemporaryDirectory;

namespace {

struct Doc {
    std::int64_t id = 0;
    std::int32_t year = 0;  // indexed
    std::string title;      // a column once it is sealed
    std::array<float, 16> place{};
};

template <class Index>
using Docs = kith::Schema<Doc, kith::Key<&Doc::id>, kith::Field<&Doc::year, kith::indexed>,
                          kith::VectorField<&Doc::place, kith::L2, Index>>;

constexpr kith::IvfParams sixteen{.lists = 16};
using RawLists = kith::Ivf<sixteen, kith::IvfRaw>;
using CodedLists = kith::Ivf<sixteen, kith::IvfPq>;
using BitLists = kith::Ivf<sixteen, kith::IvfRaBitQ>;
using CodedGraph = kith::Hnsw<kith::HnswParams{}, kith::Sq4>;
using CodedFlat = kith::Coded<kith::Flat, kith::Sq4>;

/// The same for the same number.
Doc doc(std::int64_t number) {
    kith::SplitMix64 random(static_cast<std::uint64_t>(number) + 5);
    Doc made;
    made.id = number;
    made.year = static_cast<std::int32_t>(number % 100);
    made.title = number % 2 == 0 ? "even" : "odd";
    for (float& element : made.place) element = static_cast<float>(random.uniform());
    return made;
}

using Found = std::vector<std::pair<std::int64_t, float>>;

Found found(const std::vector<kith::Hit<Doc>>& hits) {
    Found all;
    for (const auto& hit : hits) all.emplace_back(hit.record.id, hit.distance);
    return all;
}

/// 3000 in a sealed segment, some of them deleted, and 1200 in one that is being written.
template <class Index>
struct Shelf {
    TemporaryDirectory directory;
    Collection<Docs<Index>> collection{directory / "docs.kith", [] {
                                           kith::Options options;
                                           options.segment_capacity = 3000;
                                           options.maintenance = kith::Maintenance::on_call;
                                           return options;
                                       }()};

    Shelf() {
        put(0, 3000);
        collection.checkpoint();
        put(3000, 1200);
        collection.link();
        for (std::int64_t number = 0; number < 4200; number += 9) collection.erase(number);
    }

    void put(std::int64_t first, std::int64_t count) {
        std::vector<Doc> docs;
        for (std::int64_t number = first; number < first + count; ++number) docs.push_back(doc(number));
        collection.insert(docs);
    }

    [[nodiscard]] auto ask(std::int64_t number = 9000) const {
        return collection.template nearest<&Doc::place>(doc(number).place);
    }

    /// How many of 20 queries' exact answers `set` finds, of all.
    template <class Set>
    [[nodiscard]] double recall(const Set& set) const {
        std::size_t right = 0, all = 0;
        for (std::int64_t number = 9000; number < 9020; ++number) {
            auto query = ask(number);
            set(query);
            const Found exact = ::found(ask(number).exact().run());
            for (const auto& hit : ::found(query.run())) right += std::count(exact.begin(), exact.end(), hit) > 0;
            all += exact.size();
        }
        return static_cast<double>(right) / static_cast<double>(all);
    }
};

bool says(const std::string& text, const std::string& words) {
    return text.find(words) != std::string::npos;
}

constexpr auto nothing = [](auto&) {};

}  // namespace

TEMPLATE_TEST_CASE("As many lists are read as a query says, and all of them find everything", "", RawLists, CodedLists,
                   BitLists) {
    const Shelf<TestType> shelf;
    for (const std::size_t lists : {std::size_t{1}, std::size_t{4}, std::size_t{16}, std::size_t{1'048'576}}) {
        const auto profile = shelf.ask().nprobe(lists).profile();
        const std::size_t read = std::min<std::size_t>(lists, 16);
        CAPTURE(profile.text());
        for (const auto& segment : profile.segments) CHECK(segment.counts.lists == read);
        CHECK(profile.explanation.recall == 0);
        CHECK(says(profile.text(), "reads the nearest " + std::to_string(read) + " lists"));
        CHECK(says(profile.text(), std::to_string(read) + " lists read, "));
    }
    const double one = shelf.recall([](auto& query) { query.nprobe(1); });
    const double four = shelf.recall([](auto& query) { query.nprobe(4); });
    const double all = shelf.recall([](auto& query) { query.nprobe(16); });
    CHECK(one < four);
    CHECK(four < all);
    CHECK(all >= 0.97);
    if (std::is_same_v<TestType, RawLists>) CHECK(all == 1);
    // Lists that hold fewer than are wanted are not the last ones that are read.
    CHECK(shelf.ask().nprobe(1).limit(2000).run().size() == 2000);
}

TEMPLATE_TEST_CASE("As many codes are compared again as a query says, and enough of them find everything", "",
                   CodedFlat, CodedGraph, CodedLists) {
    const Shelf<TestType> shelf;
    const auto set = [](double factor) {
        return [factor](auto& query) {
            if constexpr (std::is_same_v<TestType, CodedLists>) query.nprobe(16);
            query.rescore(factor);
        };
    };
    const double one = shelf.recall(set(1));
    const double some = shelf.recall(set(3));
    const double many = shelf.recall(set(60));
    CHECK(one < some);
    CHECK(some <= many);
    CHECK(many >= 0.98);
    CHECK(shelf.recall(set(1000)) >= many);
    const auto compared = [&](double factor) {
        const auto profile = shelf.ask().rescore(factor).profile();
        CAPTURE(profile.text());
        CHECK(profile.segments[0].counts.codes > 0);
        CHECK(
            says(profile.text(), "up to " + std::to_string(static_cast<int>(factor)) + " times as many as are wanted"));
        return profile.segments[0].counts.distances;
    };
    CHECK(compared(1) <= 16);
    CHECK(compared(1) < compared(20));
    // A walk keeps as many candidates as are to be compared again.
    if constexpr (std::is_same_v<TestType, CodedGraph>) {
        CHECK(shelf.ask().ef_search(10).rescore(20).profile().segments[0].counts.nodes >= 200);
        CHECK(shelf.recall([](auto& query) { query.ef_search(10).rescore(60); }) >
              shelf.recall([](auto& query) { query.ef_search(10); }));
    }
}

TEST_CASE("An effort that is none is refused and says what it would have to be") {
    const Collection<Docs<CodedLists>> lists(kith::in_memory);
    const auto ask = [&] { return lists.nearest<&Doc::place>(doc(9000).place); };
    const auto refused = [&](auto query, const std::string& words) {
        const auto said = raised([&] { static_cast<void>(query.run()); });
        CAPTURE(said.text);
        CHECK(said.code == Errc::invalid_argument);
        CHECK(said.says(words));
        CHECK(raised([&] { static_cast<void>(query.explain()); }).says(words));
    };
    refused(ask().nprobe(0), "nprobe is 0; it must be between 1 and 1048576");
    refused(ask().nprobe(2'000'000), "nprobe is 2000000; it must be between 1 and 1048576");
    refused(ask().nprobe(std::numeric_limits<std::size_t>::max()), "nprobe is 18446744073709551615");
    refused(ask().rescore(0), "rescore is 0.000000; it must be between 1 and 1000");
    refused(ask().rescore(-3), "rescore is -3.000000");
    refused(ask().rescore(1001), "rescore is 1001.000000");
    refused(ask().rescore(std::numeric_limits<double>::quiet_NaN()), "rescore is ");
    refused(ask().recall(0.9).nprobe(4), "recall and nprobe both say how hard to search; ask for one of them");
    refused(ask().ef_search(50).nprobe(4), "ef_search and nprobe both say");
    refused(ask().recall(0.9).ef_search(4), "recall and ef_search both say");
    CHECK(ask().recall(0.9).rescore(4).run().empty());
    const std::vector<float> query(16);
    CHECK(
        raised([&] { static_cast<void>(lists.nearest_many<&Doc::place>(query).nprobe(0).run()); }).says("nprobe is 0"));
    const Collection<Docs<CodedFlat>> flat(kith::in_memory);
    refused(flat.nearest<&Doc::place>(doc(9000).place).recall(0.9).rescore(4),
            "recall and rescore both say how hard to search");
}

TEMPLATE_TEST_CASE("Many filtered queries are answered as each alone, for every kind of index and effort", "",
                   kith::Flat, kith::Hnsw<>, CodedFlat, CodedGraph, RawLists, CodedLists, BitLists) {
    const Shelf<TestType> shelf;
    std::vector<std::array<float, 16>> queries;
    for (std::int64_t number = 9000; number < 9012; ++number) queries.push_back(doc(number).place);
    const auto check = [&](const auto& set) {
        for (const unsigned threads : {1U, 2U}) {
            auto many = shelf.collection.template nearest_many<&Doc::place>(queries);
            set(many);
            const auto answers = many.threads(threads).run();
            REQUIRE(answers.size() == queries.size());
            for (std::size_t at = 0; at < queries.size(); ++at) {
                auto one = shelf.collection.template nearest<&Doc::place>(queries[at]);
                set(one);
                CHECK(found(answers[at]) == found(one.run()));
            }
        }
    };
    // By index, by column or by rows, from nearly none to all.
    for (const char* condition : {"year < 1", "year < 10", "year < 60", "year >= 0", "year < 0", "title = 'odd'",
                                  "title = 'odd' AND year < 20", "title LIKE '%d' OR year = 7"}) {
        CAPTURE(condition);
        check([&](auto& query) { query.where(condition); });
        check([&](auto& query) { query.where(condition).limit(40).recall(0.8); });
        check([&](auto& query) { query.where(condition).ef_search(80); });
        if constexpr (kith::detail::reads_lists<typename Docs<TestType>::template VectorAttribute<0>>) {
            check([&](auto& query) { query.where(condition).nprobe(3); });
        }
        if constexpr (kith::detail::rescores<typename Docs<TestType>::template VectorAttribute<0>>) {
            check([&](auto& query) { query.where(condition).rescore(2); });
        }
    }
    check(nothing);
}

TEST_CASE("A profile counts what a search looked at, the same each time") {
    const Shelf<CodedGraph> shelf;
    const auto counts = [](const kith::Profile& profile) { return profile.segments[0].counts; };
    const auto walk = counts(shelf.ask().profile());
    CHECK(walk.nodes > 10);
    CHECK(walk.codes > walk.nodes);
    CHECK(walk.codes < 2666);
    CHECK(walk.distances >= 10);
    CHECK(walk.distances < walk.codes);
    CHECK(walk.lists == 0);
    const auto again = counts(shelf.ask().profile());
    CHECK(again.nodes == walk.nodes);
    CHECK(again.codes == walk.codes);
    CHECK(again.distances == walk.distances);
    const auto longer = counts(shelf.ask().ef_search(120).profile());
    CHECK(longer.nodes >= 120);
    CHECK(longer.codes > walk.codes);
    const auto exact = counts(shelf.ask().exact().profile());
    CHECK(exact.nodes == 0);
    CHECK(exact.codes == 0);
    CHECK(exact.distances == 2666);  // 3000 less every ninth
    const auto few = counts(shelf.ask().where("year < 10").profile());
    CHECK(few.nodes == 0);
    CHECK(few.codes == 266);
    CHECK(few.distances >= 10);
    CHECK(few.distances <= 40);
    const Shelf<kith::Hnsw<>> plain;
    const auto without_codes = counts(plain.ask().profile());
    CHECK(without_codes.nodes > 10);
    CHECK(without_codes.codes == 0);
    CHECK(without_codes.distances > without_codes.nodes);
    // All rounds of a range search are counted.
    CHECK(counts(plain.ask().within(1.5).profile()).distances > without_codes.distances);
    const auto selective = plain.ask().where("year < 25").profile();
    CHECK(selective.segments[0].matches == 668);
    CHECK(selective.segments[0].records == 2666);
    CHECK(selective.segments[0].selectivity() == 668.0 / 2666);
    CHECK(selective.explanation.segments[0].condition->selectivity() == 0.25);
    CHECK(says(selective.text(), "668 records satisfy it, 25.06 % where 25 % were expected; search: "));
}
