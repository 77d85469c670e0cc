// src/scalar/column_layout.hpp — what the writer of columns and their reader share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace kith::inline v0::detail {

inline constexpr std::string_view columns_magic = "kithcols";                         // on disk
inline constexpr std::uint32_t columns_version = 1;                                   // on disk
inline constexpr std::size_t columns_header_bytes = 64;                               // on disk
inline constexpr std::size_t column_descriptor_bytes = 64;                            // on disk
inline constexpr std::size_t columns_end_bytes = 8;                                   // on disk
inline constexpr std::size_t column_part_alignment = 64;                              // on disk
inline constexpr std::uint8_t column_left_out_form = 5;                               // on disk: see ColumnForm
inline constexpr std::uint8_t column_list_flag = 1, column_nulls_flag = 2;            // on disk
inline constexpr std::uint8_t column_index_flag = 4, column_index_left_out_flag = 8;  // on disk

}  // namespace kith::inline v0::detail
