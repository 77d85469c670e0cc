// kith/query/parse/terms.hpp — reads the values of a condition: columns, constants, calculations.
//
//   sum     := product {("+" | "-") product}
//   product := sign {("*" | "/" | "%") sign}
//   sign    := "-" sign | primary
//   primary := number | text | "?" | TRUE | FALSE | column | ARRAY_LENGTH "(" column ")" | "(" condition ")"
//   column  := name {"." name | "[" number "]"}                         a name is a word or stands in double quotes
//
// Parentheses hold a condition or a value; which one, only what stands in them tells. So whoever asks for a value gets
// a node, and says what is wrong when that is a condition.
//
// Thread safety: none; a parser reads one text.
#pragma once

#include "kith/query/decimal.hpp"
#include "kith/query/parse/node.hpp"
#include "kith/query/parse/token_reader.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <utility>

namespace kith::inline v0::detail {

/// `Derived` reads what stands in parentheses: `NodeType enclosed()`.
template <class Maker, class Derived>
class TermParser {
public:
    using NodeType = Node<Maker>;

    constexpr TermParser(std::string_view text, std::span<const Column> columns, std::span<const Argument> arguments)
        : reader_(text), columns_(columns), arguments_(arguments) {}

protected:
    constexpr NodeType sum() {
        NodeType left = product();
        while (reader_.is_symbol("+") || reader_.is_symbol("-")) {
            const TermOp op = reader_.is_symbol("+") ? TermOp::add : TermOp::subtract;
            reader_.advance();
            left = calculated(op, std::move(left), product());
        }
        return left;
    }

    /// Notes a fault unless the node is a value.
    constexpr void want_value(const NodeType& node) {
        if (node.shape != Shape::condition) return;
        reader_.fail(FaultKind::not_well_formed, node.begin, node.end).add("this is a condition, expected a value");
    }

    /// Notes a fault when the node is a column that no comparison or calculation takes as it is.
    constexpr void want_scalar(const NodeType& node) {
        want_value(node);
        if (node.shape != Shape::column) return;
        const Column& column = columns_[node.field];
        if (column.kind == FieldKind::vector) {
            misuse(node).add("a vector is searched, not compared; only IS NULL and nearest() take it");
        } else if (column.list) {
            misuse(node)
                .add("this is a list; write CONTAIN_ANY ('x', 'y'), CONTAINS 'x' or ARRAY_LENGTH(")
                .add(column.name)
                .add(") > 0");
        }
    }

    /// The beginning of a sentence about a column that is used as it cannot be.
    constexpr Sentence& misuse(const NodeType& node) {
        Sentence& sentence = reader_.fail(FaultKind::wrong_comparison, node.begin, node.end);
        return sentence.add("field '").add(columns_[node.field].name).add("': ");
    }

    /// The term of a value of any shape.
    constexpr typename Maker::TermTree term_of(NodeType&& node) {
        if (node.shape == Shape::column) return Maker::column(node.field);
        if (node.shape == Shape::length) return Maker::length(node.field);
        if (node.shape == Shape::path || node.shape == Shape::computed) return std::move(node.term);
        return Maker::constant(node.constant);
    }

    /// The next value that is bound to a placeholder, and where that stands.
    constexpr Argument take_argument() {
        const Token at = reader_.token();
        if (used_ == arguments_.size()) {
            reader_.fail(FaultKind::not_well_formed, at.begin, at.end)
                .add("no value is given for this placeholder; there are ")
                .add_number(arguments_.size());
            return {};
        }
        Argument taken = arguments_[used_++];
        taken.one.begin = at.begin;
        taken.one.end = at.end;
        reader_.advance();
        return taken;
    }

    /// Counts one level more; a fault when that is too deep.
    constexpr bool descend() {
        if (++depth_ <= max_condition_depth) return true;
        too_deep(reader_.token().begin, reader_.token().end);
        return false;
    }
    constexpr void ascend() noexcept { --depth_; }

    TokenReader reader_;
    std::span<const Column> columns_;
    std::span<const Argument> arguments_;
    std::size_t used_ = 0;   // of the arguments
    std::size_t depth_ = 0;  // of what is open

private:
    constexpr void too_deep(std::size_t begin, std::size_t end) {
        reader_.fail(FaultKind::limit, begin, end)
            .add("the condition nests deeper than ")
            .add_number(max_condition_depth)
            .add(" levels");
    }

    constexpr NodeType product() {
        NodeType left = sign();
        while (reader_.is_symbol("*") || reader_.is_symbol("/") || reader_.is_symbol("%")) {
            const TermOp op = reader_.is_symbol("*")   ? TermOp::multiply
                              : reader_.is_symbol("/") ? TermOp::divide
                                                       : TermOp::remainder;
            reader_.advance();
            left = calculated(op, std::move(left), sign());
        }
        return left;
    }

    constexpr NodeType sign() {
        if (!reader_.is_symbol("-")) return primary();
        const std::size_t begin = reader_.token().begin;
        if (!descend()) return {};
        reader_.advance();
        NodeType node = sign();
        ascend();
        want_number(node);
        node.begin = begin;
        if (reader_.failed()) return node;
        if (node.shape == Shape::constant) {
            if (node.constant.known) node.constant.value = negated(node.constant.value);
            node.constant.begin = begin;
            want_result(node);
            return node;
        }
        node.depth = check_depth(node, node.depth + 1);
        node.term = Maker::calculation(TermOp::negate, term_of(std::move(node)));
        node.shape = Shape::computed;
        return node;
    }

    constexpr NodeType primary() {
        const Token at = reader_.token();
        switch (at.kind) {
            case TokenKind::number:
                return number();
            case TokenKind::text:
                return constant({.value = Scalar::of_text(inside(at))});
            case TokenKind::placeholder: {
                const Argument argument = take_argument();
                NodeType node{
                    .constant = argument.one, .kind = argument.one.value.kind, .begin = at.begin, .end = at.end};
                if (argument.is_list) {
                    reader_.fail(FaultKind::wrong_type, at.begin, at.end).add("a list is given, expected one value");
                }
                return node;
            }
            case TokenKind::quoted_name:
                return column(inside(at));
            case TokenKind::name:
                return named();
            case TokenKind::symbol:
                if (reader_.is_symbol("(")) return parentheses();
                break;
            case TokenKind::end:
            case TokenKind::bad:
                break;
        }
        reader_.unexpected("a column or a value");
        return {};
    }

    constexpr NodeType parentheses() {
        const std::size_t begin = reader_.token().begin;
        if (!descend()) return {};
        reader_.advance();
        NodeType node = static_cast<Derived*>(this)->enclosed();
        ascend();
        reader_.expect_symbol(")", "')'");
        node.begin = begin;
        node.end = reader_.last_end();
        return node;
    }

    constexpr NodeType named() {
        const Token at = reader_.token();
        if (reader_.is_keyword("true")) return constant({.value = Scalar::of_bool(true)});
        if (reader_.is_keyword("false")) return constant({.value = Scalar::of_bool(false)});
        if (reader_.is_keyword("null")) {
            reader_.fail(FaultKind::wrong_type, at.begin, at.end)
                .add("nothing equals NULL; write IS NULL or IS NOT NULL");
            return {};
        }
        if (reader_.is_keyword("array_length")) return length();
        const std::string_view word = reader_.word();
        if (is_reserved(word)) {
            reader_.unexpected("a column or a value");
            return {};
        }
        return column(word);
    }

    constexpr NodeType length() {
        const std::size_t begin = reader_.token().begin;
        reader_.advance();
        reader_.expect_symbol("(", "'(' and a column");
        const Token at = reader_.token();
        if (at.kind != TokenKind::name && at.kind != TokenKind::quoted_name) reader_.unexpected("a column");
        if (reader_.failed()) return {};
        NodeType node = column(at.kind == TokenKind::name ? reader_.word() : inside(at));
        const bool json = node.shape == Shape::path;
        if (!reader_.failed() && !json && !columns_[node.field].list) {
            misuse(node).add("ARRAY_LENGTH counts the elements of a list and this is none");
        }
        reader_.expect_symbol(")", "')'");
        if (json) node.term = Maker::size(std::move(node.term));
        node.shape = json ? Shape::computed : Shape::length;
        node.kind = ScalarKind::integer;
        node.begin = begin;
        node.end = reader_.last_end();
        return node;
    }

    constexpr NodeType column(std::string_view name) {
        const Token at = reader_.token();
        NodeType node{.shape = Shape::column, .begin = at.begin, .end = at.end};
        NearestName nearest(name);
        for (std::size_t field = 0; field < columns_.size(); ++field) {
            if (columns_[field].name != name) continue;
            reader_.advance();
            node.field = field;
            node.kind = scalar_kind_of(columns_[field].kind);
            if (columns_[field].kind == FieldKind::json) {
                path(node);
            } else if (reader_.is_symbol(".") || reader_.is_symbol("[")) {
                misuse(node).add("only JSON has members, and this is ").add(kith::name(columns_[field].kind));
            }
            return node;
        }
        for (const Column& one : columns_) nearest.meet(one.name);
        Sentence& sentence = reader_.fail(FaultKind::unknown_column, at.begin, at.end);
        sentence.add("there is no column '").add_quoted(name).add("'");
        if (!nearest.found().empty()) {
            sentence.add("; did you mean '").add(nearest.found()).add("'?");
        } else if (at.kind == TokenKind::quoted_name) {
            sentence.add("; text stands in single quotes");
        }
        return node;
    }

    /// What stands behind a JSON column: where to look in it.
    constexpr void path(NodeType& node) {
        node.shape = Shape::path;
        node.term = Maker::path(node.field);
        for (std::size_t steps = 1; reader_.is_symbol(".") || reader_.is_symbol("["); ++steps) {
            if (steps > max_json_depth) too_deep(node.begin, reader_.token().end);
            const bool member = reader_.take_symbol(".");
            if (!member) reader_.advance();
            const Token at = reader_.token();
            if (member && at.kind == TokenKind::name) {
                Maker::step(node.term, reader_.word());
            } else if (member && at.kind == TokenKind::quoted_name) {
                Maker::step(node.term, inside(at));
            } else if (!member && at.kind == TokenKind::number) {
                const Constant position = number().constant;
                if (position.value.kind == ScalarKind::integer) Maker::step(node.term, position.value.magnitude);
                if (position.value.kind == ScalarKind::real) {
                    reader_.fail(FaultKind::not_well_formed, at.begin, at.end).add("a position is a whole number");
                }
            } else {
                reader_.unexpected(member ? "a name" : "the position of an element");
            }
            if (member) reader_.advance();
            if (!member) reader_.expect_symbol("]", "']'");
        }
        node.end = reader_.last_end();
    }

    constexpr NodeType number() {
        const Token at = reader_.token();
        const std::string_view digits = reader_.word();
        if (digits.size() > max_number_characters) {
            reader_.fail(FaultKind::limit, at.begin, at.end)
                .add("a number has at most ")
                .add_number(max_number_characters)
                .add(" characters");
            return {};
        }
        std::uint64_t whole = 0;
        for (const char digit : digits) {
            if (!is_digit(digit)) return real(digits);
            const auto value = static_cast<std::uint64_t>(digit - '0');
            if (whole > (std::numeric_limits<std::uint64_t>::max() - value) / 10) {
                reader_.fail(FaultKind::out_of_range, at.begin, at.end)
                    .add(digits)
                    .add(" is beyond 64 bits; a number that is meant to be rounded has a dot or an exponent");
                return {};
            }
            whole = 10 * whole + value;
        }
        return constant({.value = Scalar::of_unsigned(whole)});
    }

    constexpr NodeType real(std::string_view digits) {
        const Token at = reader_.token();
        const double value = to_double(digits);
        if (value > std::numeric_limits<double>::max()) {
            reader_.fail(FaultKind::out_of_range, at.begin, at.end).add(digits).add(" does not fit double");
            return {};
        }
        return constant({.value = Scalar::of_real(value)});
    }

    /// The node of the constant that the current word is.
    constexpr NodeType constant(Constant value) {
        const Token at = reader_.token();
        value.begin = at.begin;
        value.end = at.end;
        reader_.advance();
        return {.constant = value, .kind = value.value.kind, .begin = at.begin, .end = at.end};
    }

    /// What stands between the quotes.
    [[nodiscard]] constexpr std::string_view inside(const Token& at) const noexcept {
        return reader_.text().substr(at.begin + 1, at.end - at.begin - 2);
    }

    constexpr void want_number(const NodeType& node) {
        want_scalar(node);
        if (reader_.failed()) return;
        if (node.shape == Shape::path) return;  // null where it is none
        const bool number = node.kind == ScalarKind::integer || node.kind == ScalarKind::real;
        const bool named = node.shape == Shape::column;
        if (number && !(named && columns_[node.field].enumeration)) return;
        if (named) {
            misuse(node)
                .add("only numbers are calculated with, and this is ")
                .add(number ? "an enum" : words_for(node.kind));
        } else {
            reader_.fail(FaultKind::wrong_type, node.begin, node.end)
                .add("only numbers are calculated with, and this is ")
                .add(words_for(node.kind));
        }
    }

    /// Notes a fault when the constant came out as nothing.
    constexpr void want_result(const NodeType& node) {
        if (node.constant.value.kind != ScalarKind::null) return;
        reader_.fail(FaultKind::out_of_range, node.begin, node.end)
            .add("this has no result: a number leaves its range or is divided by zero");
    }

    constexpr std::size_t check_depth(const NodeType& node, std::size_t depth) {
        if (depth > max_condition_depth) too_deep(node.begin, node.end);
        return depth;
    }

    constexpr NodeType calculated(TermOp op, NodeType left, NodeType right) {
        want_number(left);
        want_number(right);
        NodeType node{.shape = Shape::computed, .begin = left.begin, .end = right.end};
        if (reader_.failed()) return node;
        const bool whole = left.kind != ScalarKind::real && right.kind != ScalarKind::real;
        node.kind = whole ? ScalarKind::integer : ScalarKind::real;
        if (op == TermOp::remainder && !whole) {
            reader_.fail(FaultKind::wrong_type, node.begin, node.end).add("% takes integers");
            return node;
        }
        if (left.shape == Shape::constant && right.shape == Shape::constant) {
            node.shape = Shape::constant;
            node.constant = {.begin = node.begin, .end = node.end};
            node.constant.known = left.constant.known && right.constant.known;
            node.constant.value.kind = node.kind;
            if (node.constant.known) node.constant.value = fold(op, left.constant.value, right.constant.value);
            want_result(node);
            return node;
        }
        node.depth = check_depth(node, std::max(left.depth, right.depth) + 1);
        node.term = Maker::calculation(op, term_of(std::move(left)), term_of(std::move(right)));
        return node;
    }
};

}  // namespace kith::inline v0::detail
