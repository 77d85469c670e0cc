// kith/query/field_tests.hpp — what else can be asked of one field in C++: a pattern, the length of a list.
//
//   like(field, "a%")  ilike(…)      a text that matches a pattern; see kith/query/pattern.hpp
//   has_prefix(field, "a")           a text that begins so; has_suffix: ends so; contains: has it in it
//   array_length(field) >= 2         how many elements a list has; all six comparisons, and in
//
// Thread safety: functions without state.
#pragma once

#include "kith/query/condition.hpp"
#include "kith/query/field_ref.hpp"
#include "kith/query/pattern.hpp"

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace kith::inline v0 {

namespace detail {

/// Says what to write when a field that is no text is tested as one.
template <auto Member>
struct TextFieldCheck {
    static constexpr bool ok = is_text<Member>;
    static_assert(ok, "kith: this test is for text; the field must be a std::string or std::optional<std::string>");
};

template <auto Member>
auto text_condition(Op op, std::string_view wanted) {
    Expression leaf{.op = op, .field = member_index<Member>};
    if constexpr (TextFieldCheck<Member>::ok) leaf.values.emplace_back(std::string(wanted));
    return Condition<RecordOf<Member>>(std::move(leaf));
}

template <auto Member>
auto pattern_condition(Op op, std::string_view pattern, char escape) {
    static_cast<void>(TextFieldCheck<Member>::ok);
    return Condition<RecordOf<Member>>(
        pattern_leaf(op, {.field = member_index<Member>}, field_name<Member>(), pattern, escape));
}

}  // namespace detail

/// The text begins with `start`.
template <auto Member>
[[nodiscard]] auto has_prefix(FieldRef<Member>, std::string_view start) {
    return detail::text_condition<Member>(Op::has_prefix, start);
}

/// The text ends with `end`.
template <auto Member>
[[nodiscard]] auto has_suffix(FieldRef<Member>, std::string_view end) {
    return detail::text_condition<Member>(Op::has_suffix, end);
}

/// The text matches a pattern of %, any characters, and _, one character; behind `escape` they stand for themselves.
/// Throws: Error with invalid_argument when anything but %, _ or the escape itself stands behind the escape.
template <auto Member>
[[nodiscard]] auto like(FieldRef<Member>, std::string_view pattern, char escape = '\\') {
    return detail::pattern_condition<Member>(Op::like, pattern, escape);
}

/// As like, where the case of the letters A to Z does not matter.
template <auto Member>
[[nodiscard]] auto ilike(FieldRef<Member>, std::string_view pattern, char escape = '\\') {
    return detail::pattern_condition<Member>(Op::ilike, pattern, escape);
}

/// Stands for the number of elements of a list in a condition; see `array_length`.
template <auto Member>
struct LengthRef {};

/// The number of elements of a list: `array_length(field<&Article::tags>) > 2`.
/// Throws: each comparison, Error with invalid_argument for a number below 0.
template <auto Member>
[[nodiscard]] constexpr LengthRef<Member> array_length(FieldRef<Member>) noexcept {
    static_assert(detail::is_list<detail::Present<detail::TypeOf<Member>>>,
                  "kith: array_length counts the elements of a list; the field must be a std::vector of scalars");
    return {};
}

namespace detail {

template <auto Member, class L>
auto length_condition(Op op, const L& length) {
    Expression leaf{.op = op, .field = member_index<Member>};
    leaf.aspect = Aspect::length;
    leaf.values.push_back(literal_value<std::uint64_t>(field_name<Member>(), length));
    return Condition<RecordOf<Member>>(std::move(leaf));
}

}  // namespace detail

template <auto Member, detail::LiteralSide L>
[[nodiscard]] auto operator==(LengthRef<Member>, const L& length) {
    return detail::length_condition<Member>(Op::equal, length);
}

template <auto Member, detail::LiteralSide L>
[[nodiscard]] auto operator!=(LengthRef<Member>, const L& length) {
    return detail::length_condition<Member>(Op::not_equal, length);
}

template <auto Member, detail::LiteralSide L>
[[nodiscard]] auto operator<(LengthRef<Member>, const L& length) {
    return detail::length_condition<Member>(Op::less, length);
}

template <auto Member, detail::LiteralSide L>
[[nodiscard]] auto operator<=(LengthRef<Member>, const L& length) {
    return detail::length_condition<Member>(Op::less_equal, length);
}

template <auto Member, detail::LiteralSide L>
[[nodiscard]] auto operator>(LengthRef<Member>, const L& length) {
    return detail::length_condition<Member>(Op::greater, length);
}

template <auto Member, detail::LiteralSide L>
[[nodiscard]] auto operator>=(LengthRef<Member>, const L& length) {
    return detail::length_condition<Member>(Op::greater_equal, length);
}

/// The list has one of these lengths; false of none.
template <auto Member, class Literals>
[[nodiscard]] auto in(LengthRef<Member>, const Literals& lengths) {
    Expression leaf{.op = Op::in, .field = detail::member_index<Member>};
    leaf.aspect = Aspect::length;
    for (const auto& length : lengths) {
        leaf.values.push_back(detail::literal_value<std::uint64_t>(detail::field_name<Member>(), length));
    }
    leaf.values = detail::ascending(std::move(leaf.values));
    return Condition<detail::RecordOf<Member>>(std::move(leaf));
}

template <auto Member, class L>
[[nodiscard]] auto in(LengthRef<Member> length, std::initializer_list<L> lengths) {
    return in<Member, std::initializer_list<L>>(length, lengths);
}

}  // namespace kith::inline v0
