// tests/scalar/scalar_index_test.cpp — a sealed index answers as a naive evaluator does, for every type and question.
#include "scalar/asked.hpp"
#include "scalar/images.hpp"
#include "support/catch.hpp"

#include "kith/scalar/scalar_index.hpp"
#include "kith/scalar/scalar_index_builder.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace {

using kith::FieldKind;
using kith::Slot;
using kith::SplitMix64;
using kith::detail::MemberTerms;
using kith::detail::ScalarIndex;
using kith::detail::ScalarIndexBuilder;
using kith::detail::ScalarIndexParams;
using kith::detail::ScalarQuestion;
using kith::detail::term_of;
using kith::detail::words_of;
using kith_test::Grade;

template <class T>
inline constexpr FieldKind kind_of = kith::detail::scalar_kind<kith::detail::ScalarOf<T>>();

template <class T>
inline constexpr bool lists = kith::detail::is_list<kith::detail::Present<T>>;

template <class T>
std::string image_of(const std::vector<T>& members, ScalarIndexParams params = {}) {
    ScalarIndexBuilder builder(kind_of<T>, lists<T>, params);
    MemberTerms terms;
    for (const T& member : members) {
        member_terms(member, terms);
        builder.append(terms);
    }
    return kith_test::image_of(builder);
}

/// Builds an index and asks it, beside the naive twin.
template <class T>
void compare(std::size_t count, std::uint64_t distinct, int questions, ScalarIndexParams params = {}) {
    SplitMix64 random(count + distinct);
    const auto members = kith_test::random_members<T>(random, count, distinct);
    const std::string image = image_of(members, params);
    const auto slots = static_cast<Slot>(count);
    const ScalarIndex index(image, kind_of<T>, lists<T>, slots);
    kith_test::Questions<T> ask(random, distinct);
    for (int number = 0; number < questions; ++number) {
        const auto asked = ask.next();
        const auto expected = kith_test::naive_answer(asked, members, slots);
        std::vector<std::uint64_t> words(words_of(slots));
        index.answer(asked.question, words);
        const Slot matches = kith_test::count_bits(expected);
        const auto estimate = index.estimate(asked.question);
        INFO(asked.name << " number " << number << " of " << count << " members, " << distinct << " distinct: found "
                        << kith_test::count_bits(words) << ", there are " << matches << ", estimated "
                        << estimate.fewest << " to " << estimate.most << ", about " << estimate.expected);
        if (words != expected) FAIL("another answer");
        if (estimate.fewest > matches || estimate.most < matches) FAIL("outside of the bounds");
        if (estimate.expected < estimate.fewest || estimate.expected > estimate.most) FAIL("not within its bounds");
        if (index.nanoseconds(asked.question, estimate) < 1000) FAIL("a price below that of an empty answer");
    }
    SUCCEED();
}

TEMPLATE_TEST_CASE("An index of scalars answers as a naive evaluator", "", bool, std::int32_t, std::int64_t,
                   std::uint32_t, std::uint64_t, float, double, std::string, Grade, kith::Timestamp) {
    compare<TestType>(0, 5, 20);
    compare<TestType>(1, 5, 20);
    compare<TestType>(3000, 4, 100);
    compare<TestType>(3000, 100, 200);
    compare<TestType>(5000, 20000, 200);
}

TEMPLATE_TEST_CASE("An index of optionals answers as a naive evaluator", "", bool, std::int32_t, std::uint64_t, float,
                   double, std::string) {
    compare<std::optional<TestType>>(3000, 20, 100);
    compare<std::optional<TestType>>(3000, 20000, 100);
}

TEMPLATE_TEST_CASE("An index of lists answers as a naive evaluator", "", bool, std::int32_t, std::uint64_t, float,
                   double, std::string, Grade) {
    compare<std::vector<TestType>>(3000, 12, 200);
    compare<std::vector<TestType>>(3000, 20000, 200);
    compare<std::optional<std::vector<TestType>>>(2000, 200, 200);
}

TEST_CASE("Texts are found by their ends and by what is in them, with parts made for it and without") {
    for (const bool suffixes : {false, true}) {
        for (const bool substrings : {false, true}) {
            const ScalarIndexParams params{.suffixes = suffixes, .substrings = substrings};
            compare<std::string>(2000, 30, 200, params);
            compare<std::string>(6000, 50000, 300, params);
            compare<std::vector<std::string>>(1000, 1000, 200, params);
        }
    }
}

TEST_CASE("A range over many terms in a large segment is put together from unions") {
    compare<std::int32_t>(150'000, 1'000'000, 60);
    compare<std::vector<std::uint32_t>>(60'000, 50'000, 40);
    compare<std::int64_t>(150'000, 300, 60);
}

TEST_CASE("An answer adds to the bits that are set") {
    const std::vector<std::int32_t> members{1, 2, 3, 2};
    const std::string image = image_of(members);
    const ScalarIndex index(image, FieldKind::int32, false, 4);
    std::vector<std::uint64_t> words{1};
    index.answer(ScalarQuestion::equal(term_of(2)), words);
    CHECK(words[0] == 0b1011);
}

TEST_CASE("An index knows the least and the greatest term, and how many slots have a value") {
    const std::vector<std::optional<double>> members{2.0, std::nullopt, -1.0, std::numeric_limits<double>::quiet_NaN()};
    const std::string image = image_of(members);
    const ScalarIndex index(image, FieldKind::float64, false, 4);
    CHECK(index.least() == term_of(-1.0));
    CHECK(index.greatest() == term_of(2.0));
    CHECK(index.present() == 3);
    CHECK(index.terms().size() == 2);
    const std::string nothing = image_of(std::vector<std::string>());
    const ScalarIndex empty(nothing, FieldKind::text, false, 0);
    CHECK_FALSE(empty.least().has_value());
    CHECK_FALSE(empty.greatest().has_value());
}

TEST_CASE("Of a scalar, the estimate of a comparison is exact") {
    SplitMix64 random(9);
    const auto members = kith_test::random_members<double>(random, 20'000, 3000);
    const std::string image = image_of(members);
    const ScalarIndex index(image, FieldKind::float64, false, 20'000);
    kith_test::Questions<double> ask(random, 3000);
    for (int number = 0; number < 100; ++number) {
        const auto asked = ask.next();
        const auto estimate = index.estimate(asked.question);
        CHECK(estimate.fewest == kith_test::count_bits(kith_test::naive_answer(asked, members, 20'000)));
        CHECK(estimate.most == estimate.fewest);
    }
}

TEST_CASE("The same members make the same bytes") {
    SplitMix64 once(11);
    SplitMix64 again(11);
    using T = std::vector<std::string>;
    CHECK(image_of(kith_test::random_members<T>(once, 3000, 500), {true, true}) ==
          image_of(kith_test::random_members<T>(again, 3000, 500), {true, true}));
}

}  // namespace
