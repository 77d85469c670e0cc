// kith/scalar/number_intervals.hpp — which ordered numbers satisfy a question, and a block of them compared at once.
//
// Whatever is asked of numbers comes down to intervals of ordered ones (scalar/term.hpp), and so does what is asked of
// the places of texts in a dictionary. One subtraction and one comparison tell whether a number is within an interval,
// in loops without a branch, which a compiler makes vectors of.
//
// Thread safety: intervals that nobody changes may be asked by many.
#pragma once

#include "kith/core/assert.hpp"
#include "kith/core/bytes.hpp"
#include "kith/core/slot.hpp"
#include "kith/scalar/question.hpp"
#include "kith/scalar/term.hpp"
#include "kith/schema/field.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <span>
#include <vector>

namespace kith::inline v0::detail {

inline constexpr Slot column_block = 1024;                            // slots that are looked at together
inline constexpr std::size_t column_block_words = column_block / 64;  // of their bits

/// The bits of one block: bit s % 64 of word s / 64 for its slot s.
using BlockWords = std::span<std::uint64_t, column_block_words>;

/// For each value of a block 1 where it satisfies a question, else 0.
using BlockMatches = std::array<std::uint8_t, column_block>;

/// The bits of the first `count` slots of a block that are in one of its words.
constexpr std::uint64_t first_bits(std::size_t word, std::size_t count) noexcept {
    const std::size_t before = 64 * word;
    if (count >= before + 64) return ~std::uint64_t{0};
    return count <= before ? 0 : (std::uint64_t{1} << (count - before)) - 1;
}

/// Turns the first `count` matches into bits; the others are 0.
inline void pack(const BlockMatches& matches, std::size_t count, BlockWords out) noexcept {
    for (std::size_t word = 0; word < column_block_words; ++word) {
        std::uint64_t bits = 0;
        for (std::size_t eight = 0; eight < 8; ++eight) {
            // Eight bytes of 0 or 1, the first the lowest: the product moves each to its bit of the highest byte.
            std::uint64_t bytes = 0;
            std::memcpy(&bytes, &matches[64 * word + 8 * eight], sizeof(bytes));
            bits |= (little_endian(bytes) * 0x0102040810204080U) >> 56 << (8 * eight);
        }
        out[word] = bits & first_bits(word, count);
    }
}

inline constexpr std::size_t few_bits = 64;  // of a block: below, its slots are looked at one by one

/// Clears the bits of slots, the first of which is `first`, that `keep` has no use for.
template <class Keep>
void keep_bits(std::span<std::uint64_t> words, Slot first, Keep&& keep) {
    for_each_bit(words, [&](Slot at) {
        if (!keep(first + at)) words[at / 64] &= ~(std::uint64_t{1} << (at % 64));
    });
}

class NumberIntervals {
public:
    /// None.
    NumberIntervals() = default;

    /// Those of a question. Requires: it is any_of or range, of a kind that is no text.
    NumberIntervals(FieldKind kind, const ScalarQuestion& question) {
        if (question.ask == Ask::any_of) {
            for (const std::string& term : question.terms) {
                if (!is_nan_term(kind, term)) add(number_of_term(term), number_of_term(term));
            }
            return;
        }
        KITH_ASSERT(question.ask == Ask::range);
        std::uint64_t low = 0;
        std::uint64_t high = greatest_number(kind);
        if (question.upper) {
            const std::uint64_t bound = number_of_term(question.upper->term);
            if (bound == 0 && !question.upper->inclusive) return;
            high = std::min(high, bound - (question.upper->inclusive ? 0U : 1U));
        }
        if (question.lower) {
            low = number_of_term(question.lower->term);
            if (!question.lower->inclusive && low++ >= high) return;
        }
        add(low, high);
    }

    /// Adds the numbers from `low` to `high`, if there are any. Requires: they are above those of earlier intervals.
    void add(std::uint64_t low, std::uint64_t high) {
        if (low <= high) intervals_.push_back({low, high - low});
    }

    [[nodiscard]] bool contains(std::uint64_t number) const noexcept {
        const auto above = std::upper_bound(intervals_.begin(), intervals_.end(), number,
                                            [](std::uint64_t one, const Interval& other) { return one < other.low; });
        return above != intervals_.begin() && number - std::prev(above)->low <= std::prev(above)->span;
    }

    /// Sets matches[at] for each number. Requires: there is room for them; intervals are of numbers that T holds.
    template <class T>
    void match(std::span<const T> numbers, BlockMatches& matches) const noexcept {
        constexpr std::size_t most_passes = 8;  // intervals that are compared one after the other; more are searched
        if (intervals_.size() > most_passes) {
            for (std::size_t at = 0; at < numbers.size(); ++at) matches[at] = contains(numbers[at]) ? 1 : 0;
            return;
        }
        std::fill_n(matches.begin(), numbers.size(), std::uint8_t{0});
        for (const Interval& one : intervals_) {
            const T low = static_cast<T>(one.low);
            const T span = static_cast<T>(one.span);
            for (std::size_t at = 0; at < numbers.size(); ++at) {
                const bool within = static_cast<T>(numbers[at] - low) <= span;
                matches[at] = static_cast<std::uint8_t>(matches[at] | (within ? 1 : 0));
            }
        }
    }

private:
    /// Numbers from `low` to `low` + `span`.
    struct Interval {
        std::uint64_t low = 0;
        std::uint64_t span = 0;
    };

    std::vector<Interval> intervals_;  // ascending
};

}  // namespace kith::inline v0::detail
