// kith/schema/reflect.hpp — what the compiler knows of a plain struct: how many members, their names, which is which.
//
// The standard has no reflection before C++26, so three facts are combined. An aggregate can be initialised with as
// many values as it has members and not one more, which counts them. A structured binding gives each member's address
// in an object that is declared and never defined, so any struct will do. And a compiler prints such an address, given
// as a template argument, with the member's name. Everything that depends on a compiler's habits is in this file.
//
// Thread safety: everything happens while compiling.
// Source: the technique is common to Boost.PFR, glaze and reflect-cpp; the code is ours.
#pragma once

#include "kith/schema/members.hpp"

#include <cstddef>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace kith::inline v0::detail {

/// The most members a record may have.
inline constexpr std::size_t max_members = 64;

// The conversions below are never called. They have a body all the same, for clang asks for one where a library's
// template does call them and the type belongs to one source file alone.

/// Stands for a value of any type where nothing is evaluated.
struct AnyValue {
    template <class T>
    operator T() const noexcept {
        __builtin_unreachable();
    }
};

/// Stands for a value of a base class of `Derived` where nothing is evaluated.
template <class Derived>
struct AnyBase {
    template <class T>
        requires(std::is_base_of_v<T, Derived> && !std::is_same_v<T, Derived>)
    operator T() const noexcept {
        __builtin_unreachable();
    }
};

/// Stands for an object of any class where nothing is evaluated.
struct AnyObject {
    template <class T>
        requires std::is_class_v<T>
    operator T() const noexcept {
        __builtin_unreachable();
    }
};

template <class Record, std::size_t... I>
consteval bool takes_values(std::index_sequence<I...>) {
    return requires { Record{(static_cast<void>(I), AnyValue())...}; };
}

template <class Record>
inline constexpr bool has_base = requires { Record{AnyBase<Record>()}; };

/// How many members `Record` has; max_members + 1 stands for any larger number.
/// Requires: an aggregate without a base class and without C arrays.
template <class Record, std::size_t Count = 0>
consteval std::size_t count_members() {
    if constexpr (Count > max_members) {
        return Count;
    } else if constexpr (takes_values<Record>(std::make_index_sequence<Count + 1>())) {
        return count_members<Record, Count + 1>();
    } else {
        return Count;
    }
}

template <class Record>
inline constexpr std::size_t member_count = count_members<std::remove_const_t<Record>>();

/// True when the value after the first ones belongs to a C array of numbers: it takes braces, and it is no class.
template <class Record, std::size_t... First>
consteval bool array_follows(std::index_sequence<First...>) {
    return requires { Record{(static_cast<void>(First), AnyValue())..., {AnyValue(), AnyValue()}}; } &&
           !requires { Record{(static_cast<void>(First), AnyValue())..., AnyObject()}; };
}

/// True when a member is a C array of two or more numbers. Its elements would each be counted as a member.
template <class Record>
inline constexpr bool has_c_array = []<std::size_t... I>(std::index_sequence<I...>) {
    return (array_follows<Record>(std::make_index_sequence<I>()) || ...);
}(std::make_index_sequence<member_count<Record> <= max_members ? member_count<Record> : 0>());

/// References to all members, in the order of the struct.
template <class Record>
constexpr auto members(Record& record) noexcept {
    return tie_members(record, MemberCount<member_count<Record>>());
}

template <class Record, std::size_t I>
using MemberType = std::remove_cvref_t<std::tuple_element_t<I, decltype(members(std::declval<Record&>()))>>;

template <class T>
struct Unplaced {
    T value;
};

// The object below is only ever named: its members have addresses and no bytes. Compilers rightly find that odd.
#if defined(__clang__)
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wundefined-internal"
#pragma clang diagnostic ignored "-Wundefined-var-template"
#endif

template <class Record>
extern const Unplaced<Record> unplaced;

template <class Record, std::size_t I>
consteval auto member_address() noexcept {
    return &std::get<I>(members(unplaced<Record>.value));
}

template <class Record, auto Member>
consteval auto address_through() noexcept {
    return &(unplaced<Record>.value.*Member);
}

#if defined(__clang__)
#pragma clang diagnostic pop
#endif

/// Carries a pointer as a template argument; clang before 18 takes no pointer into an object without it.
template <class Pointer>
struct Printed {
    Pointer pointer;
};

template <auto Value>
consteval auto printed_name() noexcept {
    return std::string_view(__PRETTY_FUNCTION__);
}

constexpr bool is_name_character(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           static_cast<unsigned char>(c) >= 0x80;
}

/// The last identifier of a text.
constexpr std::string_view last_name(std::string_view text) noexcept {
    std::size_t end = text.size();
    while (end > 0 && !is_name_character(text[end - 1])) --end;
    std::size_t begin = end;
    while (begin > 0 && is_name_character(text[begin - 1])) --begin;
    return text.substr(begin, end - begin);
}

template <class Record, std::size_t I>
inline constexpr std::string_view member_name =
    last_name(printed_name<Printed<decltype(member_address<Record, I>())>{member_address<Record, I>()}>());

template <class>
struct MemberPointer;

template <class Owner, class T>
struct MemberPointer<T Owner::*> {
    using Record = Owner;
    using Type = T;
};

/// The struct that a member pointer points into.
template <auto Member>
using RecordOf = typename MemberPointer<std::remove_const_t<decltype(Member)>>::Record;

/// The type of the member that a member pointer names.
template <auto Member>
using TypeOf = typename MemberPointer<std::remove_const_t<decltype(Member)>>::Type;

/// True for a pointer to a data member of `Record` itself.
template <class Record, auto Member>
consteval bool is_member_of() noexcept {
    if constexpr (std::is_member_object_pointer_v<std::remove_const_t<decltype(Member)>>) {
        return std::is_same_v<RecordOf<Member>, Record>;
    } else {
        return false;
    }
}

template <class Record, auto Member, std::size_t I>
consteval bool is_member() {
    if constexpr (std::is_same_v<TypeOf<Member>, MemberType<Record, I>>) {
        return address_through<Record, Member>() == member_address<Record, I>();
    } else {
        return false;
    }
}

template <class Record, auto Member, std::size_t... I>
consteval std::size_t find_member(std::index_sequence<I...>) {
    std::size_t found = sizeof...(I);
    static_cast<void>(((is_member<Record, Member, I>() ? (found = I, true) : false) || ...));
    return found;
}

/// The place of a member in its struct, counted from 0.
template <auto Member>
inline constexpr std::size_t member_index =
    find_member<RecordOf<Member>, Member>(std::make_index_sequence<member_count<RecordOf<Member>>>());

struct NameProbe {
    int probed_member;
};

static_assert(member_name<NameProbe, 0> == "probed_member" && member_index<&NameProbe::probed_member> == 0,
              "kith: this compiler does not print member names as kith knows them; g++ 12 or clang 14 and later do");

}  // namespace kith::inline v0::detail
