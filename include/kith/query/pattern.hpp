// kith/query/pattern.hpp — the patterns of LIKE: what they match, and which of them are something simpler.
//
//   %  any number of characters, also none      _  exactly one      \  in front of %, _ or \: that very letter
//
// A pattern in a tree is canonical: it has \ for its escape, nowhere else than needed, and never %%.
//
// Thread safety: functions without state.
#pragma once

#include "kith/core/error.hpp"
#include "kith/query/expression.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace kith::inline v0 {

/// The most bytes of a pattern: a match may cost the product of its size and the text's.
inline constexpr std::size_t max_pattern_bytes = 4'096;

namespace detail {

constexpr char lower_letter(char letter) noexcept {
    return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
}

/// The bytes of the character at `at` in well-formed UTF-8.
constexpr std::size_t character_size(std::string_view text, std::size_t at) noexcept {
    std::size_t end = at + 1;
    while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) ++end;
    return end - at;
}

/// Whether the whole text matches a canonical pattern; with FoldCase, one without ASCII letters in upper case.
/// Cost: at most the product of both sizes; no allocation.
template <bool FoldCase>
constexpr bool matches(std::string_view text, std::string_view pattern) noexcept {
    constexpr std::size_t none = std::string_view::npos;
    std::size_t at = 0;
    std::size_t next = 0;
    std::size_t behind_percent = none;  // in the pattern: what follows the last % that was met
    std::size_t taken = 0;              // in the text: where what that % takes ends, for now
    while (at < text.size()) {
        if (next < pattern.size() && pattern[next] == '%') {
            behind_percent = ++next;
            taken = at;
            continue;
        }
        if (next < pattern.size() && pattern[next] == '_') {
            at += character_size(text, at);
            ++next;
            continue;
        }
        const std::size_t letter = next + (next < pattern.size() && pattern[next] == '\\' ? 1 : 0);
        const char c = FoldCase ? lower_letter(text[at]) : text[at];
        if (letter < pattern.size() && pattern[letter] == c) {
            ++at;
            next = letter + 1;
            continue;
        }
        if (behind_percent == none) return false;
        taken += character_size(text, taken);
        at = taken;
        next = behind_percent;
    }
    while (next < pattern.size() && pattern[next] == '%') ++next;
    return next == pattern.size();
}

/// A pattern on its way to a leaf.
class PatternReader {
public:
    /// Throws: Error with invalid_argument when nothing that may be escaped follows the escape; limit_exceeded.
    PatternReader(std::string_view field, std::string_view pattern, char escape, bool fold) {
        if (pattern.size() > max_pattern_bytes) {
            raise(Errc::limit_exceeded, "field '" + std::string(field) + "': the pattern has " +
                                            std::to_string(pattern.size()) + " bytes, expected at most " +
                                            std::to_string(max_pattern_bytes));
        }
        for (std::size_t at = 0; at < pattern.size(); ++at) {
            const char letter = pattern[at];
            if (letter == escape) {
                ++at;
                if (at == pattern.size() || !(pattern[at] == '%' || pattern[at] == '_' || pattern[at] == escape)) {
                    raise(Errc::invalid_argument, "field '" + std::string(field) + "': byte " + std::to_string(at - 1) +
                                                      " of the pattern is an escape, expected %, _ or the escape "
                                                      "itself behind it");
                }
                add_letter(pattern[at]);
            } else if (letter == '%') {
                if (percent_last()) continue;
                add_wildcard('%');
                ++percents_;
            } else if (letter == '_') {
                add_wildcard('_');
            } else {
                add_letter(fold ? lower_letter(letter) : letter);
            }
        }
    }

    /// The leaf that asks for the pattern, as simple as it can be.
    [[nodiscard]] Expression leaf(Op op, Expression subject) && {
        const auto made = [&subject](Op simple, std::string text) {
            subject.op = simple;
            subject.values.emplace_back(std::move(text));
            return std::move(subject);
        };
        if (op == Op::ilike) return made(Op::ilike, std::move(pattern_));
        const bool first = !pattern_.empty() && pattern_.front() == '%';
        const bool last = percent_last();
        if (wildcards_ == 0) return made(Op::equal, std::move(letters_));
        if (wildcards_ == 1 && last) return made(Op::has_prefix, std::move(letters_));
        if (wildcards_ == 1 && first) return made(Op::has_suffix, std::move(letters_));
        if (wildcards_ == 2 && percents_ == 2 && first && last) return made(Op::has_substring, std::move(letters_));
        return made(Op::like, std::move(pattern_));
    }

private:
    [[nodiscard]] bool percent_last() const noexcept { return wildcard_last_ && pattern_.back() == '%'; }

    void add_wildcard(char wildcard) {
        pattern_ += wildcard;
        wildcard_last_ = true;
        ++wildcards_;
    }

    void add_letter(char letter) {
        if (letter == '%' || letter == '_' || letter == '\\') pattern_ += '\\';
        pattern_ += letter;
        letters_ += letter;
        wildcard_last_ = false;
    }

    std::string pattern_;         // canonical
    std::string letters_;         // of the pattern, without wildcards
    std::size_t wildcards_ = 0;   // in pattern_
    std::size_t percents_ = 0;    // of these, %
    bool wildcard_last_ = false;  // pattern_ ends with one
};

/// The leaf for `subject LIKE pattern`, or ILIKE; a field's `name` is for messages.
/// Throws: Error with invalid_argument for a pattern that ends within an escape or escapes a common letter;
/// limit_exceeded for one beyond max_pattern_bytes.
inline Expression pattern_leaf(Op op, Expression subject, std::string_view name, std::string_view pattern,
                               char escape = '\\') {
    return PatternReader(name, pattern, escape, op == Op::ilike).leaf(op, std::move(subject));
}

}  // namespace detail

}  // namespace kith::inline v0
