// tests/query/decimal_test.cpp — decimal digits become the double that the standard library makes of them.
#include "support/catch.hpp"

#include "kith/core/random.hpp"
#include "kith/query/parse.hpp"

#include <array>
#include <bit>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

using kith::SplitMix64;
using kith::detail::to_double;

bool agrees(const std::string& text) {
    return std::bit_cast<std::uint64_t>(to_double(text)) ==
           std::bit_cast<std::uint64_t>(std::strtod(text.c_str(), nullptr));
}

TEST_CASE("Any double printed with 17 digits comes back as it was") {
    SplitMix64 random(1);
    std::size_t wrong = 0;
    for (int round = 0; round < 3000; ++round) {
        const auto value = std::bit_cast<double>(random() >> 1);
        if (!(value <= 1.7976931348623157e308)) continue;
        std::array<char, 64> text{};
        std::snprintf(text.data(), text.size(), "%.17g", value);
        if (std::bit_cast<std::uint64_t>(to_double(text.data())) != std::bit_cast<std::uint64_t>(value)) ++wrong;
    }
    CHECK(wrong == 0);
}

TEST_CASE("Random digits are rounded as strtod rounds them") {
    SplitMix64 random(2);
    std::size_t wrong = 0;
    for (int round = 0; round < 3000; ++round) {
        std::string text;
        for (auto left = 1 + random.below(25); left > 0; --left) text += static_cast<char>('0' + random.below(10));
        if (random.below(2) == 0) text.insert(random.below(text.size()), ".");
        if (random.below(3) > 0) {
            text += 'e' + std::string(random.below(2) == 0 ? "-" : "") + std::to_string(random.below(340));
        }
        if (!agrees(text)) ++wrong;
    }
    CHECK(wrong == 0);
}

TEST_CASE("Numbers half way between two doubles, the smallest and the largest are rounded as they must be") {
    for (const char* text : {"9007199254740993",
                             "9007199254740993.0000000000000000000000000000001",
                             "9007199254740995",
                             "4.9e-324",
                             "2.4703282292062327e-324",
                             "2.4703282292062328e-324",
                             "2.2250738585072011e-308",
                             "2.2250738585072014e-308",
                             "1.7976931348623157e308",
                             "1.7976931348623158e308",
                             "1.7976931348623159e308",
                             "1e309",
                             "1e-400",
                             "0e999",
                             "0.0",
                             "1e23",
                             "8.5e-1",
                             "123456789012345678901234567890123456789012345678901234567890e-70",
                             ".5",
                             "5."}) {
        INFO(text);
        CHECK(agrees(text));
    }
}

TEST_CASE("The compiler itself makes the double") {
    static_assert(to_double("0.1") == 0.1 && to_double("1e300") == 1e300 && to_double("2.5e-8") == 2.5e-8);
    SUCCEED();
}

}  // namespace
