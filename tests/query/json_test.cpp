// tests/query/json_test.cpp — conditions on what JSON holds at a path, in text and in C++.
#include "support/allocations.hpp"
#include "support/catch.hpp"

#include "kith/query.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace {

using kith::Condition;
using kith::field;

struct Page {
    std::string id;
    std::int32_t year = 0;
    bool open = false;
    kith::Json meta;
    std::optional<kith::Json> extra;
    kith::Timestamp seen{};
};

constexpr kith::FieldRef<&Page::meta> meta{};

Page page(std::string text) {
    Page made;
    made.id = "Ann";
    made.year = 2020;
    made.meta.text = std::move(text);
    return made;
}

/// Whether a page with that JSON satisfies a condition.
bool holds(std::string_view condition, std::string text) {
    return evaluate(kith::parse_condition<Page>(condition), page(std::move(text)));
}

/// True when neither the condition nor its negation holds.
bool unknown(const std::string& condition, const std::string& text) {
    return !holds(condition, text) && !holds("NOT (" + condition + ")", text);
}

std::string sentence(std::string_view text) {
    try {
        static_cast<void>(kith::parse_condition<Page>(text));
    } catch (const kith::Error& error) {
        const std::string whole = error.what();
        return whole.substr(0, whole.find('\n'));
    }
    return {};
}

TEST_CASE("A path leads through names and positions") {
    const std::string text = R"({"author": {"name": "Ann", "": 7}, "a b": [1, [2, {"in": "x"}]], "dup": 1, "dup": 2})";
    CHECK(holds("meta.author.name = 'Ann'", text));
    CHECK(holds("meta.\"a b\"[0] = 1", text));
    CHECK(holds("meta.\"a b\"[1][1].in = 'x'", text));
    CHECK(holds("meta . author . \"\" = 7", text));
    CHECK(holds("meta.dup = 1", text));
    CHECK(holds("meta[1] = 5", " [4, 5] "));
    CHECK(holds("meta = 'plain'", "\"plain\""));
    CHECK(holds("meta.\"say \"\"hi\"\"\" = 1", R"({"say \"hi\"": 1})"));
    CHECK(holds("meta.\"\xc3\xa4\" = 1", R"({"\u00e4": 1})"));
}

TEST_CASE("A value compares by the type of the literal, and is null to another type") {
    CHECK(holds("meta.x = 2", R"({"x": 2})"));
    CHECK(holds("meta.x = 2", R"({"x": 2.0})"));
    CHECK(holds("meta.x < 2.5", R"({"x": 2})"));
    CHECK(holds("meta.x = 18446744073709551615", R"({"x": 18446744073709551615})"));
    CHECK(holds("meta.x > 9223372036854775807", R"({"x": 9223372036854775808})"));
    CHECK(holds("meta.x = -9223372036854775808", R"({"x": -9223372036854775808})"));
    CHECK(holds("meta.x < -1e18", R"({"x": -9223372036854775809})"));
    CHECK(holds("meta.x = TRUE", R"({"x": true})"));
    CHECK(holds("meta.x and not meta.y", R"({"x": true, "y": false})"));
    CHECK(holds("meta.x >= 'b'", R"({"x": "ba"})"));
    for (const char* condition : {"meta.x = 2", "meta.x != 'a'", "meta.x = true", "meta.x in (1, 2)", "meta.x like '%'",
                                  "meta.x + 1 > 0", "meta.x contains 2"}) {
        CAPTURE(condition);
        CHECK(unknown(condition, R"({"x": null})"));
        CHECK(unknown(condition, R"({"y": 2})"));
        CHECK(unknown(condition, R"({"x": {"y": 1}})"));
        CHECK(unknown(condition, "3"));
    }
    CHECK(unknown("meta.x = 2", R"({"x": "2"})"));
    CHECK(unknown("meta.x != 2", R"({"x": "2"})"));
    CHECK(unknown("meta.x = true", R"({"x": 1})"));
    CHECK(unknown("meta.x[0] = 1", R"({"x": {"0": 1}})"));
    CHECK(unknown("meta.x.y = 1", R"({"x": [1]})"));
}

TEST_CASE("JSON's null and what is not there are null; a list and an object are not") {
    CHECK(holds("meta.x is null", R"({"x": null})"));
    CHECK(holds("meta.x is null", "{}"));
    CHECK(holds("meta.x is not null", R"({"x": []})"));
    CHECK(holds("meta is null", "null"));
    CHECK(holds("extra is null and extra.x is null", "{}"));
    Page some = page("{}");
    some.extra = kith::Json{R"({"x": 1})"};
    CHECK(evaluate(!field<&Page::extra>.is_null() && field<&Page::extra>["x"] == 1, some));
}

TEST_CASE("JSON is tested as text, as a list, and beside columns") {
    const std::string text = R"({"n": "Fr\u00e4nk\n\ud83d\ude00", "l": ["a", "b\t", 3, 2.5, null, ["a"]], "y": 2020})";
    CHECK(holds("meta.n like 'Fr_nk%'", text));
    CHECK(holds("meta.n = 'Fr\xc3\xa4nk\n\xf0\x9f\x98\x80'", text));
    CHECK(holds("meta.n has_prefix 'Fr' and meta.n not has_suffix 'k' and meta.n ilike 'fR%'", text));
    CHECK(holds("meta.l contains 'b\t' and meta.l contains 3 and not meta.l contains 'c'", text));
    CHECK(holds("meta.l contain_any ('z', 'a') and meta.l contain_all ('a', 'b\t')", text));
    CHECK(holds("not meta.l contain_all (3, 4) and meta.l contain_any (4, 2.5)", text));
    CHECK(holds("meta.l contain_all () and not meta.l contain_any ()", text));
    CHECK(holds("array_length(meta.l) = 6 and array_length(meta.l[5]) = 1", text));
    CHECK(unknown("array_length(meta.n) >= 0", text));
    CHECK(holds("meta.y = year and year - meta.y = 0 and meta.l[2] * 2 in (6, 8)", text));
    CHECK(holds("meta.y in (2020, 2021.5) and meta.n not in ('a')", text));
    CHECK(unknown("meta.n = year", text));
    CHECK(holds("meta.who = id", R"({"who": "Ann"})"));
    CHECK(holds("meta.o != open", R"({"o": true})"));
}

TEST_CASE("Conditions on JSON in text are those in C++") {
    const auto same = [](std::string_view text, const Condition<Page>& typed) {
        CAPTURE(text);
        CHECK(kith::parse_condition<Page>(text) == typed);
    };
    same("meta.a.b[2] = 'x'", meta["a"]["b"][2] == "x");
    same("meta.a != 1.5", meta["a"] != 1.5);
    same("3 < meta.a", 3 < meta["a"]);
    same("'x' = meta.a", "x" == meta["a"]);
    same("meta.a", meta["a"] == true);
    same("meta.a > year", meta["a"] > field<&Page::year>);
    same("meta.a = extra.b", meta["a"] == field<&Page::extra>["b"]);
    same("meta.a in (2.5, 1.5, 2.5)", in(meta["a"], {1.5, 2.5}));
    same("meta.a in ('b', 'a', 'b')", in(meta["a"], {"a", "b"}));
    same("meta.a between 1 and 2", between(meta["a"], 1, 2));
    same("meta.a not like 'x_'", !like(meta["a"], "x_"));
    same("meta.a ilike '5!%%' escape '!'", ilike(meta["a"], "5!%%", '!'));
    same("meta.a has_prefix 'x' or meta.a has_suffix 'y'", has_prefix(meta["a"], "x") || has_suffix(meta["a"], "y"));
    same("meta.a contains 1 and meta.a contain_all ('x')", contains(meta["a"], 1) && contains_all(meta["a"], {"x"}));
    same("meta.a contain_any (true)", contains_any(meta["a"], {true}));
    same("meta.a is not null", !meta["a"].is_null());
    same("array_length(meta.a) >= 2", array_length(meta["a"]) >= 2);
    same("meta.a % 2 = 1 and -meta.a < 0", meta["a"] % 2 == 1 && -meta["a"] < 0);
    CHECK(kith::parse_condition<Page>("meta.a = ? and meta.b in ?", "x", std::vector<int>{3, 1}) ==
          (meta["a"] == "x" && in(meta["b"], {1, 3})));
    CHECK(kith::condition<Page, "meta.a[0] = 'x'">() == (meta["a"][0] == "x"));
    CHECK(kith::condition<Page, "seen in ('1970-01-01', ?)">("1970-01-01") ==
          in(field<&Page::seen>, {kith::Timestamp()}));
    CHECK(kith::condition<Page, "meta.a = ?">(2u) == (meta["a"] == 2));
}

TEST_CASE("What cannot be asked of JSON is refused") {
    CHECK(sentence("meta. = 1") == "condition: expected a name, got '='");
    CHECK(sentence("meta[x] = 1") == "condition: expected the position of an element, got 'x'");
    CHECK(sentence("meta[1.5] = 1") == "condition: a position is a whole number");
    CHECK(sentence("meta[0 = 1") == "condition: expected ']', got '='");
    CHECK(sentence("id.x = 1") == "condition: field 'id': only JSON has members, and this is text");
    CHECK(sentence("meta.a in (1, 'x')") == "condition: a list beside JSON holds values of one type");
    CHECK(sentence("meta.a < true") == "condition: a bool is not ordered; compare it with = or !=");
    for (const std::string test : {"has_prefix", "has_suffix", "like", "not ilike"}) {
        CHECK(sentence("meta.a " + test + " 1") == "condition: got 1, expected text in single quotes");
        CHECK(sentence("meta.a " + test + " true") == "condition: got true, expected text in single quotes");
    }
    CHECK_THROWS_AS(kith::parse_condition<Page>("meta.a like ?", 2.5), kith::Error);
    CHECK(sentence("meta.a = seen") == "condition: JSON is compared with a timestamp");
    std::string deep = "meta";
    for (int step = 0; step < 65; ++step) deep += "[0]";
    CHECK(sentence(deep + " = 1") == "condition: the condition nests deeper than 64 levels");
    const auto bound = [] { return kith::parse_condition<Page>("meta.a = ?", kith::Timestamp()); };
    CHECK_THROWS_AS(bound(), kith::Error);
}

TEST_CASE("Bytes that are no JSON are read without harm") {
    const auto condition =
        kith::parse_condition<Page>("meta.a[1].b = 'x' or array_length(meta.a) > 1 or meta contains 1");
    const std::string text = R"({"a": [ {"q": "\u00e4"}, {"b": "\ud83d\ude00", "c": [1.5e3]}], "d": tru)";
    for (std::size_t size = 0; size <= text.size(); ++size) {
        Page cut = page(text.substr(0, size));
        static_cast<void>(evaluate(condition, cut));
        for (const char* end :
             {"\\", "\"", "\\u", "\\ud83d\"", "1e", "-", "}", "]", ":", "1-1--9e99999999999999999999"}) {
            cut.meta.text = text.substr(0, size) + end;
            static_cast<void>(evaluate(condition, cut));
        }
    }
    SUCCEED();
}

TEST_CASE("JSON without escapes is evaluated without an allocation") {
    const Page some = page(R"({"author": {"name": "Ann"}, "tags": ["a long text that is no short one", "b"]})");
    const auto condition = kith::parse_condition<Page>("meta.author.name = id and meta.tags contains 'b'");
    const std::size_t before = kith_test::allocation_count();
    const bool answer = evaluate(condition, some);
    const std::size_t after = kith_test::allocation_count();
    CHECK(after == before);
    CHECK(answer);
}

}  // namespace
