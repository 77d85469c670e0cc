// tests/collection/tales.hpp — records that hold every value twice, in a field with an index and in one without.
#pragma once

#include "kith/collection/collection.hpp"
#include "kith/core/random.hpp"
#include "kith/distance/l2.hpp"
#include "kith/query/parse.hpp"

#include "settings.hpp"
#include "support/catch.hpp"
#include "support/file_faults.hpp"
#include "support/temporary_directory.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kith_test {

struct Tale {
    std::int64_t number = 0;
    std::string title;
    std::string plain_title;
    std::optional<std::int32_t> year;
    std::optional<std::int32_t> plain_year;
    std::vector<std::string> tags;
    std::vector<std::string> plain_tags;
    std::optional<std::vector<std::int64_t>> marks;
    std::optional<std::vector<std::int64_t>> plain_marks;
    std::array<float, 32> place{};

    friend bool operator==(const Tale&, const Tale&) = default;
};

using Tales = kith::Schema<Tale, kith::Key<&Tale::number>,
                           kith::Field<&Tale::title, kith::Indexed{.suffixes = true, .substrings = true}>,
                           kith::Field<&Tale::year, kith::indexed>, kith::Field<&Tale::tags, kith::indexed>,
                           kith::Field<&Tale::marks, kith::indexed>, kith::VectorField<&Tale::place, kith::L2>>;
using TaleCollection = kith::Collection<Tales>;
using Numbers = std::vector<std::int64_t>;

/// Copies each value to the field without an index, and gives it a place of its own.
inline Tale twofold(Tale tale) {
    tale.plain_title = tale.title;
    tale.plain_year = tale.year;
    tale.plain_tags = tale.tags;
    tale.plain_marks = tale.marks;
    kith::SplitMix64 random(static_cast<std::uint64_t>(tale.number));
    for (float& element : tale.place) element = static_cast<float>(random.uniform());
    return tale;
}

/// Tales number 0 and up, of these titles.
inline std::vector<Tale> titled(std::span<const std::string_view> titles) {
    std::vector<Tale> tales;
    for (const std::string_view title : titles) {
        Tale tale;
        tale.number = static_cast<std::int64_t>(tales.size());
        tale.title = title;
        tales.push_back(twofold(tale));
    }
    return tales;
}

/// Number n of the year n, none where n is divisible by 5; with n % 3 tags and n % 4 marks, none where n is 7 mod 8.
inline std::vector<Tale> tales(std::int64_t first, std::int64_t count) {
    std::vector<Tale> made;
    for (std::int64_t number = first; number < first + count; ++number) {
        Tale tale;
        tale.number = number;
        tale.title = "tale " + std::to_string(number);
        if (number % 5 != 0) tale.year = static_cast<std::int32_t>(number);
        for (std::int64_t tag = 0; tag < number % 3; ++tag) tale.tags.push_back("tag" + std::to_string(tag));
        if (number % 8 != 7) tale.marks.emplace(static_cast<std::size_t>(number % 4), number);
        made.push_back(twofold(std::move(tale)));
    }
    return made;
}

inline Numbers sorted(Numbers numbers) {
    std::sort(numbers.begin(), numbers.end());
    return numbers;
}

/// What a condition finds, in which every field is written as @field: with indexes and without, which must be the same.
template <class Reader, class... Values>
Numbers found(const Reader& reader, std::string_view condition, const Values&... values) {
    const auto written = [&](std::string_view before) {
        std::string text;
        for (const char letter : condition) text += letter == '@' ? std::string(before) : std::string(1, letter);
        return text;
    };
    const Numbers by_index = sorted(reader.where(written(""), values...).keys());
    INFO(condition);
    CHECK(sorted(reader.where(written("plain_"), values...).keys()) == by_index);
    std::string mixed(condition);  // the first field with its index, the others without
    if (const std::size_t at = mixed.find('@'); at != std::string::npos) mixed.erase(at, 1);
    for (std::size_t at = 0; (at = mixed.find('@')) != std::string::npos;) mixed.replace(at, 1, "plain_");
    CHECK(sorted(reader.where(mixed, values...).keys()) == by_index);
    return by_index;
}

/// Puts a claim to a collection of these tales: in memory, in the log beside a sealed segment, sealed, opened again, merged.
template <class Claim>
void in_each_state(const std::vector<Tale>& tales, Claim&& claim) {
    TaleCollection in_memory(kith::in_memory, on_call());
    in_memory.insert(tales);
    claim(in_memory);
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    {
        TaleCollection stored(directory / "tales", on_call());
        stored.insert(std::span(tales).first(tales.size() / 2));
        stored.checkpoint();
        stored.insert(std::span(tales).subspan(tales.size() / 2));
        claim(stored);
        stored.checkpoint();
        claim(stored);
    }
    TaleCollection again(directory / "tales", on_call());
    claim(again);
    again.compact();
    claim(again);
}

}  // namespace kith_test
