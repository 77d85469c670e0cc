// tests/query/evaluate_test.cpp — conditions against a naive twin, and the logic of nulls.
#include "support/allocations.hpp"
#include "support/catch.hpp"

#include "kith/core/random.hpp"
#include "kith/query.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace {

using kith::Condition;
using kith::evaluate;
using kith::field;
using kith::SplitMix64;

enum class Color : std::int32_t { red = -1, green = 0, blue = 1 };

struct Item {
    std::string name;
    std::int32_t count = 0;
    std::uint64_t size = 0;
    bool open = false;
    float weight = 0;
    Color color = Color::red;
    std::array<float, 3> place{};
    std::optional<std::int64_t> maybe_number;
    std::optional<std::string> maybe_text;
    std::optional<double> maybe_real;
    std::vector<std::string> tags;
    std::vector<bool> flags;
    std::optional<std::vector<std::uint32_t>> maybe_ids;
};

/// Few different values, so that every comparison is sometimes true.
Item random_item(SplitMix64& random) {
    const auto word = [&] { return std::string(1 + random.below(2), static_cast<char>('a' + random.below(3))); };
    const auto coin = [&] { return random.below(2) == 0; };
    Item item;
    item.name = word();
    item.count = static_cast<std::int32_t>(random.below(7)) - 3;
    item.size = coin() ? random.below(4) : ~random.below(4);
    item.open = coin();
    item.weight = static_cast<float>(random.below(4)) * 0.1f;
    item.color = static_cast<Color>(static_cast<int>(random.below(3)) - 1);
    if (coin()) item.maybe_number = static_cast<std::int64_t>(random.below(5)) - 2;
    if (coin()) item.maybe_text = word();
    if (coin()) item.maybe_real = static_cast<double>(random.below(4)) * 0.5;
    for (auto left = random.below(4); left > 0; --left) item.tags.push_back(word());
    for (auto left = random.below(3); left > 0; --left) item.flags.push_back(coin());
    if (coin()) {
        item.maybe_ids.emplace();
        for (auto left = random.below(4); left > 0; --left) {
            item.maybe_ids->push_back(static_cast<std::uint32_t>(random.below(4)));
        }
    }
    return item;
}

using Answer = std::optional<bool>;  // nothing: unknown

/// A condition and, written out by hand, what it means.
struct Twin {
    Condition<Item> condition;
    std::function<Answer(const Item&)> meaning;
};

/// Compares a value with one that may be missing, in the six ways.
template <class Field, class Get, class V>
Twin compare(Field on, Get get, const V& value, std::uint64_t way) {
    const auto with = [get, value](auto holds) {
        return [get, value, holds](const Item& item) -> Answer {
            const auto stored = get(item);
            if (!stored.has_value()) return std::nullopt;
            return holds(*stored, value);
        };
    };
    switch (way) {
        case 0:
            return {on == value, with(std::equal_to<>())};
        case 1:
            return {on != value, with(std::not_equal_to<>())};
        case 2:
            return {on < value, with(std::less<>())};
        case 3:
            return {on <= value, with(std::less_equal<>())};
        case 4:
            return {on > value, with(std::greater<>())};
        default:
            return {on >= value, with(std::greater_equal<>())};
    }
}

template <class List, class V>
bool holds_value(const List& list, const V& value) {
    return std::find(list.begin(), list.end(), value) != list.end();
}

Twin random_leaf(SplitMix64& random) {
    const std::uint64_t way = random.below(6);
    const auto number = [&random] { return static_cast<std::int32_t>(random.below(7)) - 3; };
    const std::string word(1 + random.below(2), static_cast<char>('a' + random.below(3)));
    const std::vector<std::string> words{word, "b", "aa"};
    switch (random.below(14)) {
        case 0:
            return compare(field<&Item::name>, [](const Item& i) { return std::optional(i.name); }, word, way);
        case 1:
            return compare(field<&Item::count>, [](const Item& i) { return std::optional(i.count); }, number(), way);
        case 2: {
            const std::uint64_t size = random.below(2) == 0 ? random.below(4) : ~random.below(4);
            return compare(field<&Item::size>, [](const Item& i) { return std::optional(i.size); }, size, way);
        }
        case 3: {
            const float weight = static_cast<float>(random.below(4)) * 0.1f;
            return compare(field<&Item::weight>, [](const Item& i) { return std::optional(i.weight); }, weight, way);
        }
        case 4:
            return compare(
                field<&Item::color>, [](const Item& i) { return std::optional(i.color); }, Color::green, way);
        case 5:
            return compare(
                field<&Item::maybe_number>, [](const Item& i) { return i.maybe_number; }, std::int64_t{number()}, way);
        case 6:
            return compare(field<&Item::maybe_text>, [](const Item& i) { return i.maybe_text; }, word, way);
        case 7:
            return compare(field<&Item::maybe_real>, [](const Item& i) { return i.maybe_real; }, 0.5, way);
        case 8:
            return {field<&Item::open> == true, [](const Item& i) -> Answer { return i.open; }};
        case 9:
            return {field<&Item::maybe_ids>.is_null(),
                    [](const Item& i) -> Answer { return !i.maybe_ids.has_value(); }};
        case 10:
            return {kith::in(field<&Item::maybe_text>, words), [words](const Item& i) -> Answer {
                        if (!i.maybe_text.has_value()) return std::nullopt;
                        return holds_value(words, *i.maybe_text);
                    }};
        case 11:
            return {kith::contains(field<&Item::flags>, true),
                    [](const Item& i) -> Answer { return holds_value(i.flags, true); }};
        case 12:
            return {kith::contains_all(field<&Item::tags>, words), [words](const Item& i) -> Answer {
                        return std::all_of(words.begin(), words.end(),
                                           [&](const std::string& wanted) { return holds_value(i.tags, wanted); });
                    }};
        default:
            return {kith::contains_any(field<&Item::maybe_ids>, {2, 0}), [](const Item& i) -> Answer {
                        if (!i.maybe_ids.has_value()) return std::nullopt;
                        return holds_value(*i.maybe_ids, 0u) || holds_value(*i.maybe_ids, 2u);
                    }};
    }
}

/// The tables of SQL's three-valued logic, as they stand in textbooks.
Answer both(Answer left, Answer right) {
    if (left == false || right == false) return false;
    if (!left.has_value() || !right.has_value()) return std::nullopt;
    return true;
}
Answer either(Answer left, Answer right) {
    if (left == true || right == true) return true;
    if (!left.has_value() || !right.has_value()) return std::nullopt;
    return false;
}
Answer opposite(Answer answer) {
    return answer.has_value() ? Answer(!*answer) : std::nullopt;
}

Twin random_twin(SplitMix64& random, int depth) {
    if (depth == 0 || random.below(4) == 0) return random_leaf(random);
    Twin left = random_twin(random, depth - 1);
    if (random.below(3) == 0) {
        return {!left.condition, [meaning = left.meaning](const Item& i) { return opposite(meaning(i)); }};
    }
    Twin right = random_twin(random, depth - 1);
    const auto join = [&](Answer (*how)(Answer, Answer)) {
        return [how, a = left.meaning, b = right.meaning](const Item& i) { return how(a(i), b(i)); };
    };
    if (random.below(2) == 0) return {left.condition && right.condition, join(&both)};
    return {left.condition || right.condition, join(&either)};
}

TEST_CASE("Random conditions over random records mean what their naive twins mean") {
    SplitMix64 random(2024);
    std::vector<Item> items;
    for (int made = 0; made < 200; ++made) items.push_back(random_item(random));

    std::size_t found = 0;
    std::size_t differing = 0;
    for (int round = 0; round < 2000; ++round) {
        const Twin twin = random_twin(random, round % 5);
        for (const Item& item : items) {
            const bool answer = evaluate(twin.condition, item);
            found += answer ? 1u : 0u;
            if (answer != (twin.meaning(item) == true)) ++differing;
        }
    }
    CHECK(differing == 0);
    // The rounds are no test unless both answers are common.
    CHECK(found > 50'000);
    CHECK(found < 350'000);
}

TEST_CASE("A null satisfies no comparison and no negated one") {
    const Item item;
    CHECK_FALSE(evaluate(field<&Item::maybe_number> == 1, item));
    CHECK_FALSE(evaluate(field<&Item::maybe_number> != 1, item));
    CHECK_FALSE(evaluate(!(field<&Item::maybe_number> == 1), item));
    CHECK_FALSE(evaluate(!kith::in(field<&Item::maybe_number>, {1}), item));
    CHECK_FALSE(evaluate(!kith::contains(field<&Item::maybe_ids>, 1), item));
    CHECK_FALSE(evaluate(!(field<&Item::maybe_number> == 1 && field<&Item::count> == 0), item));
    CHECK(evaluate(!(field<&Item::maybe_number> == 1 && field<&Item::count> == 1), item));
    CHECK(evaluate(field<&Item::maybe_number> == 1 || field<&Item::count> == 0, item));
    CHECK(evaluate(field<&Item::maybe_number>.is_null(), item));
    CHECK_FALSE(evaluate(!field<&Item::maybe_number>.is_null(), item));
}

TEST_CASE("Of no values, in and contains_any are false and contains_all is true, unless the field is null") {
    const std::vector<std::uint32_t> none;
    Item item;
    CHECK_FALSE(evaluate(kith::in(field<&Item::count>, none), item));
    CHECK(evaluate(!kith::in(field<&Item::count>, none), item));
    CHECK_FALSE(evaluate(kith::contains_all(field<&Item::maybe_ids>, none), item));
    CHECK_FALSE(evaluate(!kith::contains_any(field<&Item::maybe_ids>, none), item));
    item.maybe_ids.emplace();
    CHECK(evaluate(kith::contains_all(field<&Item::maybe_ids>, none), item));
    CHECK(evaluate(!kith::contains_any(field<&Item::maybe_ids>, none), item));
}

TEST_CASE("A condition made from nothing holds for every record") {
    CHECK(evaluate(Condition<Item>(), Item{}));
    CHECK_FALSE(evaluate(!Condition<Item>(), Item{}));
}

TEST_CASE("Extremes compare by value") {
    Item item;
    item.size = std::numeric_limits<std::uint64_t>::max();
    item.maybe_number = std::numeric_limits<std::int64_t>::min();
    item.weight = std::numeric_limits<float>::quiet_NaN();
    CHECK(evaluate(field<&Item::size> > std::numeric_limits<std::int64_t>::max(), item));
    CHECK(evaluate(field<&Item::maybe_number> < -9'000'000'000'000'000'000, item));
    CHECK(evaluate(field<&Item::color> < Color::green, item));
    CHECK(evaluate(field<&Item::weight> != 1, item));
    CHECK_FALSE(evaluate(field<&Item::weight> == 1 || field<&Item::weight> < 1 || field<&Item::weight> >= 1, item));
    CHECK_FALSE(evaluate(kith::in(field<&Item::weight>, {0.0, 1.0}), item));
}

TEST_CASE("Evaluating a condition allocates nothing") {
    SplitMix64 random(5);
    const std::string longer_than_a_small_string(100, 'x');
    const auto condition = kith::in(field<&Item::name>, {longer_than_a_small_string, std::string("a")}) ||
                           kith::contains_all(field<&Item::tags>, {longer_than_a_small_string}) ||
                           !(field<&Item::maybe_text> >= longer_than_a_small_string);
    Item item = random_item(random);
    item.name = item.tags.emplace_back(longer_than_a_small_string + "y");
    item.maybe_text = longer_than_a_small_string + "z";

    const std::size_t before = kith_test::allocation_count();
    const bool answer = evaluate(condition, item);
    const std::size_t after = kith_test::allocation_count();
    CHECK_FALSE(answer);
    CHECK(after == before);
    CHECK(before > 0);
}

}  // namespace
