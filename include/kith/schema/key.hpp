// kith/schema/key.hpp — a user's key as the bytes that order and identify it.
//
//   key := text: its bytes | integer: 4 or 8 bytes, highest first, a signed one with its sign bit flipped  (on disk)
//
// Compared byte by byte, integer keys then stand in the order of their numbers, also in a store that knows only bytes.
//
// Thread safety: functions without state.
#pragma once

#include "kith/core/error.hpp"
#include "kith/schema/field.hpp"

#include <concepts>
#include <cstddef>
#include <string>
#include <string_view>
#include <type_traits>

namespace kith::inline v0 {

/// The most bytes of a text key; the key map of a stored collection takes no more.
inline constexpr std::size_t max_key_bytes = 511;

namespace detail {

/// What the key of a record may be.
template <class T>
concept KeyValue = std::same_as<T, std::string> || StoredInteger<T>;

/// Flips what makes a negative number look large when bytes are compared.
template <StoredInteger T>
constexpr std::make_unsigned_t<T> ordered_bits(T value) noexcept {
    using Bits = std::make_unsigned_t<T>;
    const auto sign = std::is_signed_v<T> ? static_cast<Bits>(Bits{1} << (8 * sizeof(T) - 1)) : Bits{0};
    return static_cast<Bits>(static_cast<Bits>(value) ^ sign);
}

/// The bytes of a key.
template <KeyValue T>
std::string key_bytes(const T& key) {
    if constexpr (std::same_as<T, std::string>) {
        return key;
    } else {
        const auto bits = ordered_bits(key);
        std::string bytes(sizeof(T), '\0');
        for (std::size_t byte = 0; byte < sizeof(T); ++byte) {
            bytes[byte] = static_cast<char>((bits >> (8 * (sizeof(T) - 1 - byte))) & 0xff);
        }
        return bytes;
    }
}

/// The key that has these bytes.
/// Throws: Error with corrupt when an integer key has not the bytes of its type.
template <KeyValue T>
T key_from_bytes(std::string_view bytes) {
    if constexpr (std::same_as<T, std::string>) {
        return std::string(bytes);
    } else {
        if (bytes.size() != sizeof(T)) {
            raise(Errc::corrupt, "a stored key has " + std::to_string(bytes.size()) + " bytes, an integer key has " +
                                     std::to_string(sizeof(T)));
        }
        std::make_unsigned_t<T> bits = 0;
        for (const char byte : bytes) {
            bits = static_cast<std::make_unsigned_t<T>>((bits << 8) | static_cast<unsigned char>(byte));
        }
        return static_cast<T>(ordered_bits(static_cast<T>(bits)));
    }
}

/// A key as a person writes it: text in quotes, an integer in digits.
template <KeyValue T>
std::string show_key(std::string_view bytes) {
    if constexpr (std::same_as<T, std::string>) {
        return '\'' + std::string(bytes) + '\'';
    } else {
        return std::to_string(key_from_bytes<T>(bytes));
    }
}

}  // namespace detail

}  // namespace kith::inline v0
