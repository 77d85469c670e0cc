// src/scalar/scalar_index_layout.hpp — what the writer of a scalar index and its reader share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace kith::inline v0::detail {

inline constexpr std::string_view scalar_index_magic = "kithscal";               // on disk
inline constexpr std::uint32_t scalar_index_version = 1;                         // on disk
inline constexpr std::size_t scalar_index_header_bytes = 128;                    // on disk
inline constexpr std::uint8_t list_flag = 1, reversed_flag = 2, grams_flag = 4;  // on disk
inline constexpr std::size_t gram_bytes = 3;                                     // on disk

/// The term of a number of elements. On disk.
inline std::string length_term(std::uint32_t length) {
    std::string term;
    for (int shift = 24; shift >= 0; shift -= 8) term.push_back(static_cast<char>((length >> shift) & 0xff));
    return term;
}

}  // namespace kith::inline v0::detail
