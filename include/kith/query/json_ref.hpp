// kith/query/json_ref.hpp — conditions on what JSON holds, written in C++.
//
//   field<&R::meta>["author"]["name"] == "x"         members by name, elements by position: ["tags"][0]
//   ==  !=  <  <=  >  >=                             with a number, a text, a bool (== and != only), or another field
//   in(…)  between(…)  like(…)  has_prefix(…) …      as of fields; contains, contains_any, contains_all: of a list
//   array_length(field<&R::meta>["tags"]) > 2        how many elements a list has
//   field<&R::meta>["author"].is_null()              JSON's null, or nothing there
//
// What is there decides only with a record: a comparison with a value of another type is unknown, as one with null is.
//
// Thread safety: functions without state.
#pragma once

#include "kith/query/condition.hpp"
#include "kith/query/expression.hpp"
#include "kith/query/field_ref.hpp"
#include "kith/query/pattern.hpp"
#include "kith/query/scalar.hpp"
#include "kith/query/term_ref.hpp"

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace kith::inline v0 {

/// Stands for what a JSON field holds at a path.
template <auto Member>
struct JsonRef {
    using Record = detail::RecordOf<Member>;

    std::vector<Term> steps{};

    [[nodiscard]] JsonRef operator[](std::string_view name) const { return with(std::string(name)); }
    [[nodiscard]] JsonRef operator[](std::size_t position) const { return with(std::uint64_t{position}); }

    /// Holds where there is nothing, or JSON's null.
    [[nodiscard]] Condition<Record> is_null() const { return ask(Op::is_null, {}); }

    [[nodiscard]] Term term(TermOp op = TermOp::path) const {
        return {.op = op, .field = detail::member_index<Member>, .parts = steps};
    }

    [[nodiscard]] Condition<Record> ask(Op op, std::vector<Value> values) const {
        Expression leaf{.op = op};
        leaf.values = detail::ascending(std::move(values));
        leaf.terms.push_back(term());
        return Condition<Record>(std::move(leaf));
    }

private:
    [[nodiscard]] JsonRef with(Value step) const {
        JsonRef longer = *this;
        longer.steps.push_back({.op = TermOp::constant, .value = std::move(step)});
        return longer;
    }
};

namespace detail {

template <auto Member>
inline constexpr bool is_term_side<JsonRef<Member>> = true;

template <class L>
concept JsonLiteral = NumberLiteral<L> || std::same_as<L, bool> || std::is_convertible_v<const L&, std::string_view>;

template <auto Member, JsonLiteral L>
inline constexpr bool is_free_literal<JsonRef<Member>, L> = !is_term_side<L>;

template <auto Member>
struct Side<JsonRef<Member>> {
    using Record = RecordOf<Member>;
    using Type = Json;
    static constexpr bool plain = true;
    static constexpr bool whole = true;  // where it is a real, % has no result
    static Term term(const JsonRef<Member>& ref) { return ref.term(); }
};

template <class Literals>
std::vector<Value> free_values(const Literals& literals) {
    using L = std::remove_cvref_t<decltype(*literals.begin())>;
    static_assert(JsonLiteral<L>, "kith: JSON is compared with numbers, texts and bools");
    std::vector<Value> values;
    for (const L& literal : literals) values.push_back(free_value(literal));
    return values;
}

template <auto Member>
auto json_pattern(Op op, const JsonRef<Member>& ref, std::string_view pattern, char escape) {
    return Condition<RecordOf<Member>>(pattern_leaf(op, subject(ref), field_name<Member>(), pattern, escape));
}

}  // namespace detail

template <auto Member, class Literals>
[[nodiscard]] auto in(const JsonRef<Member>& ref, const Literals& values) {
    return ref.ask(Op::in, detail::free_values(values));
}
template <auto Member, class L>
[[nodiscard]] auto in(const JsonRef<Member>& ref, std::initializer_list<L> values) {
    return ref.ask(Op::in, detail::free_values(values));
}

/// The JSON list holds the value.
template <auto Member, detail::JsonLiteral L>
[[nodiscard]] auto contains(const JsonRef<Member>& ref, const L& value) {
    return ref.ask(Op::contains_any, {detail::free_value(value)});
}

template <auto Member, class Literals>
[[nodiscard]] auto contains_any(const JsonRef<Member>& ref, const Literals& values) {
    return ref.ask(Op::contains_any, detail::free_values(values));
}
template <auto Member, class L>
[[nodiscard]] auto contains_any(const JsonRef<Member>& ref, std::initializer_list<L> values) {
    return ref.ask(Op::contains_any, detail::free_values(values));
}

template <auto Member, class Literals>
[[nodiscard]] auto contains_all(const JsonRef<Member>& ref, const Literals& values) {
    return ref.ask(Op::contains_all, detail::free_values(values));
}
template <auto Member, class L>
[[nodiscard]] auto contains_all(const JsonRef<Member>& ref, std::initializer_list<L> values) {
    return ref.ask(Op::contains_all, detail::free_values(values));
}

template <auto Member>
[[nodiscard]] auto has_prefix(const JsonRef<Member>& ref, std::string_view start) {
    return ref.ask(Op::has_prefix, {std::string(start)});
}

template <auto Member>
[[nodiscard]] auto has_suffix(const JsonRef<Member>& ref, std::string_view end) {
    return ref.ask(Op::has_suffix, {std::string(end)});
}

template <auto Member>
[[nodiscard]] auto like(const JsonRef<Member>& ref, std::string_view pattern, char escape = '\\') {
    return detail::json_pattern(Op::like, ref, pattern, escape);
}

template <auto Member>
[[nodiscard]] auto ilike(const JsonRef<Member>& ref, std::string_view pattern, char escape = '\\') {
    return detail::json_pattern(Op::ilike, ref, pattern, escape);
}

/// The number of elements of a JSON list.
template <auto Member>
[[nodiscard]] Calculated<detail::RecordOf<Member>, true> array_length(const JsonRef<Member>& ref) {
    return {ref.term(TermOp::size)};
}

}  // namespace kith::inline v0
