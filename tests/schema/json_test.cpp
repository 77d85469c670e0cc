// tests/schema/json_test.cpp — JSON is stored as it was given, and nothing else is.
#include "support/catch.hpp"

#include "kith/schema.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace {

struct Note {
    std::string id;
    kith::Json body;
    std::optional<kith::Json> extra;
};

using Schema = kith::Schema<Note, kith::Key<&Note::id>>;

bool is_json(std::string_view text) {
    return !kith::json_problem(text).has_value();
}

TEST_CASE("Every form of JSON is taken") {
    for (const char* text : {"null", " true ", "false", "0", "-0.5e+10", "12E3", "\"\"", "[]", "{}",
                             "[1, [2, {}], \"x\"]", "{\"a\": {\"b\": [null]}, \"a\": 1}", "\t\n\r[ ]",
                             "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e4\\ud83d\\ude00\"", "\"na\xc3\xafve\""}) {
        CAPTURE(text);
        CHECK(is_json(text));
    }
    CHECK(is_json(std::string(64, '[') + std::string(64, ']')));
    CHECK(is_json("1." + std::string(62, '0')));
}

TEST_CASE("What is no JSON is refused where it ceases to be") {
    const auto problem = [](std::string_view text) { return kith::json_problem(text).value_or("none"); };
    CHECK(problem("") == "byte 0 of the JSON: expected a value");
    CHECK(problem("{\"a\": }") == "byte 6 of the JSON: expected a value");
    CHECK(problem("{a: 1}") == "byte 1 of the JSON: expected a name in double quotes");
    CHECK(problem("{\"a\" 1}") == "byte 5 of the JSON: expected ':'");
    CHECK(problem("{\"a\": 1") == "byte 7 of the JSON: expected ',' or '}'");
    CHECK(problem("[1 2]") == "byte 3 of the JSON: expected ',' or ']'");
    CHECK(problem("[1,]") == "byte 3 of the JSON: expected a value");
    CHECK(problem("1 2") == "byte 2 of the JSON: expected the end");
    CHECK(problem("01") == "byte 1 of the JSON: expected the end");
    CHECK(problem("1.") == "byte 2 of the JSON: expected a digit");
    CHECK(problem("-") == "byte 1 of the JSON: expected a digit");
    CHECK(problem("nul") == "byte 0 of the JSON: expected a value");
    CHECK(problem("\"a") == "byte 2 of the JSON: expected the closing quote");
    CHECK(problem("\"\\x\"") == "byte 2 of the JSON: expected a known escape");
    CHECK(problem("\"\\u12g4\"") == "byte 5 of the JSON: expected four hexadecimal digits");
    CHECK(problem("\"\\ud800\"") == "byte 7 of the JSON: expected both halves of a surrogate");
    CHECK(problem("\"\\udc00\\ud800\"") == "byte 7 of the JSON: expected both halves of a surrogate");
    CHECK(problem("\"a\nb\"") == "byte 2 of the JSON: expected \\n or the like for a control character");
    CHECK(problem("\"\xff\"") == "byte 1 is not valid UTF-8, expected UTF-8 text");
    CHECK(problem(std::string(65, '[') + std::string(65, ']')) == "byte 64 of the JSON: expected at most 64 levels");
    CHECK(problem("1." + std::string(63, '0')).find("a number of at most 64 characters") != std::string::npos);
    CHECK(problem(std::string_view("\0", 1)) == "byte 0 of the JSON: expected a value");
    CHECK(problem(std::string_view("1\0", 2)) == "byte 1 of the JSON: expected the end");
}

TEST_CASE("A record's JSON comes back byte for byte, and is checked before it is written") {
    Note note{.id = "a", .body = {" {\"x\" : 1.0} "}, .extra = {}};
    CHECK_FALSE(Schema::validate(note).has_value());
    std::string row;
    Schema::encode_row(note, row);
    Note back;
    REQUIRE(Schema::decode_row(row, back));
    CHECK(back.body == note.body);
    CHECK_FALSE(back.extra.has_value());

    note.extra = kith::Json{"{"};
    const auto problem = Schema::validate(note);
    REQUIRE(problem.has_value());
    CHECK(problem->field == "extra");
    CHECK(problem->text == "field 'extra': byte 1 of the JSON: expected a name in double quotes");
    CHECK(Schema::descriptor().find("extra json nullable\n") != std::string_view::npos);
}

}  // namespace
