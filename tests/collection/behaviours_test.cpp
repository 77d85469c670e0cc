// tests/collection/behaviours_test.cpp — conditions as other vector databases are expected to answer them.
//
// docs/behaviours.md lists what is expected, says where kith differs, and names the claim that proves each; those that
// nothing else proves stand here.
#include "tales.hpp"

#include "support/raised.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

using kith::Errc;
using kith::field;
using kith_test::FileFaults;
using kith_test::found;
using kith_test::in_each_state;
using kith_test::Numbers;
using kith_test::on_call;
using kith_test::raised;
using kith_test::Tale;
using kith_test::TaleCollection;
using kith_test::tales;
using kith_test::TemporaryDirectory;
using kith_test::titled;
using kith_test::to_read;

namespace {

/// The numbers from `first` up to, but without, `end` for which `holds`.
template <class Holds>
Numbers numbers(std::int64_t first, std::int64_t end, Holds&& holds) {
    Numbers all;
    for (std::int64_t number = first; number < end; ++number) {
        if (holds(number)) all.push_back(number);
    }
    return all;
}

/// "(0, 1, …)" of so many values, each as `write` writes it.
template <class Write>
std::string listed(std::int64_t count, Write&& write) {
    std::string text = "(";
    for (std::int64_t value = 0; value < count; ++value) text += (value == 0 ? "" : ", ") + write(value);
    return text + ")";
}

std::string written(std::int64_t value) {
    return std::to_string(value);
}

}  // namespace

TEST_CASE("Null satisfies no comparison and no negated one, with an index and without") {
    const auto has_year = [](std::int64_t number) { return number % 5 != 0; };
    in_each_state(tales(0, 100), [&](const TaleCollection& collection) {
        CHECK(found(collection, "@year != 7") == numbers(0, 100, [&](auto n) { return has_year(n) && n != 7; }));
        CHECK(found(collection, "NOT @year = 7") == found(collection, "@year != 7"));
        CHECK(found(collection, "@year NOT IN (7, 8)") ==
              numbers(0, 100, [&](auto n) { return has_year(n) && n != 7 && n != 8; }));
        CHECK(found(collection, "@year < 20") == numbers(0, 20, has_year));
        CHECK(found(collection, "NOT @year < 20") == numbers(20, 100, has_year));
        CHECK(found(collection, "NOT (@year < 20 AND @title != '')") == numbers(20, 100, has_year));
        CHECK(found(collection, "@year < 20 OR NOT @year < 20") == numbers(0, 100, has_year));
        CHECK(found(collection, "@year IS NULL") == numbers(0, 100, [&](auto n) { return !has_year(n); }));
        CHECK(found(collection, "@year IS NOT NULL") == numbers(0, 100, has_year));
        CHECK(found(collection, "NOT @marks CONTAINS 3") ==
              numbers(0, 100, [](auto n) { return n % 8 != 7 && n != 3; }));
    });
}

TEST_CASE("A pattern finds the same with an index and without") {
    constexpr std::array<std::string_view, 12> titles{
        "", "a", "abc", "aXc", "cba", "bab", "a%b", "a_b", "A%", "K\xc3\xa4se", "K\xc3\xa4\xc3\xa4se", "a\\b"};
    in_each_state(titled(titles), [&](const TaleCollection& collection) {
        const auto like = [&](std::string_view pattern) { return found(collection, "@title LIKE ?", pattern); };
        CHECK(like("a%") == Numbers{1, 2, 3, 6, 7, 11});
        CHECK(like("%a") == Numbers{1, 4});
        CHECK(like("%a%") == Numbers{1, 2, 3, 4, 5, 6, 7, 11});
        CHECK(like("a_c") == Numbers{2, 3});
        CHECK(like("a\\%b") == Numbers{6});
        CHECK(like("a\\_b") == Numbers{7});
        CHECK(like("a\\\\b") == Numbers{11});
        CHECK(like("") == Numbers{0});
        CHECK(like("%").size() == titles.size());
        CHECK(like("_%_").size() == titles.size() - 2);
        CHECK(like("K_se") == Numbers{9});
        CHECK(like("K\xc3\xa4%") == Numbers{9, 10});
        CHECK(like("%\xc3\xa4se") == Numbers{9, 10});
        CHECK(found(collection, "@title NOT LIKE '%a%'") == Numbers{0, 8, 9, 10});
        CHECK(found(collection, "@title ILIKE 'a\\%%'") == Numbers{6, 8});
        CHECK(found(collection, "@title HAS_PREFIX 'a%'") == Numbers{6});
        CHECK(found(collection, "@title HAS_SUFFIX '%'") == Numbers{8});
        CHECK(found(collection, "@title CONTAINS '_'") == Numbers{7});
    });
}

TEST_CASE("A list of values may be long, and names a value more than once") {
    const auto is_listed = [](std::int64_t n) { return n % 5 != 0 && n % 2 == 0; };
    const auto even = [](std::int64_t value) { return std::to_string(2 * (value % 20'001)); };
    const auto year = [](std::int64_t value) { return "'tag" + std::to_string(value + 1) + "'"; };
    const std::vector<std::string> texts{
        "@year IN " + listed(20'000, even),      "@year IN " + listed(20'001, even),
        "@year IN " + listed(65'536, even),      "@year IN (2, 4, 4, 2, 2)",
        "@tags CONTAIN_ANY " + listed(32, year), "@tags CONTAIN_ANY " + listed(33, year)};
    in_each_state(tales(0, 60), [&](const TaleCollection& collection) {
        for (std::size_t at = 0; at < 3; ++at) CHECK(found(collection, texts[at]) == numbers(0, 60, is_listed));
        CHECK(found(collection, texts[3]) == Numbers{2, 4});
        CHECK(found(collection, texts[4]) == numbers(0, 60, [](auto n) { return n % 3 == 2; }));
        CHECK(found(collection, texts[5]) == found(collection, texts[4]));
        CHECK(raised([&] { (void)collection.where("year IN " + listed(65'537, written)); }).code ==
              Errc::limit_exceeded);
    });
}

TEST_CASE("Nothing is one of no values, and every list that is there holds all of none") {
    const auto has_marks = [](std::int64_t n) { return n % 8 != 7; };
    in_each_state(tales(0, 40), [&](const TaleCollection& collection) {
        CHECK(found(collection, "@year IN ()").empty());
        CHECK(found(collection, "@year NOT IN ()") == found(collection, "@year IS NOT NULL"));
        CHECK(found(collection, "@marks CONTAIN_ANY ()").empty());
        CHECK(found(collection, "@marks NOT CONTAIN_ANY ()") == numbers(0, 40, has_marks));
        CHECK(found(collection, "@marks CONTAIN_ALL ()") == numbers(0, 40, has_marks));
        CHECK(found(collection, "@marks NOT CONTAIN_ALL ()").empty());
    });
}

TEST_CASE("A list that is empty has the length 0, and one that is null has none") {
    const auto length = [](auto holds) { return numbers(0, 80, [&](auto n) { return n % 8 != 7 && holds(n % 4); }); };
    in_each_state(tales(0, 80), [&](const TaleCollection& collection) {
        CHECK(found(collection, "ARRAY_LENGTH(@marks) = 0") == length([](auto n) { return n == 0; }));
        CHECK(found(collection, "array_length(@marks) < 2") == length([](auto n) { return n < 2; }));
        CHECK(found(collection, "Array_Length(@marks) >= 2") == length([](auto n) { return n >= 2; }));
        CHECK(found(collection, "NOT ARRAY_LENGTH(@marks) >= 2") == length([](auto n) { return n < 2; }));
        CHECK(found(collection, "ARRAY_LENGTH(@marks) > ARRAY_LENGTH(@tags)") ==
              numbers(0, 80, [](auto n) { return n % 8 != 7 && n % 4 > n % 3; }));
    });
}

TEST_CASE("An alternative of equalities finds what a list of values finds, and AND is tied before OR") {
    in_each_state(tales(0, 40), [&](const TaleCollection& collection) {
        CHECK(found(collection, "@year = 1 OR @year = 2 OR @year = 5") == found(collection, "@year IN (1, 2, 5)"));
        CHECK(found(collection, "@year IN (1, 2, 5)") == Numbers{1, 2});
        CHECK(found(collection, "@year = 1 OR @year > 30 AND @tags CONTAINS 'tag1'") == Numbers{1, 32, 38});
        CHECK(found(collection, "(@year = 1 OR @year > 30) AND @tags CONTAINS 'tag1'") == Numbers{32, 38});
    });
}

TEST_CASE("Negations, bounds, other columns, calculations and the key stand in any condition") {
    in_each_state(tales(0, 60), [&](const TaleCollection& collection) {
        CHECK(found(collection, "NOT (@year BETWEEN 3 AND 58 OR @year == 1)") == Numbers{2, 59});
        CHECK(found(collection, "@year NOT BETWEEN 2 AND 58 AND @title <> 'tale 1'") == Numbers{59});
        CHECK(found(collection, "@year * 2 - 1 > 115 AND @year % 2 = 1") == Numbers{59});
        CHECK(found(collection, "58 <= @year") == Numbers{58, 59});
        CHECK(found(collection, "number IN (5, 6, 700) AND @year IS NOT NULL") == Numbers{6});
        CHECK(collection.where("year = plain_year AND number = year AND title = plain_title").count() == 48);
        CHECK(collection.where("year != plain_year OR title < plain_title").count() == 0);
    });
}

TEST_CASE("A minus subtracts, two minus signs begin no comment, and two signs make no operator") {
    TaleCollection collection(kith::in_memory);
    collection.insert(tales(0, 10));
    CHECK(collection.where("year-1 = 3").keys() == Numbers{4});
    CHECK(collection.where("year = --4").keys() == Numbers{4});
    for (const char* text : {"year = 4 -- the fourth", "year = 4 /* the fourth */", "year < = 4", "year = 4;"}) {
        INFO(text);
        CHECK(raised([&] { (void)collection.where(text); }).code == Errc::invalid_argument);
    }
}

TEST_CASE("A mistake in a condition is an error that shows its place, wherever it is given, and nothing is written") {
    TaleCollection collection(kith::in_memory);
    const std::vector<Tale> all = tales(0, 20);
    collection.insert(all);
    for (const std::string_view text :
         {"", " ", "year > ", "(year > 1", "year > 1)", "year > 1 AND", "yaer > 1", "year > 'x'", "year > 3000000000",
          "year > -2147483649", "number = 9223372036854775808", "title = 1", "year = NULL", "tags = 'tag1'"}) {
        INFO(text);
        const auto refused = [&](auto&& act) {
            const kith_test::Raised error = raised(act);
            CHECK(error.code == Errc::invalid_argument);
            CHECK(error.says("^"));
        };
        refused([&] { (void)collection.where(text); });
        refused([&] { (void)collection.count(text); });
        refused([&] { (void)collection.nearest<&Tale::place>(all[0].place).where(text); });
        refused([&] { collection.erase_where(text); });
    }
    CHECK(raised([&] { (void)(field<&Tale::year> > 3'000'000'000); }).code == Errc::invalid_argument);
    CHECK(collection.where("TRUE").run() == all);
}

TEST_CASE("A condition erases and changes the same with an index of its field and without") {
    const auto left = [](std::string_view before) {
        TaleCollection collection(kith::in_memory);
        collection.insert(tales(0, 200));
        const std::string year = std::string(before) + "year";
        CHECK(collection.erase_where(year + " BETWEEN 50 AND 99") == 40);
        const auto old = kith::parse_condition<Tale>("NOT " + std::string(before) + "tags CONTAINS 'tag0' AND " + year +
                                                     " IS NOT NULL");
        const std::size_t changed = collection.update_where(old, kith::set<&Tale::title>("old"));
        CHECK(changed > 10);
        CHECK(collection.count("title = 'old'") == changed);
        return collection.where("TRUE").run();
    };
    CHECK(left("") == left("plain_"));
}

TEST_CASE("A key whose record a condition erased may be inserted again, before and after it is sealed") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    for (const bool sealed : {false, true}) {
        TaleCollection collection(directory / "tales", on_call());
        collection.upsert(tales(0, 30));
        if (sealed) collection.checkpoint();
        CHECK(collection.erase_where("number < 10") == 10);
        if (sealed) collection.checkpoint();
        CHECK_FALSE(collection.contains(3));
        Tale again = tales(9, 1).front();
        again.number = 3;
        again.title = again.plain_title = "again";
        collection.insert(again);
        CHECK(collection.get(3) == again);
        CHECK(found(collection, "@title = 'again'") == Numbers{3});
        CHECK(raised([&] { collection.insert(again); }).code == Errc::already_exists);
    }
}

TEST_CASE("A condition erases and changes any number of records at once, and readers see all of it or nothing") {
    constexpr std::int64_t count = 3000;
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    TaleCollection collection(directory / "tales", on_call());
    collection.insert(tales(0, count));
    TaleCollection reader(directory / "tales", to_read());
    CHECK(collection.update_where(field<&Tale::number> >= 0, kith::set<&Tale::title>("changed")) == count);
    CHECK(reader.count("title = 'changed'") == 0);
    reader.refresh();
    CHECK(reader.count("title = 'changed'") == count);
    CHECK(collection.erase_where("title = 'changed'") == count);
    CHECK(reader.count("title = 'changed'") == count);
    reader.refresh();
    CHECK(reader.size() == 0);
}

TEST_CASE("An empty text erases nothing") {
    TaleCollection collection(kith::in_memory);
    collection.insert(tales(0, 5));
    CHECK(raised([&] { collection.erase_where(""); }).code == Errc::invalid_argument);
    CHECK(raised([&] { collection.erase_where("TRUE"); }).says("erase_all()"));
    CHECK(collection.erase_where("FALSE") == 0);
    CHECK(collection.size() == 5);
    CHECK(collection.erase_all() == 5);
}
