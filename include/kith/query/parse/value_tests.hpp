// kith/query/parse/value_tests.hpp — reads the comparisons of a field with constants: lists, parts of texts, patterns.
//
//   test   := IN values | CONTAIN_ANY values | CONTAIN_ALL values | CONTAINS sum | HAS_PREFIX sum | HAS_SUFFIX sum
//           | (LIKE | ILIKE) sum [ESCAPE text]
//   values := "(" [sum {"," sum}] ")" | "?"
//
// The sums must be constants. Every such test becomes one leaf, which an index can answer.
//
// Thread safety: none; a parser reads one text.
#pragma once

#include "kith/query/parse/terms.hpp"
#include "kith/query/pattern.hpp"

#include <array>
#include <cstddef>
#include <span>
#include <string_view>
#include <utility>

namespace kith::inline v0::detail {

template <class Maker, class Derived>
class ValueTestParser : public TermParser<Maker, Derived> {
    using Base = TermParser<Maker, Derived>;

public:
    using typename Base::NodeType;
    using Tree = typename Maker::Tree;

    using Base::Base;

protected:
    using Base::columns_;
    using Base::reader_;

    constexpr void count_comparison(const NodeType& node) {
        if (++comparisons_ <= max_comparisons) return;
        reader_.fail(FaultKind::limit, node.begin, node.end)
            .add("the condition has more than ")
            .add_number(max_comparisons)
            .add(" comparisons");
    }

    [[nodiscard]] static constexpr Aspect aspect_of(const NodeType& node) noexcept {
        return node.shape == Shape::length ? Aspect::length : Aspect::value;
    }

    /// The beginning of a leaf about a value of any shape but a constant.
    constexpr Tree subject_of(NodeType node) {
        if (is_field(node)) return Maker::subject(node.field, aspect_of(node));
        return Maker::subject(this->term_of(std::move(node)));
    }

    /// Makes the constant one that the subject can be compared with, or notes a fault.
    constexpr void fit(const NodeType& subject, Constant& constant) {
        if (reader_.failed()) return;
        if (!is_field(subject)) return fit_beside_term(subject, constant);
        Fault fault;
        Fitting(reader_.text(), columns_[subject.field], aspect_of(subject), fault).fit(constant);
        if (fault.kind != FaultKind::none) reader_.fail(fault.kind, fault.begin, fault.end) = fault.sentence;
    }

    constexpr Tree leaf(Op op, const NodeType& subject, Constant constant) {
        fit(subject, constant);
        if (reader_.failed()) return {};
        typename Maker::Values values{};
        Maker::add(values, constant);
        return Maker::ask(op, subject_of(subject), std::move(values));
    }

    constexpr void want_list(const NodeType& node) {
        if (node.shape == Shape::path || (node.shape == Shape::column && columns_[node.field].list)) return;
        if (node.shape == Shape::column) {
            this->misuse(node).add("CONTAIN_ANY and CONTAIN_ALL look into a list and this field is none; write IN");
        } else {
            reader_.fail(FaultKind::wrong_comparison, node.begin, node.end).add("expected a column that is a list");
        }
    }

    constexpr void want_text(const NodeType& node) {
        this->want_scalar(node);
        if (reader_.failed() || node.shape == Shape::path) return;
        if (node.shape == Shape::column && columns_[node.field].kind == FieldKind::text) return;
        if (node.shape == Shape::column) {
            this->misuse(node).add("this test is for text, and the field is ").add(name(columns_[node.field].kind));
        } else {
            reader_.fail(FaultKind::wrong_comparison, node.begin, node.end).add("expected a column of text");
        }
    }

    /// Takes the word of a test of one subject; all_of when there is none.
    constexpr Op take_test() noexcept {
        struct Word {
            std::string_view word;
            Op op;
        };
        constexpr std::array<Word, 8> words{{{"in", Op::in},
                                             {"contain_any", Op::contains_any},
                                             {"contain_all", Op::contains_all},
                                             {"contains", Op::has_substring},
                                             {"has_prefix", Op::has_prefix},
                                             {"has_suffix", Op::has_suffix},
                                             {"like", Op::like},
                                             {"ilike", Op::ilike}}};
        for (const Word& one : words) {
            if (reader_.take_keyword(one.word)) return one.op;
        }
        return Op::all_of;
    }

    /// Reads what follows the word of a test.
    constexpr Tree test(Op op, const NodeType& subject) {
        count_comparison(subject);
        if (op == Op::in) this->want_scalar(subject);
        if (op == Op::contains_any || op == Op::contains_all) want_list(subject);
        if (op == Op::in || op == Op::contains_any || op == Op::contains_all) return among(op, subject);
        const bool list =
            subject.shape == Shape::path || (subject.shape == Shape::column && columns_[subject.field].list);
        if (op == Op::has_substring && list) return leaf(Op::contains_any, subject, listed());  // CONTAINS
        want_text(subject);
        if (reader_.failed()) return {};
        Constant text = listed();
        fit_text(subject, text);
        return op == Op::like || op == Op::ilike ? pattern(op, subject, text) : leaf(op, subject, text);
    }

private:
    /// IN, CONTAIN_ANY and CONTAIN_ALL with their values.
    constexpr Tree among(Op op, const NodeType& subject) {
        if (subject.shape == Shape::constant) {
            reader_.fail(FaultKind::wrong_comparison, subject.begin, subject.end).add("expected a column");
        }
        Listed list;
        if (reader_.token().kind == TokenKind::placeholder) {
            const Argument argument = this->take_argument();
            if (!argument.is_list && !reader_.failed()) {
                reader_.fail(FaultKind::wrong_type, argument.one.begin, argument.one.end)
                    .add("one value is given, expected a list; write (?) for a list of one");
            }
            if (argument.many.empty()) {  // while compiling, or truly
                Constant any = argument.one;
                any.known = false;
                fit(subject, any);
            }
            for (Constant one : argument.many) {
                one.begin = argument.one.begin;
                one.end = argument.one.end;
                add(list, subject, one);
            }
        } else {
            reader_.expect_symbol("(", "'(' and values");
            while (!reader_.failed() && !reader_.is_symbol(")")) {
                add(list, subject, listed());
                if (!reader_.take_symbol(",")) break;
                if (reader_.is_symbol(")")) reader_.unexpected("a value");
            }
            reader_.expect_symbol(")", "',' or ')'");
        }
        if (reader_.failed()) return {};
        return Maker::ask(op, subject_of(subject), std::move(list.values));
    }

    /// A constant beside the word of a test, or in a list.
    constexpr Constant listed() {
        const NodeType node = this->sum();
        this->want_value(node);
        if (!reader_.failed() && node.shape != Shape::constant) {
            reader_.fail(FaultKind::wrong_comparison, node.begin, node.end).add("expected a constant, not a column");
        }
        return node.constant;
    }

    /// The values of a list so far.
    struct Listed {
        typename Maker::Values values{};
        std::size_t count = 0;
        Scalar first{};
    };

    constexpr void add(Listed& list, const NodeType& subject, Constant constant) {
        fit(subject, constant);
        if (reader_.failed()) return;
        if (list.count == 0) list.first = constant.value;
        if (subject.shape == Shape::path && !alike(list.first, constant.value)) {
            reader_.fail(FaultKind::wrong_type, constant.begin, constant.end)
                .add("a list beside JSON holds values of one type");
            return;
        }
        if (++list.count > max_list_values) {
            reader_.fail(FaultKind::limit, constant.begin, constant.end)
                .add("a list has at most ")
                .add_number(max_list_values)
                .add(" values");
            return;
        }
        Maker::add(list.values, constant);
    }

    constexpr Tree pattern(Op op, const NodeType& subject, const Constant& pattern) {
        char escape = '\\';
        if (reader_.take_keyword("escape")) {
            const Token at = reader_.token();
            const std::string_view quoted = reader_.word();
            const bool good = at.kind == TokenKind::text && quoted.size() == 3 && quoted[1] != '%' &&
                              quoted[1] != '_' && static_cast<unsigned char>(quoted[1]) < 0x80;
            if (!good) reader_.unexpected("one ASCII character in single quotes, not %, _ or the quote");
            if (good) escape = quoted[1];
            reader_.advance();
        }
        check_escapes(subject, pattern, escape);
        if (reader_.failed()) return {};
        return Maker::ask_pattern(op, subject_of(subject), columns_[subject.field].name, pattern, escape);
    }

    constexpr void check_escapes(const NodeType& subject, const Constant& pattern, char escape) {
        if (reader_.failed() || !pattern.known) return;
        const std::string_view text = pattern.value.text;
        if (text.size() > max_pattern_bytes) {
            reader_.fail(FaultKind::limit, pattern.begin, pattern.end)
                .add("a pattern has at most ")
                .add_number(max_pattern_bytes)
                .add(" bytes");
            return;
        }
        for (std::size_t at = 0; at < text.size(); ++at) {
            if (text[at] != escape) continue;
            ++at;
            if (at < text.size() && (text[at] == '%' || text[at] == '_' || text[at] == escape)) continue;
            reader_.fail(FaultKind::wrong_type, pattern.begin, pattern.end)
                .add("field '")
                .add(columns_[subject.field].name)
                .add("': the pattern has an escape, expected %, _ or the escape itself behind it");
            return;
        }
    }

    /// As fit(), for a test that only text takes; what JSON holds may be compared with more than that.
    constexpr void fit_text(const NodeType& subject, Constant& constant) {
        fit(subject, constant);
        if (reader_.failed() || constant.value.kind == ScalarKind::text) return;
        Sentence& sentence = reader_.fail(FaultKind::wrong_type, constant.begin, constant.end).add("got ");
        show(sentence, reader_.text(), constant);
        sentence.add(", expected text in single quotes");
    }

    [[nodiscard]] static constexpr bool is_field(const NodeType& node) noexcept {
        return node.shape == Shape::column || node.shape == Shape::length;
    }

    /// What is calculated compares with numbers, what JSON holds with all that JSON can hold.
    constexpr void fit_beside_term(const NodeType& subject, const Constant& constant) {
        const Scalar& value = constant.value;
        const bool json = subject.shape == Shape::path;
        const bool fits = value.is_number() || (json && value.kind != ScalarKind::time);
        const bool nan = constant.known && value.kind == ScalarKind::real && value.real != value.real;
        if (fits && !nan) return;
        Sentence& sentence = reader_.fail(FaultKind::wrong_type, constant.begin, constant.end).add("got ");
        show(sentence, reader_.text(), constant);
        sentence.add(json && !nan ? "; JSON has no timestamps, compare it with text" : ", expected a number");
    }

    std::size_t comparisons_ = 0;
};

}  // namespace kith::inline v0::detail
