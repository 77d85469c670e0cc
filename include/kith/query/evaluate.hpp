// kith/query/evaluate.hpp — whether a record satisfies a condition.
//
// The tree is walked as it stands. A leaf reaches its member through a table with one function a field, made while
// compiling, and the work behind those functions is shared by all members of one type.
//
// Three answers, as in SQL: a comparison with null is unknown, the negation of unknown is unknown, and only what is
// certainly true is found. NaN, which a float field may hold, compares as in C++: it differs from everything. A term
// that has no value, see kith/query/expression.hpp, is as null.
//
// Thread safety: functions without state.
#pragma once

#include "kith/core/assert.hpp"
#include "kith/query/condition.hpp"
#include "kith/query/expression.hpp"
#include "kith/query/pattern.hpp"
#include "kith/query/scalar.hpp"
#include "kith/query/term_value.hpp"
#include "kith/schema/field.hpp"
#include "kith/schema/reflect.hpp"

#include <algorithm>
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
#include <vector>

namespace kith::inline v0 {

namespace detail {

/// In this order "and" is the least of two answers and "or" the greatest.
enum class Truth : std::uint8_t { no = 0, unknown = 1, yes = 2 };

constexpr Truth truth(bool known) noexcept {
    return known ? Truth::yes : Truth::no;
}

/// The alternative of Value in which scalars of type T are compared.
template <StoredScalar T>
using ComparedAs = std::conditional_t<
    std::same_as<T, std::string> || std::same_as<T, bool>, T,
    std::conditional_t<std::floating_point<T>, double,
                       std::conditional_t<std::is_signed_v<typename Underlying<T>::Type> || std::same_as<T, Timestamp>,
                                          std::int64_t, std::uint64_t>>>;

/// What is compared: a text in place, everything else widened.
template <StoredScalar T>
decltype(auto) compared(const T& scalar) noexcept {
    if constexpr (std::same_as<T, std::string>) {
        return (scalar);
    } else if constexpr (std::same_as<T, Timestamp>) {
        return std::int64_t{scalar.time_since_epoch().count()};
    } else {
        return static_cast<ComparedAs<T>>(scalar);
    }
}

template <class V>
const V& value_at(const Expression& leaf, std::size_t at) noexcept {
    KITH_ASSERT(at < leaf.values.size() && std::holds_alternative<V>(leaf.values[at]));
    return *std::get_if<V>(&leaf.values[at]);
}

/// Requires: the values of the leaf are ascending.
template <class V>
bool is_among(const V& scalar, const Expression& leaf) noexcept {
    std::size_t first = 0;
    std::size_t last = leaf.values.size();
    while (first < last) {
        const std::size_t middle = first + (last - first) / 2;
        if (value_at<V>(leaf, middle) < scalar) {
            first = middle + 1;
        } else {
            last = middle;
        }
    }
    return first < leaf.values.size() && value_at<V>(leaf, first) == scalar;
}

/// Answers a test that only texts take.
inline bool text_satisfies(std::string_view text, const Expression& leaf) noexcept {
    const std::string_view wanted = value_at<std::string>(leaf, 0);
    if (leaf.op == Op::has_prefix) return text.starts_with(wanted);
    if (leaf.op == Op::has_suffix) return text.ends_with(wanted);
    if (leaf.op == Op::has_substring) return text.find(wanted) != std::string_view::npos;
    return leaf.op == Op::ilike ? matches<true>(text, wanted) : matches<false>(text, wanted);
}

/// The same for a value of a type that is known only now. Requires: alike(value, any of the values).
inline bool is_among(const Scalar& value, const Expression& leaf) noexcept {
    const auto first = std::partition_point(leaf.values.begin(), leaf.values.end(), [&](const Value& one) {
        return compare(scalar_of_value(one), value) == Order::less;
    });
    return first != leaf.values.end() && compare(scalar_of_value(*first), value) == Order::equal;
}

/// Whether a JSON list holds any or all of the values of a leaf; unknown of what is no list.
inline Truth json_list_satisfies(const Scalar& list, const Expression& leaf) {
    if (list.kind != ScalarKind::json || !list.text.starts_with('[')) return Truth::unknown;
    std::string scratch;
    const auto holds_one = [&](auto&& is_wanted) {
        for (JsonItems items(list.text); items.next();) {
            const Scalar element = json_scalar(items.value(), scratch);
            if (alike(element, scalar_of_value(leaf.values.front())) && is_wanted(element)) return true;
        }
        return false;
    };
    if (leaf.values.empty()) return truth(leaf.op == Op::contains_all);
    if (leaf.op == Op::contains_any) return truth(holds_one([&](const Scalar& one) { return is_among(one, leaf); }));
    return truth(std::all_of(leaf.values.begin(), leaf.values.end(), [&](const Value& wanted) {
        return holds_one([&](const Scalar& one) { return compare(one, scalar_of_value(wanted)) == Order::equal; });
    }));
}

template <StoredScalar T>
bool scalar_satisfies(const T& scalar, const Expression& leaf) noexcept {
    using V = ComparedAs<T>;
    const auto& left = compared(scalar);
    switch (leaf.op) {
        case Op::equal:
            return left == value_at<V>(leaf, 0);
        case Op::not_equal:
            return left != value_at<V>(leaf, 0);
        case Op::less:
            return left < value_at<V>(leaf, 0);
        case Op::less_equal:
            return left <= value_at<V>(leaf, 0);
        case Op::greater:
            return left > value_at<V>(leaf, 0);
        case Op::greater_equal:
            return left >= value_at<V>(leaf, 0);
        case Op::in:
            return is_among<V>(left, leaf);
        case Op::has_prefix:
        case Op::has_suffix:
        case Op::has_substring:
        case Op::like:
        case Op::ilike:
            if constexpr (std::same_as<T, std::string>) return text_satisfies(scalar, leaf);
            break;
        case Op::contains_any:
        case Op::contains_all:
        case Op::is_null:
        case Op::all_of:
        case Op::any_of:
        case Op::negation:
            break;
    }
    KITH_ASSERT(false);  // a condition on a list, on text, or on no field at all, reached such a scalar
    return false;
}

template <StoredScalar T>
bool list_satisfies(const std::vector<T>& list, const Expression& leaf) noexcept {
    using V = ComparedAs<T>;
    if (leaf.aspect == Aspect::length) return scalar_satisfies(static_cast<std::uint64_t>(list.size()), leaf);
    if (leaf.op == Op::contains_any) {
        for (const auto& element : list) {
            if (is_among<V>(compared<T>(element), leaf)) return true;
        }
        return false;
    }
    KITH_ASSERT(leaf.op == Op::contains_all);
    for (std::size_t at = 0; at < leaf.values.size(); ++at) {
        const V& wanted = value_at<V>(leaf, at);
        bool found = false;
        for (const auto& element : list) found = found || compared<T>(element) == wanted;
        if (!found) return false;
    }
    return true;
}

template <class T>
Truth member_satisfies(const T& member, const Expression& leaf) noexcept {
    if constexpr (is_optional<T>) {
        if (leaf.op == Op::is_null) return truth(!member.has_value());
        return member.has_value() ? member_satisfies(*member, leaf) : Truth::unknown;
    } else if constexpr (is_list<T>) {
        return truth(list_satisfies(member, leaf));
    } else if constexpr (StoredScalar<T>) {
        return truth(scalar_satisfies(member, leaf));
    } else {
        KITH_ASSERT(false);  // a condition names a vector, which no comparison takes
        return Truth::unknown;
    }
}

/// Answers a leaf for the member at position I.
template <class R, std::size_t I>
Truth leaf_satisfies(const R& record, const Expression& leaf) noexcept {
    return member_satisfies(std::get<I>(members(record)), leaf);
}

template <class R, std::size_t... I>
constexpr auto leaf_table(std::index_sequence<I...>) noexcept {
    return std::array<Truth (*)(const R&, const Expression&) noexcept, sizeof...(I)>{&leaf_satisfies<R, I>...};
}

template <class R>
inline constexpr auto leaves = leaf_table<R>(std::make_index_sequence<member_count<R>>());

/// Whether a leaf that asks about one term holds of what that comes to.
inline Truth value_satisfies(const Scalar& value, const Expression& leaf) {
    if (leaf.op == Op::is_null) return truth(value.kind == ScalarKind::null);
    const Scalar wanted = leaf.values.empty() ? Scalar() : scalar_of_value(leaf.values.front());
    switch (leaf.op) {
        case Op::in:
            if (value.kind == ScalarKind::null || value.kind == ScalarKind::json) return Truth::unknown;
            return !leaf.values.empty() && !alike(value, wanted) ? Truth::unknown : truth(is_among(value, leaf));
        case Op::contains_any:
        case Op::contains_all:
            return json_list_satisfies(value, leaf);
        case Op::has_prefix:
        case Op::has_suffix:
        case Op::has_substring:
        case Op::like:
        case Op::ilike:
            return value.kind == ScalarKind::text ? truth(text_satisfies(value.text, leaf)) : Truth::unknown;
        case Op::equal:
        case Op::not_equal:
        case Op::less:
        case Op::less_equal:
        case Op::greater:
        case Op::greater_equal:
            return alike(value, wanted) ? truth(holds(leaf.op, compare(value, wanted))) : Truth::unknown;
        case Op::is_null:
        case Op::all_of:
        case Op::any_of:
        case Op::negation:
            break;
    }
    KITH_ASSERT(false);
    return Truth::unknown;
}

/// Answers a leaf about one term, or a comparison of two. See term_value() for `member`.
template <class Member>
Truth terms_satisfy(const Member& member, const Expression& leaf) {
    std::string left_scratch;
    const Scalar left = term_value(member, leaf.terms[0], left_scratch);
    if (leaf.terms.size() == 1) return value_satisfies(left, leaf);
    KITH_ASSERT(leaf.terms.size() == 2);
    std::string right_scratch;
    const Scalar right = term_value(member, leaf.terms[1], right_scratch);
    return alike(left, right) ? truth(holds(leaf.op, compare(left, right))) : Truth::unknown;
}

template <class R>
Truth satisfies(const R& record, const Expression& node) {
    Truth answer = Truth::yes;
    switch (node.op) {
        case Op::all_of:
            for (std::size_t at = 0; at < node.children.size() && answer != Truth::no; ++at) {
                answer = std::min(answer, satisfies(record, node.children[at]));
            }
            return answer;
        case Op::any_of:
            answer = Truth::no;
            for (std::size_t at = 0; at < node.children.size() && answer != Truth::yes; ++at) {
                answer = std::max(answer, satisfies(record, node.children[at]));
            }
            return answer;
        case Op::negation: {
            KITH_ASSERT(node.children.size() == 1);
            const Truth inner = satisfies(record, node.children.front());
            return inner == Truth::unknown ? inner : truth(inner == Truth::no);
        }
        case Op::equal:
        case Op::not_equal:
        case Op::less:
        case Op::less_equal:
        case Op::greater:
        case Op::greater_equal:
        case Op::in:
        case Op::contains_any:
        case Op::contains_all:
        case Op::has_prefix:
        case Op::has_suffix:
        case Op::has_substring:
        case Op::like:
        case Op::ilike:
        case Op::is_null:
            break;
    }
    if (!node.terms.empty()) return terms_satisfy(members_of(record), node);
    KITH_ASSERT(node.field < leaves<R>.size());
    return leaves<R>[node.field](record, node);
}

}  // namespace detail

/// True when `record` certainly satisfies `condition`.
/// Cost: one visit a node until the answer is certain; no allocation, but for texts in JSON that have escapes.
template <class R>
[[nodiscard]] bool evaluate(const Condition<R>& condition, const R& record) {
    return detail::satisfies(record, condition.expression()) == detail::Truth::yes;
}

}  // namespace kith::inline v0
