// tests/query/placeholder_test.cpp — literals the compiler has read, and values bound to the places of a condition.
#include "query/shelf.hpp"
#include "support/catch.hpp"

#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace {

using kith::condition;
using kith::field;
using kith::parse_condition;
using kith_test::Book;
using kith_test::Language;
using kith_test::sentence;

TEST_CASE("A literal that the compiler has checked is the condition that it states") {
    CHECK(condition<Book, "year >= 2020 and not title ilike 'owl%'">() ==
          (field<&Book::year> >= 2020 && !ilike(field<&Book::title>, "owl%")));
    CHECK(condition<Book, "price * 2.5 > 1e3 or language = 'german'">() ==
          (field<&Book::price> * 2.5 > 1e3 || field<&Book::language> == Language::german));
    CHECK(condition<Book, "lent">() == condition<Book, "lent">());
}

TEST_CASE("A literal takes values for its placeholders") {
    CHECK(condition<Book, "year >= ? and title like ?">(2020, "owl%") ==
          (field<&Book::year> >= 2020 && like(field<&Book::title>, "owl%")));
    CHECK(condition<Book, "tags contain_any ?">(std::vector<std::string>{"b", "a"}) ==
          kith::contains_any(field<&Book::tags>, {"a", "b"}));
    CHECK(condition<Book, "year between ? and ? + 1">(1, 2) == between(field<&Book::year>, 1, 3));
    CHECK_THROWS_AS((condition<Book, "year = ?">(std::int64_t{1} << 40)), kith::Error);
}

TEST_CASE("Values are bound in order, each with the type it has") {
    CHECK(parse_condition<Book>("year > ? and price <= ? and lent = ? and title = ? and size = ?", short{3}, 1.5f, true,
                                std::string_view("a'b"), std::uint64_t{9}) ==
          (field<&Book::year> > 3 && field<&Book::price> <= 1.5 && field<&Book::lent> == true &&
           field<&Book::title> == "a'b" && field<&Book::size> == 9));
    CHECK(parse_condition<Book>("language = ?", Language::french) == (field<&Book::language> == Language::french));
    CHECK(parse_condition<Book>("year < -?", 3) == (field<&Book::year> < -3));
    CHECK(parse_condition<Book>("year + ? > pages", 2) == (field<&Book::year> + 2 > field<&Book::pages>));
    CHECK(parse_condition<Book>("note has_suffix ?", std::string("%'")) == has_suffix(field<&Book::note>, "%'"));
}

TEST_CASE("A list is bound as a whole to IN ?, and value by value to a list of placeholders") {
    const std::vector<int> years{3, 1, 2, 1};
    CHECK(parse_condition<Book>("year in ?", years) == kith::in(field<&Book::year>, years));
    CHECK(parse_condition<Book>("year not in (?, ?, 7)", 3, 1) == !kith::in(field<&Book::year>, {1, 3, 7}));
    CHECK(parse_condition<Book>("year in ?", std::vector<int>()) == kith::in(field<&Book::year>, std::vector<int>()));
    CHECK(parse_condition<Book>("editions contain_all ?", std::vector<std::int64_t>{5}) ==
          kith::contains_all(field<&Book::editions>, {5}));
}

TEST_CASE("A value is never read as a part of the condition") {
    CHECK(parse_condition<Book>("title = ?", "x' or lent or title = 'x") ==
          (field<&Book::title> == "x' or lent or title = 'x"));
}

TEST_CASE("A bound value that its column cannot hold is refused at its place") {
    CHECK(kith_test::refusal("lent or year = ?", 3'000'000'000) ==
          "condition: field 'year': 3000000000 does not fit int32, expected -2147483648 to 2147483647\n"
          "  lent or year = ?\n"
          "                 ^");
    CHECK(sentence("year = ?", "x") == "condition: field 'year': got 'x', expected an integer");
    CHECK(sentence("title = ?", true) == "condition: field 'title': got true, expected text in single quotes");
    CHECK(sentence("title = ?", 1.5) == "condition: field 'title': got 1.5, expected text in single quotes");
    CHECK(sentence("price = ?", std::numeric_limits<double>::quiet_NaN()) ==
          "condition: field 'price': NaN compares with nothing, expected a number");
    CHECK(sentence("weight = ?", 1e40) == "condition: field 'weight': 1e+40 does not fit float");
    CHECK(sentence("year in ?", std::vector<std::int64_t>{1, 1L << 40}) ==
          "condition: field 'year': 1099511627776 does not fit int32, expected -2147483648 to 2147483647");
    CHECK(sentence("year in ?", std::vector<std::string>()) ==
          "condition: field 'year': got text, expected an integer");
    CHECK(parse_condition<Book>("price < ?", std::numeric_limits<double>::infinity()) ==
          (field<&Book::price> < std::numeric_limits<double>::infinity()));
}

TEST_CASE("As many values are bound as there are placeholders") {
    CHECK(sentence("year = ? or year = ?", 1) == "condition: no value is given for this placeholder; there are 1");
    CHECK(sentence("year = ?", 1, 2) == "condition: the condition has 1 placeholder, and 2 values are given");
    CHECK(sentence("lent", 1) == "condition: the condition has 0 placeholders, and 1 value is given");
    CHECK(sentence("year = ?", std::vector<int>{1}) == "condition: a list is given, expected one value");
    CHECK(sentence("year in ?", 1) == "condition: one value is given, expected a list; write (?) for a list of one");
}

}  // namespace
