// benchmarks/scalar/conditions.cpp — how long until a whole condition is a bitmap over one segment.
//
//   conditions [ROWS]     default: 1000000
//
// Each row of the table is a condition: the slots that satisfy it, what was expected, and for the sealed and the writing
// segment the median time of planning and of answering, and what had been foreseen for the answer. Every answer is
// compared with a look at each record before it is timed; what is left to be checked in rows is checked then, too, and
// not timed. Slots are of random order; price and note have no index.
#include <kith/collection.hpp>
#include <kith/core.hpp>
#include <kith/query.hpp>
#include <kith/schema.hpp>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace {

using kith::Slot;
using namespace kith::detail;

struct Item {
    std::string id;
    std::int64_t time = 0;
    std::int32_t year = 0;
    std::string tag;
    std::optional<float> price;
    std::string note;
};

using Items = kith::Schema<Item, kith::Key<&Item::id>, kith::Field<&Item::time, kith::indexed>,
                           kith::Field<&Item::year, kith::indexed>, kith::Field<&Item::tag, kith::indexed>>;

constexpr const char* questions[] = {
    "year = 1950",
    "time >= 200000 AND time < 700000",
    "year >= 1950 AND tag = 'tag 7'",
    "time < 1000 AND price < 10",
    "price < 10",
    "price < 10 AND year < 1950",
    "tag = 'tag 7' OR price > 99.5 OR time = 5",
    "NOT (year >= 1910 AND price < 90)",
    "year != 1950 AND NOT tag IN ('tag 1', 'tag 2')",
    "tag = 'tag 7' AND note LIKE '%9_1%'",
    "note LIKE '%9_1%'",
    "time < 10000 AND year * 2 > time",
};

double microseconds_since(std::chrono::steady_clock::time_point begin) {
    return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count();
}

double median(std::vector<double> times) {
    std::nth_element(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2), times.end());
    return times[times.size() / 2];
}

struct Measured {
    Slot found = 0;
    double expected = 0;
    double plan = 0;
    double answer = 0;
    double foreseen = 0;
    bool exact = false;
};

Measured measure(const kith::Condition<Item>& condition, const std::vector<Item>& items,
                 std::span<const ScalarField* const> fields) {
    const auto count = static_cast<Slot>(items.size());
    Measured made;
    std::vector<double> plans;
    std::vector<double> answers;
    for (int run = 0; run < 9; ++run) {
        const auto begin = std::chrono::steady_clock::now();
        const SlotCondition asked = SlotConditionMaker(Items::fields).make(condition.expression());
        SlotFilter filter(asked, fields, count);
        plans.push_back(microseconds_since(begin));
        const auto second = std::chrono::steady_clock::now();
        const std::vector<std::uint64_t> words = filter.candidates();
        answers.push_back(microseconds_since(second));
        if (run > 0) continue;
        const kith::Expression rest = filter.rest();
        for (Slot slot = 0; slot < count; ++slot) {
            const bool candidate = ((words[slot / 64] >> (slot % 64)) & 1U) != 0;
            const bool found = candidate && satisfies(items[slot], rest) == Truth::yes;
            if (found) ++made.found;
            if (found == evaluate(condition, items[slot])) continue;
            std::printf("the answer is wrong for slot %u\n", slot);
            std::exit(1);
        }
        made.exact = filter.exact();
        made.expected = filter.estimate().expected;
        made.foreseen = filter.nanoseconds() / 1000;
    }
    made.plan = median(plans);
    made.answer = median(answers);
    return made;
}

void measure_all(std::int64_t rows) {
    kith::SplitMix64 random(1);
    std::vector<Item> items(static_cast<std::size_t>(rows));
    for (std::size_t row = 0; row < items.size(); ++row) {
        items[row].id = std::to_string(row);
        items[row].time = static_cast<std::int64_t>(row);
        items[row].year = 1900 + static_cast<std::int32_t>(random.below(100));
        items[row].tag = "tag " + std::to_string(random.below(1000));
        if (random.below(10) > 0) items[row].price = static_cast<float>(random.uniform()) * 100;
        items[row].note = "note " + std::to_string(random.below(1'000'000));
    }
    for (std::size_t row = items.size(); row > 1; --row) std::swap(items[row - 1].time, items[random.below(row)].time);

    GrowingScalars growing(Items::fields, static_cast<Slot>(rows));
    std::string row;
    const auto for_each_row = [&](const auto& take) {
        const auto begin = std::chrono::steady_clock::now();
        for (const Item& item : items) {
            row.clear();
            Items::encode_row(item, row);
            take();
        }
        return microseconds_since(begin) / static_cast<double>(rows);
    };
    std::vector<std::string> stored;
    for_each_row([&] { stored.push_back(row); });
    ScalarImages<std::string> images;
    images.indexes.resize(Items::fields.size());
    const auto begin = std::chrono::steady_clock::now();
    write_scalar_files({Items::fields, static_cast<Slot>(rows), [&](Slot slot) { return stored[slot]; }},
                       std::size_t{1} << 26, [&](std::optional<std::size_t> index_of, const auto& produce) {
                           (index_of ? images.indexes[*index_of] : images.columns) = collected(produce);
                       });
    const double sealing = microseconds_since(begin) / static_cast<double>(rows);
    const double writing = for_each_row([&] { growing.append(row); });
    const SealedScalars sealed(Items::fields, {{images.indexes.begin(), images.indexes.end()}, images.columns},
                               static_cast<Slot>(rows));
    std::size_t bytes = 0;
    for (const std::string& image : images.indexes) bytes += image.size();
    std::printf("a row: sealed %.2f us and %.1f + %.1f bytes; writing %.2f us and %.1f bytes\n", sealing,
                static_cast<double>(bytes) / static_cast<double>(rows),
                static_cast<double>(images.columns.size()) / static_cast<double>(rows), writing,
                static_cast<double>(growing.bytes()) / static_cast<double>(rows));
    std::printf("%-48s %8s %8s | %7s %8s %8s | %7s %8s %8s\n", "condition", "slots", "expected", "plan us", "us",
                "foreseen", "plan us", "writing", "foreseen");
    for (const char* text : questions) {
        const kith::Condition<Item> condition = kith::parse_condition<Item>(text);
        const Measured one = measure(condition, items, sealed.fields());
        const Measured two = measure(condition, items, growing.fields());
        std::printf("%-48s %8u %8.0f | %7.1f %8.1f %8.1f | %7.1f %8.1f %8.1f%s\n", text, one.found, one.expected,
                    one.plan, one.answer, one.foreseen, two.plan, two.answer, two.foreseen, two.exact ? "" : " + rows");
    }
}

}  // namespace

int main(int count, char** arguments) {
    try {
        measure_all(count > 1 ? std::strtoll(arguments[1], nullptr, 10) : 1'000'000);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
    return 0;
}
