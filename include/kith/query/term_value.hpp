// kith/query/term_value.hpp — what a term comes to for one record.
//
// Thread safety: functions without state.
#pragma once

#include "kith/core/assert.hpp"
#include "kith/query/expression.hpp"
#include "kith/query/json_path.hpp"
#include "kith/query/scalar.hpp"
#include "kith/schema/field.hpp"
#include "kith/schema/reflect.hpp"

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
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

/// The value of a member, or the length of its list; null where there is none. JSON is its whole text.
template <class T>
Scalar member_scalar(const T& member, bool length) noexcept {
    if constexpr (is_optional<T>) {
        return member.has_value() ? member_scalar(*member, length) : Scalar();
    } else if constexpr (is_list<T>) {
        KITH_ASSERT(length);
        return Scalar::of_unsigned(member.size());
    } else if constexpr (is_json<T>) {
        return Scalar::of_json(member.text);
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

inline Scalar json_size(std::string_view list) noexcept {
    if (!list.starts_with('[')) return {};
    std::uint64_t size = 0;
    for (JsonItems items(list); items.next();) ++size;
    return Scalar::of_unsigned(size);
}

/// Calls to the value of a field of a record, or the length of its list: what term_value() asks.
template <class R>
auto members_of(const R& record) noexcept {
    return [&record](std::size_t field, bool length) {
        KITH_ASSERT(field < scalars_of<R>.size());
        return scalars_of<R>[field](record, length);
    };
}

/// What a term comes to where fields have the values that member(field, length) gives.
/// Cost: one visit a node; no allocation but in `scratch`, for JSON texts with escapes. A text that comes out views what
/// the member viewed, the term or `scratch`.
template <class Member>
Scalar term_value(const Member& member, const Term& term, std::string& scratch) {
    switch (term.op) {
        case TermOp::column:
        case TermOp::length:
            return member(term.field, term.op == TermOp::length);
        case TermOp::path:
            return json_scalar(json_at(member(term.field, false).text, term.parts, scratch), scratch);
        case TermOp::size:
            return json_size(json_at(member(term.field, false).text, term.parts, scratch));
        case TermOp::constant:
            return scalar_of_value(term.value);
        case TermOp::negate:
            KITH_ASSERT(term.parts.size() == 1);
            return negated(term_value(member, term.parts[0], scratch));
        case TermOp::add:
        case TermOp::subtract:
        case TermOp::multiply:
        case TermOp::divide:
        case TermOp::remainder:
            break;
    }
    KITH_ASSERT(term.parts.size() == 2);
    const Scalar left = term_value(member, term.parts[0], scratch);
    if (!left.is_number()) return {};
    return calculate(term.op, left, term_value(member, term.parts[1], scratch));
}

}  // namespace kith::inline v0::detail
