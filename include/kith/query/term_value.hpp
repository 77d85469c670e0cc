// kith/query/term_value.hpp — what a term comes to for one record.
//
// Thread safety: functions without state.
#pragma once

#include "kith/core/assert.hpp"
#include "kith/query/expression.hpp"
#include "kith/query/scalar.hpp"
#include "kith/schema/field.hpp"
#include "kith/schema/reflect.hpp"

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

namespace kith::inline v0::detail {

template <StoredScalar T>
Scalar stored_scalar(const T& value) noexcept {
    if constexpr (std::same_as<T, std::string>) {
        return Scalar::of_text(value);
    } else if constexpr (std::same_as<T, bool>) {
        return Scalar::of_bool(value);
    } else if constexpr (std::floating_point<T>) {
        return Scalar::of_real(static_cast<double>(value));
    } else if constexpr (std::same_as<T, Timestamp>) {
        return Scalar::of_time(value.time_since_epoch().count());
    } else if constexpr (std::is_signed_v<typename Underlying<T>::Type>) {
        return Scalar::of_signed(static_cast<std::int64_t>(value));
    } else {
        return Scalar::of_unsigned(static_cast<std::uint64_t>(value));
    }
}

/// The value of a member, or the length of its list; null where there is none.
template <class T>
Scalar member_scalar(const T& member, bool length) noexcept {
    if constexpr (is_optional<T>) {
        return member.has_value() ? member_scalar(*member, length) : Scalar();
    } else if constexpr (is_list<T>) {
        KITH_ASSERT(length);
        return Scalar::of_unsigned(member.size());
    } else if constexpr (StoredScalar<T>) {
        KITH_ASSERT(!length);
        return stored_scalar(member);
    } else {
        KITH_ASSERT(false);  // a term names a vector, which nothing compares or calculates with
        return {};
    }
}

template <class R, std::size_t I>
Scalar scalar_at(const R& record, bool length) noexcept {
    return member_scalar(std::get<I>(members(record)), length);
}

template <class R, std::size_t... I>
constexpr auto scalar_table(std::index_sequence<I...>) noexcept {
    return std::array<Scalar (*)(const R&, bool) noexcept, sizeof...(I)>{&scalar_at<R, I>...};
}

template <class R>
inline constexpr auto scalars_of = scalar_table<R>(std::make_index_sequence<member_count<R>>());

inline Scalar scalar_of_value(const Value& value) noexcept {
    if (const auto* boolean = std::get_if<bool>(&value)) return Scalar::of_bool(*boolean);
    if (const auto* integer = std::get_if<std::int64_t>(&value)) return Scalar::of_signed(*integer);
    if (const auto* natural = std::get_if<std::uint64_t>(&value)) return Scalar::of_unsigned(*natural);
    if (const auto* real = std::get_if<double>(&value)) return Scalar::of_real(*real);
    return Scalar::of_text(*std::get_if<std::string>(&value));
}

/// Cost: one visit a node; no allocation. A text that comes out views the record or the term.
template <class R>
Scalar term_value(const R& record, const Term& term) noexcept {
    switch (term.op) {
        case TermOp::column:
        case TermOp::length:
            KITH_ASSERT(term.field < scalars_of<R>.size());
            return scalars_of<R>[term.field](record, term.op == TermOp::length);
        case TermOp::constant:
            return scalar_of_value(term.value);
        case TermOp::negate:
            KITH_ASSERT(term.parts.size() == 1);
            return negated(term_value(record, term.parts[0]));
        case TermOp::add:
        case TermOp::subtract:
        case TermOp::multiply:
        case TermOp::divide:
        case TermOp::remainder:
            break;
    }
    KITH_ASSERT(term.parts.size() == 2);
    const Scalar left = term_value(record, term.parts[0]);
    if (left.kind == ScalarKind::null) return left;
    return calculate(term.op, left, term_value(record, term.parts[1]));
}

}  // namespace kith::inline v0::detail
