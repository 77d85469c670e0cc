// kith/schema/json.hpp — a member that holds JSON, for what has no fixed shape; conditions ask it by path.
//
// The text is kept as it was given, so it comes back byte for byte. It is checked once, when it is written, against the
// grammar of RFC 8259; whoever reads it later need not.
//
// Rules:  UTF-8; objects and lists nest at most 64 deep; a number has at most 64 characters; \u escapes name characters,
//         so a surrogate has its other half behind it. Of several members of one name the first counts.
//
// Thread safety: values and functions without state.
#pragma once

#include "kith/schema/utf8.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace kith::inline v0 {

/// The deepest that objects and lists may nest in a Json.
inline constexpr std::size_t max_json_depth = 64;
/// The most characters of a number in a Json.
inline constexpr std::size_t max_json_number = 64;

/// A JSON text, such as {"author": {"name": "x"}, "year": 2020}.
struct Json {
    std::string text = "null";

    friend bool operator==(const Json&, const Json&) = default;
};

namespace detail {

/// Reads a JSON text to its end, or to the first byte that cannot stand where it does.
class JsonChecker {
public:
    explicit JsonChecker(std::string_view text) noexcept : text_(text) {
        if (value(0)) {
            skip_blanks();
            if (at_ < text_.size()) want("the end");
        }
    }

    /// What was expected at byte at(); empty when all is well.
    [[nodiscard]] std::string_view expected() const noexcept { return expected_; }
    [[nodiscard]] std::size_t at() const noexcept { return at_; }

private:
    [[nodiscard]] char peek() const noexcept { return at_ < text_.size() ? text_[at_] : '\0'; }

    void skip_blanks() noexcept {
        while (peek() == ' ' || peek() == '\t' || peek() == '\n' || peek() == '\r') ++at_;
    }

    bool take(char letter) noexcept {
        const bool is = at_ < text_.size() && text_[at_] == letter;
        at_ += is ? 1u : 0u;
        return is;
    }

    bool want(std::string_view what) noexcept {
        expected_ = what;
        return false;
    }

    bool value(std::size_t depth) noexcept {
        skip_blanks();
        const char first = peek();
        if (first == '{' || first == '[') return depth < max_json_depth ? nested(depth + 1) : want("at most 64 levels");
        if (first == '"') return text();
        if (first == '-' || is_digit(first)) return number();
        for (const std::string_view word : {"true", "false", "null"}) {
            if (!text_.substr(at_).starts_with(word)) continue;
            at_ += word.size();
            return true;
        }
        return want("a value");
    }

    bool nested(std::size_t depth) noexcept {
        const bool object = text_[at_++] == '{';
        const char close = object ? '}' : ']';
        skip_blanks();
        if (take(close)) return true;
        do {
            if (object && !member_name()) return false;
            if (!value(depth)) return false;
            skip_blanks();
        } while (take(','));
        return take(close) || want(object ? "',' or '}'" : "',' or ']'");
    }

    bool member_name() noexcept {
        skip_blanks();
        if (peek() != '"') return want("a name in double quotes");
        if (!text()) return false;
        skip_blanks();
        return take(':') || want("':'");
    }

    bool text() noexcept {
        ++at_;
        while (at_ < text_.size() && text_[at_] != '"') {
            if (static_cast<unsigned char>(text_[at_]) < 0x20) return want("\\n or the like for a control character");
            if (text_[at_] != '\\') {
                ++at_;
            } else if (!escape()) {
                return false;
            }
        }
        return take('"') || want("the closing quote");
    }

    bool escape() noexcept {
        ++at_;
        if (take('u')) {
            const std::optional<unsigned> unit = hexadecimal();
            if (!unit.has_value()) return want("four hexadecimal digits");
            if (*unit < 0xd800 || *unit > 0xdfff) return true;
            const bool first = *unit < 0xdc00 && take('\\') && take('u');
            const std::optional<unsigned> second = first ? hexadecimal() : std::nullopt;
            return (second.has_value() && *second >= 0xdc00 && *second <= 0xdfff) || want("both halves of a surrogate");
        }
        constexpr std::string_view known = "\"\\/bfnrt";
        if (at_ == text_.size() || known.find(text_[at_]) == std::string_view::npos) return want("a known escape");
        ++at_;
        return true;
    }

    std::optional<unsigned> hexadecimal() noexcept {
        unsigned unit = 0;
        for (int digit = 0; digit < 4; ++digit, ++at_) {
            const char c = peek();
            const char low = static_cast<char>(c | 0x20);
            if (is_digit(c)) {
                unit = 16 * unit + static_cast<unsigned>(c - '0');
            } else if (low >= 'a' && low <= 'f') {
                unit = 16 * unit + static_cast<unsigned>(low - 'a' + 10);
            } else {
                return std::nullopt;
            }
        }
        return unit;
    }

    static bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

    bool digits() noexcept {
        if (!is_digit(peek())) return want("a digit");
        while (is_digit(peek())) ++at_;
        return true;
    }

    bool number() noexcept {
        const std::size_t begin = at_;
        take('-');
        if (!take('0') && !digits()) return false;
        if (take('.') && !digits()) return false;
        if (take('e') || take('E')) {
            if (!take('+')) take('-');
            if (!digits()) return false;
        }
        return at_ - begin <= max_json_number || want("a number of at most 64 characters");
    }

    std::string_view text_;
    std::size_t at_ = 0;
    std::string_view expected_;
};

}  // namespace detail

/// Why a text cannot be stored as JSON; nothing when it can.
/// Cost: two passes over the bytes.
inline std::optional<std::string> json_problem(std::string_view text) {
    const std::size_t valid = detail::utf8_valid_prefix(text);
    if (valid < text.size()) return "byte " + std::to_string(valid) + " is not valid UTF-8, expected UTF-8 text";
    const detail::JsonChecker checker(text);
    if (checker.expected().empty()) return std::nullopt;
    return "byte " + std::to_string(checker.at()) + " of the JSON: expected " + std::string(checker.expected());
}

}  // namespace kith::inline v0
