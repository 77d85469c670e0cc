// kith/query/column.hpp — the columns of a record as a condition in text sees them.
//
// A text names columns and the values of enumerations, so it is read beside a table of both. For a record type the
// table is made while compiling; a schema known only at run time fills one from its fields.
//
// Thread safety: values and functions without state.
#pragma once

#include "kith/schema/field.hpp"
#include "kith/schema/reflect.hpp"

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

namespace kith::inline v0 {

/// A value of an enumeration that has a name.
struct EnumName {
    std::string_view name;
    std::int64_t value = 0;
};

/// What a condition in text may say of a field. Views must outlive the table.
struct Column {
    std::string_view name;
    FieldKind kind = FieldKind::boolean;  // of the element, for a list
    bool nullable = false;
    bool list = false;
    bool enumeration = false;
    std::int64_t least = 0;             // of an integer; an enumeration may be narrower than its kind
    std::uint64_t most = 0;             // of an integer
    std::span<const EnumName> names{};  // those of an enumeration that are known
};

/// The column of a field whose type is known by its description alone.
constexpr Column column_of(const FieldInfo& field) noexcept {
    Column column{.name = field.name, .kind = field.kind, .nullable = field.nullable, .list = field.list};
    if (field.kind == FieldKind::int32) {
        column.least = std::numeric_limits<std::int32_t>::min();
        column.most = std::numeric_limits<std::int32_t>::max();
    } else if (field.kind == FieldKind::int64) {
        column.least = std::numeric_limits<std::int64_t>::min();
        column.most = std::numeric_limits<std::int64_t>::max();
    } else if (field.kind == FieldKind::uint32) {
        column.most = std::numeric_limits<std::uint32_t>::max();
    } else if (field.kind == FieldKind::uint64) {
        column.most = std::numeric_limits<std::uint64_t>::max();
    }
    return column;
}

namespace detail {

// The values of an enumeration that are looked at for names: a compiler knows the name of a value it is given, and not
// which values have one.
inline constexpr int first_named = -16;
inline constexpr int last_named = 127;

/// The name of a value; empty when it has none. A compiler prints such a value as a number.
template <auto EnumValue>
consteval std::string_view enum_name() {
    const std::string_view printed = printed_name<EnumValue>();
    const std::string_view found = last_name(printed);
    if (found.empty() || found.data() == printed.data()) return {};
    // A value without a name is printed behind its type in parentheses, as a number or as a character in quotes.
    const char before = *(found.data() - 1);
    const bool digit = found.front() >= '0' && found.front() <= '9';
    return digit || before == ')' || before == '\'' ? std::string_view() : found;
}

template <StoredEnum E, int Value>
consteval std::string_view enum_name_of() {
    if constexpr (std::in_range<std::underlying_type_t<E>>(Value)) {
        return enum_name<static_cast<E>(Value)>();
    } else {
        return {};
    }
}

template <StoredEnum E>
inline constexpr auto all_enum_names = []<int... I>(std::integer_sequence<int, I...>) {
    return std::array<std::string_view, sizeof...(I)>{enum_name_of<E, first_named + I>()...};
}(std::make_integer_sequence<int, last_named - first_named + 1>());

template <StoredEnum E>
consteval std::size_t count_enum_names() {
    std::size_t count = 0;
    for (const std::string_view name : all_enum_names<E>) count += name.empty() ? 0u : 1u;
    return count;
}

template <StoredEnum E>
consteval auto make_enum_names() {
    std::array<EnumName, count_enum_names<E>()> names{};
    std::size_t next = 0;
    for (std::size_t at = 0; at < all_enum_names<E>.size(); ++at) {
        const std::string_view name = all_enum_names<E>[at];
        if (!name.empty()) names[next++] = {name, first_named + static_cast<std::int64_t>(at)};
    }
    return names;
}

/// The named values of an enumeration, ascending.
template <StoredEnum E>
inline constexpr auto enum_names = make_enum_names<E>();

template <class Record, std::size_t I>
consteval Column member_column() {
    using T = MemberType<Record, I>;
    if constexpr (!Storable<T>) {
        return {.name = member_name<Record, I>, .kind = FieldKind::vector};  // its Schema has more to say of it
    } else {
        Column column = column_of(describe_member<T>(member_name<Record, I>));
        using Element = ScalarOf<T>;
        if constexpr (StoredEnum<Element>) {
            using Limits = std::numeric_limits<std::underlying_type_t<Element>>;
            column.enumeration = true;
            column.least = static_cast<std::int64_t>(Limits::min());
            column.most = static_cast<std::uint64_t>(Limits::max());
            column.names = enum_names<Element>;
        }
        return column;
    }
}

template <class Record>
inline constexpr auto columns_of = []<std::size_t... I>(std::index_sequence<I...>) {
    return std::array<Column, sizeof...(I)>{member_column<Record, I>()...};
}(std::make_index_sequence<member_count<Record>>());

}  // namespace detail

}  // namespace kith::inline v0
