// tests/collection/explain_test.cpp — a query with a condition says what it would do, and what it did.
#include "kith/collection.hpp"
#include "kith/core/random.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <vector>

using kith::Collection;
using kith::ConditionWay;
using kith::field;
using kith::SearchWay;
using kith_test::TemporaryDirectory;

namespace {

struct Photo {
    std::int64_t id = 0;
    std::int32_t year = 0;          // indexed
    std::int32_t width = 0;         // columns, sealed and not
    std::int32_t height = 0;        // the same
    std::string title;              // a column once it is sealed
    std::vector<std::string> tags;  // the same
    std::string caption;            // the same, and no two alike
    std::array<float, 36> look{};
};

using Photos = kith::Schema<Photo, kith::Key<&Photo::id>, kith::Field<&Photo::year, kith::indexed>,
                            kith::VectorField<&Photo::look, kith::L2>>;

Photo photo(std::int64_t number) {
    kith::SplitMix64 random(static_cast<std::uint64_t>(number));
    Photo made;
    made.id = number;
    made.year = static_cast<std::int32_t>(number % 1000);
    made.width = static_cast<std::int32_t>(number % 10);
    made.height = 5;
    made.caption = "photo number " + std::to_string(number);
    made.title = number % 2 == 0 ? "even" : "odd";
    if (number % 3 == 0) made.tags = {"third"};
    for (float& element : made.look) element = static_cast<float>(random.uniform());
    return made;
}

/// 6000 photos in a sealed segment, 100 of them deleted, and 1000 in one that is being written.
struct Album {
    TemporaryDirectory directory;
    Collection<Photos> collection{directory / "photos.kith", [] {
                                      kith::Options options;
                                      options.segment_capacity = 6000;
                                      options.maintenance = kith::Maintenance::on_call;
                                      return options;
                                  }()};

    Album() {
        put(0, 6000);
        collection.checkpoint();
        put(6000, 1000);
        std::vector<std::int64_t> gone;
        for (std::int64_t number = 0; number < 6000; number += 60) gone.push_back(number);
        collection.erase(gone);
    }

    void put(std::int64_t first, std::int64_t count) {
        std::vector<Photo> photos;
        for (std::int64_t number = first; number < first + count; ++number) photos.push_back(photo(number));
        collection.insert(photos);
    }

    [[nodiscard]] auto ask() const { return collection.nearest<&Photo::look>(photo(9999).look); }
};

/// One for all cases: it takes a second to make, and nobody changes it.
const Album& the_album() {
    static const Album album;
    return album;
}

bool says(const std::string& text, const std::string& words) {
    return text.find(words) != std::string::npos;
}

void check_one(const kith::SegmentExplanation& segment, const std::string& fields, ConditionWay way,
               std::uint64_t candidates) {
    REQUIRE(segment.condition.has_value());
    REQUIRE(segment.condition->parts.size() == 1);
    CHECK(segment.condition->parts[0].fields == fields);
    CHECK(segment.condition->parts[0].way == way);
    CHECK(segment.condition->rows_checked == (way == ConditionWay::rows));
    CHECK(segment.condition->candidates == candidates);
    CHECK(segment.candidates() == candidates);
}

}  // namespace

TEST_CASE("A plan tells how each segment answers a condition: by index, by column or by rows") {
    const Album& album = the_album();
    auto plan = album.ask().where(field<&Photo::year> < 10).explain();
    REQUIRE(plan.segments.size() == 2);
    CHECK(plan.condition);
    CHECK(plan.segments[0].sealed);
    CHECK_FALSE(plan.segments[1].sealed);
    check_one(plan.segments[0], "year", ConditionWay::index, 58);  // 60 less those that are deleted: 0 and 3000
    CHECK(plan.segments[1].candidates() == 10);
    plan = album.ask().where(field<&Photo::width> == 3).explain();
    check_one(plan.segments[0], "width", ConditionWay::column, 600);
    check_one(plan.segments[1], "width", ConditionWay::column, 100);
    plan = album.ask().where("title = 'odd'").exact().explain();  // else it is checked on the records that are met
    check_one(plan.segments[0], "title", ConditionWay::column, 3000);
    check_one(plan.segments[1], "title", ConditionWay::rows, 1000);
    plan = album.ask().where("width = height").explain();
    check_one(plan.segments[0], "width with height", ConditionWay::column, 600);
    check_one(plan.segments[1], "width with height", ConditionWay::column, 100);
    plan = album.ask().where("array_length(tags) = 1").explain();
    CHECK(plan.segments[0].condition->parts[0].way == ConditionWay::column);
    check_one(plan.segments[1], "tags", ConditionWay::rows, 1000);
}

TEST_CASE("Parts of a condition are told in the order in which they are asked, whatever they were written in") {
    const Album& album = the_album();
    const auto plan = album.ask().where("title = 'odd' AND width >= 0 AND year = 7").explain();
    REQUIRE(plan.segments[0].condition->parts.size() == 3);
    CHECK(plan.segments[0].condition->parts[0].fields == "year");
    CHECK(plan.segments[0].condition->parts[0].way == ConditionWay::index);
    CHECK(plan.segments[0].condition->candidates == 6);
    CHECK_FALSE(plan.segments[0].condition->rows_checked);
    CHECK(plan.segments[1].condition->rows_checked);
    // What rows must answer of an OR, they answer alone.
    const auto either = album.ask().where("title = 'odd' OR year = 8").explain();
    for (const auto& part : either.segments[1].condition->parts) CHECK(part.way == ConditionWay::rows);
    CHECK(either.segments[0].condition->candidates == 3006);
}

TEST_CASE("Estimates hold the number of slots that satisfy a condition") {
    const Album& album = the_album();
    const auto check = [&](const auto& condition) {
        const auto plan = album.ask().where(condition).explain();
        std::array<std::uint64_t, 2> slots{};
        for (std::int64_t number = 0; number < 7000; ++number) {
            if (kith::evaluate(condition, photo(number))) ++slots[number < 6000 ? 0 : 1];
        }
        for (std::size_t at = 0; at < 2; ++at) {
            const kith::ConditionExplanation& told = *plan.segments[at].condition;
            CHECK(told.fewest <= slots[at]);
            CHECK(told.most >= slots[at]);
            CHECK(told.expected >= static_cast<double>(told.fewest));
            CHECK(told.expected <= static_cast<double>(told.most));
            CHECK(told.candidates <= plan.segments[at].records);
        }
    };
    check(field<&Photo::year> < 10);
    check(field<&Photo::year> >= 100 && field<&Photo::width> == 3);
    check(!(field<&Photo::year> < 900) || field<&Photo::title> == "odd");
    check(kith::contains(field<&Photo::tags>, "third"));
}

TEST_CASE("A plan tells the way of the vector index for what passes, from none to all") {
    const Album& album = the_album();
    const auto way = [&](const std::string& condition) { return album.ask().where(condition).explain().segments[0]; };
    CHECK(way("year >= 0").plan.way == SearchWay::indexed);
    CHECK(way("year >= 0").pass_rate() == 1.0);
    CHECK(way("year < 50").plan.way == SearchWay::scan_codes);
    CHECK(way("year < 10").plan.way == SearchWay::scan_cheaper);  // the best would have to be compared twice
    CHECK(way("year < 0").candidates() == 0);
    CHECK(album.ask().where("year < 10").exact().explain().segments[0].plan.way == SearchWay::compare_all);
}

TEST_CASE("A condition that nearly all satisfy is checked on the records that a search meets, where that is cheaper") {
    const Album& album = the_album();
    const auto ask = [&] { return album.ask().limit(20).where("NOT caption HAS_SUFFIX '7'"); };
    const auto plan = ask().explain();
    const kith::ConditionExplanation& told = *plan.segments[0].condition;
    CHECK(plan.segments[0].plan.way == SearchWay::indexed);
    CHECK(told.checked_when_met);
    CHECK(told.parts[0].way == ConditionWay::column);
    CHECK(told.candidates > 4500);  // of 5300
    CHECK(told.candidates < 5900);
    CHECK(says(plan.text(), "caption by column of each record that is met leaves about "));
    const auto hits = ask().run();
    REQUIRE(hits.size() == 20);
    for (const auto& hit : hits) CHECK_FALSE(hit.record.caption.ends_with('7'));
    const float last = ask().exact().run().back().distance;
    CHECK(std::count_if(hits.begin(), hits.end(), [&](const auto& hit) { return hit.distance <= last; }) >= 18);
    const auto profile = ask().profile();
    CHECK(profile.segments[0].matches == 5300);
    CHECK(profile.segments[0].counts.nodes > 0);
    CHECK(profile.hits == 20);
    // Few are to be found, or all are compared: then it is better known of all.
    CHECK_FALSE(album.ask().where("caption HAS_SUFFIX '77'").explain().segments[0].condition->checked_when_met);
    CHECK_FALSE(ask().exact().explain().segments[0].condition->checked_when_met);
    CHECK_FALSE(album.ask().where("year >= 5").explain().segments[0].condition->checked_when_met);
    // Many queries share what one asks alone, and go about it in the same way.
    const std::vector<std::array<float, 36>> looks{photo(9001).look, photo(9002).look, photo(9003).look};
    auto many = album.collection.nearest_many<&Photo::look>(looks);
    const auto answers = many.limit(20).where("NOT caption HAS_SUFFIX '7'").run();
    for (std::size_t at = 0; at < looks.size(); ++at) {
        auto one = album.collection.nearest<&Photo::look>(looks[at]);
        const auto alone = one.limit(20).where("NOT caption HAS_SUFFIX '7'").run();
        REQUIRE(answers[at].size() == alone.size());
        for (std::size_t hit = 0; hit < alone.size(); ++hit) CHECK(answers[at][hit].record.id == alone[hit].record.id);
    }
}

TEST_CASE("Where few records are left of a segment, all that satisfy a condition are found") {
    Album album;
    std::vector<std::int64_t> gone;
    for (std::int64_t number = 0; number < 6000; ++number) {
        if (number % 200 != 3) gone.push_back(number);  // 30 stay, with a 3 at the end
    }
    for (std::int64_t number = 6000; number < 7000; ++number) gone.push_back(number);
    album.collection.erase(gone);
    const auto found = [&](const std::string& condition) {
        return album.ask().limit(50).where(condition).run().size();
    };
    CHECK(found("NOT caption HAS_SUFFIX '7'") == 30);
    CHECK(found("NOT caption HAS_SUFFIX '3'") == 0);
    CHECK(found("caption HAS_SUFFIX '3'") == 30);
}

TEST_CASE("Where all that satisfy a condition were erased, a search for it finds none, and one for the others all") {
    Album album;
    album.collection.erase_where("NOT caption HAS_SUFFIX '7'");
    const auto found = [&](const std::string& condition) {
        return album.ask().limit(50).where(condition).run().size();
    };
    CHECK(found("NOT caption HAS_SUFFIX '7'") == 0);
    CHECK(found("caption HAS_SUFFIX '7'") == 50);
    CHECK(found("caption HAS_SUFFIX '7' OR year >= 0") == 50);
}

TEST_CASE("A plan reads as a line for each segment, the same whenever it is asked for") {
    const Album& album = the_album();
    const auto ask = [&] { return album.ask().where("year < 10 AND title = 'odd'").explain().text(); };
    const std::string text = ask();
    CAPTURE(text);
    CHECK(text == ask());
    CHECK(says(text, "nearest by 'look', recall 0.95, with a condition\n  segment 0 (sealed, hnsw/sq4): "));
    CHECK(says(text, "year by index, title by column leave 30 of 5900 records (0.51 %, expected "));
    CHECK(says(text, "; compares all 30 of them: so few cost less than a walk\n"));
    CHECK(says(album.ask().where("year < 50").explain().text(),
               "; compares all 294 of them by their codes, and the best by their vectors: so few cost less than a "
               "walk\n"));
    CHECK(says(text,
               ", title by rows leave 10 of 1000 records (1 %, expected 5, 0 to 10), whose rows are checked; "
               "compares all 10 of them"));
    const std::string none = album.ask().where("year < 0").explain().text();
    CAPTURE(none);
    CHECK(says(none, "year by index leaves 0 of 5900 records (0 %, expected 0, 0 to 0); compares none"));
    CHECK(says(album.ask().where("TRUE").explain().text(), "the condition leaves 5900 of 5900 records (100 %"));
    CHECK(says(album.ask().within(2.5).explain().text(), "nearest by 'look', recall 0.95, within 2.5\n"));
}

TEST_CASE("A profile tells what a query did: hits, rows, matches and times") {
    const Album& album = the_album();
    const auto check = [&](auto query, std::uint64_t sealed, std::uint64_t writing) {
        const kith::Profile profile = query.profile();
        const std::size_t hits = query.run().size();
        CAPTURE(profile.text());
        CHECK(profile.hits == hits);
        REQUIRE(profile.segments.size() == 2);
        CHECK(profile.segments[0].matches == sealed);
        CHECK(profile.segments[1].matches == writing);
        double microseconds = 0;
        for (const auto& segment : profile.segments) {
            CHECK(segment.search_microseconds >= 0);
            microseconds += segment.condition_microseconds + segment.search_microseconds;
        }
        CHECK(profile.search_microseconds >= microseconds);
        CHECK(profile.read_microseconds > 0);
        CHECK(profile.explanation.text() == query.explain().text());
        return profile;
    };
    auto profile = check(album.ask(), 5900, 1000);
    CHECK(profile.rounds == 1);
    CHECK_FALSE(says(profile.text(), "rows checked"));
    profile = check(album.ask().where("year < 10"), 58, 10);
    CHECK(profile.segments[0].rows_checked == 0);
    CHECK(profile.segments[0].condition_microseconds > 0);
    CHECK(says(profile.text(), ": 10 hits, found in "));
    CHECK(says(profile.text(), " µs; 58 records satisfy it, 0.98 % where 1 % were expected; search: "));
    profile = check(album.ask().where("title = 'odd'"), 3000, 500);
    CHECK(profile.segments[0].rows_checked == 0);
    CHECK(profile.segments[1].rows_checked >= 10);
    CHECK(profile.segments[1].rows_checked <= 1000);
    profile = check(album.ask().where("title = 'odd'").exact(), 3000, 500);
    CHECK(profile.segments[1].rows_checked == 1000);
    profile = check(album.ask().where("width = 3").within(1e9), 600, 100);
    CHECK(profile.hits == 700);
    CHECK(profile.rounds == 3);
    CHECK(says(profile.text(), ", in 3 rounds\n"));
    check(album.ask().where("FALSE"), 0, 0);
    CHECK(album.collection.snapshot().nearest<&Photo::look>(photo(1).look).where("year = 1").profile().hits == 7);
}

TEST_CASE("A profile searches as the query does: the largest segment first, and the others only as far as is of use") {
    const auto work_of_the_small = [](bool beside_a_large_one) {
        const TemporaryDirectory directory;
        kith::Options options;
        options.maintenance = kith::Maintenance::on_call;
        Collection<Photos> collection(directory / "photos.kith", options);
        const auto put = [&](std::int64_t first, std::int64_t count) {
            std::vector<Photo> photos;
            for (std::int64_t number = first; number < first + count; ++number) photos.push_back(photo(number));
            collection.insert(photos);
            collection.checkpoint();
        };
        put(0, 2500);
        if (beside_a_large_one) put(2500, 6000);
        std::uint64_t codes = 0;
        for (std::int64_t number = 9000; number < 9020; ++number) {
            const auto profile = collection.nearest<&Photo::look>(photo(number).look).profile();
            REQUIRE(profile.segments.size() == (beside_a_large_one ? 2U : 1U));
            CHECK(profile.segments[0].records == 2500);
            codes += profile.segments[0].counts.codes;
        }
        return codes;
    };
    CHECK(work_of_the_small(true) < work_of_the_small(false) * 95 / 100);
}
