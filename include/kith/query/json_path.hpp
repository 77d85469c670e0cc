// kith/query/json_path.hpp — what JSON holds at a path, read from its text without making anything of the rest.
//
// The text was checked when it was written, so this only looks for where things begin and end. Bytes that are no JSON
// are never read past; what they hold is nobody's promise.
//
// Thread safety: functions without state; an iterator belongs to one thread.
#pragma once

#include "kith/query/decimal.hpp"
#include "kith/query/expression.hpp"
#include "kith/query/scalar.hpp"
#include "kith/schema/json.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <variant>

namespace kith::inline v0::detail {

/// Where the JSON text ends whose opening quote stands in front of `at`.
inline std::size_t json_text_end(std::string_view json, std::size_t at) noexcept {
    for (std::size_t quote = json.find('"', at); quote < json.size(); quote = json.find('"', quote + 1)) {
        std::size_t escapes = quote;
        while (escapes > at && json[escapes - 1] == '\\') --escapes;
        if ((quote - escapes) % 2 == 0) return quote + 1;
    }
    return json.size();
}

/// Where the JSON value, or the name, that begins at `at` ends.
inline std::size_t json_end(std::string_view json, std::size_t at) noexcept {
    if (at == json.size()) return at;
    if (json[at] == '"') return json_text_end(json, at + 1);
    if (json[at] != '{' && json[at] != '[') {
        constexpr std::string_view behind = ",}] \t\n\r:";
        while (at < json.size() && behind.find(json[at]) == std::string_view::npos) ++at;
        return at;
    }
    std::size_t open = 0;
    while (at < json.size()) {
        const char c = json[at++];
        if (c == '"') at = json_text_end(json, at);
        const char folded = static_cast<char>(c | 0x20);  // [ is { then, and ] is }
        if (folded == '{') ++open;
        if (folded == '}' && --open == 0) return at;
    }
    return json.size();
}

/// The members of an object or the elements of a list, one after the other; nothing of any other value.
class JsonItems {
public:
    explicit JsonItems(std::string_view container) noexcept
        : json_(container),
          object_(container.starts_with('{')),
          at_(object_ || container.starts_with('[') ? 1 : container.size()) {}

    bool next() noexcept {
        skip();
        if (object_) {
            name_ = take();
            skip();
        }
        value_ = take();
        return !value_.empty();
    }

    /// With its quotes.
    [[nodiscard]] std::string_view name() const noexcept { return name_; }
    [[nodiscard]] std::string_view value() const noexcept { return value_; }

private:
    void skip() noexcept {
        constexpr std::string_view between = " \t\n\r,:";
        while (at_ < json_.size() && between.find(json_[at_]) != std::string_view::npos) ++at_;
    }

    std::string_view take() noexcept {
        const std::size_t begin = at_;
        at_ = json_end(json_, at_);
        return json_.substr(begin, at_ - begin);
    }

    std::string_view json_;
    bool object_;
    std::size_t at_;
    std::string_view name_;
    std::string_view value_;
};

inline void append_utf8(std::string& out, std::uint32_t character) {
    const auto last_bits = [&](int shift) { return static_cast<char>(0x80 | ((character >> shift) & 0x3f)); };
    if (character < 0x80) {
        out += static_cast<char>(character);
    } else if (character < 0x800) {
        out += {static_cast<char>(0xc0 | (character >> 6)), last_bits(0)};
    } else if (character < 0x10000) {
        out += {static_cast<char>(0xe0 | (character >> 12)), last_bits(6), last_bits(0)};
    } else {
        out += {static_cast<char>(0xf0 | (character >> 18)), last_bits(12), last_bits(6), last_bits(0)};
    }
}

/// The number that the four hexadecimal digits behind `at` are.
inline std::uint32_t json_unit(std::string_view text, std::size_t at) noexcept {
    std::uint32_t unit = 0;
    for (const char c : text.substr(at < text.size() ? at : text.size()).substr(0, 4)) {
        unit = 16 * unit + (static_cast<std::uint32_t>(c) & 0xf) + (c > '9' ? 9 : 0);
    }
    return unit;
}

/// What a JSON text with its quotes says. Views `scratch` when it has escapes, and only then allocates.
inline std::string_view json_text(std::string_view quoted, std::string& scratch) {
    const std::string_view text = quoted.size() < 2 ? std::string_view() : quoted.substr(1, quoted.size() - 2);
    if (text.find('\\') == std::string_view::npos) return text;
    scratch.clear();
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] != '\\' || ++at == text.size()) {
            scratch += text[at < text.size() ? at : at - 1];
            continue;
        }
        constexpr std::string_view letters = "bfnrt";
        constexpr std::string_view meanings = "\b\f\n\r\t";
        const std::size_t known = letters.find(text[at]);
        if (text[at] != 'u') {
            scratch += known == std::string_view::npos ? text[at] : meanings[known];
            continue;
        }
        std::uint32_t character = json_unit(text, at + 1);
        at += 4;
        if (character >= 0xd800 && character < 0xdc00) {  // the other half is behind it: \uXXXX
            character = 0x10000 + ((character & 0x3ff) << 10) + (json_unit(text, at + 3) & 0x3ff);
            at += 6;
        }
        append_utf8(scratch, character);
    }
    return scratch;
}

inline Scalar json_number(std::string_view number) noexcept {
    const bool negative = number.starts_with('-');
    if (negative) number.remove_prefix(1);
    if (number.find_first_not_of("0123456789") == std::string_view::npos) {
        std::uint64_t whole = 0;
        bool fits = true;
        for (const char digit : number) {
            const auto value = static_cast<std::uint64_t>(digit - '0');
            fits = fits && whole <= (std::numeric_limits<std::uint64_t>::max() - value) / 10;
            whole = 10 * whole + value;
        }
        if (fits && !(negative && whole > most_negative)) return integer_of(negative, whole);
    }
    if (!JsonChecker(number).expected().empty()) return {};
    const double real = to_double(number);
    return Scalar::of_real(negative ? -real : real);
}

/// A JSON value as a scalar: a list or an object keeps its text; JSON's null, and nothing at all, are null.
inline Scalar json_scalar(std::string_view value, std::string& scratch) {
    if (value.empty()) return {};
    const char first = value.front();
    if (first == '"') return Scalar::of_text(json_text(value, scratch));
    if (first == 't' || first == 'f') return Scalar::of_bool(first == 't');
    if (first == '{' || first == '[') return Scalar::of_json(value);
    if (first == '-' || (first >= '0' && first <= '9')) return json_number(value);
    return {};
}

/// The value where the steps lead from the outermost one: the first member of a name, the element at a position.
/// Cost: a look at every byte in front of what is found; allocates for names with escapes only.
inline std::string_view json_at(std::string_view json, std::span<const Term> steps, std::string& scratch) {
    json.remove_prefix(std::min(json.size(), json.find_first_not_of(" \t\n\r")));
    if (steps.empty()) return json.substr(0, json_end(json, 0));
    for (const Term& step : steps) {
        JsonItems items(json);
        json = {};
        if (const auto* name = std::get_if<std::string>(&step.value)) {
            while (json.empty() && items.next()) {
                if (items.name().size() > 1 && json_text(items.name(), scratch) == *name) json = items.value();
            }
        } else if (const auto* position = std::get_if<std::uint64_t>(&step.value)) {
            for (std::uint64_t left = *position; items.next() && items.name().empty(); --left) {
                if (left > 0) continue;
                json = items.value();
                break;
            }
        }
    }
    return json;
}

}  // namespace kith::inline v0::detail
