// kith/query/condition.hpp — which records of a type are wanted, and how two wishes become one.
//
// A Condition is a tree that belongs to one record type, so that it cannot be asked of another.
//
// Thread safety: a condition that nobody changes may be read by many.
#pragma once

#include "kith/query/expression.hpp"

#include <type_traits>
#include <utility>

namespace kith::inline v0 {

/// Which records of a type are wanted. One made from nothing holds for every record.
template <class R>
class Condition {
public:
    using Record = R;

    Condition() = default;

    /// Requires: the fields and values of `expression` are those of the record.
    explicit Condition(Expression expression) : expression_(std::move(expression)) {}

    [[nodiscard]] const Expression& expression() const noexcept { return expression_; }

    friend bool operator==(const Condition&, const Condition&) = default;

private:
    Expression expression_;
};

namespace detail {

/// Joins two trees under `op`; a left side that is already such a node grows instead of nesting.
inline Expression join(Op op, Expression left, Expression right) {
    if (left.op != op) {
        Expression parent{.op = op};
        parent.children.push_back(std::move(left));
        left = std::move(parent);
    }
    left.children.push_back(std::move(right));
    return left;
}

}  // namespace detail

template <class Left, class Right>
[[nodiscard]] Condition<Left> operator&&(Condition<Left> left, Condition<Right> right) {
    static_assert(std::is_same_v<Left, Right>, "kith: both sides of && must be about the same record type");
    return Condition<Left>(detail::join(Op::all_of, left.expression(), right.expression()));
}

template <class Left, class Right>
[[nodiscard]] Condition<Left> operator||(Condition<Left> left, Condition<Right> right) {
    static_assert(std::is_same_v<Left, Right>, "kith: both sides of || must be about the same record type");
    return Condition<Left>(detail::join(Op::any_of, left.expression(), right.expression()));
}

template <class R>
[[nodiscard]] Condition<R> operator!(const Condition<R>& condition) {
    Expression parent{.op = Op::negation};
    parent.children.push_back(condition.expression());
    return Condition<R>(std::move(parent));
}

}  // namespace kith::inline v0
