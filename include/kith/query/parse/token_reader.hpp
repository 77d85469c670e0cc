// kith/query/parse/token_reader.hpp — the words of a condition one after the other, and what is said when one is wrong.
//
// Thread safety: none; a reader belongs to one parser.
#pragma once

#include "kith/query/parse/lexer.hpp"
#include "kith/query/parse/sentence.hpp"

#include <cstddef>
#include <string_view>

namespace kith::inline v0::detail {

/// Holds the word that is looked at and the first fault. After a fault every word is the end, so that all loops end.
class TokenReader {
public:
    explicit constexpr TokenReader(std::string_view text) noexcept : text_(text), lexer_(text) { advance(); }

    [[nodiscard]] constexpr const Token& token() const noexcept { return token_; }
    [[nodiscard]] constexpr bool failed() const noexcept { return fault_.kind != FaultKind::none; }
    [[nodiscard]] constexpr Fault& fault() noexcept { return fault_; }
    [[nodiscard]] constexpr std::string_view text() const noexcept { return text_; }

    /// Where the word before this one ended.
    [[nodiscard]] constexpr std::size_t last_end() const noexcept { return last_end_; }

    [[nodiscard]] constexpr std::string_view word() const noexcept {
        return text_.substr(token_.begin, token_.end - token_.begin);
    }

    constexpr void advance() noexcept {
        last_end_ = token_.end;
        token_ = failed() ? Token{TokenKind::end, text_.size(), text_.size()} : lexer_.next(token_.end);
    }

    [[nodiscard]] constexpr bool is_symbol(std::string_view symbol) const noexcept {
        return token_.kind == TokenKind::symbol && word() == symbol;
    }

    [[nodiscard]] constexpr bool is_keyword(std::string_view keyword) const noexcept {
        return token_.kind == TokenKind::name && same_word(word(), keyword);
    }

    constexpr bool take_symbol(std::string_view symbol) noexcept {
        const bool is = is_symbol(symbol);
        if (is) advance();
        return is;
    }

    constexpr bool take_keyword(std::string_view keyword) noexcept {
        const bool is = is_keyword(keyword);
        if (is) advance();
        return is;
    }

    /// Notes a fault, unless there is one, and returns its sentence.
    constexpr Sentence& fail(FaultKind kind, std::size_t begin, std::size_t end) noexcept {
        if (failed()) {
            ignored_ = Sentence();
            return ignored_;
        }
        fault_ = {kind, begin, end, {}};
        token_ = {TokenKind::end, text_.size(), text_.size()};
        return fault_.sentence;
    }

    /// Notes that this word cannot stand here.
    constexpr void unexpected(std::string_view expected) noexcept {
        const Token bad = token_;
        const std::string_view found = word();
        Sentence& sentence = fail(FaultKind::not_well_formed, bad.begin, bad.end);
        if (bad.kind == TokenKind::bad && !found.empty() && (found.front() == '\'' || found.front() == '"')) {
            sentence.add("this quote is never closed");
            return;
        }
        sentence.add("expected ").add(expected).add(", got ");
        if (bad.kind == TokenKind::end) {
            sentence.add("the end");
            return;
        }
        sentence.add("'").add_quoted(found).add("'");
        if (found == "&") sentence.add("; write AND");
        if (found == "|") sentence.add("; write OR");
        if (found == "!") sentence.add("; write NOT");
    }

    constexpr void expect_symbol(std::string_view symbol, std::string_view expected) noexcept {
        if (!take_symbol(symbol)) unexpected(expected);
    }

private:
    std::string_view text_;
    Lexer lexer_;
    Token token_{};
    std::size_t last_end_ = 0;
    Fault fault_{};
    Sentence ignored_{};
};

}  // namespace kith::inline v0::detail
