// kith/query/parse.hpp — conditions as text, such as "year >= 2020 AND NOT title LIKE '%owl%'".
//
// A text becomes the tree that the same condition written in C++ would be. One that is known while compiling is
// checked by the compiler; any other is checked when it is read. docs/conditions.md has the grammar.
//
// Thread safety: functions without state of their own.
#pragma once

#include "kith/query/column.hpp"
#include "kith/query/condition.hpp"
#include "kith/query/parse/arguments.hpp"
#include "kith/query/parse/check_maker.hpp"
#include "kith/query/parse/fault_text.hpp"
#include "kith/query/parse/parser.hpp"
#include "kith/query/parse/tree_maker.hpp"
#include "kith/schema/utf8.hpp"

#include <array>
#include <cstddef>
#include <span>
#include <string_view>
#include <utility>

namespace kith::inline v0 {

namespace detail {

inline Expression parse_expression(std::string_view text, std::span<const Column> columns,
                                   std::span<const Argument> arguments) {
    const std::size_t valid = utf8_valid_prefix(text);
    if (valid < text.size()) {
        Fault fault{.kind = FaultKind::not_well_formed, .begin = valid, .end = valid};
        fault.sentence.add("the bytes from here on are no UTF-8");
        raise_fault(text.substr(0, valid), fault);
    }
    Parser<TreeMaker> parser(text, columns, arguments);
    Expression tree = parser.parse();
    if (parser.fault().kind != FaultKind::none) raise_fault(text, parser.fault());
    return tree;
}

}  // namespace detail

/// The condition that a text states about records of type R; each `?` in it stands for one of the values, in order. For
/// `IN ?` the value is a std::vector or the like.
/// Throws: Error with invalid_argument for a text that is no condition on R, with what is wrong, the place in the text
/// and the nearest name; limit_exceeded for one that is too long or too deep.
template <class R, class... L>
[[nodiscard]] Condition<R> parse_condition(std::string_view text, const L&... values) {
    if constexpr ((detail::ArgumentCheck<L>::ok && ...)) {
        const detail::Arguments<sizeof...(L)> arguments(values...);
        return Condition<R>(detail::parse_expression(text, detail::columns_of<R>, arguments.bound()));
    } else {
        return Condition<R>();
    }
}

/// The tree of a condition on columns that are known only at run time.
/// Throws: as parse_condition.
template <class... L>
[[nodiscard]] Expression parse_expression(std::string_view text, std::span<const Column> columns, const L&... values) {
    if constexpr ((detail::ArgumentCheck<L>::ok && ...)) {
        const detail::Arguments<sizeof...(L)> arguments(values...);
        return detail::parse_expression(text, columns, arguments.bound());
    } else {
        return Expression();
    }
}

/// A text as a template argument.
template <std::size_t Size>
struct FixedText {
    char letters[Size]{};  // a class type as template argument has public members

    consteval FixedText(const char (&text)[Size]) noexcept {
        for (std::size_t at = 0; at < Size; ++at) letters[at] = text[at];
    }
    consteval explicit FixedText(std::string_view text) noexcept {
        for (std::size_t at = 0; at < text.size(); ++at) letters[at] = text[at];
    }

    [[nodiscard]] constexpr std::string_view view() const noexcept { return {letters, Size - 1}; }
};

namespace detail {

template <class R, FixedText Text, class... L>
inline constexpr Fault text_fault = [] {
    const std::array<Argument, sizeof...(L)> kinds{argument_kind<L>()...};
    Parser<CheckMaker> parser(Text.view(), columns_of<R>, kinds);
    parser.parse();
    return parser.fault();
}();

/// Says what is wrong with a condition that is a literal. The sentences here are general; `Said` has the particulars.
template <FaultKind Kind, class Record, FixedText Said, FixedText Text, std::size_t Place>
struct TextCheck {
    static_assert(Kind != FaultKind::not_well_formed,
                  "kith: this condition is not well formed; what is said of it stands among the template arguments");
    static_assert(Kind != FaultKind::unknown_column,
                  "kith: this condition names a column that the record has not; the name and the nearest one stand "
                  "among the template arguments");
    static_assert(Kind != FaultKind::wrong_comparison,
                  "kith: a column in this condition takes no such comparison; what to write stands among the template "
                  "arguments");
    static_assert(Kind != FaultKind::wrong_type,
                  "kith: a value in this condition is not of its column's type; both stand among the template "
                  "arguments");
    static_assert(Kind != FaultKind::out_of_range,
                  "kith: a value in this condition does not fit its column's type; both stand among the template "
                  "arguments");
    static_assert(Kind != FaultKind::limit,
                  "kith: this condition passes a limit of docs/conditions.md; which one stands among the template "
                  "arguments");
};

}  // namespace detail

/// The condition that a literal states about records of type R: `condition<Article, "year >= ?">(2020)`. The compiler
/// checks the text against the record and the types of the values.
/// Throws: Error with invalid_argument when a value does not fit its column.
/// Cost: a text without placeholders is read once in the life of the program.
template <class R, FixedText Text, class... L>
[[nodiscard]] Condition<R> condition(const L&... values) {
    if constexpr ((detail::ArgumentCheck<L>::ok && ...)) {
        constexpr const detail::Fault& fault = detail::text_fault<R, Text, L...>;
        if constexpr (fault.kind != detail::FaultKind::none) {
            constexpr FixedText<fault.sentence.view().size() + 1> said(fault.sentence.view());
            static_cast<void>(sizeof(detail::TextCheck<fault.kind, R, said, Text, fault.begin>));
            return Condition<R>();
        } else if constexpr (sizeof...(L) == 0) {
            static const Condition<R> parsed = parse_condition<R>(Text.view());
            return parsed;
        } else {
            return parse_condition<R>(Text.view(), values...);
        }
    } else {
        return Condition<R>();
    }
}

}  // namespace kith::inline v0
