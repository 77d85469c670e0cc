// kith/storage/log_format.hpp — the grammar of the log, shared by its writer and its reader.
//
//   log    := files named by the sequence number of their first record, 20 digits and ".log"               (on disk)
//   file   := header; record*
//   header := magic "kithLOGF"; u32 version (1); 16 bytes collection id; u64 first sequence; u32 CRC-32C of these 36
//   record := u32 payload bytes; u32 CRC-32C; u64 sequence; u64 durable; u8 kind; payload
//
// The CRC of a record covers its payload length and all that follows the CRC, and begins with the header's CRC, so a
// record is right only in its own file. Sequences count up by one through all files. `durable` is the newest sequence
// that a sync had made durable when the record was written: with it a reader can tell a record that a power cut lost
// (nothing after it claims that it was durable) from one that was damaged later (something does).
#pragma once

#include "kith/storage/identity.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kith::inline v0::detail {

inline constexpr std::uint32_t log_version = 1;             // on disk
inline constexpr std::size_t log_header_bytes = 40;         // on disk
inline constexpr std::size_t log_record_header_bytes = 25;  // on disk
inline constexpr std::uint32_t max_log_payload = 1U << 30;  // the writer refuses more, so may the reader

/// One record, its payload in place.
struct LogRecord {
    std::uint64_t sequence = 0;
    std::uint64_t durable = 0;  // below sequence
    std::uint8_t kind = 0;
    std::string_view payload;
};

/// One file of a log, by its name.
struct LogFile {
    std::filesystem::path path;
    std::uint64_t first_sequence = 0;
    std::uint64_t bytes = 0;
};

[[nodiscard]] std::string log_file_name(std::uint64_t first_sequence);

/// The files of a log, oldest first; names that are not a log file's are left out.
/// Throws: Errc::io.
[[nodiscard]] std::vector<LogFile> list_log_files(const std::filesystem::path& directory);

[[nodiscard]] std::string encode_log_header(const CollectionId& id, std::uint64_t first_sequence);

/// Checks the first bytes of a log file and returns the seed of its records' checksums.
/// Throws: Errc::corrupt when they are damaged, of another collection, or not what the name says;
/// Errc::unsupported_version.
[[nodiscard]] std::uint32_t decode_log_header(std::string_view bytes, const CollectionId& id, const LogFile& file);

/// The log_record_header_bytes that stand before `record.payload`.
/// Requires: record.payload is at most max_log_payload long.
[[nodiscard]] std::string encode_log_record_header(const LogRecord& record, std::uint32_t seed);

/// How long the payload of the record that begins here says it is; nothing when that cannot be.
/// Requires: bytes holds log_record_header_bytes.
[[nodiscard]] std::optional<std::uint32_t> log_payload_bytes(std::string_view bytes) noexcept;

/// The record at the start of `bytes`, which holds all of it; nothing when its checksum is wrong.
[[nodiscard]] std::optional<LogRecord> decode_log_record(std::string_view bytes, std::uint32_t seed) noexcept;

}  // namespace kith::inline v0::detail
