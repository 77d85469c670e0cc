// kith/query/parse/lexer.hpp — the text of a condition, cut into words.
//
// Thread safety: functions without state; a Lexer belongs to one parser.
#pragma once

#include "kith/schema/reflect.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace kith::inline v0::detail {

enum class TokenKind : std::uint8_t {
    end,
    name,         // letters, digits and _, also a keyword
    quoted_name,  // "…"
    number,
    text,  // '…'
    symbol,
    placeholder,
    bad,  // a character no condition has, or a quote that is never closed
};

/// A word and where it stands in the text.
struct Token {
    TokenKind kind = TokenKind::end;
    std::size_t begin = 0;
    std::size_t end = 0;
};

constexpr char lower_case(char letter) noexcept {
    return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
}

/// Whether two words are the same but for the case of ASCII letters.
constexpr bool same_word(std::string_view left, std::string_view right) noexcept {
    if (left.size() != right.size()) return false;
    for (std::size_t at = 0; at < left.size(); ++at) {
        if (lower_case(left[at]) != lower_case(right[at])) return false;
    }
    return true;
}

constexpr bool is_digit(char c) noexcept {
    return c >= '0' && c <= '9';
}

class Lexer {
public:
    explicit constexpr Lexer(std::string_view text) noexcept : text_(text) {}

    /// The word that begins at `at` or behind the blanks there.
    [[nodiscard]] constexpr Token next(std::size_t at) const noexcept {
        while (at < text_.size() && is_blank(text_[at])) ++at;
        if (at == text_.size()) return {TokenKind::end, at, at};
        const char c = text_[at];
        if (c == '\'') return quoted(TokenKind::text, at);
        if (c == '"') return quoted(TokenKind::quoted_name, at);
        if (c == '?') return {TokenKind::placeholder, at, at + 1};
        if (is_digit(c) || (c == '.' && is_digit(peek(at + 1)))) return number(at);
        if (is_name_character(c)) {
            std::size_t end = at;
            while (end < text_.size() && is_name_character(text_[end])) ++end;
            return {TokenKind::name, at, end};
        }
        return symbol(at);
    }

private:
    static constexpr bool is_blank(char c) noexcept { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

    [[nodiscard]] constexpr char peek(std::size_t at) const noexcept { return at < text_.size() ? text_[at] : '\0'; }

    /// A quote inside is written twice.
    [[nodiscard]] constexpr Token quoted(TokenKind kind, std::size_t begin) const noexcept {
        const char quote = text_[begin];
        for (std::size_t at = begin + 1; at < text_.size(); ++at) {
            if (text_[at] != quote) continue;
            if (peek(at + 1) != quote) return {kind, begin, at + 1};
            ++at;
        }
        return {TokenKind::bad, begin, text_.size()};
    }

    /// Digits, a dot, digits, an exponent. A letter that follows at once belongs to it and makes it bad.
    [[nodiscard]] constexpr Token number(std::size_t begin) const noexcept {
        std::size_t at = begin;
        while (is_digit(peek(at))) ++at;
        if (peek(at) == '.') ++at;
        while (is_digit(peek(at))) ++at;
        if (lower_case(peek(at)) == 'e') {
            const std::size_t sign = peek(at + 1) == '-' || peek(at + 1) == '+' ? 1 : 0;
            if (is_digit(peek(at + 1 + sign))) {
                at += 1 + sign;
                while (is_digit(peek(at))) ++at;
            }
        }
        if (!is_name_character(peek(at)) && peek(at) != '.') return {TokenKind::number, begin, at};
        while (is_name_character(peek(at)) || peek(at) == '.') ++at;
        return {TokenKind::bad, begin, at};
    }

    [[nodiscard]] constexpr Token symbol(std::size_t at) const noexcept {
        const char c = text_[at];
        const char after = peek(at + 1);
        const bool two = (after == '=' && (c == '<' || c == '>' || c == '!' || c == '=')) || (c == '<' && after == '>');
        if (two) return {TokenKind::symbol, at, at + 2};
        constexpr std::string_view known = "=<>+-*/%(),.[]";
        return {known.find(c) == std::string_view::npos ? TokenKind::bad : TokenKind::symbol, at, at + 1};
    }

    std::string_view text_;
};

}  // namespace kith::inline v0::detail
