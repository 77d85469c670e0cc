// src/scalar/term_lists_layout.hpp — the sizes that the writer of a table of terms and its reader share.
#pragma once

#include <cstddef>

namespace kith::inline v0::detail {

inline constexpr std::size_t lists_header_bytes = 64;     // on disk
inline constexpr std::size_t directory_entry_bytes = 32;  // on disk
inline constexpr std::size_t long_entry_bytes = 16;       // on disk
inline constexpr std::size_t union_entry_bytes = 24;      // on disk

}  // namespace kith::inline v0::detail
