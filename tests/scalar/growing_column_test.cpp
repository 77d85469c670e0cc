// tests/scalar/growing_column_test.cpp — the numbers of the writing segment, compared in blocks and one by one.
#include "scalar/asked.hpp"
#include "support/catch.hpp"

#include "kith/scalar/growing_column.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace {

using kith::FieldKind;
using kith::Slot;
using kith::SplitMix64;
using kith::detail::GrowingColumn;
using kith::detail::GrowingColumnScan;
using kith::detail::MemberTerms;
using kith_test::Grade;

template <class T>
void append(GrowingColumn& column, const T& member) {
    MemberTerms terms;
    member_terms(member, terms);
    column.append(terms);
}

template <class T>
void grow(std::uint64_t distinct) {
    constexpr Slot count = 3001;
    SplitMix64 random(distinct);
    const auto members = kith_test::random_members<T>(random, count, distinct);
    GrowingColumn column(kith::detail::scalar_kind<kith::detail::ScalarOf<T>>(), count);
    while (column.size() < count) {
        const Slot kept = column.size();
        for (std::uint64_t left = random.below(300); left > 0 && column.size() < count; --left) {
            append(column, kith_test::random_member<T>(random, distinct));
        }
        column.truncate(kept);
        for (std::uint64_t left = random.below(300); left > 0 && column.size() < count; --left) {
            append(column, members[column.size()]);
        }
    }
    kith_test::Questions<T> ask(random, distinct);
    for (int number = 0; number < 100; ++number) {
        const auto asked = ask.next();
        for (const Slot seen : {count, Slot{1024}, Slot{700}, Slot{0}}) {
            for (const unsigned one_in : {0U, 1U, 3U, 100U}) {
                const bool wanted = random.below(2) == 1;
                auto words = kith_test::random_bits(random, seen, one_in);
                const auto naive = kith_test::naive_kept(asked, members, words, seen, wanted);
                GrowingColumnScan(column, asked.question, seen).keep(wanted, words);
                INFO(asked.name << " number " << number << " of " << seen << ", of 1 in " << one_in);
                if (words != naive) FAIL("other slots are kept where the answer is to be " << wanted);
            }
        }
    }
    SUCCEED();
}

TEMPLATE_TEST_CASE("A growing column answers as a naive evaluator", "", bool, std::int32_t, std::uint64_t, float,
                   double, Grade, kith::Timestamp, std::optional<std::int64_t>, std::optional<bool>,
                   std::optional<double>) {
    grow<TestType>(10);
    grow<TestType>(20'000);
}

}  // namespace
