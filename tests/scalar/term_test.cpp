// tests/scalar/term_test.cpp — terms stand in the order of the values.
#include "scalar/asked.hpp"
#include "support/catch.hpp"

#include "kith/scalar/term.hpp"

#include <bit>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

namespace {

using kith::FieldKind;
using kith::SplitMix64;
using kith::detail::is_nan_term;
using kith::detail::MemberTerms;
using kith::detail::number_of_term;
using kith::detail::term_of;
using kith_test::Grade;
using kith_test::is_number;
using kith_test::random_scalar;

TEMPLATE_TEST_CASE("Terms stand in the order of the values", "", bool, std::int32_t, std::int64_t, std::uint32_t,
                   std::uint64_t, float, double, std::string, Grade) {
    SplitMix64 random(1);
    for (int round = 0; round < 20000; ++round) {
        const auto a = random_scalar<TestType>(random, 300);
        const auto b = random_scalar<TestType>(random, 300);
        if (!is_number(a) || !is_number(b)) continue;
        const std::string left = term_of<TestType>(a);
        const std::string right = term_of<TestType>(b);
        if ((a < b) != (left < right) || (a == b) != (left == right)) FAIL("round " << round);
    }
    SUCCEED();
}

TEMPLATE_TEST_CASE("Every number has its term and comes back from it", "", float, double) {
    using Bits = std::conditional_t<sizeof(TestType) == 4, std::uint32_t, std::uint64_t>;
    SplitMix64 random(2);
    const FieldKind kind = kith::detail::scalar_kind<TestType>();
    for (int round = 0; round < 20000; ++round) {
        const auto a = std::bit_cast<TestType>(static_cast<Bits>(random()));
        const auto b = std::bit_cast<TestType>(static_cast<Bits>(random()));
        if (is_nan_term(kind, term_of(a)) == is_number(a)) FAIL("round " << round);
        if (is_number(a) && is_number(b) && (a < b) != (term_of(a) < term_of(b))) FAIL("round " << round);
        if (number_of_term(term_of(a)) != kith::detail::ordered_number(a)) FAIL("round " << round);
    }
    SUCCEED();
}

TEST_CASE("The two zeros have one term, and so have all NaNs, above infinity") {
    CHECK(term_of(0.0) == term_of(-0.0));
    CHECK(term_of(0.0F) == term_of(-0.0F));
    const double nan = std::numeric_limits<double>::quiet_NaN();
    CHECK(term_of(nan) == term_of(-nan));
    CHECK(term_of(nan) == term_of(std::bit_cast<double>(0xfff0000000000001ULL)));
    CHECK(term_of(nan) > term_of(std::numeric_limits<double>::infinity()));
    CHECK_FALSE(is_nan_term(FieldKind::float64, term_of(std::numeric_limits<double>::infinity())));
    CHECK(is_nan_term(FieldKind::float64, term_of(nan)));
    CHECK_FALSE(is_nan_term(FieldKind::uint64, term_of(std::numeric_limits<std::uint64_t>::max())));
}

TEST_CASE("The bytes of terms are as the format says") {
    CHECK(term_of(std::int32_t{-1}) == std::string("\x7f\xff\xff\xff", 4));
    CHECK(term_of(std::uint64_t{258}) == std::string("\0\0\0\0\0\0\1\2", 8));
    CHECK(term_of(1.0F) == std::string("\xbf\x80\0\0", 4));
    CHECK(term_of(-1.0F) == std::string("\x40\x7f\xff\xff", 4));
    CHECK(term_of(true) == std::string("\1", 1));
    CHECK(term_of(std::string("kith")) == "kith");
}

TEST_CASE("A literal of a condition has the term of the field's own type") {
    CHECK(term_of(FieldKind::int32, std::int64_t{-7}) == term_of(std::int32_t{-7}));
    CHECK(term_of(FieldKind::int64, std::int64_t{-7}) == term_of(std::int64_t{-7}));
    CHECK(term_of(FieldKind::uint32, std::uint64_t{7}) == term_of(std::uint32_t{7}));
    CHECK(term_of(FieldKind::uint64, std::uint64_t{7}) == term_of(std::uint64_t{7}));
    CHECK(term_of(FieldKind::float32, 0.5) == term_of(0.5F));
    CHECK(term_of(FieldKind::float64, 0.5) == term_of(0.5));
    CHECK(term_of(FieldKind::boolean, true) == term_of(true));
    CHECK(term_of(FieldKind::text, std::string("a")) == "a");
}

TEST_CASE("A member comes apart into its terms in their order") {
    MemberTerms terms;
    member_terms(std::optional<std::vector<std::string>>({"b", "", "b"}), terms);
    REQUIRE(terms.size() == 3);
    CHECK_FALSE(terms.null());
    CHECK(terms[0] == "b");
    CHECK(terms[1].empty());
    CHECK(terms[2] == "b");
    member_terms(std::optional<int>(), terms);
    CHECK(terms.null());
    CHECK(terms.size() == 0);
    member_terms(std::vector<bool>{true, false}, terms);
    CHECK_FALSE(terms.null());
    REQUIRE(terms.size() == 2);
    CHECK(terms[0] == term_of(true));
}

}  // namespace
