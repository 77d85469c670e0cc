// kith/query/term_ref.hpp — calculations and comparisons between fields, written in C++.
//
//   field<&R::price> * 2 + 1 < field<&R::limit>      + - * / % and a sign, of numbers; one side at least has a field
//   field<&R::first> == field<&R::last>              two numbers, two texts, two bools (== and != only), one enum
//   between(field<&R::year>, a, b)                   from a to b, both included; of whatever can be compared
//
// Integers are exact in 64 bits, signed or not, and integers beside reals are compared by what they are. What has no
// result, by overflow or division of an integer by zero, is null and satisfies nothing.
//
// Thread safety: functions without state.
#pragma once

#include "kith/core/error.hpp"
#include "kith/query/condition.hpp"
#include "kith/query/expression.hpp"
#include "kith/query/field_ref.hpp"
#include "kith/query/field_tests.hpp"
#include "kith/query/literal.hpp"
#include "kith/query/scalar.hpp"

#include <cmath>
#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace kith::inline v0 {

/// A number calculated from fields of a record; whole when it is of integers alone.
template <class R, bool Whole>
struct Calculated {
    Term term;
};

namespace detail {

template <auto Member>
inline constexpr bool is_term_side<FieldRef<Member>> = true;
template <auto Member>
inline constexpr bool is_term_side<LengthRef<Member>> = true;
template <class R, bool Whole>
inline constexpr bool is_term_side<Calculated<R, Whole>> = true;

template <class>
inline constexpr bool is_calculated = false;
template <class R, bool Whole>
inline constexpr bool is_calculated<Calculated<R, Whole>> = true;

/// What one side of an operator is.
template <class T>
struct Side;

/// A literal beside a term, which has no type that could say more of it.
/// Throws: Error with invalid_argument for NaN.
template <class L>
Value free_value(const L& literal) {
    if constexpr (std::same_as<L, bool>) {
        return literal;
    } else if constexpr (std::floating_point<L>) {
        if (std::isnan(literal)) raise(Errc::invalid_argument, "NaN compares with nothing, expected a number");
        return static_cast<double>(literal);
    } else if constexpr (!IntegerLiteral<L>) {
        return std::string(std::string_view(literal));
    } else if constexpr (std::is_signed_v<L>) {
        return static_cast<std::int64_t>(literal);
    } else {
        const auto natural = static_cast<std::uint64_t>(literal);
        return natural < most_negative ? Value(static_cast<std::int64_t>(natural)) : Value(natural);
    }
}

template <NumberLiteral T>
struct Side<T> {
    using Record = void;
    using Type = T;
    static constexpr bool plain = true;
    static constexpr bool whole = IntegerLiteral<T>;
    static Term term(T literal) { return {.op = TermOp::constant, .value = free_value(literal)}; }
};

template <auto Member>
struct Side<FieldRef<Member>> {
    using Record = RecordOf<Member>;
    using Type = Present<TypeOf<Member>>;
    static constexpr bool plain = StoredScalar<Type>;
    static constexpr bool whole = StoredInteger<Type>;
    static Term term(FieldRef<Member>) { return {.op = TermOp::column, .field = member_index<Member>}; }
};

template <auto Member>
struct Side<LengthRef<Member>> {
    using Record = RecordOf<Member>;
    using Type = std::uint64_t;
    static constexpr bool plain = true;
    static constexpr bool whole = true;
    static Term term(LengthRef<Member>) { return {.op = TermOp::length, .field = member_index<Member>}; }
};

template <class R, bool Whole>
struct Side<Calculated<R, Whole>> {
    using Record = R;
    using Type = std::conditional_t<Whole, std::int64_t, double>;
    static constexpr bool plain = true;
    static constexpr bool whole = Whole;
    static Term term(const Calculated<R, Whole>& calculated) { return calculated.term; }
};

// Values, not concepts, so that a compiler which orders the overloads meets each as one; it would otherwise weigh all
// their parts against each other, which takes one clang more memory than there is.
template <class L, class R>
inline constexpr bool is_calculation =
    is_term_side<L> ? is_term_side<R> || NumberLiteral<R> : NumberLiteral<L> && is_term_side<R>;

/// True for a literal that can stand beside a term of type T without a field to say what it must be.
template <class T, class L>
inline constexpr bool is_free_literal = is_calculated<T> && NumberLiteral<L>;

template <class L, class R>
inline constexpr bool is_term_comparison =
    (is_term_side<L> && is_term_side<R>) || is_free_literal<L, R> || is_free_literal<R, L>;

template <class L, class R>
concept Calculation = is_calculation<L, R>;

template <class L, class R>
concept TermComparison = is_term_comparison<L, R>;

template <class T>
inline constexpr bool is_number = StoredInteger<T> || std::floating_point<T> || NumberLiteral<T>;

/// What JSON holds may be any of these; what it is not is null.
template <class T>
inline constexpr bool is_in_json =
    is_number<T> || std::same_as<T, std::string> || std::same_as<T, bool> || std::same_as<T, Json>;

/// The record both sides are about.
template <class L, class R>
struct CommonRecord {
    using Left = typename Side<L>::Record;
    using Right = typename Side<R>::Record;
    static constexpr bool ok = std::is_void_v<Left> || std::is_void_v<Right> || std::is_same_v<Left, Right>;
    static_assert(ok, "kith: both sides must be about the same record type");
    using Type = std::conditional_t<std::is_void_v<Left>, Right, Left>;
};

template <class L, class R>
struct CalculationCheck {
    template <class T>
    static constexpr bool takes = is_number<T> || std::same_as<T, Json>;
    static constexpr bool ok = takes<typename Side<L>::Type> && takes<typename Side<R>::Type>;
    static_assert(ok, "kith: only numbers are calculated with; both sides must be integers, float or double");
};

template <class L, class R>
auto calculated(TermOp op, const L& left, const R& right) {
    static_cast<void>(CalculationCheck<L, R>::ok);
    Calculated<typename CommonRecord<L, R>::Type, Side<L>::whole && Side<R>::whole> made{{.op = op}};
    made.term.parts.push_back(Side<L>::term(left));
    made.term.parts.push_back(Side<R>::term(right));
    return made;
}

template <class L, class R>
struct ComparisonCheck {
    using Left = typename Side<L>::Type;
    using Right = typename Side<R>::Type;
    static constexpr bool json = std::same_as<Left, Json> || std::same_as<Right, Json>;
    static constexpr bool ok = Side<L>::plain && Side<R>::plain &&
                               (json ? is_in_json<Left> && is_in_json<Right>
                                     : (is_number<Left> && is_number<Right>) || std::same_as<Left, Right>);
    static_assert(Side<L>::plain && Side<R>::plain,
                  "kith: lists and vectors are not compared with each other; compare array_length(field)");
    static_assert(ok || !Side<L>::plain || !Side<R>::plain,
                  "kith: fields are compared when both are numbers, texts, bools, or values of one enum");
};

/// A leaf about one term that asks nothing yet.
template <class T>
Expression subject(const T& side) {
    Expression leaf;
    leaf.terms.push_back(Side<T>::term(side));
    return leaf;
}

/// A literal comes to stand on the right, as in a text.
template <class L, class R>
auto equated_terms(Op op, const L& left, const R& right) {
    if constexpr (!is_term_side<L>) {
        return equated_terms(mirrored(op), right, left);
    } else if constexpr (!is_term_side<R>) {
        Expression leaf = subject(left);
        leaf.op = op;
        leaf.values.push_back(free_value(right));
        return Condition<typename Side<L>::Record>(std::move(leaf));
    } else {
        static_cast<void>(ComparisonCheck<L, R>::ok);
        Expression leaf = subject(left);
        leaf.op = op;
        leaf.terms.push_back(Side<R>::term(right));
        return Condition<typename CommonRecord<L, R>::Type>(std::move(leaf));
    }
}

template <class T>
inline constexpr bool is_bool_side = std::same_as<T, bool>;
template <auto Member>
inline constexpr bool is_bool_side<FieldRef<Member>> = std::same_as<Present<TypeOf<Member>>, bool>;

template <class L, class R>
auto compared_terms(Op op, const L& left, const R& right) {
    static_assert(!is_bool_side<L> && !is_bool_side<R>, "kith: a bool field is not ordered; compare it with == or !=");
    return equated_terms(op, left, right);
}

}  // namespace detail

template <class L, class R>
    requires detail::Calculation<L, R>
[[nodiscard]] auto operator+(const L& left, const R& right) {
    return detail::calculated(TermOp::add, left, right);
}

template <class L, class R>
    requires detail::Calculation<L, R>
[[nodiscard]] auto operator-(const L& left, const R& right) {
    return detail::calculated(TermOp::subtract, left, right);
}

template <class L, class R>
    requires detail::Calculation<L, R>
[[nodiscard]] auto operator*(const L& left, const R& right) {
    return detail::calculated(TermOp::multiply, left, right);
}

template <class L, class R>
    requires detail::Calculation<L, R>
[[nodiscard]] auto operator/(const L& left, const R& right) {
    return detail::calculated(TermOp::divide, left, right);
}

template <class L, class R>
    requires detail::Calculation<L, R>
[[nodiscard]] auto operator%(const L& left, const R& right) {
    static_assert(detail::Side<L>::whole && detail::Side<R>::whole, "kith: % takes integers");
    return detail::calculated(TermOp::remainder, left, right);
}

template <class L>
    requires detail::is_term_side<L>
[[nodiscard]] auto operator-(const L& number) {
    static_cast<void>(detail::CalculationCheck<L, L>::ok);
    Calculated<typename detail::Side<L>::Record, detail::Side<L>::whole> made{{.op = TermOp::negate}};
    made.term.parts.push_back(detail::Side<L>::term(number));
    return made;
}

template <class L, class R>
    requires detail::TermComparison<L, R>
[[nodiscard]] auto operator==(const L& left, const R& right) {
    return detail::equated_terms(Op::equal, left, right);
}

template <class L, class R>
    requires detail::TermComparison<L, R>
[[nodiscard]] auto operator!=(const L& left, const R& right) {
    return detail::equated_terms(Op::not_equal, left, right);
}

template <class L, class R>
    requires detail::TermComparison<L, R>
[[nodiscard]] auto operator<(const L& left, const R& right) {
    return detail::compared_terms(Op::less, left, right);
}

template <class L, class R>
    requires detail::TermComparison<L, R>
[[nodiscard]] auto operator<=(const L& left, const R& right) {
    return detail::compared_terms(Op::less_equal, left, right);
}

template <class L, class R>
    requires detail::TermComparison<L, R>
[[nodiscard]] auto operator>(const L& left, const R& right) {
    return detail::compared_terms(Op::greater, left, right);
}

template <class L, class R>
    requires detail::TermComparison<L, R>
[[nodiscard]] auto operator>=(const L& left, const R& right) {
    return detail::compared_terms(Op::greater_equal, left, right);
}

/// What is compared is `low` or greater and `high` or less.
/// Throws: as the comparisons.
template <class L, class Low, class High>
    requires detail::is_term_side<L>
[[nodiscard]] auto between(const L& compared, const Low& low, const High& high) {
    return (compared >= low) && (compared <= high);
}

}  // namespace kith::inline v0
