// tests/query/time_test.cpp — points in time, written as ISO 8601 writes them.
#include "support/catch.hpp"

#include "kith/core/error.hpp"
#include "kith/query.hpp"
#include "kith/schema.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace std::chrono_literals;
using kith::field;
using kith::parse_condition;
using kith::Timestamp;
using std::chrono::sys_days;

struct Visit {
    std::string id;
    Timestamp from{};
    std::optional<Timestamp> until;
    std::vector<Timestamp> stops;
};
using Visits = kith::Schema<Visit, kith::Key<&Visit::id>, kith::Field<&Visit::from, kith::indexed>>;

constexpr Timestamp noon = sys_days(2026y / 1 / 31) + 12h;

std::optional<Timestamp> read(std::string_view text) {
    const kith::detail::TimeReader reader(text);
    if (!reader.ok()) return std::nullopt;
    return Timestamp(std::chrono::microseconds(reader.count()));
}

TEST_CASE("A time is a date, a time of day, a fraction of a second and an offset, each where it is given") {
    CHECK(read("2026-01-31") == sys_days(2026y / 1 / 31));
    CHECK(read("2026-01-31T12:00") == noon);
    CHECK(read("2026-01-31 12:00:00Z") == noon);
    CHECK(read("2026-01-31T12:00:00.25") == noon + 250ms);
    CHECK(read("2026-01-31T12:00:00.000001Z") == noon + 1us);
    CHECK(read("2026-01-31T14:00:00+02:00") == noon);
    CHECK(read("2026-01-31T06:30-05:30") == noon);
    CHECK(read("0000-01-01") == sys_days(0y / 1 / 1));
    CHECK(read("2024-02-29").has_value());
}

TEST_CASE("What is no time is not taken for one") {
    for (const char* text :
         {"", "2026", "2026-1-31", "2026-02-29", "2026-13-01", "2026-00-01", "2026-01-31T", "2026-01-31T24:00",
          "2026-01-31T12:60", "2026-01-31T12:00:60", "2026-01-31T12:00:00.", "2026-01-31T12:00:00.1234567",
          "2026-01-31T12:00+2:00", "2026-01-31T12:00ZZ", "2026-01-31Z", " 2026-01-31", "26-01-31"}) {
        INFO(text);
        CHECK_FALSE(read(text).has_value());
    }
}

TEST_CASE("A timestamp is compared with text, with a bound time and with another column") {
    CHECK(parse_condition<Visit>("from >= '2026-01-31T12:00Z'") == (field<&Visit::from> >= noon));
    CHECK(parse_condition<Visit>("from < ?", noon) == (field<&Visit::from> < noon));
    CHECK(parse_condition<Visit>("from = ?", sys_days(2026y / 1 / 31)) ==
          (field<&Visit::from> == sys_days(2026y / 1 / 31)));
    CHECK(parse_condition<Visit>("until > from") == (field<&Visit::until> > field<&Visit::from>));
    CHECK(kith::condition<Visit, "until between '2026-01-01' and '2026-02-01'">() ==
          between(field<&Visit::until>, sys_days(2026y / 1 / 1), sys_days(2026y / 2 / 1)));
    CHECK(parse_condition<Visit>("stops contains '2026-01-31T12:00'") == contains(field<&Visit::stops>, noon));
}

TEST_CASE("Records are found by their times, also those before 1970") {
    Visit visit;
    visit.from = sys_days(1960y / 5 / 1);
    visit.stops = {noon};
    CHECK(evaluate(parse_condition<Visit>("from < '1960-05-02' and from > '1960-04-30T23:59:59.999999'"), visit));
    CHECK(evaluate(parse_condition<Visit>("stops contain_any ('2026-01-31T12:00', '2026-01-01')"), visit));
    CHECK_FALSE(evaluate(parse_condition<Visit>("not until > from"), visit));
    visit.until = noon;
    CHECK(evaluate(parse_condition<Visit>("until > from"), visit));
}

TEST_CASE("A text that is no time, and arithmetic with times, are refused") {
    const auto refusal = [](std::string_view text) {
        try {
            static_cast<void>(parse_condition<Visit>(text));
        } catch (const kith::Error& error) {
            const std::string whole = error.what();
            return whole.substr(0, whole.find('\n'));
        }
        return std::string();
    };
    CHECK(refusal("from > 'yesterday'") ==
          "condition: field 'from': 'yesterday' is no time, expected one such as '2026-01-31' or "
          "'2026-01-31T12:00:00.5Z'");
    CHECK(refusal("from > 3") == "condition: field 'from': got 3, expected a time such as '2026-01-31T12:00:00Z'");
    CHECK(refusal("from + 1 > until") ==
          "condition: field 'from': only numbers are calculated with, and this is a timestamp");
}

TEST_CASE("A timestamp is stored as its microseconds, in eight bytes, and read again") {
    CHECK(Visits::fields[1].kind == kith::FieldKind::timestamp);
    CHECK(Visits::descriptor().find("from timestamp indexed\nuntil timestamp nullable\nstops list of timestamp\n") !=
          std::string::npos);
    Visit visit{"a", noon, sys_days(1960y / 5 / 1), {noon, Timestamp::min()}};
    std::string row;
    Visits::encode_row(visit, row);
    CHECK(row.size() == 3 + 2 + 8 + 8 + 1 + 16);
    Visit again;
    REQUIRE(Visits::decode_row(row, again));
    CHECK(again.from == visit.from);
    CHECK(again.until == visit.until);
    CHECK(again.stops == visit.stops);
}

}  // namespace
