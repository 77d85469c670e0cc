// src/collection/layout.hpp — the names and numbers of what stands in a collection's directory.
//
//   <collection>/IDENTITY, LOCK
//   <collection>/log/…                       storage/log_format.hpp names its files
//   <collection>/forward/data.mdb            storage/environment.hpp; the state record is its state "checkpoint"
//   <collection>/segments/<id, ten digits>/<vector field>.rows and .graph; keys; columns; <field>.index    (on disk)
//
// A file of a vector field carries the number 2 × vector field + part, vector fields counted in the order of the
// struct; the file of the keys carries keys_kind, that of the columns columns_kind, and that of the index of a scalar
// field index_kind + its place in the struct.
//
// Thread safety: functions without state.
#pragma once

#include "kith/storage/identity.hpp"
#include "kith/storage/segment_file.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace kith::inline v0::detail {

inline constexpr std::string_view identity_name = "IDENTITY";    // on disk
inline constexpr std::string_view lock_name = "LOCK";            // on disk
inline constexpr std::string_view log_folder = "log";            // on disk
inline constexpr std::string_view forward_folder = "forward";    // on disk
inline constexpr std::string_view forward_file = "data.mdb";     // on disk
inline constexpr std::string_view segments_folder = "segments";  // on disk
inline constexpr std::string_view state_name = "checkpoint";     // on disk
inline constexpr std::string_view unfinished_ending = ".tmp";    // on disk
inline constexpr std::string_view new_ending = ".new-";          // on disk: before the id
inline constexpr std::uint8_t batch_kind = 1;                    // on disk: the kind of every log record so far

enum class Part : std::uint32_t { rows = 0, graph = 1 };  // on disk

inline SegmentFileTag part_tag(const Identity& identity, std::uint32_t segment, std::size_t vector_field, Part part) {
    return {identity.id, segment, static_cast<std::uint32_t>(2 * vector_field) + static_cast<std::uint32_t>(part)};
}

inline constexpr std::string_view keys_name = "keys";  // on disk: no vector field's file, which has an ending
inline constexpr std::uint32_t keys_kind = std::uint32_t{1} << 31;  // on disk

inline SegmentFileTag keys_tag(const Identity& identity, std::uint32_t segment) {
    return {identity.id, segment, keys_kind};
}

inline constexpr std::string_view columns_name = "columns";            // on disk
inline constexpr std::uint32_t columns_kind = std::uint32_t{1} << 30;  // on disk
inline constexpr std::uint32_t index_kind = keys_kind + 1;             // on disk: of the first field

inline SegmentFileTag columns_tag(const Identity& identity, std::uint32_t segment) {
    return {identity.id, segment, columns_kind};
}

inline SegmentFileTag index_tag(const Identity& identity, std::uint32_t segment, std::size_t field) {
    return {identity.id, segment, index_kind + static_cast<std::uint32_t>(field)};
}

inline std::string index_name(std::string_view field) {
    return std::string(field) + ".index";
}

inline std::string part_name(std::string_view vector_field, Part part) {
    return std::string(vector_field) + (part == Part::rows ? ".rows" : ".graph");
}

/// The folder of a segment inside segments_folder.
inline std::string segment_name(std::uint32_t segment) {
    const std::string digits = std::to_string(segment);
    return std::string(10 - digits.size(), '0') + digits;
}

inline std::filesystem::path segment_path(const std::filesystem::path& collection, std::uint32_t segment) {
    return collection / segments_folder / segment_name(segment);
}

}  // namespace kith::inline v0::detail
