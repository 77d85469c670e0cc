// kith/scalar/question.hpp — what can be asked of one field, in terms, and how many slots an answer is expected to have.
//
// The index of a sealed segment, that of the writing segment and a column take the same questions and give the same
// answers: the slots for which the condition certainly holds, as bits that are set. A slot that is null holds none of
// them but `null`; one that is NaN is present, and otherwise as if it had no term. So "not equal" is `present` without
// the answer to `equal`, as three-valued logic wants it.
//
// Shape: slot s is bit s % 64 of word s / 64. An answer sets bits and clears none, so that several become one.
//
// Thread safety: a question that nobody changes may be asked by many.
#pragma once

#include "kith/core/assert.hpp"
#include "kith/core/slot.hpp"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kith::inline v0::detail {

enum class Ask : std::uint8_t {
    any_of,     ///< the scalar, or an element of the list, is one of the terms: equal, in, contains_any
    all_of,     ///< the list holds every one of the terms: contains_all
    range,      ///< the scalar, or an element of the list, is within the bounds
    prefix,     ///< the text begins with terms[0]
    suffix,     ///< the text ends with terms[0]
    substring,  ///< the text holds terms[0]
    null,       ///< there is no value
    present,    ///< there is a value
    matching,   ///< `test` of the text and terms[1] is true; every such text begins with terms[0]
    length,     ///< the list has from `fewest` to `most` elements
};

/// Says whether a text matches a pattern.
using TextTest = bool (*)(std::string_view text, std::string_view pattern) noexcept;

/// One end of a range.
struct TermBound {
    std::string term;
    bool inclusive = true;
};

struct ScalarQuestion {
    Ask ask = Ask::present;
    std::vector<std::string> terms = {};  // any_of, all_of: ascending and distinct
    std::optional<TermBound> lower = {};  // open when it is not there
    std::optional<TermBound> upper = {};
    std::uint32_t fewest = 0;
    std::uint32_t most = std::numeric_limits<std::uint32_t>::max();
    TextTest test = nullptr;

    static ScalarQuestion equal(std::string term) { return {.ask = Ask::any_of, .terms = {std::move(term)}}; }
    static ScalarQuestion any_of(std::vector<std::string> terms) {
        return {.ask = Ask::any_of, .terms = in_order(std::move(terms))};
    }
    static ScalarQuestion all_of(std::vector<std::string> terms) {
        return {.ask = Ask::all_of, .terms = in_order(std::move(terms))};
    }
    static ScalarQuestion range(std::optional<TermBound> lower, std::optional<TermBound> upper) {
        return {.ask = Ask::range, .lower = std::move(lower), .upper = std::move(upper)};
    }
    static ScalarQuestion prefix(std::string text) { return {.ask = Ask::prefix, .terms = {std::move(text)}}; }
    static ScalarQuestion suffix(std::string text) { return {.ask = Ask::suffix, .terms = {std::move(text)}}; }
    static ScalarQuestion substring(std::string text) { return {.ask = Ask::substring, .terms = {std::move(text)}}; }
    static ScalarQuestion matching(std::string prefix, std::string pattern, TextTest test) {
        return {.ask = Ask::matching, .terms = {std::move(prefix), std::move(pattern)}, .test = test};
    }
    static ScalarQuestion null() { return {.ask = Ask::null}; }
    static ScalarQuestion present() { return {.ask = Ask::present}; }
    static ScalarQuestion length(std::uint32_t fewest, std::uint32_t most) {
        return {.ask = Ask::length, .fewest = fewest, .most = most};
    }

    /// Whether it is about there being a value, or about how many elements, and not about what they are.
    [[nodiscard]] bool about_size() const noexcept {
        return ask == Ask::null || ask == Ask::present || ask == Ask::length || (ask == Ask::all_of && terms.empty());
    }

    /// Whether a term satisfies it. Requires: it is not about size, and not all_of.
    [[nodiscard]] bool accepts(std::string_view term) const noexcept {
        switch (ask) {
            case Ask::any_of:
                return terms.size() == 1 ? term == terms.front() : std::binary_search(terms.begin(), terms.end(), term);
            case Ask::range:
                return (!lower || (lower->inclusive ? term >= lower->term : term > lower->term)) &&
                       (!upper || (upper->inclusive ? term <= upper->term : term < upper->term));
            case Ask::prefix:
                return term.starts_with(terms.front());
            case Ask::suffix:
                return term.ends_with(terms.front());
            case Ask::substring:
                return term.find(terms.front()) != std::string_view::npos;
            case Ask::matching:
                return test(term, terms[1]);
            case Ask::all_of:
            case Ask::null:
            case Ask::present:
            case Ask::length:
                break;
        }
        KITH_ASSERT(false);
        return false;
    }

private:
    static std::vector<std::string> in_order(std::vector<std::string> terms) {
        std::sort(terms.begin(), terms.end());
        terms.erase(std::unique(terms.begin(), terms.end()), terms.end());
        return terms;
    }
};

/// The least text that is above every text with this prefix; nothing where there is none.
[[nodiscard]] inline std::optional<std::string> after_prefix(std::string prefix) {
    while (!prefix.empty() && prefix.back() == '\xff') prefix.pop_back();
    if (prefix.empty()) return std::nullopt;
    prefix.back() = static_cast<char>(static_cast<unsigned char>(prefix.back()) + 1);
    return prefix;
}

/// How many slots an answer has.
struct SlotEstimate {
    Slot fewest = 0;      // never more than it has
    double expected = 0;  // from fewest to most
    Slot most = 0;        // never fewer than it has

    static SlotEstimate exactly(std::uint64_t count) noexcept {
        return {static_cast<Slot>(count), static_cast<double>(count), static_cast<Slot>(count)};
    }
    static SlotEstimate between(std::uint64_t fewest, double expected, std::uint64_t most) noexcept {
        most = std::max(fewest, most);
        return {static_cast<Slot>(fewest), std::clamp(expected, static_cast<double>(fewest), static_cast<double>(most)),
                static_cast<Slot>(most)};
    }
};

/// The words that `slots` bits take.
constexpr std::size_t words_of(Slot slots) noexcept {
    return (std::size_t{slots} + 63) / 64;
}

/// Calls `take` with each slot whose bit is set, in order.
template <class Take>
void for_each_bit(std::span<const std::uint64_t> words, Take&& take) {
    for (std::size_t word = 0; word < words.size(); ++word) {
        for (std::uint64_t left = words[word]; left != 0; left &= left - 1) {
            take(static_cast<Slot>(64 * word + static_cast<std::size_t>(std::countr_zero(left))));
        }
    }
}

}  // namespace kith::inline v0::detail
