// benchmarks/scalar/main.cpp — how long until a condition on one field is a bitmap, and what it costs to keep it ready.
//
//   scalar [ROWS]     default: 1000000
//
// Each row of the table is a question: the slots it finds, and the median time of an answer by the index of a sealed
// segment, by its columns, and by the index of the writing segment. The three answers are compared before anything is
// timed. The bitmap is cleared within the time that is measured.
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

struct Question {
    const char* name;
    ScalarQuestion question;
};

/// One field, indexed in the three ways, and questions about it.
template <class T>
void measure(const char* name, const std::vector<T>& members, const std::vector<Question>& questions) {
    constexpr FieldKind kind = scalar_kind<ScalarOf<T>>();
    constexpr bool list = is_list<Present<T>>;
    const auto slots = static_cast<Slot>(members.size());
    const ScalarIndexParams params{.suffixes = kind == FieldKind::text, .substrings = kind == FieldKind::text};
    ScalarIndexBuilder builder(kind, list, params);
    ColumnFileBuilder columns({{0, kind, list}});
    GrowingScalarIndex growing(kind, list, slots);
    MemberTerms terms;
    const auto begin = std::chrono::steady_clock::now();
    for (const T& member : members) {
        member_terms(member, terms);
        builder.append(terms);
    }
    const std::string image = builder.finish();
    const double index_time = microseconds_since(begin);
    const auto second = std::chrono::steady_clock::now();
    for (const T& member : members) {
        member_terms(member, terms);
        growing.append(terms);
    }
    const double growing_time = microseconds_since(second);
    for (const T& member : members) {
        member_terms(member, terms);
        columns.append(0, terms);
    }
    const std::string column_image = columns.finish();
    const double rows = static_cast<double>(members.size());
    std::printf(
        "\n%s: index %.1f bytes a row, made in %.2f us a row; columns %.1f bytes; growing %.1f bytes, %.2f us\n", name,
        static_cast<double>(image.size()) / rows, index_time / rows, static_cast<double>(column_image.size()) / rows,
        static_cast<double>(growing.bytes()) / rows, growing_time / rows);
    std::printf("  %-22s %10s %12s %12s %12s %12s\n", "question", "slots", "index us", "columns us", "growing us",
                "estimate us");

    const ScalarIndex index(image, kind, list, slots);
    const ColumnFile file(column_image, slots);
    for (const Question& one : questions) {
        const char* const label = one.name;
        const ScalarQuestion& question = one.question;
        Words words(words_of(slots));
        Words other(words.size());
        Words third(words.size());
        index.answer(question, words);
        ColumnScan(*file.find(0), question).answer(other);
        growing.answer(question, slots, third);
        if (words != other || words != third) {
            std::printf("the answers to %s differ\n", label);
            std::exit(1);
        }
        std::uint64_t found = 0;
        for (const std::uint64_t word : words) found += static_cast<std::uint64_t>(std::popcount(word));
        const double by_index = microseconds([&](Words& out) { index.answer(question, out); }, words);
        const double by_column =
            microseconds([&](Words& out) { ColumnScan(*file.find(0), question).answer(out); }, words);
        const double by_growing = microseconds([&](Words& out) { growing.answer(question, slots, out); }, words);
        Words none;
        const double by_estimate = microseconds([&](Words&) { static_cast<void>(index.estimate(question)); }, none);
        std::printf("  %-22s %10llu %12.1f %12.1f %12.1f %12.2f\n", label, static_cast<unsigned long long>(found),
                    by_index, by_column, by_growing, by_estimate);
    }
}

ScalarQuestion numbers_between(std::int64_t low, std::int64_t high) {
    return ScalarQuestion::range({{term_of(low), true}}, {{term_of(high), false}});
}

std::vector<Question> ranges(std::int64_t values) {
    std::vector<Question> made{{"= one", ScalarQuestion::equal(term_of(values / 3))}};
    made.push_back(
        {"range 0.01 %", numbers_between(values / 3, values / 3 + std::max<std::int64_t>(values / 10'000, 1))});
    made.push_back({"range 1 %", numbers_between(values / 3, values / 3 + values / 100)});
    made.push_back({"range 10 %", numbers_between(values / 3, values / 3 + values / 10)});
    made.push_back({"range 50 %", numbers_between(values / 5, values / 5 + values / 2)});
    made.push_back({"range 90 %", numbers_between(values / 20, values / 20 + values * 9 / 10)});
    return made;
}

void measure_all(std::int64_t rows) {
    kith::SplitMix64 random(1);
    std::vector<std::int64_t> unique;
    std::vector<std::int64_t> years;
    std::vector<bool> flags;
    std::vector<std::string> names;
    std::vector<std::vector<std::string>> tags;
    for (std::int64_t row = 0; row < rows; ++row) {
        unique.push_back(row);
        years.push_back(static_cast<std::int64_t>(random.below(100)));
        flags.push_back(random.below(2) == 1);
        names.push_back("name " + std::to_string(random.below(static_cast<std::uint64_t>(rows))) + " of many");
        tags.emplace_back();
        for (std::uint64_t left = random.below(5); left > 0; --left) {
            tags.back().push_back("tag " + std::to_string(random.below(1 + random.below(1000))));
        }
    }
    for (std::size_t row = unique.size(); row > 1; --row) std::swap(unique[row - 1], unique[random.below(row)]);
    measure("int64, all distinct", unique, ranges(rows));
    measure("int64, 100 distinct", years, ranges(100));
    measure("bool", flags, {{"= true", ScalarQuestion::equal(term_of(true))}, {"present", ScalarQuestion::present()}});
    measure("text", names,
            {{"= one", ScalarQuestion::equal(names[names.size() / 2])},
             {"prefix", ScalarQuestion::prefix("name 5")},
             {"suffix, all", ScalarQuestion::suffix(" many")},
             {"substring, few", ScalarQuestion::substring("1234 of")}});
    measure("list of text", tags,
            {{"contains one", ScalarQuestion::equal("tag 500")},
             {"contains any of 3", ScalarQuestion::any_of({"tag 1", "tag 2", "tag 3"})},
             {"contains all of 2", ScalarQuestion::all_of({"tag 0", "tag 1"})},
             {"length 2 to 3", ScalarQuestion::length(2, 3)}});
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
