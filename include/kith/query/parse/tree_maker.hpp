// kith/query/parse/tree_maker.hpp — makes the tree of a condition in text.
//
// Thread safety: functions without state.
#pragma once

#include "kith/query/condition.hpp"
#include "kith/query/expression.hpp"
#include "kith/query/parse/constant.hpp"
#include "kith/query/pattern.hpp"
#include "kith/query/scalar.hpp"
#include "kith/query/term_value.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kith::inline v0::detail {

/// A Maker for Parser; what it is called with has been checked.
struct TreeMaker {
    using Tree = Expression;
    using TermTree = Term;
    using Values = std::vector<Value>;

    static Term column(std::size_t field) { return {.op = TermOp::column, .field = field}; }
    static Term length(std::size_t field) { return {.op = TermOp::length, .field = field}; }
    static Term constant(const Constant& constant) { return {.op = TermOp::constant, .value = value_of(constant)}; }

    static Term path(std::size_t field) { return {.op = TermOp::path, .field = field}; }
    static void step(Term& path, std::string_view name) {
        path.parts.push_back({.op = TermOp::constant, .value = unquoted(name, '"')});
    }
    static void step(Term& path, std::uint64_t position) {
        path.parts.push_back({.op = TermOp::constant, .value = position});
    }
    static Term size(Term path) {
        path.op = TermOp::size;
        return path;
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

    static void add(std::vector<Value>& values, const Constant& constant) { values.push_back(value_of(constant)); }

    /// A leaf that asks nothing yet.
    static Expression subject(std::size_t field, Aspect aspect) { return {.field = field, .aspect = aspect}; }
    static Expression subject(Term term) {
        Expression leaf;
        leaf.terms.push_back(std::move(term));
        return leaf;
    }

    static Expression ask(Op op, Expression subject, std::vector<Value> values) {
        subject.op = op;
        subject.values = ascending(std::move(values));
        return subject;
    }

    static Expression ask_pattern(Op op, Expression subject, std::string_view name, const Constant& pattern,
                                  char escape) {
        return pattern_leaf(op, std::move(subject), name, text_of(pattern), escape);
    }

    static Expression compare(Op op, Term left, Term right) {
        Expression leaf{.op = op};
        leaf.terms.push_back(std::move(left));
        leaf.terms.push_back(std::move(right));
        return leaf;
    }

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
    /// What stands between two quotes, where a quote inside is written twice.
    static std::string unquoted(std::string_view text, char quote) {
        std::string made;
        bool skipped = false;
        for (const char letter : text) {
            skipped = letter == quote && !skipped;
            if (!skipped) made += letter;
        }
        return made;
    }

    static std::string text_of(const Constant& constant) {
        return constant.written ? unquoted(constant.value.text, '\'') : std::string(constant.value.text);
    }

    /// An integer is a std::int64_t, but for one that does not fit it and one for a column of unsigned integers.
    static Value value_of(const Constant& constant) {
        const Scalar& value = constant.value;
        switch (value.kind) {
            case ScalarKind::boolean:
                return value.boolean;
            case ScalarKind::real:
                return value.real;
            case ScalarKind::text:
                return text_of(constant);
            case ScalarKind::integer:
            case ScalarKind::time:
            case ScalarKind::null:
            case ScalarKind::json:
                break;
        }
        if (constant.natural || (!value.negative && value.magnitude >= most_negative)) return value.bits();
        return static_cast<std::int64_t>(value.bits());
    }
};

}  // namespace kith::inline v0::detail
