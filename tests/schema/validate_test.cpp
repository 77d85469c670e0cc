// tests/schema/validate_test.cpp — which values are refused, and in which words.
#include "metrics.hpp"
#include "support/catch.hpp"

#include "kith/schema.hpp"
#include "kith/schema/utf8.hpp"

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace {

struct Page {
    std::string id = "page";
    std::optional<std::string> title;
    std::vector<std::string> tags;
    double score = 0;
    std::array<float, 9> direction{1};
    std::array<float, 9> place{};
    std::array<float, 2> unlisted{};
};

using Pages = kith::Schema<Page, kith::Key<&Page::id>, kith::VectorField<&Page::direction, kith_test::Angle>,
                           kith::VectorField<&Page::place, kith_test::Euclid>>;

constexpr float nan = std::numeric_limits<float>::quiet_NaN();
constexpr float infinity = std::numeric_limits<float>::infinity();

/// The field that is refused and the sentence; empty when the record is fine.
std::string problem_of(const Page& page) {
    const auto problem = Pages::validate(page);
    if (!problem.has_value()) return {};
    CHECK(problem->text.find("'" + std::string(problem->field) + "'") != std::string::npos);
    return problem->text;
}

template <class Change>
std::string problem_after(Change&& change) {
    Page page;
    change(page);
    return problem_of(page);
}

TEST_CASE("A record with ordinary values is fine") {
    Page page;
    page.title = std::string("zero \0 byte, ünïcödé, 🦉", 30);
    page.tags = {"", "a"};
    page.score = std::numeric_limits<double>::quiet_NaN();
    page.unlisted = {nan, infinity};
    CHECK(problem_of(page).empty());
}

TEST_CASE("A vector with an element that is not finite is refused, and the element is named") {
    CHECK(problem_after([](Page& page) { page.place[8] = nan; }) ==
          "field 'place': element 8 is NaN, expected a finite number");
    CHECK(problem_after([](Page& page) { page.direction[3] = -infinity; }) ==
          "field 'direction': element 3 is infinite, expected a finite number");
}

TEST_CASE("Under Cosine a vector needs a direction; elsewhere zero is a place like any other") {
    CHECK(problem_after([](Page& page) { page.direction = {}; }) ==
          "field 'direction': all elements are zero, expected a direction that Cosine can compare");
    CHECK(problem_after([](Page& page) { page.direction = {0, 1e-19f}; }) ==
          "field 'direction': the vector's length is 1e-19, expected at least 1e-18, so that Cosine can tell its "
          "direction");
    CHECK(problem_after([](Page& page) { page.direction = {0, 1.01e-18f}; }).empty());
    CHECK(problem_after([](Page& page) { page.place = {0, 1e-40f}; }).empty());
}

TEST_CASE("A vector so long that its square would overflow is refused") {
    CHECK(problem_after([](Page& page) { page.place[0] = 2e18f; }) ==
          "field 'place': the vector's length is 2e+18, expected at most 1e18");
    CHECK(problem_after([](Page& page) {
              page.direction[0] = std::numeric_limits<float>::max();
          }).find("at most 1e18") != std::string::npos);
    CHECK(problem_after([](Page& page) { page.place[0] = 0.99e18f; }).empty());
}

TEST_CASE("A vector sized at run time is held to its dimension first") {
    const kith::VectorRules rules = kith::vector_rules<kith_test::Angle>(4);
    CHECK(rules == kith::VectorRules{4, true});
    CHECK(kith::vector_problem(std::vector<float>{1, 2, 3}, rules) == "dimension is 4, got 3");
    CHECK(kith::vector_problem({}, rules) == "dimension is 4, got 0");
    CHECK_FALSE(kith::vector_problem(std::vector<float>{1, 2, 3, 4}, rules).has_value());
    CHECK(kith::vector_problem(std::vector<float>{1, nan, 3, 4}, rules).has_value());
    CHECK_FALSE(kith::vector_problem(std::vector<float>(4), kith::vector_rules<kith_test::Euclid>(4)).has_value());
}

TEST_CASE("A key has 1 to 511 bytes of UTF-8") {
    CHECK(problem_after([](Page& page) { page.id = ""; }) == "field 'id': the key is empty, expected 1 to 511 bytes");
    CHECK(problem_after([](Page& page) { page.id.assign(512, 'k'); }) ==
          "field 'id': the key has 512 bytes, expected at most 511");
    CHECK(problem_after([](Page& page) { page.id.assign(511, 'k'); }).empty());
    CHECK(problem_after([](Page& page) { page.id = "ab\xff"; }) ==
          "field 'id': byte 2 is not valid UTF-8, expected UTF-8 text");
    CHECK(problem_after([](Page& page) { page.id = std::string("a\0b", 3); }).empty());
}

TEST_CASE("Text is UTF-8 wherever it stands") {
    CHECK(problem_after([](Page& page) { page.title = "12345678\xc3"; }) ==
          "field 'title': byte 8 is not valid UTF-8, expected UTF-8 text");
    CHECK(problem_after([](Page& page) { page.tags = {"fine", "\xed\xa0\x80"}; }) ==
          "field 'tags': element 1: byte 0 is not valid UTF-8, expected UTF-8 text");
    CHECK(problem_after([](Page& page) { page.title = ""; }).empty());
}

/// A decoder written the long way: from bytes to a code point, then the rules of Unicode on the code point.
bool well_formed(std::string_view text) {
    std::size_t at = 0;
    while (at < text.size()) {
        const auto lead = static_cast<unsigned char>(text[at]);
        std::size_t more = 0;
        std::uint32_t point = lead;
        if (lead >= 0x80) {
            if ((lead & 0xe0) == 0xc0) {
                more = 1;
                point = lead & 0x1f;
            } else if ((lead & 0xf0) == 0xe0) {
                more = 2;
                point = lead & 0x0f;
            } else if ((lead & 0xf8) == 0xf0) {
                more = 3;
                point = lead & 0x07;
            } else {
                return false;
            }
        }
        if (at + more >= text.size()) return false;
        for (std::size_t next = 1; next <= more; ++next) {
            const auto byte = static_cast<unsigned char>(text[at + next]);
            if ((byte & 0xc0) != 0x80) return false;
            point = point << 6 | (byte & 0x3f);
        }
        constexpr std::array<std::uint32_t, 4> least{0, 0x80, 0x800, 0x10000};
        if (point < least[more] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) return false;
        at += more + 1;
    }
    return true;
}

TEST_CASE("The check of UTF-8 agrees with a decoder written the long way") {
    const auto agrees = [](std::string_view text) {
        return (kith::detail::utf8_valid_prefix(text) == text.size()) == well_formed(text);
    };
    // Every lead and second byte, followed by nothing, by one or two good bytes, or by bad ones.
    for (const std::string_view tail : {"", "\x80", "\xbf\x80", "\x80\x80x", "\x80x", "x"}) {
        for (int lead = 0; lead < 256; ++lead) {
            for (int second = 0; second < 256; ++second) {
                std::string text{static_cast<char>(lead), static_cast<char>(second)};
                text += tail;
                if (!agrees(text) || !agrees("seven.." + text + "eight..."))
                    FAIL("they differ on " << lead << ' ' << second);
            }
        }
    }
}

}  // namespace
