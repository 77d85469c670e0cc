// kith/query/parse/sentence.hpp — what is wrong with a condition, in words, also while compiling.
//
// Thread safety: values.
#pragma once

#include "kith/query/parse/lexer.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace kith::inline v0::detail {

constexpr bool continues_character(char byte) noexcept {
    return (static_cast<unsigned char>(byte) & 0xc0) == 0x80;
}

/// A text of limited size that can be put together in a constant expression; what does not fit is left out.
class Sentence {
public:
    constexpr Sentence() = default;

    constexpr Sentence& add(std::string_view words) noexcept {
        for (const char letter : words) {
            if (size_ < letters_.size()) letters_[size_++] = letter;
        }
        return *this;
    }

    /// Words of the condition's author: not all of them when they are many, and none that a terminal obeys.
    constexpr Sentence& add_quoted(std::string_view words) noexcept {
        std::size_t enough = std::min<std::size_t>(words.size(), 60);
        while (enough < words.size() && continues_character(words[enough])) --enough;
        for (const char letter : words.substr(0, enough)) {
            const bool control = static_cast<unsigned char>(letter) < 0x20 || letter == 0x7f;
            add({control ? "?" : &letter, 1});
        }
        return add(enough < words.size() ? "…" : "");
    }

    constexpr Sentence& add_number(std::uint64_t value, bool negative = false) noexcept {
        std::array<char, 20> digits{};
        std::size_t first = digits.size();
        do {
            digits[--first] = static_cast<char>('0' + value % 10);
            value /= 10;
        } while (value > 0);
        if (negative) add("-");
        return add({digits.data() + first, digits.size() - first});
    }

    [[nodiscard]] constexpr std::string_view view() const noexcept { return {letters_.data(), size_}; }

private:
    std::array<char, 320> letters_{};
    std::size_t size_ = 0;
};

/// What kind of mistake a condition has.
enum class FaultKind : std::uint8_t {
    none,
    not_well_formed,
    unknown_column,
    wrong_comparison,  // the column takes no such comparison
    wrong_type,        // a value is not of the column's type
    out_of_range,      // a value does not fit the column's type
    limit,
};

/// The first mistake of a condition and the place it is in.
struct Fault {
    FaultKind kind = FaultKind::none;
    std::size_t begin = 0;
    std::size_t end = 0;
    Sentence sentence{};
};

/// How many letters must be inserted, removed or exchanged to make one word of the other, the case of ASCII letters
/// aside; 64 when one of them is longer than that.
constexpr std::size_t edit_distance(std::string_view left, std::string_view right) noexcept {
    constexpr std::size_t longest = 64;
    if (left.size() > longest || right.size() > longest) return longest;
    std::array<std::size_t, longest + 1> row{};  // row[i]: from the first i letters of `left` to those of `right`
    for (std::size_t i = 0; i <= left.size(); ++i) row[i] = i;
    for (std::size_t j = 1; j <= right.size(); ++j) {
        std::size_t diagonal = row[0];
        row[0] = j;
        for (std::size_t i = 1; i <= left.size(); ++i) {
            const std::size_t exchanged = diagonal + (lower_case(left[i - 1]) == lower_case(right[j - 1]) ? 0 : 1);
            diagonal = row[i];
            row[i] = std::min({exchanged, row[i] + 1, row[i - 1] + 1});
        }
    }
    return row[left.size()];
}

/// The closest of several names, so far.
class NearestName {
public:
    explicit constexpr NearestName(std::string_view wanted) noexcept
        : wanted_(wanted), distance_(1 + (wanted.size() + 2) / 3) {}

    constexpr void meet(std::string_view name) noexcept {
        const std::size_t distance = edit_distance(wanted_, name);
        if (distance >= distance_) return;
        distance_ = distance;
        found_ = name;
    }

    /// Empty when no name is close.
    [[nodiscard]] constexpr std::string_view found() const noexcept { return found_; }

private:
    std::string_view wanted_;
    std::size_t distance_;  // of the best so far, or what is too far
    std::string_view found_;
};

}  // namespace kith::inline v0::detail
