// kith/query/parse/node.hpp — what a part of a condition is, before it is known what becomes of it.
//
// Thread safety: values and functions without state.
#pragma once

#include "kith/query/column.hpp"
#include "kith/query/parse/constant.hpp"
#include "kith/query/scalar.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace kith::inline v0 {

/// The most bytes of a condition in text.
inline constexpr std::size_t max_condition_bytes = std::size_t{1} << 20;
/// The deepest that parentheses, NOT and calculations may nest in a condition in text.
inline constexpr std::size_t max_condition_depth = 64;
/// The most comparisons of a condition in text.
inline constexpr std::size_t max_comparisons = 4'096;
/// The most values of one list in a condition in text.
inline constexpr std::size_t max_list_values = 65'536;

namespace detail {

enum class Shape : std::uint8_t { constant, column, length, path, computed, condition };

/// A part of a condition: a value of some shape, or a condition.
template <class Maker>
struct Node {
    Shape shape = Shape::constant;
    std::size_t field = 0;               // of a column, a length or a path
    Constant constant{};                 // of a constant
    ScalarKind kind = ScalarKind::null;  // what its values are; null: known only with a record
    std::size_t depth = 0;               // of a computed term
    typename Maker::Tree tree{};         // of a condition
    typename Maker::TermTree term{};     // of a path or a computed term
    std::size_t begin = 0;               // in the text
    std::size_t end = 0;
};

/// What values of a column are; null for a vector.
constexpr ScalarKind scalar_kind_of(FieldKind kind) noexcept {
    switch (kind) {
        case FieldKind::boolean:
            return ScalarKind::boolean;
        case FieldKind::int32:
        case FieldKind::int64:
        case FieldKind::uint32:
        case FieldKind::uint64:
            return ScalarKind::integer;
        case FieldKind::float32:
        case FieldKind::float64:
            return ScalarKind::real;
        case FieldKind::text:
            return ScalarKind::text;
        case FieldKind::timestamp:
            return ScalarKind::time;
        case FieldKind::json:
        case FieldKind::vector:
            break;
    }
    return ScalarKind::null;
}

constexpr std::string_view words_for(ScalarKind kind) noexcept {
    switch (kind) {
        case ScalarKind::null:
        case ScalarKind::json:
            return "JSON";
        case ScalarKind::boolean:
            return "a bool";
        case ScalarKind::integer:
        case ScalarKind::real:
            return "a number";
        case ScalarKind::text:
            return "text";
        case ScalarKind::time:
            return "a timestamp";
    }
    return "JSON";
}

/// The words that a column can be called only in double quotes.
inline constexpr std::array<std::string_view, 18> reserved_words{
    "and",        "or",         "not",      "in",          "is",          "null", "like",  "ilike",  "between",
    "has_prefix", "has_suffix", "contains", "contain_any", "contain_all", "true", "false", "escape", "array_length"};

constexpr bool is_reserved(std::string_view word) noexcept {
    for (const std::string_view reserved : reserved_words) {
        if (same_word(word, reserved)) return true;
    }
    return false;
}

/// Constants are calculated once; null where the result is no finite number.
constexpr Scalar fold(TermOp op, const Scalar& left, const Scalar& right) noexcept {
    if (left.kind == ScalarKind::integer && right.kind == ScalarKind::integer) return calculate(op, left, right);
    constexpr double most = 1.797693134862315708e308;
    const auto size_of = [](double real) { return real < 0 ? -real : real; };
    const double a = size_of(left.as_real());
    const double b = size_of(right.as_real());
    if (!(a <= most) || !(b <= most)) return {};
    // Looked at before, for a constant expression must not overflow.
    if ((op == TermOp::add || op == TermOp::subtract) && a / 2 + b / 2 > most / 2) return {};
    if (op == TermOp::multiply && a > 1 && b > most / a) return {};
    if (op == TermOp::divide && (b == 0 || (b < 1 && a > most * b))) return {};
    return calculate(op, left, right);
}

}  // namespace detail

}  // namespace kith::inline v0
