// kith/core/prefetch.hpp — asking for memory before it is read.
//
// Always inline: GCC 12 drops calls of functions that do nothing else.
#pragma once

#include <cstddef>

namespace kith::inline v0::detail {

inline constexpr std::size_t cache_line = 64;

/// Begins to fetch the lines of [from, from + bytes).
[[gnu::always_inline]] inline void prefetch_lines(const void* from, std::size_t bytes) noexcept {
    for (std::size_t at = 0; at < bytes; at += cache_line) __builtin_prefetch(static_cast<const char*>(from) + at);
}

/// Begins to fetch a row of `bytes` bytes. Only the beginning of a long one: the processor follows from there.
template <std::size_t lines = 8>
[[gnu::always_inline]] inline void prefetch_row(const void* row, std::size_t bytes) noexcept {
    constexpr std::size_t longest = lines * cache_line;
    prefetch_lines(row, bytes < longest ? bytes : longest);
}

/// So many lines for kernels, which ask for a row long before they read it.
inline constexpr std::size_t lines_ahead_of_kernels = 16;

/// For a scan that is about to read `bytes` bytes at `from`: begins to fetch what it will read a little later.
///
/// Rows that are scored side by side are several streams, which the processor follows at two thirds of the memory's
/// speed (measured: 27 GB/s of codes of 392 bytes, 47 so). Those longer than `longest_scanned` are scored one by one.
[[gnu::always_inline]] inline void prefetch_scan(const void* from, std::size_t bytes) noexcept {
    constexpr std::size_t ahead = 8192;
    prefetch_lines(static_cast<const char*>(from) + ahead, bytes);
}
inline constexpr std::size_t longest_scanned = 1024;

}  // namespace kith::inline v0::detail
