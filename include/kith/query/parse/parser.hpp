// kith/query/parse/parser.hpp — reads a condition in text and hands it, checked, to whoever makes a tree of it.
//
//   condition  := conjunction {OR conjunction}
//   conjunction := negation {AND negation}
//   negation   := NOT negation | comparison
//   comparison := sum [op sum | [NOT] BETWEEN sum AND sum | [NOT] test | IS [NOT] NULL]
//   op         := "=" | "==" | "!=" | "<>" | "<" | "<=" | ">" | ">="
//
// sum is in kith/query/parse/terms.hpp, the tests are in value_tests.hpp, the meaning of it all in docs/conditions.md. The
// parser looks one word ahead, knows every column's type and finds the first mistake. A Maker makes the tree, or nothing.
//
// Thread safety: none; a parser reads one text.
#pragma once

#include "kith/query/parse/value_tests.hpp"

#include <cstddef>
#include <span>
#include <string_view>
#include <utility>

namespace kith::inline v0::detail {

template <class Maker>
class Parser : public ValueTestParser<Maker, Parser<Maker>> {
    using Base = ValueTestParser<Maker, Parser<Maker>>;
    using Base::arguments_;
    using Base::columns_;
    using Base::reader_;
    using typename Base::NodeType;
    friend class TermParser<Maker, Parser<Maker>>;

public:
    using Tree = typename Maker::Tree;

    constexpr Parser(std::string_view text, std::span<const Column> columns, std::span<const Argument> arguments)
        : Base(text, columns, arguments) {}

    /// The whole condition; without meaning when there is a fault.
    constexpr Tree parse() {
        const std::size_t size = reader_.text().size();
        if (size > max_condition_bytes) {
            reader_.fail(FaultKind::limit, 0, 0)
                .add("the condition has ")
                .add_number(size)
                .add(" bytes, expected at most ")
                .add_number(max_condition_bytes);
        }
        NodeType whole = disjunction();
        Tree tree = condition_of(std::move(whole));
        if (!reader_.failed() && reader_.token().kind != TokenKind::end) reader_.unexpected("AND, OR or the end");
        if (!reader_.failed() && this->used_ < arguments_.size()) {
            reader_.fail(FaultKind::not_well_formed, size, size)
                .add("the condition has ")
                .add_number(this->used_)
                .add(this->used_ == 1 ? " placeholder, and " : " placeholders, and ")
                .add_number(arguments_.size())
                .add(arguments_.size() == 1 ? " value is given" : " values are given");
        }
        return tree;
    }

    [[nodiscard]] constexpr const Fault& fault() noexcept { return reader_.fault(); }

private:
    constexpr NodeType enclosed() { return disjunction(); }

    static constexpr NodeType node_of(Tree tree, std::size_t begin, std::size_t end) {
        return {.shape = Shape::condition, .tree = std::move(tree), .begin = begin, .end = end};
    }

    constexpr NodeType disjunction() {
        NodeType left = conjunction();
        while (reader_.take_keyword("or")) left = joined(Op::any_of, std::move(left), conjunction());
        return left;
    }

    constexpr NodeType conjunction() {
        NodeType left = negation();
        while (reader_.take_keyword("and")) left = joined(Op::all_of, std::move(left), negation());
        return left;
    }

    constexpr NodeType joined(Op op, NodeType left, NodeType right) {
        const std::size_t begin = left.begin;
        const std::size_t end = right.end;
        Tree first = condition_of(std::move(left));
        Tree second = condition_of(std::move(right));
        if (reader_.failed()) return {};
        return node_of(Maker::join(op, std::move(first), std::move(second)), begin, end);
    }

    constexpr NodeType negation() {
        const std::size_t begin = reader_.token().begin;
        if (!reader_.is_keyword("not")) return comparison();
        if (!this->descend()) return {};
        reader_.advance();
        NodeType inner = negation();
        this->ascend();
        const std::size_t end = inner.end;
        Tree tree = condition_of(std::move(inner));
        if (reader_.failed()) return {};
        return node_of(Maker::negation(std::move(tree)), begin, end);
    }

    /// What stands where a condition must: a condition, a column of bools, TRUE or FALSE.
    constexpr Tree condition_of(NodeType&& node) {
        if (reader_.failed()) return {};
        if (node.shape == Shape::condition) return std::move(node.tree);
        const bool is_bool = node.kind == ScalarKind::boolean;
        if (is_bool && node.shape == Shape::constant && node.constant.known) {
            return Maker::always(node.constant.value.boolean);
        }
        if (is_bool && node.shape == Shape::constant) return {};
        if ((is_bool && node.shape == Shape::column && !columns_[node.field].list) || node.shape == Shape::path) {
            this->count_comparison(node);
            return this->leaf(Op::equal, node, {.value = Scalar::of_bool(true), .begin = node.begin, .end = node.end});
        }
        reader_.fail(FaultKind::not_well_formed, node.begin, node.end)
            .add("this is a value, expected a condition; compare it with something");
        return {};
    }

    constexpr NodeType comparison() {
        NodeType left = this->sum();
        if (reader_.failed()) return left;
        NodeType node = compared(std::move(left));
        if (node.shape == Shape::condition && comparison_follows()) {
            reader_.unexpected("AND, OR or the end of this comparison");
        }
        return node;
    }

    [[nodiscard]] constexpr bool comparison_follows() const noexcept {
        return reader_.token().kind == TokenKind::symbol && operator_of(reader_.word()) != Op::all_of;
    }

    /// The operator of that symbol, or all_of.
    static constexpr Op operator_of(std::string_view symbol) noexcept {
        if (symbol == "=" || symbol == "==") return Op::equal;
        if (symbol == "!=" || symbol == "<>") return Op::not_equal;
        if (symbol == "<") return Op::less;
        if (symbol == "<=") return Op::less_equal;
        if (symbol == ">") return Op::greater;
        if (symbol == ">=") return Op::greater_equal;
        return Op::all_of;
    }

    constexpr NodeType compared(NodeType left) {
        if (comparison_follows()) {
            const Op op = operator_of(reader_.word());
            reader_.advance();
            return compare_both(op, std::move(left), this->sum());
        }
        if (reader_.take_keyword("is")) return null_test(left);
        const bool negated = reader_.take_keyword("not");
        if (reader_.failed()) return left;
        const std::size_t begin = left.begin;
        Tree tree{};
        if (reader_.take_keyword("between")) {
            tree = between(std::move(left));
        } else if (const Op op = this->take_test(); op != Op::all_of) {
            tree = this->test(op, left);
        } else {
            if (negated) reader_.unexpected("BETWEEN, IN, LIKE or another test behind NOT");
            return left;
        }
        if (reader_.failed()) return {};
        if (negated) tree = Maker::negation(std::move(tree));
        return node_of(std::move(tree), begin, reader_.last_end());
    }

    constexpr NodeType null_test(const NodeType& left) {
        const bool negated = reader_.take_keyword("not");
        if (!reader_.take_keyword("null")) reader_.unexpected(negated ? "NULL" : "NULL or NOT NULL");
        if (reader_.failed()) return left;
        this->count_comparison(left);
        if (left.shape == Shape::constant || left.shape == Shape::length) {
            reader_.fail(FaultKind::wrong_comparison, left.begin, left.end).add("only a column IS NULL or IS NOT NULL");
        } else if (left.shape == Shape::column && !columns_[left.field].nullable) {
            this->misuse(left).add("this field is never null");
        }
        this->want_value(left);
        if (reader_.failed()) return left;
        Tree tree = Maker::ask(Op::is_null, this->subject_of(left), {});
        if (negated) tree = Maker::negation(std::move(tree));
        return node_of(std::move(tree), left.begin, reader_.last_end());
    }

    constexpr Tree between(NodeType left) {
        NodeType low = this->sum();
        if (!reader_.take_keyword("and")) reader_.unexpected("AND and the upper bound of BETWEEN");
        NodeType high = reader_.failed() ? NodeType{} : this->sum();
        if (reader_.failed()) return {};
        NodeType above = compare_both(Op::greater_equal, left, std::move(low));
        NodeType below = compare_both(Op::less_equal, std::move(left), std::move(high));
        if (reader_.failed()) return {};
        return Maker::join(Op::all_of, std::move(above.tree), std::move(below.tree));
    }

    constexpr NodeType compare_both(Op op, NodeType left, NodeType right) {
        this->want_scalar(left);
        this->want_scalar(right);
        const std::size_t begin = left.begin;
        const std::size_t end = right.end;
        this->count_comparison(left);
        if (left.shape == Shape::constant && right.shape == Shape::constant) {
            reader_.fail(FaultKind::wrong_comparison, begin, end).add("two constants are compared, expected a column");
        }
        if (left.shape == Shape::constant) {
            std::swap(left, right);
            op = mirrored(op);
        }
        if (reader_.failed()) return {};
        want_order(op, left);
        want_order(op, right);
        if (right.shape == Shape::constant) {
            return node_of(this->leaf(op, left, right.constant), begin, end);
        }
        want_alike(left, right);
        if (reader_.failed()) return {};
        return node_of(Maker::compare(op, this->term_of(std::move(left)), this->term_of(std::move(right))), begin, end);
    }

    constexpr void want_order(Op op, const NodeType& node) {
        if (node.kind != ScalarKind::boolean || op == Op::equal || op == Op::not_equal) return;
        Sentence& sentence = reader_.fail(FaultKind::wrong_comparison, node.begin, node.end);
        if (node.shape == Shape::column) sentence.add("field '").add(columns_[node.field].name).add("': ");
        sentence.add("a bool is not ordered; compare it with = or !=");
    }

    /// Notes a fault unless two terms can be compared.
    constexpr void want_alike(const NodeType& left, const NodeType& right) {
        const auto is_enum = [&](const NodeType& node) {
            return node.shape == Shape::column && columns_[node.field].enumeration;
        };
        const auto number = [&](const NodeType& node) {
            return !is_enum(node) && (node.kind == ScalarKind::integer || node.kind == ScalarKind::real);
        };
        const auto in_json = [&](const NodeType& node) {
            return number(node) || node.kind == ScalarKind::text || node.kind == ScalarKind::boolean ||
                   node.shape == Shape::path;
        };
        const bool json = left.shape == Shape::path || right.shape == Shape::path;
        if (json ? in_json(left) && in_json(right) : number(left) && number(right)) return;
        if (is_enum(left) ? is_enum(right) && same_names(left, right) : left.kind == right.kind && !json) return;
        reader_.fail(FaultKind::wrong_type, left.begin, right.begin < left.begin ? left.end : right.end)
            .add(is_enum(left) ? "an enum" : words_for(left.kind))
            .add(" is compared with ")
            .add(is_enum(right) ? "another enum or a number" : words_for(right.kind));
    }

    [[nodiscard]] constexpr bool same_names(const NodeType& left, const NodeType& right) const noexcept {
        return columns_[left.field].names.data() == columns_[right.field].names.data();
    }
};

}  // namespace kith::inline v0::detail
