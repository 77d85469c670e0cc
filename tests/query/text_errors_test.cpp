// tests/query/text_errors_test.cpp — a text that is no condition is refused with the place and what was expected.
#include "query/shelf.hpp"
#include "support/catch.hpp"

#include <optional>
#include <string>

namespace {

using kith_test::refusal;
using kith_test::sentence;

TEST_CASE("An unknown column is named, with the nearest one and a caret under it") {
    CHECK(refusal("title = 'owl' AND yaer >= 2020") ==
          "condition: there is no column 'yaer'; did you mean 'year'?\n"
          "  title = 'owl' AND yaer >= 2020\n"
          "                    ^~~~");
    CHECK(sentence("Year > 1") == "condition: there is no column 'Year'; did you mean 'year'?");
    CHECK(sentence("colour = 1") == "condition: there is no column 'colour'");
    CHECK(sentence("title = \"owls\"") == "condition: there is no column 'owls'; text stands in single quotes");
}

TEST_CASE("A caret counts characters, and a long text is shown around the place") {
    CHECK(refusal("title = '\xc3\xa4\xc3\xb6' and\nyaer = 1") ==
          "condition: there is no column 'yaer'; did you mean 'year'?\n"
          "  title = '\xc3\xa4\xc3\xb6' and yaer = 1\n"
          "                   ^~~~");
    const std::string padding(100, ' ');
    CHECK(refusal("lent and" + padding + "yaer = 1" + padding) ==
          "condition: there is no column 'yaer'; did you mean 'year'?\n"
          "  …" +
              std::string(40, ' ') + "yaer = 1" + std::string(28, ' ') + "…\n" + std::string(43, ' ') + "^~~~");
}

TEST_CASE("A value that its column cannot hold is refused, with what it can") {
    CHECK(refusal("year >= 3000000000") ==
          "condition: field 'year': 3000000000 does not fit int32, expected -2147483648 to 2147483647\n"
          "  year >= 3000000000\n"
          "          ^~~~~~~~~~");
    CHECK(sentence("size > -1") ==
          "condition: field 'size': -1 does not fit uint64, expected 0 to 18446744073709551615");
    CHECK(sentence("array_length(tags) > -1") ==
          "condition: array_length(tags): -1 does not fit a length, expected 0 to 18446744073709551615");
    CHECK(sentence("language = 256") == "condition: field 'language': 256 does not fit the enum, expected 0 to 255");
    CHECK(sentence("weight = 16777217") ==
          "condition: field 'weight': 16777217 is between two values of float; write the one that is meant");
    CHECK(sentence("weight < 1e40") == "condition: field 'weight': 1e40 does not fit float");
    CHECK(sentence("price < 1e400") == "condition: 1e400 does not fit double");
    CHECK(sentence("size = 99999999999999999999") ==
          "condition: 99999999999999999999 is beyond 64 bits; a number that is meant to be rounded has a dot or an "
          "exponent");
    CHECK(sentence("year = 1 / 0") == "condition: this has no result: a number leaves its range or is divided by zero");
}

TEST_CASE("A value of another type is refused, with the type that is meant") {
    CHECK(sentence("year = 'x'") == "condition: field 'year': got 'x', expected an integer");
    CHECK(sentence("year = 2020.0") == "condition: field 'year': got 2020.0, expected an integer");
    CHECK(sentence("title = 3") == "condition: field 'title': got 3, expected text in single quotes");
    CHECK(sentence("price = true") == "condition: field 'price': got true, expected a number");
    CHECK(sentence("lent = 1") == "condition: field 'lent': got 1, expected TRUE or FALSE");
    CHECK(sentence("tags contain_any ('a', 2)") == "condition: field 'tags': got 2, expected text in single quotes");
    CHECK(sentence("price = NULL") == "condition: nothing equals NULL; write IS NULL or IS NOT NULL");
    CHECK(sentence("language = 'germn'") ==
          "condition: field 'language': 'germn' is no name of the enum; did you mean 'german'?");
    CHECK(sentence("title < year") == "condition: text is compared with a number");
    CHECK(sentence("language = year") == "condition: an enum is compared with a number");
    CHECK(sentence("title + 1 = 2") == "condition: field 'title': only numbers are calculated with, and this is text");
    CHECK(sentence("price % 2 = 0") == "condition: % takes integers");
}

TEST_CASE("A column that takes no such comparison is refused, with what to write") {
    CHECK(sentence("cover = 3") ==
          "condition: field 'cover': a vector is searched, not compared; only IS NULL and nearest() take it");
    CHECK(sentence("tags = 'x'").find("write CONTAIN_ANY ('x', 'y'), CONTAINS 'x' or ARRAY_LENGTH(tags) > 0") !=
          std::string::npos);
    CHECK(sentence("year contain_any (1)") ==
          "condition: field 'year': CONTAIN_ANY and CONTAIN_ALL look into a list and this field is none; write IN");
    CHECK(sentence("year like '2%'") == "condition: field 'year': this test is for text, and the field is int32");
    CHECK(sentence("lent < true") == "condition: field 'lent': a bool is not ordered; compare it with = or !=");
    CHECK(sentence("year is null") == "condition: field 'year': this field is never null");
    CHECK(sentence("array_length(title) > 1") ==
          "condition: field 'title': ARRAY_LENGTH counts the elements of a list and this is none");
    CHECK(sentence("1 = 1") == "condition: two constants are compared, expected a column");
    CHECK(sentence("year in (year)") == "condition: expected a constant, not a column");
}

TEST_CASE("A text that is not well formed is refused where it ceases to be") {
    CHECK(refusal("year >") == "condition: expected a column or a value, got the end\n  year >\n        ^");
    CHECK(sentence("") == "condition: expected a column or a value, got the end");
    CHECK(sentence("(year = 3") == "condition: expected ')', got the end");
    CHECK(sentence("year = 3)") == "condition: expected AND, OR or the end, got ')'");
    CHECK(sentence("year = 2 & lent") == "condition: expected AND, OR or the end, got '&'; write AND");
    CHECK(sentence("year = 1 year = 2") == "condition: expected AND, OR or the end, got 'year'");
    CHECK(sentence("year < 3 < 4") == "condition: expected AND, OR or the end of this comparison, got '<'");
    CHECK(sentence("year between 1 or 3") == "condition: expected AND and the upper bound of BETWEEN, got 'or'");
    CHECK(sentence("title = 'abc") == "condition: this quote is never closed");
    CHECK(sentence("price is nothing") == "condition: expected NULL or NOT NULL, got 'nothing'");
    CHECK(sentence("year not 3") == "condition: expected BETWEEN, IN, LIKE or another test behind NOT, got '3'");
    CHECK(sentence(std::string("year = \x1b\0", 9)) == "condition: expected a column or a value, got '?'");
    CHECK(refusal("title = '\xff'") == "condition: the bytes from here on are no UTF-8\n  title = '\n           ^");
    CHECK(sentence("year in (1, )") == "condition: expected a value, got ')'");
    CHECK(sentence("year in (1 2)") == "condition: expected ',' or ')', got '2'");
    CHECK(sentence("year = 12ab") == "condition: expected a column or a value, got '12ab'");
    CHECK(sentence("year") == "condition: this is a value, expected a condition; compare it with something");
    CHECK(sentence("(year > 1) + 2 = 3") == "condition: this is a condition, expected a value");
    CHECK(sentence("and lent") == "condition: expected a column or a value, got 'and'");
    CHECK(sentence("title like 'a\\b'") ==
          "condition: field 'title': the pattern has an escape, expected %, _ or the escape itself behind it");
    CHECK(sentence("title like 'a' escape 'ab'").find("expected one ASCII character in single quotes") !=
          std::string::npos);
}

TEST_CASE("A condition beyond the limits is refused as such, and one at them is read") {
    const auto code = [](const std::string& text) {
        try {
            static_cast<void>(kith::parse_condition<kith_test::Book>(text));
        } catch (const kith::Error& error) {
            return std::optional(error.code());
        }
        return std::optional<kith::Errc>();
    };
    const auto repeated = [](const std::string& part, std::size_t times) {
        std::string text;
        for (; times > 0; --times) text += part;
        return text;
    };
    CHECK(code(repeated("(", 64) + "lent" + repeated(")", 64)) == std::nullopt);
    CHECK(code(repeated("(", 65) + "lent" + repeated(")", 65)) == kith::Errc::limit_exceeded);
    CHECK(code(repeated("not ", 64) + "lent") == std::nullopt);
    CHECK(code(repeated("not ", 65) + "lent") == kith::Errc::limit_exceeded);
    CHECK(code("year" + repeated(" + year", 64) + " = 1") == std::nullopt);
    CHECK(code("year" + repeated(" + year", 65) + " = 1") == kith::Errc::limit_exceeded);
    CHECK(code("lent" + repeated(" or lent", 4'095)) == std::nullopt);
    CHECK(code("lent" + repeated(" or lent", 4'096)) == kith::Errc::limit_exceeded);
    CHECK(code("year in (1" + repeated(",1", 65'535) + ")") == std::nullopt);
    CHECK(code("year in (1" + repeated(",1", 65'536) + ")") == kith::Errc::limit_exceeded);
    CHECK(code("title like '" + repeated("a%", 2'048) + "'") == std::nullopt);
    CHECK(code("title like '" + repeated("a%", 2'048) + "_'") == kith::Errc::limit_exceeded);
    CHECK(code("lent" + std::string((1 << 20) - 4, ' ')) == std::nullopt);
    CHECK(code("lent" + std::string((1 << 20) - 3, ' ')) == kith::Errc::limit_exceeded);
    CHECK(code("price = " + repeated("1", 65)) == kith::Errc::limit_exceeded);
}

}  // namespace
