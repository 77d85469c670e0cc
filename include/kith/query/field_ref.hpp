// kith/query/field_ref.hpp — conditions written in C++, such as `kith::field<&Article::year> >= 2020`.
//
// A field is named by its member pointer, so its name and its type are checked where the condition is written, and what
// cannot be meant says what to write instead.
//
//   ==  !=  <  <=  >  >=        a field that is no list, with a value of its type; bool takes == and != only
//   in(field, {a, b})           the same, one of several
//   contains(field, a)          a list that holds a, or a text with a in it; contains_any and contains_all take several
//   field.is_null()             an optional field without a value
//   &&  ||  !                   conditions
//
// Thread safety: functions without state.
#pragma once

#include "kith/query/condition.hpp"
#include "kith/query/literal.hpp"
#include "kith/query/scalar.hpp"
#include "kith/schema/field.hpp"
#include "kith/schema/reflect.hpp"

#include <cstddef>
#include <initializer_list>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace kith::inline v0 {

namespace detail {

/// The forms a condition on a field can take.
enum class Form : unsigned char { equality, order, membership, content };

/// Says what to write when a field cannot take a condition of this form.
template <class T, Form Wanted>
struct FormCheck {
    static constexpr bool vector = is_element_array<T>;
    static constexpr bool list = is_list<Present<T>>;
    static constexpr bool json = is_json<T>;
    static constexpr bool storable = vector || json || StoredScalar<ScalarOf<T>>;
    static constexpr bool of_list = Wanted == Form::content;

    static_assert(storable, "kith: a member of this type is no field; see the sentence about its Schema");
    static_assert(!vector, "kith: a vector field is searched, not compared; write nearest<&Record::member>(query)");
    static_assert(!json, "kith: JSON is asked by its parts; write kith::field<&Record::member>[\"name\"]");
    static_assert(
        !storable || vector || json || list || !of_list,
        "kith: contains looks into a list and this field is none; write kith::in(kith::field<&Record::member>, "
        "{...}) or compare it");
    static_assert(!list || of_list,
                  "kith: this field is a list; write kith::contains(kith::field<&Record::member>, value)");
    static_assert(list || Wanted != Form::order || !std::is_same_v<ScalarOf<T>, bool>,
                  "kith: a bool field is not ordered; compare it with == or !=");

    static constexpr bool ok = storable && !vector && !json && list == of_list &&
                               !(Wanted == Form::order && std::is_same_v<ScalarOf<T>, bool>);
};

template <auto Member>
consteval std::string_view field_name() {
    return member_name<RecordOf<Member>, member_index<Member>>;
}

template <auto Member, Form Wanted, class L>
Expression leaf_of_one(Op op, const L& literal) {
    using T = TypeOf<Member>;
    Expression leaf{.op = op, .field = member_index<Member>};
    if constexpr (FormCheck<T, Wanted>::ok) {
        leaf.values.push_back(literal_value<ScalarOf<T>>(field_name<Member>(), literal));
    }
    return leaf;
}

template <auto Member, Form Wanted, class Literals>
Expression leaf_of_many(Op op, const Literals& literals) {
    using T = TypeOf<Member>;
    Expression leaf{.op = op, .field = member_index<Member>};
    if constexpr (FormCheck<T, Wanted>::ok) {
        for (const auto& literal : literals) {
            leaf.values.push_back(literal_value<ScalarOf<T>>(field_name<Member>(), literal));
        }
        leaf.values = ascending(std::move(leaf.values));
    }
    return leaf;
}

/// A text that has another in it is asked for with contains, as a list is for its element.
template <auto Member>
inline constexpr bool is_text = std::is_same_v<Present<TypeOf<Member>>, std::string>;

/// True for what a comparison may have on its right side besides a literal: another field or a calculation.
template <class>
inline constexpr bool is_term_side = false;

template <class L>
concept LiteralSide = !is_term_side<L>;

}  // namespace detail

template <auto Member>
struct JsonRef;

/// Stands for a field in a condition; see `field`.
template <auto Member>
struct FieldRef {
    static_assert(std::is_member_object_pointer_v<std::remove_const_t<decltype(Member)>>,
                  "kith: a field is named by a pointer to a data member; write kith::field<&Record::member>");
    using Record = detail::RecordOf<Member>;

    /// Holds for records in which the field has no value.
    [[nodiscard]] Condition<Record> is_null() const {
        static_assert(detail::is_optional<detail::TypeOf<Member>> || detail::is_json<detail::TypeOf<Member>>,
                      "kith: this field is never null; only a std::optional member takes is_null()");
        if constexpr (detail::is_json<detail::TypeOf<Member>>) {
            return JsonRef<Member>().is_null();
        } else {
            return Condition<Record>({.op = Op::is_null, .field = detail::member_index<Member>});
        }
    }

    /// What JSON holds under a name or at a position; see kith/query/json_ref.hpp.
    template <class Step>
    [[nodiscard]] JsonRef<Member> operator[](const Step& step) const {
        static_assert(detail::is_json<detail::TypeOf<Member>>, "kith: only a kith::Json member has members");
        return JsonRef<Member>()[step];
    }
};

/// A field of a record, to be compared: `field<&Article::year> >= 2020`.
/// Throws: each comparison, Error with invalid_argument for a value that the field's type cannot hold.
template <auto Member>
inline constexpr FieldRef<Member> field{};

template <auto Member, detail::LiteralSide L>
[[nodiscard]] auto operator==(FieldRef<Member>, const L& literal) {
    return Condition<detail::RecordOf<Member>>(detail::leaf_of_one<Member, detail::Form::equality>(Op::equal, literal));
}

template <auto Member, detail::LiteralSide L>
[[nodiscard]] auto operator!=(FieldRef<Member>, const L& literal) {
    return Condition<detail::RecordOf<Member>>(
        detail::leaf_of_one<Member, detail::Form::equality>(Op::not_equal, literal));
}

template <auto Member, detail::LiteralSide L>
[[nodiscard]] auto operator<(FieldRef<Member>, const L& literal) {
    return Condition<detail::RecordOf<Member>>(detail::leaf_of_one<Member, detail::Form::order>(Op::less, literal));
}

template <auto Member, detail::LiteralSide L>
[[nodiscard]] auto operator<=(FieldRef<Member>, const L& literal) {
    return Condition<detail::RecordOf<Member>>(
        detail::leaf_of_one<Member, detail::Form::order>(Op::less_equal, literal));
}

template <auto Member, detail::LiteralSide L>
[[nodiscard]] auto operator>(FieldRef<Member>, const L& literal) {
    return Condition<detail::RecordOf<Member>>(detail::leaf_of_one<Member, detail::Form::order>(Op::greater, literal));
}

template <auto Member, detail::LiteralSide L>
[[nodiscard]] auto operator>=(FieldRef<Member>, const L& literal) {
    return Condition<detail::RecordOf<Member>>(
        detail::leaf_of_one<Member, detail::Form::order>(Op::greater_equal, literal));
}

/// The field is one of the values; false of none.
template <auto Member, class Literals>
[[nodiscard]] auto in(FieldRef<Member>, const Literals& values) {
    return Condition<detail::RecordOf<Member>>(detail::leaf_of_many<Member, detail::Form::membership>(Op::in, values));
}

template <auto Member, class L>
[[nodiscard]] auto in(FieldRef<Member> field, std::initializer_list<L> values) {
    return in<Member, std::initializer_list<L>>(field, values);
}

/// The list holds the value, or the text has it in it.
template <auto Member, class L>
[[nodiscard]] auto contains(FieldRef<Member>, const L& value) {
    if constexpr (detail::is_text<Member>) {
        return Condition<detail::RecordOf<Member>>(
            detail::leaf_of_one<Member, detail::Form::equality>(Op::has_substring, value));
    } else {
        return Condition<detail::RecordOf<Member>>(
            detail::leaf_of_one<Member, detail::Form::content>(Op::contains_any, value));
    }
}

/// The list holds at least one of the values; false of none.
template <auto Member, class Literals>
[[nodiscard]] auto contains_any(FieldRef<Member>, const Literals& values) {
    return Condition<detail::RecordOf<Member>>(
        detail::leaf_of_many<Member, detail::Form::content>(Op::contains_any, values));
}

template <auto Member, class L>
[[nodiscard]] auto contains_any(FieldRef<Member> field, std::initializer_list<L> values) {
    return contains_any<Member, std::initializer_list<L>>(field, values);
}

/// The list holds every one of the values; true of none.
template <auto Member, class Literals>
[[nodiscard]] auto contains_all(FieldRef<Member>, const Literals& values) {
    return Condition<detail::RecordOf<Member>>(
        detail::leaf_of_many<Member, detail::Form::content>(Op::contains_all, values));
}

template <auto Member, class L>
[[nodiscard]] auto contains_all(FieldRef<Member> field, std::initializer_list<L> values) {
    return contains_all<Member, std::initializer_list<L>>(field, values);
}

}  // namespace kith::inline v0
