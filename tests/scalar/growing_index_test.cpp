// tests/scalar/growing_index_test.cpp — the index of the writing segment against a naive evaluator, also while it grows.
#include "scalar/asked.hpp"
#include "support/catch.hpp"

#include "kith/scalar/growing_index.hpp"

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace {

using kith::FieldKind;
using kith::Slot;
using kith::SplitMix64;
using kith::detail::GrowingScalarIndex;
using kith::detail::MemberTerms;
using kith::detail::ScalarQuestion;
using kith::detail::term_of;
using kith::detail::words_of;
using kith_test::Grade;

template <class T>
inline constexpr FieldKind kind_of = kith::detail::scalar_kind<kith::detail::ScalarOf<T>>();

template <class T>
inline constexpr bool lists = kith::detail::is_list<kith::detail::Present<T>>;

template <class T>
void append(GrowingScalarIndex& index, const T& member) {
    MemberTerms terms;
    member_terms(member, terms);
    index.append(terms);
}

/// Asks for the first `count` slots, beside the naive twin.
template <class T>
void compare(const GrowingScalarIndex& index, const std::vector<T>& members, Slot count, std::uint64_t seed,
             std::uint64_t distinct, int questions) {
    SplitMix64 random(seed);
    kith_test::Questions<T> ask(random, distinct);
    for (int number = 0; number < questions; ++number) {
        const auto asked = ask.next();
        const auto expected = kith_test::naive_answer(asked, members, count);
        std::vector<std::uint64_t> words(words_of(count));
        index.answer(asked.question, count, words);
        const Slot matches = kith_test::count_bits(expected);
        const auto estimate = index.estimate(asked.question, count);
        INFO(asked.name << " number " << number << " of " << count << ": found " << kith_test::count_bits(words)
                        << ", there are " << matches << ", estimated " << estimate.fewest << " to " << estimate.most);
        if (words != expected) FAIL("another answer");
        if (estimate.fewest > matches || estimate.most < matches) FAIL("outside of the bounds");
    }
    SUCCEED();
}

/// Grows an index, takes back batches in between, and asks it for all of its slots and for the first of them.
template <class T>
void grow(std::uint64_t distinct) {
    constexpr Slot count = 3000;
    SplitMix64 random(distinct);
    const auto members = kith_test::random_members<T>(random, count, distinct);
    GrowingScalarIndex index(kind_of<T>, lists<T>, count);
    while (index.size() < count) {
        const Slot kept = index.size();
        for (std::uint64_t left = random.below(300); left > 0 && index.size() < count; --left) {
            append(index, kith_test::random_member<T>(random, distinct));
        }
        index.truncate(kept);
        for (std::uint64_t left = random.below(300); left > 0 && index.size() < count; --left) {
            append(index, members[index.size()]);
        }
        if (kept > 1000 && kept < 1200) compare(index, members, kept / 2, kept, distinct, 30);
    }
    compare(index, members, count, 5, distinct, 100);
    compare(index, members, count / 3, 6, distinct, 60);
    compare(index, members, 0, 7, distinct, 20);
}

TEMPLATE_TEST_CASE("A growing index answers as a naive evaluator", "", bool, std::int32_t, std::uint64_t, float, double,
                   std::string, Grade, std::optional<std::int64_t>, std::optional<std::string>,
                   std::vector<std::uint32_t>, std::vector<std::string>, std::optional<std::vector<double>>) {
    grow<TestType>(10);
    grow<TestType>(20'000);
}

TEST_CASE("A snapshot sees nothing of what was appended after it") {
    GrowingScalarIndex index(FieldKind::int32, false, 100);
    for (std::int32_t value = 0; value < 100; ++value) append(index, value % 3);
    std::vector<std::uint64_t> words(1);
    index.answer(ScalarQuestion::equal(term_of(1)), 10, words);
    CHECK(words[0] == 0b0010010010);
    CHECK(index.estimate(ScalarQuestion::equal(term_of(1)), 10).most == 3);
}

TEST_CASE("What was taken back is found no more, and its slots take other members") {
    GrowingScalarIndex index(FieldKind::text, false, 100);
    for (int round = 0; round < 5; ++round) {
        append(index, std::string("kept"));
        for (int more = 0; more < 10; ++more) append(index, std::string("gone"));
        index.truncate(static_cast<Slot>(round + 1));
    }
    std::vector<std::uint64_t> words(1);
    index.answer(ScalarQuestion::equal("gone"), index.size(), words);
    CHECK(words[0] == 0);
    index.answer(ScalarQuestion::equal("kept"), index.size(), words);
    CHECK(words[0] == 0b11111);
}

TEST_CASE("Readers of a growing index get right answers while a writer appends and takes back", "[threads]") {
    using T = std::vector<std::uint32_t>;
    constexpr Slot count = 4000;
    constexpr std::uint64_t distinct = 50;
    SplitMix64 random(8);
    const auto members = kith_test::random_members<T>(random, count, distinct);
    GrowingScalarIndex index(FieldKind::uint32, true, count + 100);
    std::atomic<Slot> published = 0;
    std::atomic<int> wrong = 0;
    std::vector<std::thread> readers;
    for (std::uint64_t reader = 0; reader < 2; ++reader) {
        readers.emplace_back([&, reader] {
            SplitMix64 mine(100 + reader);
            kith_test::Questions<T> ask(mine, distinct);
            for (Slot seen = 0; seen < count;) {
                seen = published.load(std::memory_order_acquire);
                const auto asked = ask.next();
                const auto expected = kith_test::naive_answer(asked, members, seen);
                std::vector<std::uint64_t> words(words_of(seen));
                index.answer(asked.question, seen, words);
                const auto estimate = index.estimate(asked.question, seen);
                const Slot matches = kith_test::count_bits(expected);
                if (words != expected || estimate.fewest > matches || estimate.most < matches) ++wrong;
            }
        });
    }
    while (index.size() < count) {
        const Slot kept = index.size();
        for (int left = 0; left < 20; ++left) append(index, kith_test::random_member<T>(random, distinct));
        index.truncate(kept);
        for (int left = 0; left < 10 && index.size() < count; ++left) append(index, members[index.size()]);
        published.store(index.size(), std::memory_order_release);
    }
    for (std::thread& reader : readers) reader.join();
    CHECK(wrong == 0);
}

}  // namespace
