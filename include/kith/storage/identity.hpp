// kith/storage/identity.hpp — the small file that says "this is a collection, and this is what it holds".
//
// Written once when a collection is made and never again. It is read before anything is mapped or recovered, so a
// directory that is something else, or was written by a later kith, is refused before a byte of it changes.
//
//   IDENTITY := magic "kithIDNT"; u32 format version; u32 body bytes; u32 CRC-32C of the 16 bytes before;  (on disk)
//               u32 CRC-32C of body; body
//   body     := u32 engine format; 16 bytes collection id; u64 schema fingerprint; varint-sized schema descriptor
//
// The first 20 bytes keep their meaning in every later format, so that each build can say which one it met.
//
// Thread safety: any number of threads.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace kith::inline v0::detail {

/// Sixteen random bytes, made with the collection and repeated in each of its files, so no file can stray.
using CollectionId = std::array<std::uint8_t, 16>;

inline constexpr std::uint32_t format_version = 1;           // on disk
inline constexpr std::uint32_t max_schema_bytes = 1U << 24;  // limit of the schema descriptor

struct Identity {
    std::uint32_t format = format_version;
    std::uint32_t engine = 0;  // on disk: 1 = LMDB 0.9, 2 = LMDB 1.x; see Environment::engine_format()
    CollectionId id{};
    std::uint64_t fingerprint = 0;  // of the schema
    std::string schema;             // its descriptor, as the schema layer wrote it
};

/// A new id from the operating system's random numbers.
[[nodiscard]] CollectionId make_collection_id();

/// The id as 32 hexadecimal digits.
[[nodiscard]] std::string to_text(const CollectionId& id);

/// Throws: Errc::limit_exceeded when the schema is longer than max_schema_bytes.
[[nodiscard]] std::string encode_identity(const Identity& identity);

/// Throws: as read_identity; `file` is what the texts name.
[[nodiscard]] Identity decode_identity(std::string_view bytes, const std::filesystem::path& file);

/// Writes `directory/IDENTITY`, whole or not at all. Throws: Errc::disk_full, Errc::io, Errc::limit_exceeded.
void write_identity(const std::filesystem::path& directory, const Identity& identity);

/// Reads `directory/IDENTITY`.
/// Throws: Errc::not_found when `directory` is missing; Errc::not_a_collection when it is a file, has no IDENTITY, or
/// that begins with other bytes; Errc::unsupported_version ("written by format 3, this build reads 1");
/// Errc::corrupt with the offset; Errc::io.
[[nodiscard]] Identity read_identity(const std::filesystem::path& directory);

}  // namespace kith::inline v0::detail
