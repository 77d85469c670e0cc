// kith/schema/codec.hpp — a record as one run of bytes, and back.
//
//   row    := u8 format = 1; u8 count of fields; nulls; the value of each field that is not null, in the order given
//   nulls  := one bit a nullable field, in order, lowest bit first, set when null; unused bits are 0
//   value  := scalar | list | vector
//   scalar := bool: u8 0 or 1 | int32, uint32: u32 | int64, uint64: u64 | float: f32 | double: f64
//           | timestamp: u64, microseconds since 1970 in two's complement | text, json: varint-sized bytes
//   list   := varint count, then that many scalars
//   vector := each element: f32; f16 and bf16: u16; i8, u8 and bits: u8                 (on disk, little-endian)
//
// Every byte is accounted for: a row that is cut, extended, or of another schema is refused. Changed bits inside a
// value are for the checksum of whoever stores the row.
//
// Thread safety: functions without state.
#pragma once

#include "kith/core/bytes.hpp"
#include "kith/core/element.hpp"
#include "kith/schema/field.hpp"

#include <bit>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace kith::inline v0::detail {

inline constexpr std::uint8_t row_format = 1;  // on disk

template <StoredScalar T>
void encode_scalar(ByteWriter& writer, const T& value) {
    constexpr FieldKind kind = scalar_kind<T>();
    if constexpr (kind == FieldKind::text) {
        writer.sized(value);
    } else if constexpr (kind == FieldKind::float32) {
        writer.f32(value);
    } else if constexpr (kind == FieldKind::float64) {
        writer.f64(value);
    } else if constexpr (kind == FieldKind::boolean) {
        writer.u8(value ? 1 : 0);
    } else if constexpr (kind == FieldKind::timestamp) {
        writer.u64(static_cast<std::uint64_t>(value.time_since_epoch().count()));
    } else if constexpr (kind == FieldKind::int32 || kind == FieldKind::uint32) {
        writer.u32(static_cast<std::uint32_t>(value));
    } else {
        writer.u64(static_cast<std::uint64_t>(value));
    }
}

/// True when the stored `number` is one that T can hold; enumerations may be narrower than what stores them.
template <class T, std::integral Number>
[[nodiscard]] bool decode_integer(Number number, T& value) noexcept {
    using Limits = std::numeric_limits<typename Underlying<T>::Type>;
    if (number < static_cast<Number>(Limits::min()) || number > static_cast<Number>(Limits::max())) return false;
    value = static_cast<T>(number);
    return true;
}

template <StoredScalar T>
[[nodiscard]] bool decode_scalar(ByteReader& reader, T& value) {
    constexpr FieldKind kind = scalar_kind<T>();
    if constexpr (kind == FieldKind::text) {
        std::string_view text;
        if (!reader.sized(text)) return false;
        value.assign(text);
        return true;
    } else if constexpr (kind == FieldKind::float32) {
        return reader.f32(value);
    } else if constexpr (kind == FieldKind::float64) {
        return reader.f64(value);
    } else if constexpr (kind == FieldKind::boolean) {
        std::uint8_t byte = 0;
        if (!reader.u8(byte) || byte > 1) return false;
        value = byte == 1;
        return true;
    } else if constexpr (kind == FieldKind::timestamp) {
        std::uint64_t count = 0;
        if (!reader.u64(count)) return false;
        value = Timestamp(std::chrono::microseconds(static_cast<std::int64_t>(count)));
        return true;
    } else if constexpr (kind == FieldKind::int32 || kind == FieldKind::uint32) {
        using Number = std::conditional_t<kind == FieldKind::int32, std::int32_t, std::uint32_t>;
        std::uint32_t bits = 0;
        return reader.u32(bits) && decode_integer(static_cast<Number>(bits), value);
    } else {
        using Number = std::conditional_t<kind == FieldKind::int64, std::int64_t, std::uint64_t>;
        std::uint64_t bits = 0;
        return reader.u64(bits) && decode_integer(static_cast<Number>(bits), value);
    }
}

/// The fewest bytes a scalar takes; bounds what a damaged count can make a reader allocate.
template <StoredScalar T>
inline constexpr std::size_t least_bytes =
    std::same_as<T, std::string> || std::same_as<T, bool> ? 1 : (sizeof(T) <= 4 ? 4 : 8);

template <Element T>
void encode_element(ByteWriter& writer, T element) {
    if constexpr (std::same_as<T, float>) {
        writer.f32(element);
    } else if constexpr (sizeof(T) == 2) {
        writer.u16(element.bits());
    } else {
        writer.u8(std::bit_cast<std::uint8_t>(element));
    }
}

template <Element T>
[[nodiscard]] bool decode_element(ByteReader& reader, T& element) {
    if constexpr (std::same_as<T, float>) {
        return reader.f32(element);
    } else if constexpr (sizeof(T) == 2) {
        std::uint16_t bits = 0;
        if (!reader.u16(bits)) return false;
        element = T::from_bits(bits);
        return true;
    } else {
        std::uint8_t byte = 0;
        if (!reader.u8(byte)) return false;
        element = std::bit_cast<T>(byte);
        return true;
    }
}

template <class T>
void encode_value(ByteWriter& writer, const T& value) {
    if constexpr (StoredVector<T>) {
        for (const auto element : value) encode_element(writer, element);
    } else if constexpr (is_list<T>) {
        writer.varint(value.size());
        for (const ScalarOf<T>& element : value) encode_scalar<ScalarOf<T>>(writer, element);
    } else if constexpr (is_json<T>) {
        writer.sized(value.text);
    } else {
        encode_scalar(writer, value);
    }
}

template <class T>
[[nodiscard]] bool decode_value(ByteReader& reader, T& value) {
    if constexpr (StoredVector<T>) {
        for (auto& element : value) {
            if (!decode_element(reader, element)) return false;
        }
        return true;
    } else if constexpr (is_list<T>) {
        std::uint64_t count = 0;
        if (!reader.varint(count) || count > reader.remaining() / least_bytes<ScalarOf<T>>) return false;
        value.clear();
        value.reserve(static_cast<std::size_t>(count));
        for (; count > 0; --count) {
            ScalarOf<T> element{};
            if (!decode_scalar(reader, element)) return false;
            value.push_back(std::move(element));
        }
        return true;
    } else if constexpr (is_json<T>) {
        return decode_scalar(reader, value.text);
    } else {
        return decode_scalar(reader, value);
    }
}

/// Writes and reads rows made of the members `Positions` of a tuple of references.
template <std::size_t... Positions>
class RowCodec {
    static_assert(sizeof...(Positions) <= 64, "the nulls of a row fit one number");

public:
    /// Appends the row to `out`.
    template <class Members>
    static void encode(const Members& members, std::string& out) {
        ByteWriter writer(out);
        writer.u8(row_format);
        writer.u8(sizeof...(Positions));
        NullBits nulls;
        (nulls.note(std::get<Positions>(members)), ...);
        for (std::size_t bit = 0; bit < nulls.count; bit += 8) writer.u8(static_cast<std::uint8_t>(nulls.bits >> bit));
        (encode_member(writer, std::get<Positions>(members)), ...);
    }

    /// Assigns the members from a row; false on any damage, and then their values are unspecified.
    template <class Members>
    [[nodiscard]] static bool decode(std::string_view row, const Members& members) {
        ByteReader reader(row);
        std::uint8_t format = 0;
        std::uint8_t count = 0;
        if (!reader.u8(format) || format != row_format) return false;
        if (!reader.u8(count) || count != sizeof...(Positions)) return false;
        NullBits nulls;
        constexpr std::size_t nullable =
            (std::size_t{0} + ... +
             (is_optional<std::remove_cvref_t<std::tuple_element_t<Positions, Members>>> ? 1 : 0));
        for (std::size_t bit = 0; bit < nullable; bit += 8) {
            std::uint8_t eight = 0;
            if (!reader.u8(eight)) return false;
            nulls.bits |= static_cast<std::uint64_t>(eight) << bit;
        }
        return (decode_member(reader, std::get<Positions>(members), nulls) && ...) && nulls.bits == 0 &&
               reader.remaining() == 0;
    }

private:
    /// The nulls of a row, lowest bit first.
    struct NullBits {
        std::uint64_t bits = 0;
        std::size_t count = 0;

        template <class T>
        void note(const T& member) noexcept {
            if constexpr (is_optional<T>) bits |= static_cast<std::uint64_t>(!member.has_value()) << count++;
        }

        /// Takes the next bit away, so that what is left at the end belongs to no field.
        bool next() noexcept {
            const bool null = (bits & 1) != 0;
            bits >>= 1;
            return null;
        }
    };

    template <class T>
    static void encode_member(ByteWriter& writer, const T& member) {
        if constexpr (!is_optional<T>) {
            encode_value(writer, member);
        } else if (member.has_value()) {
            encode_value(writer, *member);
        }
    }

    template <class T>
    static bool decode_member(ByteReader& reader, T& member, NullBits& nulls) {
        if constexpr (!is_optional<T>) {
            return decode_value(reader, member);
        } else if (nulls.next()) {
            member.reset();
            return true;
        } else {
            return decode_value(reader, member.emplace());
        }
    }
};

}  // namespace kith::inline v0::detail
