// kith/collection/cursor.hpp — a place in an order of records, to go on from.
//
//   cursor := u8 version (1); varint 1 + place of the field, 0 for the order of keys; u8 flags: 1 descending, 2 null;
//             sized term of the field; sized term of the key; written as hexadecimal digits
//
// Thread safety: values and functions without state.
#pragma once

#include "kith/core/bytes.hpp"
#include "kith/core/error.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace kith::inline v0 {

/// Where a page ended. Its text is of hexadecimal digits, may be kept or sent to whoever asks for the next page, and holds
/// the key and the value of the record there.
struct Cursor {
    std::string text;

    friend bool operator==(const Cursor&, const Cursor&) = default;
};

namespace detail {

/// The value and the key of a record, as terms.
struct OrderPlace {
    bool null = false;
    std::string term = {};
    std::string key = {};
};

/// An order of records.
struct RecordOrder {
    std::size_t field = 0;  // 1 + its place in the record; 0: none, the order is that of the keys
    bool descending = false;

    [[nodiscard]] bool before(const OrderPlace& a, const OrderPlace& b) const noexcept {
        if (a.null != b.null) return b.null;
        if (const int compared = a.term.compare(b.term); compared != 0) return (compared > 0) == descending;
        return a.key < b.key;
    }
};

[[nodiscard]] inline Cursor cursor_of(const OrderPlace& place, const RecordOrder& order) {
    std::string bytes;
    ByteWriter writer(bytes);
    writer.u8(1);
    writer.varint(order.field);
    writer.u8(static_cast<std::uint8_t>((order.descending ? 1 : 0) | (place.null ? 2 : 0)));
    writer.sized(place.term);
    writer.sized(place.key);
    constexpr std::string_view digits = "0123456789abcdef";
    Cursor cursor;
    for (const char byte : bytes) {
        const auto value = static_cast<unsigned char>(byte);
        cursor.text += digits[value / 16];
        cursor.text += digits[value % 16];
    }
    return cursor;
}

/// Throws: Errc::invalid_argument for a text that is no cursor, or one of another order.
[[nodiscard]] inline OrderPlace place_of(const Cursor& cursor, const RecordOrder& order) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string bytes;
    bool whole = cursor.text.size() % 2 == 0;
    for (std::size_t at = 0; whole && at < cursor.text.size(); at += 2) {
        const std::size_t high = digits.find(cursor.text[at]);
        const std::size_t low = digits.find(cursor.text[at + 1]);
        whole = high != std::string_view::npos && low != std::string_view::npos;
        bytes.push_back(static_cast<char>(whole ? 16 * high + low : 0));
    }
    ByteReader reader(bytes);
    std::uint8_t version = 0;
    std::uint64_t field = 0;
    std::uint8_t flags = 0;
    std::string_view term;
    std::string_view key;
    whole = whole && reader.u8(version) && version == 1 && reader.varint(field) && reader.u8(flags) && flags < 4 &&
            reader.sized(term) && reader.sized(key) && reader.remaining() == 0;
    if (!whole) raise(Errc::invalid_argument, "the cursor '" + cursor.text + "' is none that a page gave");
    if (field != order.field || ((flags & 1U) != 0) != order.descending) {
        raise(Errc::invalid_argument,
              "the cursor is of a query in another order; ask for the page after it in the same");
    }
    return {(flags & 2U) != 0, std::string(term), std::string(key)};
}

}  // namespace detail

}  // namespace kith::inline v0
