// tests/query/condition_test.cpp — what is written in C++ becomes the tree that is meant, or is refused.
#include "support/catch.hpp"

#include "kith/core/error.hpp"
#include "kith/query.hpp"

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace {

using kith::Condition;
using kith::Expression;
using kith::field;
using kith::Op;

enum class Language : std::uint8_t { english, german };

struct Book {
    std::string id;
    std::int32_t year = 0;
    std::optional<double> price;
    std::vector<std::string> tags;
    std::array<float, 4> cover{};
    bool lent = false;
    Language language{};
    float weight = 0;
    std::uint64_t size = 0;
    std::optional<std::vector<std::int64_t>> editions;
};

/// The text of the Error that making a condition throws; empty when it throws none.
template <class Make>
std::string refusal(Make&& make) {
    try {
        static_cast<void>(make());
    } catch (const kith::Error& error) {
        CHECK(error.code() == kith::Errc::invalid_argument);
        return error.what();
    }
    return {};
}

TEST_CASE("A comparison is a leaf with the field's place and a value of its type") {
    CHECK((field<&Book::year> >= 2020).expression() ==
          Expression{.op = Op::greater_equal, .field = 1, .values = {std::int64_t{2020}}});
    CHECK((field<&Book::id> == "dune").expression() ==
          Expression{.op = Op::equal, .field = 0, .values = {std::string("dune")}});
    CHECK((field<&Book::id> < std::string_view("m")).expression().op == Op::less);
    CHECK((field<&Book::price> < 10).expression() == Expression{.op = Op::less, .field = 2, .values = {10.0}});
    CHECK((field<&Book::lent> != true).expression() == Expression{.op = Op::not_equal, .field = 5, .values = {true}});
    CHECK((field<&Book::language> == Language::german).expression() ==
          Expression{.op = Op::equal, .field = 6, .values = {std::uint64_t{1}}});
    CHECK((field<&Book::size> <= 7).expression() ==
          Expression{.op = Op::less_equal, .field = 8, .values = {std::uint64_t{7}}});
    CHECK((field<&Book::year> > short{3}).expression().op == Op::greater);
    CHECK(field<&Book::price>.is_null().expression() == Expression{.op = Op::is_null, .field = 2});
}

TEST_CASE("Several values are kept ascending and once each, so that equal wishes are equal trees") {
    const std::vector<std::string> tags{"b", "a", "b"};
    const Expression expected{.op = Op::contains_any, .field = 3, .values = {std::string("a"), std::string("b")}};
    CHECK(contains_any(field<&Book::tags>, tags).expression() == expected);
    CHECK(kith::contains_any(field<&Book::tags>, {"a", "b"}).expression() == expected);
    CHECK(kith::contains_all(field<&Book::editions>, {3, -1}).expression() ==
          Expression{.op = Op::contains_all, .field = 9, .values = {std::int64_t{-1}, std::int64_t{3}}});
    CHECK(kith::contains(field<&Book::tags>, "a") == kith::contains_any(field<&Book::tags>, {"a"}));
    CHECK(kith::in(field<&Book::year>, {2021, 2020}).expression() ==
          Expression{.op = Op::in, .field = 1, .values = {std::int64_t{2020}, std::int64_t{2021}}});
    CHECK(kith::in(field<&Book::year>, std::array<int, 0>{}).expression() == Expression{.op = Op::in, .field = 1});
    CHECK(kith::in(field<&Book::lent>, std::vector<bool>{true}).expression().values.size() == 1);
}

TEST_CASE("Conditions join into one level for each run of && or ||") {
    const auto a = field<&Book::year> > 1;
    const auto b = field<&Book::lent> == false;
    const auto c = field<&Book::price>.is_null();

    const Expression all = (a && b && c).expression();
    CHECK(all.op == Op::all_of);
    CHECK(all.children == std::vector<Expression>{a.expression(), b.expression(), c.expression()});

    const Expression mixed = ((a && b) || !c).expression();
    CHECK(mixed.op == Op::any_of);
    REQUIRE(mixed.children.size() == 2);
    CHECK(mixed.children[0] == (a && b).expression());
    CHECK(mixed.children[1] == Expression{.op = Op::negation, .children = {c.expression()}});

    CHECK(Condition<Book>().expression() == Expression{.op = Op::all_of});
    CHECK((Condition<Book>() && a).expression().children.size() == 1);
}

TEST_CASE("An integer that the field cannot hold is refused, with what it can") {
    CHECK(refusal([] { return field<&Book::year> == 3'000'000'000; }) ==
          "field 'year': 3000000000 does not fit int32, expected -2147483648 to 2147483647");
    CHECK(refusal([] { return field<&Book::size> > -1; }) ==
          "field 'size': -1 does not fit uint64, expected 0 to 18446744073709551615");
    CHECK(refusal([] { return kith::in(field<&Book::year>, {1L, 1L << 40}); }).find("field 'year'") == 0);
    CHECK(refusal([] { return kith::contains(field<&Book::editions>, ~std::uint64_t{0}); }).find("int64") !=
          std::string::npos);
    CHECK(refusal([] { return field<&Book::year> == std::numeric_limits<std::int32_t>::min(); }).empty());
}

TEST_CASE("A number between two values of the field's type is refused as an integer and rounded as a fraction") {
    CHECK(refusal([] { return field<&Book::weight> == 16'777'217; }) ==
          "field 'weight': 16777217 is between two values of float; write the one that is meant");
    CHECK(refusal([] { return field<&Book::weight> == -16'777'216; }).empty());
    CHECK(refusal([] { return field<&Book::price> == (std::int64_t{1} << 53) + 1; }).find("double") !=
          std::string::npos);
    CHECK(refusal([] { return field<&Book::price> == std::numeric_limits<std::int64_t>::min(); }).empty());
    CHECK((field<&Book::weight> == 0.1).expression().values.at(0) == kith::Value(static_cast<double>(0.1f)));
}

TEST_CASE("NaN and a number beyond float are refused; infinity may be asked for") {
    CHECK(refusal([] { return field<&Book::price> < std::numeric_limits<double>::quiet_NaN(); }) ==
          "field 'price': NaN compares with nothing, expected a number");
    CHECK(refusal([] { return field<&Book::weight> < 1e40; }) == "field 'weight': 1e+40 does not fit float");
    CHECK(refusal([] { return field<&Book::weight> < std::numeric_limits<double>::infinity(); }).empty());
}

}  // namespace
