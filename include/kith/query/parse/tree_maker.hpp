// kith/query/parse/tree_maker.hpp — makes the tree of a condition in text.
//
// Thread safety: functions without state.
#pragma once

#include "kith/query/condition.hpp"
#include "kith/query/parse/parser.hpp"
#include "kith/query/pattern.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace kith::inline v0::detail {

/// Values are sorted, so that equal conditions are equal trees and a look-up can halve.
inline Expression leaf_of_values(Op op, std::size_t field, Aspect aspect, std::vector<Value>&& values) {
    std::sort(values.begin(), values.end());
    values.erase(std::unique(values.begin(), values.end()), values.end());
    Expression leaf{.op = op, .field = field};
    leaf.values = std::move(values);
    leaf.aspect = aspect;
    return leaf;
}

/// A Maker for Parser; what it is called with has been checked.
struct TreeMaker {
    using Tree = Expression;
    using TermTree = Term;
    using Values = std::vector<Value>;

    static Term column(std::size_t field) { return {.op = TermOp::column, .field = field}; }
    static Term length(std::size_t field) { return {.op = TermOp::length, .field = field}; }

    /// Integers as std::int64_t, but for those that only fit std::uint64_t.
    static Term constant(const Constant& constant) {
        Term term{.op = TermOp::constant};
        term.value = value_of(constant, constant.value.negative || constant.value.magnitude < most_negative);
        return term;
    }

    static Term calculation(TermOp op, Term left) {
        Term term{.op = op};
        term.parts.push_back(std::move(left));
        return term;
    }
    static Term calculation(TermOp op, Term left, Term right) {
        Term term = calculation(op, std::move(left));
        term.parts.push_back(std::move(right));
        return term;
    }

    static Expression terms(Op op, Term left, Term right) {
        Expression leaf{.op = op};
        leaf.terms.push_back(std::move(left));
        leaf.terms.push_back(std::move(right));
        return leaf;
    }

    static Expression leaf(Op op, const Column& column, std::size_t field, Aspect aspect, const Constant& constant) {
        Expression leaf{.op = op, .field = field};
        leaf.aspect = aspect;
        add(leaf.values, column, aspect, constant);
        return leaf;
    }

    static void add(std::vector<Value>& values, const Column& column, Aspect aspect, const Constant& constant) {
        const bool natural =
            aspect == Aspect::length || column.kind == FieldKind::uint32 || column.kind == FieldKind::uint64;
        values.push_back(value_of(constant, !natural));
    }

    static Expression among(Op op, std::size_t field, Aspect aspect, std::vector<Value>&& values) {
        return leaf_of_values(op, field, aspect, std::move(values));
    }

    static Expression pattern(Op op, const Column& column, std::size_t field, const Constant& constant, char escape) {
        return pattern_leaf(op, field, column.name, text_of(constant), escape);
    }

    static Expression is_null(std::size_t field) { return {.op = Op::is_null, .field = field}; }
    static Expression always(bool holds) { return {.op = holds ? Op::all_of : Op::any_of}; }

    static Expression negation(Expression inner) {
        Expression parent{.op = Op::negation};
        parent.children.push_back(std::move(inner));
        return parent;
    }

    static Expression join(Op op, Expression left, Expression right) {
        return detail::join(op, std::move(left), std::move(right));
    }

private:
    static std::string text_of(const Constant& constant) {
        std::string text;
        bool skipped = false;
        for (const char letter : constant.value.text) {
            skipped = constant.written && letter == '\'' && !skipped;
            if (!skipped) text += letter;
        }
        return text;
    }

    static Value value_of(const Constant& constant, bool as_signed) {
        switch (constant.value.kind) {
            case ScalarKind::boolean:
                return constant.value.boolean;
            case ScalarKind::real:
                return constant.value.real;
            case ScalarKind::text:
                return text_of(constant);
            case ScalarKind::integer:
            case ScalarKind::time:
            case ScalarKind::null:
                break;
        }
        if (as_signed) return static_cast<std::int64_t>(constant.value.bits());
        return constant.value.bits();
    }
};

}  // namespace kith::inline v0::detail
