// kith/query/literal.hpp — from what a user wrote beside an operator to a value of the field's own type.
//
// The type is checked while compiling, the range when the condition is made: a number that the field cannot hold would
// silently match nothing, or everything, and is a mistake wherever it comes from.
//
// Thread safety: functions without state.
#pragma once

#include "kith/core/error.hpp"
#include "kith/query/expression.hpp"
#include "kith/schema/field.hpp"
#include "kith/schema/validate.hpp"

#include <bit>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace kith::inline v0::detail {

template <class L>
concept IntegerLiteral = StoredInteger<L> || std::same_as<L, short> || std::same_as<L, unsigned short> ||
                         std::same_as<L, signed char> || std::same_as<L, unsigned char>;

template <class L>
concept NumberLiteral = IntegerLiteral<L> || std::same_as<L, float> || std::same_as<L, double>;

/// True when a literal of type L can be meant for a scalar of type T.
template <class T, class L>
consteval bool literal_fits() {
    if constexpr (std::same_as<T, std::string>) {
        return std::is_convertible_v<const L&, std::string_view>;
    } else if constexpr (StoredInteger<T>) {
        return IntegerLiteral<L>;
    } else if constexpr (std::same_as<T, Timestamp>) {
        return std::is_convertible_v<const L&, Timestamp>;
    } else if constexpr (std::floating_point<T>) {
        return NumberLiteral<L>;
    } else {
        return std::same_as<T, L>;  // bool and enumerations
    }
}

/// Says what to write when a literal of type L stands beside a field whose scalars are of type T.
template <class T, class L>
struct LiteralCheck {
    static constexpr bool ok = literal_fits<T, L>();
    static constexpr bool null = std::same_as<L, std::nullopt_t> || std::same_as<L, std::nullptr_t>;

    static_assert(ok || !null, "kith: nothing equals null; write kith::field<&Record::member>.is_null()");
    static_assert(ok || null || !std::same_as<T, std::string>,
                  "kith: this is a text field; compare it with text, such as \"kith\"");
    static_assert(ok || null || !StoredInteger<T>,
                  "kith: this is an integer field; compare it with an integer, such as 2020");
    static_assert(ok || null || !std::floating_point<T>,
                  "kith: this is a number field; compare it with a number, such as 0.5");
    static_assert(ok || null || !std::same_as<T, bool>, "kith: this is a bool field; compare it with true or false");
    static_assert(
        ok || null || !std::same_as<T, Timestamp>,
        "kith: this is a timestamp field; compare it with a std::chrono::sys_time of microseconds or coarser");
    static_assert(ok || null || !StoredEnum<T>,
                  "kith: this is an enum field; compare it with a value of the same enum");
};

[[noreturn]] inline void raise_literal(std::string_view field, const std::string& what) {
    raise(Errc::invalid_argument, "field '" + std::string(field) + "': " + what);
}

/// True when an integer is a float or double of the same value: its bits between the first and last 1 fit.
template <std::floating_point T, IntegerLiteral L>
constexpr bool is_exact(L literal) noexcept {
    const auto bits = static_cast<std::uint64_t>(literal);
    const std::uint64_t magnitude = literal < L{0} ? std::uint64_t{0} - bits : bits;
    if (magnitude == 0) return true;
    return std::bit_width(magnitude) - static_cast<std::uint64_t>(std::countr_zero(magnitude)) <=
           static_cast<std::uint64_t>(std::numeric_limits<T>::digits);
}

template <StoredInteger T, IntegerLiteral L>
Value integer_value(std::string_view field, L literal) {
    if (!std::in_range<T>(literal)) {
        raise_literal(field, std::to_string(literal) + " does not fit " + std::string(name(scalar_kind<T>())) +
                                 ", expected " + std::to_string(std::numeric_limits<T>::min()) + " to " +
                                 std::to_string(std::numeric_limits<T>::max()));
    }
    if constexpr (std::is_signed_v<T>) {
        return static_cast<std::int64_t>(literal);
    } else {
        return static_cast<std::uint64_t>(literal);
    }
}

/// A number for a float field is rounded to float, so that `== 0.1` finds what was stored as 0.1f.
template <std::floating_point T, NumberLiteral L>
Value number_value(std::string_view field, L literal) {
    const std::string kind(name(scalar_kind<T>()));
    if constexpr (IntegerLiteral<L>) {
        if (!is_exact<T>(literal)) {
            raise_literal(
                field, std::to_string(literal) + " is between two values of " + kind + "; write the one that is meant");
        }
    } else {
        if (std::isnan(literal)) raise_literal(field, "NaN compares with nothing, expected a number");
        if (std::isfinite(literal) && std::abs(literal) > static_cast<L>(std::numeric_limits<T>::max())) {
            raise_literal(field, show_number(literal) + " does not fit " + kind);
        }
    }
    return static_cast<double>(static_cast<T>(literal));
}

/// The value to compare scalars of type T with. `field` is for the message.
/// Throws: Error with invalid_argument when the literal is no value of the field's type.
template <StoredScalar T, class L>
Value literal_value(std::string_view field, const L& literal) {
    if constexpr (!LiteralCheck<T, L>::ok) {
        return Value();
    } else if constexpr (std::same_as<T, std::string>) {
        return std::string(std::string_view(literal));
    } else if constexpr (std::same_as<T, bool>) {
        return literal;
    } else if constexpr (std::same_as<T, Timestamp>) {
        return std::int64_t{Timestamp(literal).time_since_epoch().count()};
    } else if constexpr (StoredEnum<T>) {
        using Number = std::conditional_t<std::is_signed_v<std::underlying_type_t<T>>, std::int64_t, std::uint64_t>;
        return static_cast<Number>(literal);
    } else if constexpr (std::floating_point<T>) {
        return number_value<T>(field, literal);
    } else {
        return integer_value<T>(field, literal);
    }
}

}  // namespace kith::inline v0::detail
