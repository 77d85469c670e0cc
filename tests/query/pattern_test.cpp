// tests/query/pattern_test.cpp — LIKE matches what it says, and is something simpler where it can be.
#include "support/catch.hpp"

#include "kith/core/error.hpp"
#include "kith/core/random.hpp"
#include "kith/query/pattern.hpp"

#include <string>
#include <string_view>

namespace {

using kith::Expression;
using kith::Op;
using kith::SplitMix64;
using kith::Value;
using kith::detail::matches;
using kith::detail::pattern_leaf;

/// What a pattern means, said as simply as can be.
bool naively(std::string_view text, std::string_view pattern) {
    if (pattern.empty()) return text.empty();
    if (pattern[0] == '%') {
        for (std::size_t at = 0; at <= text.size(); ++at) {
            if (naively(text.substr(at), pattern.substr(1))) return true;
        }
        return false;
    }
    if (text.empty()) return false;
    if (pattern[0] == '_') return naively(text.substr(1), pattern.substr(1));
    if (pattern[0] == '\\') pattern.remove_prefix(1);
    return text[0] == pattern[0] && naively(text.substr(1), pattern.substr(1));
}

std::string random_text(SplitMix64& random, std::string_view letters, std::uint64_t longest) {
    std::string text;
    for (auto left = random.below(longest); left > 0; --left) text += letters[random.below(letters.size())];
    return text;
}

Expression lowered(std::string_view pattern) {
    return pattern_leaf(Op::like, {}, "t", pattern);
}

Expression leaf(Op op, std::string text) {
    Expression made{.op = op};
    made.values.emplace_back(std::move(text));
    return made;
}

TEST_CASE("Random patterns match random texts as their meaning says") {
    SplitMix64 random(5);
    std::size_t wrong = 0;
    std::size_t matched = 0;
    for (int round = 0; round < 20'000; ++round) {
        const std::string text = random_text(random, "ab%_", 9);
        std::string pattern;
        for (auto left = random.below(7); left > 0; --left) {
            const std::uint64_t kind = random.below(6);
            pattern += kind < 2 ? "%" : kind == 2 ? "_" : kind == 3 ? "\\%" : kind == 4 ? "a" : "b";
        }
        const bool answer = matches<false>(text, pattern);
        matched += answer ? 1u : 0u;
        if (answer != naively(text, pattern)) ++wrong;
    }
    CHECK(wrong == 0);
    CHECK(matched > 2'000);
}

TEST_CASE("An underscore is one character of UTF-8, however many bytes it has") {
    CHECK(matches<false>("K\xc3\xa4se", "K_se"));
    CHECK_FALSE(matches<false>("K\xc3\xa4se", "K__se"));
    CHECK(matches<false>("\xf0\x9f\xa6\x89 owl", "_ owl"));
    CHECK(matches<false>("a\xf0\x9f\xa6\x89", "%_"));
}

TEST_CASE("ILIKE knows no case from A to Z and every case beyond") {
    CHECK(matches<true>("OwLs", "owl%"));
    CHECK_FALSE(matches<true>("\xc3\x84", "\xc3\xa4"));
}

TEST_CASE("A pattern is as simple a leaf as it can be") {
    CHECK(lowered("owl") == leaf(Op::equal, "owl"));
    CHECK(lowered("") == leaf(Op::equal, ""));
    CHECK(lowered("owl%") == leaf(Op::has_prefix, "owl"));
    CHECK(lowered("%owl") == leaf(Op::has_suffix, "owl"));
    CHECK(lowered("%%owl%") == leaf(Op::has_substring, "owl"));
    CHECK(lowered("%") == leaf(Op::has_prefix, ""));
    CHECK(lowered("50\\%%") == leaf(Op::has_prefix, "50%"));
    CHECK(lowered("o_l") == leaf(Op::like, "o_l"));
    CHECK(lowered("o%l%%") == leaf(Op::like, "o%l%"));
    CHECK(pattern_leaf(Op::like, {}, "t", "5!%_!!\\", '!') == leaf(Op::like, "5\\%_!\\\\"));
    CHECK(pattern_leaf(Op::ilike, {}, "t", "OWL") == leaf(Op::ilike, "owl"));
}

TEST_CASE("An escape in front of a common letter, or of nothing, is refused") {
    for (const char* pattern : {"a\\b", "a\\"}) {
        try {
            static_cast<void>(lowered(pattern));
            FAIL("accepted");
        } catch (const kith::Error& error) {
            CHECK(error.what() == std::string("field 't': byte 1 of the pattern is an escape, expected %, _ or the "
                                              "escape itself behind it"));
        }
    }
}

}  // namespace
