// kith/scalar/term.hpp — every scalar as bytes that stand in the order of the values.
//
//   term := bool: u8 0 or 1 | integer, timestamp: its 4 or 8 bytes, highest first, a signed one with its sign bit flipped
//         | float, double: its bits, all flipped when it is negative, else the sign bit alone, highest first
//         | text: its bytes                                                                                  (on disk)
//
// Compared byte by byte, and the shorter first where one begins the other, terms stand in the order of operator<. So
// an index, a column and the writing segment need one code for all types. -0 has the term of +0, for they are equal.
// Every NaN has the same term, above that of infinity; it compares with nothing, so whoever indexes leaves it out.
//
// Thread safety: functions without state.
#pragma once

#include "kith/core/assert.hpp"
#include "kith/schema/field.hpp"

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace kith::inline v0::detail {

/// Whether the terms of a kind are bytes of any number.
constexpr bool holds_text(FieldKind kind) noexcept {
    return kind == FieldKind::text || kind == FieldKind::json;
}

/// Whether fields of a kind have terms. That of JSON is its whole text: it is kept in columns, and no index asks for it.
constexpr bool has_terms(FieldKind kind) noexcept {
    return scalar_bytes(kind) != 0 || holds_text(kind);
}

/// A number as an unsigned one of as many bits in the same order; bool counts as a number.
template <class T>
    requires std::integral<T> || std::floating_point<T>
constexpr std::uint64_t ordered_number(T value) noexcept {
    if constexpr (std::floating_point<T>) {
        using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
        constexpr Bits sign = Bits{1} << (8 * sizeof(T) - 1);
        if (value != value) value = std::numeric_limits<T>::quiet_NaN();
        if (value == T{0}) value = T{0};
        const Bits bits = std::bit_cast<Bits>(value) & (value != value ? static_cast<Bits>(~sign) : ~Bits{0});
        return (bits & sign) != 0 ? static_cast<Bits>(~bits) : static_cast<Bits>(bits | sign);
    } else if constexpr (std::is_signed_v<T>) {
        using Bits = std::make_unsigned_t<T>;
        return static_cast<Bits>(static_cast<Bits>(value) ^ static_cast<Bits>(Bits{1} << (8 * sizeof(T) - 1)));
    } else {
        return static_cast<std::uint64_t>(value);
    }
}

/// The greatest ordered number that compares with others.
constexpr std::uint64_t greatest_number(FieldKind kind) noexcept {
    if (kind == FieldKind::float32) return ordered_number(std::numeric_limits<float>::infinity());
    if (kind == FieldKind::float64) return ordered_number(std::numeric_limits<double>::infinity());
    const std::size_t bytes = scalar_bytes(kind);
    return bytes == 8 ? ~std::uint64_t{0} : (std::uint64_t{1} << (8 * bytes)) - 1;
}

/// Appends the term of an ordered number. Requires: the kind is not text.
inline void append_number_term(FieldKind kind, std::uint64_t number, std::string& out) {
    for (std::size_t left = scalar_bytes(kind); left-- > 0;)
        out.push_back(static_cast<char>((number >> (8 * left)) & 0xff));
}

/// The ordered number that a term of at most 8 bytes stands for.
constexpr std::uint64_t number_of_term(std::string_view term) noexcept {
    std::uint64_t number = 0;
    for (const char byte : term) number = (number << 8) | static_cast<unsigned char>(byte);
    return number;
}

/// True for the term of NaN.
constexpr bool is_nan_term(FieldKind kind, std::string_view term) noexcept {
    return (kind == FieldKind::float32 || kind == FieldKind::float64) && number_of_term(term) > greatest_number(kind);
}

/// Appends the term of a scalar.
template <StoredScalar T>
void append_term(const T& value, std::string& out) {
    if constexpr (std::same_as<T, std::string>) {
        out += value;
    } else {
        constexpr FieldKind kind = scalar_kind<T>();
        if constexpr (kind == FieldKind::boolean || kind == FieldKind::float32 || kind == FieldKind::float64) {
            append_number_term(kind, ordered_number(value), out);
        } else if constexpr (kind == FieldKind::timestamp) {
            append_number_term(kind, ordered_number(std::int64_t{value.time_since_epoch().count()}), out);
        } else if constexpr (kind == FieldKind::int32) {
            append_number_term(kind, ordered_number(static_cast<std::int32_t>(value)), out);
        } else if constexpr (kind == FieldKind::uint32) {
            append_number_term(kind, ordered_number(static_cast<std::uint32_t>(value)), out);
        } else if constexpr (kind == FieldKind::int64) {
            append_number_term(kind, ordered_number(static_cast<std::int64_t>(value)), out);
        } else {
            append_number_term(kind, ordered_number(static_cast<std::uint64_t>(value)), out);
        }
    }
}

/// The term of a scalar.
template <StoredScalar T>
[[nodiscard]] std::string term_of(const T& value) {
    std::string term;
    append_term(value, term);
    return term;
}

/// The term, in a field of `kind`, of a value in the widest type of its sort: as conditions hold them.
/// Requires: it is of the kind's sort and in its range.
[[nodiscard]] inline std::string term_of(FieldKind kind, bool value) {
    KITH_ASSERT(kind == FieldKind::boolean);
    std::string term;
    append_number_term(kind, ordered_number(value), term);
    return term;
}
[[nodiscard]] inline std::string term_of(FieldKind kind, std::int64_t value) {
    KITH_ASSERT(kind == FieldKind::int32 || kind == FieldKind::int64 || kind == FieldKind::timestamp);
    return kind == FieldKind::int32 ? term_of(static_cast<std::int32_t>(value))
                                    : term_of(static_cast<long long>(value));
}
[[nodiscard]] inline std::string term_of(FieldKind kind, std::uint64_t value) {
    KITH_ASSERT(kind == FieldKind::uint32 || kind == FieldKind::uint64);
    return kind == FieldKind::uint32 ? term_of(static_cast<std::uint32_t>(value))
                                     : term_of(static_cast<unsigned long long>(value));
}
[[nodiscard]] inline std::string term_of(FieldKind kind, double value) {
    KITH_ASSERT(kind == FieldKind::float32 || kind == FieldKind::float64);
    return kind == FieldKind::float32 ? term_of(static_cast<float>(value)) : term_of(value);
}
[[nodiscard]] inline std::string term_of([[maybe_unused]] FieldKind kind, const std::string& value) {
    KITH_ASSERT(kind == FieldKind::text);
    return value;
}

/// What a member holds, as terms: what every writer of this layer takes. It is reused from record to record.
class MemberTerms {
public:
    void clear() noexcept {
        null_ = false;
        bytes_.clear();
        ends_.clear();
    }

    void set_null() noexcept { null_ = true; }

    template <StoredScalar T>
    void add(const T& value) {
        append_term<T>(value, bytes_);
        ends_.push_back(bytes_.size());
    }

    /// Takes a term as it is.
    void add_term(std::string_view term) {
        bytes_ += term;
        ends_.push_back(bytes_.size());
    }

    [[nodiscard]] bool null() const noexcept { return null_; }

    /// The elements of a list, one for a scalar, none for null.
    [[nodiscard]] std::size_t size() const noexcept { return ends_.size(); }

    /// In the order of the list, equal ones as often as they stand in it.
    [[nodiscard]] std::string_view operator[](std::size_t at) const noexcept {
        const std::size_t begin = at == 0 ? 0 : ends_[at - 1];
        return std::string_view(bytes_).substr(begin, ends_[at] - begin);
    }

private:
    bool null_ = false;
    std::string bytes_;              // the terms, one after the other
    std::vector<std::size_t> ends_;  // where each ends
};

/// Takes a member apart.
template <Storable T>
    requires(!StoredVector<T>)
void member_terms(const T& member, MemberTerms& out) {
    if constexpr (is_optional<T>) {
        if (member.has_value()) {
            member_terms(*member, out);
        } else {
            out.clear();
            out.set_null();
        }
    } else {
        out.clear();
        if constexpr (is_list<T>) {
            for (const ScalarOf<T>& element : member) out.add<ScalarOf<T>>(element);
        } else if constexpr (is_json<T>) {
            out.add_term(member.text);
        } else {
            out.add(member);
        }
    }
}

}  // namespace kith::inline v0::detail
