// kith/schema/field.hpp — what a member may be, and what kith knows of it once its type is left behind.
//
// A FieldInfo is all that files, conditions and messages need of a field, so a schema known only at run time can be
// described with the same words.
//
// Thread safety: values and functions without state.
#pragma once

#include "kith/core/element.hpp"
#include "kith/schema/json.hpp"

#include <array>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace kith::inline v0 {

/// A point in time in UTC, to the microsecond, as a member of a record.
using Timestamp = std::chrono::sys_time<std::chrono::microseconds>;

/// How a value is stored. On disk: never renumber.
enum class FieldKind : std::uint8_t {
    boolean = 1,
    int32 = 2,
    int64 = 3,
    uint32 = 4,
    uint64 = 5,
    float32 = 6,
    float64 = 7,
    text = 8,
    vector = 9,
    timestamp = 10,
    json = 11,
};

/// Bytes of every value of a kind; 0 where they differ, as for text.
constexpr std::size_t scalar_bytes(FieldKind kind) noexcept {
    switch (kind) {
        case FieldKind::boolean:
            return 1;
        case FieldKind::int32:
        case FieldKind::uint32:
        case FieldKind::float32:
            return 4;
        case FieldKind::int64:
        case FieldKind::uint64:
        case FieldKind::float64:
        case FieldKind::timestamp:
            return 8;
        case FieldKind::text:
        case FieldKind::vector:
        case FieldKind::json:
            return 0;
    }
    return 0;
}

/// The word for a kind in descriptors and messages, as a C++ programmer would say it. On disk: never rename.
constexpr std::string_view name(FieldKind kind) noexcept {
    switch (kind) {
        case FieldKind::boolean:
            return "bool";
        case FieldKind::int32:
            return "int32";
        case FieldKind::int64:
            return "int64";
        case FieldKind::uint32:
            return "uint32";
        case FieldKind::uint64:
            return "uint64";
        case FieldKind::float32:
            return "float";
        case FieldKind::float64:
            return "double";
        case FieldKind::text:
            return "text";
        case FieldKind::vector:
            return "vector";
        case FieldKind::timestamp:
            return "timestamp";
        case FieldKind::json:
            return "json";
    }
    return "unknown";
}

/// One field of a schema.
struct FieldInfo {
    std::string_view name;
    FieldKind kind = FieldKind::boolean;  // of the element, for a list
    bool nullable = false;
    bool list = false;
    bool key = false;
    bool indexed = false;
    bool suffixes = false;       // of an index of texts: by their end, too
    bool substrings = false;     // and by what is in them
    std::uint32_t dim = 0;       // dimensions of a vector; 0 for every other kind
    std::string_view metric{};   // empty unless a VectorField names the member
    std::string_view index{};    // empty unless a VectorField names the member
    std::string_view element{};  // the element_name of a vector that is not of floats; empty for everything else
};

/// The most dimensions a vector field may have.
inline constexpr std::size_t max_dim = 20'000;

namespace detail {

/// The signed and unsigned integers of 32 and 64 bits under all their names; no character type is among them.
template <class T>
concept StoredInteger =
    std::same_as<T, int> || std::same_as<T, long> || std::same_as<T, long long> || std::same_as<T, unsigned> ||
    std::same_as<T, unsigned long> || std::same_as<T, unsigned long long>;

/// An enumeration whose underlying type was written down, so that every stored number is one of its values.
template <class T>
concept StoredEnum = std::is_enum_v<T> && requires { T{0}; };

template <class T>
concept StoredScalar = std::same_as<T, bool> || StoredInteger<T> || StoredEnum<T> || std::same_as<T, float> ||
                       std::same_as<T, double> || std::same_as<T, std::string> || std::same_as<T, Timestamp>;

template <class T>
inline constexpr std::size_t array_dim = 0;

template <Element T, std::size_t Count>
inline constexpr std::size_t array_dim<std::array<T, Count>> = Count * dimensions_an_element<T>;

template <class T>
inline constexpr bool is_element_array = false;
template <Element T, std::size_t Count>
inline constexpr bool is_element_array<std::array<T, Count>> = true;

/// A fixed number of elements.
template <class T>
concept StoredVector = (array_dim<T> >= 1 && array_dim<T> <= max_dim);

/// What the vector T is made of.
template <StoredVector T>
using VectorElement = typename T::value_type;

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;

template <class T>
inline constexpr bool is_list = false;
template <class T>
inline constexpr bool is_list<std::vector<T>> = true;

template <class T>
struct WithoutOptional {
    using Type = T;
};
template <class T>
struct WithoutOptional<std::optional<T>> {
    using Type = T;
};

template <class T>
struct WithoutList {
    using Type = T;
};
template <class T>
struct WithoutList<std::vector<T>> {
    using Type = T;
};

/// The value inside std::optional, or T itself.
template <class T>
using Present = typename WithoutOptional<T>::Type;

/// The scalar inside std::optional and std::vector, or T itself.
template <class T>
using ScalarOf = typename WithoutList<Present<T>>::Type;

template <class T>
inline constexpr bool is_json = std::is_same_v<Present<T>, Json>;

/// Every type a member of a record may have.
template <class T>
concept Storable = StoredVector<T> || StoredScalar<ScalarOf<T>> || is_json<T>;

template <class T>
struct Underlying {
    using Type = T;
};
template <StoredEnum T>
struct Underlying<T> {
    using Type = std::underlying_type_t<T>;
};

/// The kind of a scalar; an enumeration is stored as the integer of 32 or 64 bits that holds its underlying type.
template <StoredScalar T>
consteval FieldKind scalar_kind() {
    using Number = typename Underlying<T>::Type;
    if constexpr (std::same_as<T, bool>) {
        return FieldKind::boolean;
    } else if constexpr (std::same_as<T, std::string>) {
        return FieldKind::text;
    } else if constexpr (std::same_as<T, Timestamp>) {
        return FieldKind::timestamp;
    } else if constexpr (std::floating_point<T>) {
        return sizeof(T) == 4 ? FieldKind::float32 : FieldKind::float64;
    } else if constexpr (std::is_signed_v<Number>) {
        return sizeof(Number) <= 4 ? FieldKind::int32 : FieldKind::int64;
    } else {
        return sizeof(Number) <= 4 ? FieldKind::uint32 : FieldKind::uint64;
    }
}

/// What a member's type alone says about its field.
template <Storable T>
consteval FieldInfo describe_member(std::string_view name) {
    FieldInfo info;
    info.name = name;
    if constexpr (StoredVector<T>) {
        info.kind = FieldKind::vector;
        info.dim = static_cast<std::uint32_t>(array_dim<T>);
        if (!std::same_as<VectorElement<T>, float>) info.element = element_name<VectorElement<T>>;
    } else if constexpr (is_json<T>) {
        info.kind = FieldKind::json;
        info.nullable = is_optional<T>;
    } else {
        info.kind = scalar_kind<ScalarOf<T>>();
        info.nullable = is_optional<T>;
        info.list = is_list<Present<T>>;
    }
    return info;
}

}  // namespace detail

}  // namespace kith::inline v0
