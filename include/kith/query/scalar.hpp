// kith/query/scalar.hpp — one value of any kind, how two of them compare, and what they come to together.
//
// Conditions meet values of all types: an int32 column beside a double, a uint64 beside a negative number. Converting
// one to the other's type would change some of them, so integers and reals are compared by what they are. The same
// functions serve a constant in a text, while compiling, and a column of a record.
//
// Thread safety: functions without state.
#pragma once

#include "kith/query/expression.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace kith::inline v0::detail {

enum class ScalarKind : std::uint8_t { null, boolean, integer, real, text, time, json };

/// A value that owns nothing. An integer is a sign and a magnitude, so that it may have the range of int64 and of
/// uint64; the time is the count of a Timestamp, as an integer. Zero is never negative. A list or an object of JSON is its text.
struct Scalar {
    ScalarKind kind = ScalarKind::null;
    bool boolean = false;
    bool negative = false;
    std::uint64_t magnitude = 0;
    double real = 0;
    std::string_view text = {};

    static constexpr Scalar of_bool(bool value) noexcept { return {.kind = ScalarKind::boolean, .boolean = value}; }
    static constexpr Scalar of_signed(std::int64_t value) noexcept {
        const auto bits = static_cast<std::uint64_t>(value);
        return {.kind = ScalarKind::integer, .negative = value < 0, .magnitude = value < 0 ? 0 - bits : bits};
    }
    static constexpr Scalar of_unsigned(std::uint64_t value) noexcept {
        return {.kind = ScalarKind::integer, .magnitude = value};
    }
    static constexpr Scalar of_real(double value) noexcept { return {.kind = ScalarKind::real, .real = value}; }
    static constexpr Scalar of_text(std::string_view value) noexcept {
        return {.kind = ScalarKind::text, .text = value};
    }
    static constexpr Scalar of_time(std::int64_t count) noexcept {
        Scalar made = of_signed(count);
        made.kind = ScalarKind::time;
        return made;
    }

    static constexpr Scalar of_json(std::string_view value) noexcept {
        return {.kind = ScalarKind::json, .text = value};
    }

    [[nodiscard]] constexpr bool is_number() const noexcept {
        return kind == ScalarKind::integer || kind == ScalarKind::real;
    }
    [[nodiscard]] constexpr bool is_whole() const noexcept {
        return kind == ScalarKind::integer || kind == ScalarKind::time;
    }

    /// The integer as bits in two's complement.
    [[nodiscard]] constexpr std::uint64_t bits() const noexcept { return negative ? 0 - magnitude : magnitude; }

    /// A number as a double, rounded where it must be.
    [[nodiscard]] constexpr double as_real() const noexcept {
        if (kind == ScalarKind::real) return real;
        const auto whole = static_cast<double>(magnitude);
        return negative ? -whole : whole;
    }
};

inline constexpr std::uint64_t most_negative = std::uint64_t{1} << 63;  // the magnitude of the least int64

/// How the left value stands to the right one; unordered beside a NaN.
enum class Order : std::uint8_t { less, equal, greater, unordered };

constexpr Order reversed(Order order) noexcept {
    return order == Order::less ? Order::greater : order == Order::greater ? Order::less : order;
}

template <class T>
constexpr Order order_of(const T& left, const T& right) noexcept {
    return left < right ? Order::less : left > right ? Order::greater : left == right ? Order::equal : Order::unordered;
}

/// A magnitude beside a real of 0 or more.
constexpr Order order_of_magnitude(std::uint64_t whole, double real) noexcept {
    constexpr double beyond = 18446744073709551616.0;  // 2 to the power of 64
    if (real >= beyond) return Order::less;
    const auto below = static_cast<std::uint64_t>(real);
    if (whole != below) return whole < below ? Order::less : Order::greater;
    return real > static_cast<double>(below) ? Order::less : Order::equal;
}

constexpr Order order_of_integers(const Scalar& left, const Scalar& right) noexcept {
    if (left.negative != right.negative) return left.negative ? Order::less : Order::greater;
    const Order order = order_of(left.magnitude, right.magnitude);
    return left.negative ? reversed(order) : order;
}

constexpr Order order_beside_real(const Scalar& left, double right) noexcept {
    if (right != right) return Order::unordered;
    if (left.negative) return right >= 0 ? Order::less : reversed(order_of_magnitude(left.magnitude, -right));
    return right < 0 ? Order::greater : order_of_magnitude(left.magnitude, right);
}

/// Whether two values can be compared: both are numbers, both texts, both bools or both times.
constexpr bool alike(const Scalar& left, const Scalar& right) noexcept {
    if (left.is_number()) return right.is_number();
    return left.kind == right.kind && left.kind != ScalarKind::null && left.kind != ScalarKind::json;
}

/// Requires: alike(left, right).
constexpr Order compare(const Scalar& left, const Scalar& right) noexcept {
    if (left.kind == ScalarKind::text) return order_of(left.text, right.text);
    if (left.kind == ScalarKind::boolean) return order_of(left.boolean, right.boolean);
    if (left.kind == ScalarKind::real && right.kind == ScalarKind::real) return order_of(left.real, right.real);
    if (left.kind == ScalarKind::real) return reversed(order_beside_real(right, left.real));
    if (right.kind == ScalarKind::real) return order_beside_real(left, right.real);
    return order_of_integers(left, right);
}

/// Whether a comparison holds of two values that stand in this order.
constexpr bool holds(Op op, Order order) noexcept {
    switch (op) {
        case Op::equal:
            return order == Order::equal;
        case Op::not_equal:
            return order != Order::equal;
        case Op::less:
            return order == Order::less;
        case Op::less_equal:
            return order == Order::less || order == Order::equal;
        case Op::greater:
            return order == Order::greater;
        case Op::greater_equal:
            return order == Order::greater || order == Order::equal;
        case Op::in:
        case Op::contains_any:
        case Op::contains_all:
        case Op::has_prefix:
        case Op::has_suffix:
        case Op::has_substring:
        case Op::like:
        case Op::ilike:
        case Op::is_null:
        case Op::all_of:
        case Op::any_of:
        case Op::negation:
            break;
    }
    return false;
}

/// The comparison that holds of the sides exchanged where `op` holds of them as they are.
constexpr Op mirrored(Op op) noexcept {
    if (op == Op::less) return Op::greater;
    if (op == Op::less_equal) return Op::greater_equal;
    if (op == Op::greater) return Op::less;
    if (op == Op::greater_equal) return Op::less_equal;
    return op;
}

/// An integer of that sign and magnitude; null when it has no place in 64 bits.
constexpr Scalar integer_of(bool negative, std::uint64_t magnitude) noexcept {
    if (negative && magnitude > most_negative) return {};
    return {.kind = ScalarKind::integer, .negative = negative && magnitude > 0, .magnitude = magnitude};
}

constexpr Scalar sum_of_integers(const Scalar& left, const Scalar& right) noexcept {
    if (left.negative == right.negative) {
        const std::uint64_t sum = left.magnitude + right.magnitude;
        return sum < left.magnitude ? Scalar() : integer_of(left.negative, sum);
    }
    const bool left_larger = left.magnitude >= right.magnitude;
    return integer_of(left_larger ? left.negative : right.negative,
                      left_larger ? left.magnitude - right.magnitude : right.magnitude - left.magnitude);
}

/// A number with its sign changed; null when that has no place in 64 bits.
constexpr Scalar negated(const Scalar& number) noexcept {
    if (number.kind == ScalarKind::real) return Scalar::of_real(-number.real);
    return number.kind == ScalarKind::integer ? integer_of(!number.negative, number.magnitude) : Scalar();
}

constexpr Scalar calculate_integers(TermOp op, const Scalar& left, const Scalar& right) noexcept {
    const bool signs_differ = left.negative != right.negative;
    switch (op) {
        case TermOp::add:
            return sum_of_integers(left, right);
        case TermOp::subtract: {
            Scalar opposite = right;  // never stored, so its magnitude need not fit int64
            opposite.negative = !right.negative && right.magnitude > 0;
            return sum_of_integers(left, opposite);
        }
        case TermOp::multiply:
            if (left.magnitude != 0 && right.magnitude > std::numeric_limits<std::uint64_t>::max() / left.magnitude) {
                return {};
            }
            return integer_of(signs_differ, left.magnitude * right.magnitude);
        case TermOp::divide:
            return right.magnitude == 0 ? Scalar() : integer_of(signs_differ, left.magnitude / right.magnitude);
        case TermOp::remainder:
            return right.magnitude == 0 ? Scalar() : integer_of(left.negative, left.magnitude % right.magnitude);
        case TermOp::column:
        case TermOp::length:
        case TermOp::path:
        case TermOp::size:
        case TermOp::constant:
        case TermOp::negate:
            break;
    }
    return {};
}

/// What two numbers come to; null where one of them is, where integers have no such result, and for what is no
/// calculation.
constexpr Scalar calculate(TermOp op, const Scalar& left, const Scalar& right) noexcept {
    if (!left.is_number() || !right.is_number()) return {};
    if (left.kind == ScalarKind::integer && right.kind == ScalarKind::integer) {
        return calculate_integers(op, left, right);
    }
    const double a = left.as_real();
    const double b = right.as_real();
    if (op == TermOp::add) return Scalar::of_real(a + b);
    if (op == TermOp::subtract) return Scalar::of_real(a - b);
    if (op == TermOp::multiply) return Scalar::of_real(a * b);
    if (op == TermOp::divide && b != 0) return Scalar::of_real(a / b);
    if (op == TermOp::divide) {  // spelled out, for a compiler calls it no constant and a sanitizer an error
        constexpr double infinity = std::numeric_limits<double>::infinity();
        if (a == 0 || a != a) return Scalar::of_real(std::numeric_limits<double>::quiet_NaN());
        const bool below = (a < 0) != ((std::bit_cast<std::uint64_t>(b) >> 63) != 0);
        return Scalar::of_real(below ? -infinity : infinity);
    }
    return {};
}

inline Scalar scalar_of_value(const Value& value) noexcept {
    if (const auto* boolean = std::get_if<bool>(&value)) return Scalar::of_bool(*boolean);
    if (const auto* integer = std::get_if<std::int64_t>(&value)) return Scalar::of_signed(*integer);
    if (const auto* natural = std::get_if<std::uint64_t>(&value)) return Scalar::of_unsigned(*natural);
    if (const auto* real = std::get_if<double>(&value)) return Scalar::of_real(*real);
    return Scalar::of_text(*std::get_if<std::string>(&value));
}

/// Values in the order that a look-up halves and that makes equal conditions equal trees.
/// Requires: all are alike.
inline std::vector<Value> ascending(std::vector<Value> values) {
    const auto stands = [](const Value& a, const Value& b) { return compare(scalar_of_value(a), scalar_of_value(b)); };
    std::sort(values.begin(), values.end(),
              [&](const Value& a, const Value& b) { return stands(a, b) == Order::less; });
    const auto equal = [&](const Value& a, const Value& b) { return stands(a, b) == Order::equal; };
    values.erase(std::unique(values.begin(), values.end(), equal), values.end());
    return values;
}

}  // namespace kith::inline v0::detail
