// benchmarks/scalar/main.cpp — how long until a condition on one field is a bitmap, and what it costs to keep it ready.
//
//   scalar [ROWS]     default: 1000000
//
// Each row of the table is a question: the slots it finds, and the median time until the answer is a bitmap, by the index
// of a sealed segment, by its columns, and by the index and the column of the writing segment. Before anything is timed,
// each of the four is compared with the members themselves. The bitmap is cleared within the time that is measured.
#include <kith/core.hpp>
#include <kith/scalar.hpp>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <string>
#include <vector>

namespace {

using kith::FieldKind;
using kith::Slot;
using namespace kith::detail;

using Words = std::vector<std::uint64_t>;

double microseconds_since(std::chrono::steady_clock::time_point begin) {
    return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count();
}

/// The median of some runs.
double microseconds(const std::function<void(Words&)>& answer, Words& words) {
    constexpr int runs = 15;
    std::vector<double> times;
    for (int run = 0; run < runs; ++run) {
        const auto begin = std::chrono::steady_clock::now();
        std::fill(words.begin(), words.end(), std::uint64_t{0});
        answer(words);
        times.push_back(microseconds_since(begin));
    }
    std::nth_element(times.begin(), times.begin() + runs / 2, times.end());
    return times[runs / 2];
}

/// A question, and whether a member satisfies it.
template <class T>
struct Question {
    const char* name;
    ScalarQuestion question;
    std::function<bool(const T&)> holds;
};

template <class T>
Words naive(const std::vector<T>& members, const std::function<bool(const T&)>& holds) {
    Words words(words_of(static_cast<Slot>(members.size())));
    for (std::size_t slot = 0; slot < members.size(); ++slot) {
        if (holds(members[slot])) words[slot / 64] |= std::uint64_t{1} << (slot % 64);
    }
    return words;
}

/// One way to answer: its right answer is proved, then it is timed.
double proved_and_timed(const char* way, const std::function<void(Words&)>& answer, const Words& expected) {
    Words words(expected.size());
    answer(words);
    if (words != expected) {
        std::printf("the answer by %s is wrong\n", way);
        std::exit(1);
    }
    return microseconds(answer, words);
}

/// One field in the four ways, and questions about it.
template <class T>
void measure(const char* name, const std::vector<T>& members, const std::vector<Question<T>>& questions) {
    constexpr FieldKind kind = scalar_kind<ScalarOf<T>>();
    constexpr bool list = is_list<Present<T>>;
    constexpr bool numbers = GrowingColumn::holds(kind, list);
    const auto slots = static_cast<Slot>(members.size());
    const ScalarIndexParams params{.suffixes = kind == FieldKind::text, .substrings = kind == FieldKind::text};
    ScalarIndexBuilder builder(kind, list, params);
    ColumnBuilder column({0, kind, list});
    GrowingScalarIndex growing(kind, list, slots);
    GrowingColumn growing_column(numbers ? kind : FieldKind::boolean, slots);
    const auto all_members = [&](const auto& take) {
        MemberTerms terms;
        const auto begin = std::chrono::steady_clock::now();
        for (const T& member : members) {
            member_terms(member, terms);
            take(terms);
        }
        return begin;
    };
    const auto begin = all_members([&](const MemberTerms& terms) { builder.append(terms); });
    const std::string image = collected([&](const kith::ByteSink& sink) { builder.finish(sink); });
    const double index_time = microseconds_since(begin);
    const auto second = all_members([&](const MemberTerms& terms) { column.append(terms); });
    const std::string column_image = collected([&](const kith::ByteSink& sink) {
        ColumnFileWriter writer(sink, {{0, kind, list}}, slots);
        column.finish(writer, 0);
        writer.finish();
    });
    const double column_time = microseconds_since(second);
    const double growing_time =
        microseconds_since(all_members([&](const MemberTerms& terms) { growing.append(terms); }));
    if (numbers) all_members([&](const MemberTerms& terms) { growing_column.append(terms); });
    const double rows = static_cast<double>(members.size());
    std::printf(
        "\n%s, a row: index %.1f bytes, %.2f us; column %.1f bytes, %.2f us; growing %.1f + %.1f bytes, %.2f us\n",
        name, static_cast<double>(image.size()) / rows, index_time / rows,
        static_cast<double>(column_image.size()) / rows, column_time / rows,
        static_cast<double>(growing.bytes()) / rows, static_cast<double>(growing_column.bytes()) / rows,
        growing_time / rows);
    std::printf("  %-18s %9s %11s %11s %11s %11s %11s\n", "question", "slots", "index us", "column us", "growing us",
                "its col. us", "estimate us");

    const ScalarIndex index(image, kind, list, slots);
    const ColumnFile file(column_image, slots);
    for (const Question<T>& one : questions) {
        const ScalarQuestion& question = one.question;
        const Words expected = naive(members, one.holds);
        const double by_index =
            proved_and_timed("the index", [&](Words& out) { index.answer(question, out); }, expected);
        const double by_column = proved_and_timed(
            "the column", [&](Words& out) { ColumnScan(*file.find(0), question).answer(out); }, expected);
        const double by_growing =
            proved_and_timed("the growing index", [&](Words& out) { growing.answer(question, slots, out); }, expected);
        const auto pass = [&](Words& out) {
            for (Slot slot = 0; slot < slots; slot += 64) out[slot / 64] = ~std::uint64_t{0};
            if (slots % 64 != 0) out.back() >>= 64 - slots % 64;
            GrowingColumnScan(growing_column, question, slots).keep(true, out);
        };
        const double by_growing_column = numbers ? proved_and_timed("the growing column", pass, expected) : 0;
        Words none;
        const double by_estimate = microseconds([&](Words&) { static_cast<void>(index.estimate(question)); }, none);
        std::uint64_t found = 0;
        for (const std::uint64_t word : expected) found += static_cast<std::uint64_t>(std::popcount(word));
        std::printf("  %-18s %9llu %11.1f %11.1f %11.1f %11.1f %11.2f\n", one.name,
                    static_cast<unsigned long long>(found), by_index, by_column, by_growing, by_growing_column,
                    by_estimate);
    }
}

template <class T>
Question<T> between(const char* name, T low, T high) {
    return {name, ScalarQuestion::range({{term_of(low), true}}, {{term_of(high), false}}),
            [low, high](const T& value) { return value >= low && value < high; }};
}

template <class T>
Question<T> equals(const char* name, const T& wanted) {
    return {name, ScalarQuestion::equal(term_of(wanted)), [wanted](const T& value) { return value == wanted; }};
}

/// Ranges over values from 0 to `values`.
template <class T>
std::vector<Question<T>> ranges(std::int64_t values) {
    const auto at = [values](double part) { return static_cast<T>(part * static_cast<double>(values)); };
    return {equals("= one", at(0.33)),
            between("range 0.01 %", at(0.33), at(0.3301)),
            between("range 1 %", at(0.33), at(0.34)),
            between("range 10 %", at(0.33), at(0.43)),
            between("range 50 %", at(0.2), at(0.7)),
            between("range 90 %", at(0.05), at(0.95))};
}

template <class T, class Make>
std::vector<T> made(std::int64_t rows, Make&& make) {
    std::vector<T> members;
    for (std::int64_t row = 0; row < rows; ++row) members.push_back(make(row));
    return members;
}

void measure_numbers(std::int64_t rows) {
    kith::SplitMix64 random(1);
    const auto below = [&](std::int64_t end) {
        return static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(end)));
    };
    std::vector<std::int64_t> unique = made<std::int64_t>(rows, [](std::int64_t row) { return row; });
    for (std::size_t row = unique.size(); row > 1; --row) std::swap(unique[row - 1], unique[random.below(row)]);
    measure("int64, all distinct", unique, ranges<std::int64_t>(rows));
    measure("int64, 100 distinct", made<std::int64_t>(rows, [&](std::int64_t) { return below(100); }),
            ranges<std::int64_t>(100));
    measure("int64, in order", made<std::int64_t>(rows, [](std::int64_t row) { return row; }),
            ranges<std::int64_t>(rows));
    measure("int32, 10,000 distinct",
            made<std::int32_t>(rows, [&](std::int64_t) { return static_cast<std::int32_t>(below(10'000)); }),
            ranges<std::int32_t>(10'000));
    measure("float", made<float>(rows, [&](std::int64_t) { return static_cast<float>(random.uniform()) * 1000; }),
            ranges<float>(1000));
    measure("bool", made<bool>(rows, [&](std::int64_t) { return below(2) == 1; }), {equals("= true", true)});
}

void measure_texts(std::int64_t rows) {
    using Text = std::string;
    kith::SplitMix64 random(2);
    const auto numbered = [&](std::int64_t distinct) {
        return "name " + std::to_string(random.below(static_cast<std::uint64_t>(distinct))) + " of many";
    };
    const auto asked = [](const Text& one) {
        return std::vector<Question<Text>>{
            equals("= one", one),
            {"prefix", ScalarQuestion::prefix("name 5"), [](const Text& text) { return text.starts_with("name 5"); }},
            {"suffix, all", ScalarQuestion::suffix(" many"), [](const Text& text) { return text.ends_with(" many"); }},
            {"suffix, some", ScalarQuestion::suffix("77 of many"),
             [](const Text& text) { return text.ends_with("77 of many"); }},
            {"substring", ScalarQuestion::substring("123 of"),
             [](const Text& text) { return text.find("123 of") != text.npos; }}};
    };
    const auto many = made<Text>(rows, [&](std::int64_t) { return numbered(rows); });
    measure("text", many, asked(many[many.size() / 2]));
    const auto few = made<Text>(rows, [&](std::int64_t) { return numbered(1000); });
    measure("text, 1,000 distinct", few, asked(few[few.size() / 2]));

    using Texts = std::vector<Text>;
    const auto tags = made<Texts>(rows, [&](std::int64_t) {
        Texts list;
        for (std::uint64_t left = random.below(5); left > 0; --left) {
            list.push_back("tag " + std::to_string(random.below(1 + random.below(1000))));
        }
        return list;
    });
    const auto has = [](const Texts& list, const char* tag) {
        return std::find(list.begin(), list.end(), tag) != list.end();
    };
    measure(
        "list of text", tags,
        {{"contains one", ScalarQuestion::equal("tag 500"), [=](const Texts& list) { return has(list, "tag 500"); }},
         {"contains any of 2", ScalarQuestion::any_of({"tag 1", "tag 2"}),
          [=](const Texts& list) { return has(list, "tag 1") || has(list, "tag 2"); }},
         {"contains all of 2", ScalarQuestion::all_of({"tag 0", "tag 1"}),
          [=](const Texts& list) { return has(list, "tag 0") && has(list, "tag 1"); }},
         {"length 2 to 3", ScalarQuestion::length(2, 3),
          [](const Texts& list) { return list.size() == 2 || list.size() == 3; }}});
}

}  // namespace

int main(int count, char** arguments) {
    try {
        const std::int64_t rows = count > 1 ? std::strtoll(arguments[1], nullptr, 10) : 1'000'000;
        measure_numbers(rows);
        measure_texts(rows);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
    return 0;
}
