// src/storage/log_format.cpp — log records to bytes and back, and the names of their files.
#include "kith/storage/log_format.hpp"

#include "kith/core/assert.hpp"
#include "kith/core/bytes.hpp"
#include "kith/core/crc32c.hpp"
#include "kith/core/error.hpp"
#include "kith/storage/file.hpp"
#include "kith/storage/system_error.hpp"

#include <algorithm>
#include <charconv>
#include <system_error>

namespace kith::inline v0::detail {

namespace {

constexpr std::string_view magic = "kithLOGF";     // on disk
constexpr std::string_view ending = ".log";        // on disk
constexpr std::size_t name_digits = 20;            // on disk; enough for any 64-bit number
constexpr std::size_t id_offset = 12;              // on disk
constexpr std::size_t first_sequence_offset = 28;  // on disk
constexpr std::size_t checked_offset = 8;          // on disk: what follows the CRC of a record

[[noreturn]] void raise_damaged(const LogFile& file, std::size_t offset, const std::string& what) {
    raise(Errc::corrupt, file.path.string() + " is damaged at byte " + std::to_string(offset) + ": " + what);
}

std::optional<std::uint64_t> sequence_in_name(const std::filesystem::path& path) {
    const std::string name = path.filename().string();
    if (name.size() != name_digits + ending.size() || !name.ends_with(ending)) return std::nullopt;
    std::uint64_t sequence = 0;
    const char* const end = name.data() + name_digits;
    const auto parsed = std::from_chars(name.data(), end, sequence);
    if (parsed.ec != std::errc() || parsed.ptr != end) return std::nullopt;
    return sequence;
}

// The checksum of a record whose `length` is its first four bytes and whose `rest` is all that follows the CRC.
std::uint32_t record_crc(std::string_view length, std::string_view rest, std::uint32_t seed) noexcept {
    return crc32c(rest, crc32c(length, seed));
}

}  // namespace

std::string log_file_name(std::uint64_t first_sequence) {
    const std::string digits = std::to_string(first_sequence);
    return std::string(name_digits - digits.size(), '0').append(digits).append(ending);
}

std::vector<LogFile> list_log_files(const std::filesystem::path& directory) {
    std::vector<LogFile> files;
    for (const std::string& name : names_in(directory)) {
        const std::filesystem::path path = directory / name;
        const std::optional<std::uint64_t> sequence = sequence_in_name(path);
        if (!sequence.has_value()) continue;
        std::error_code error;
        const std::uintmax_t bytes = std::filesystem::file_size(path, error);
        if (error == std::errc::no_such_file_or_directory) continue;  // its writer removed it meanwhile
        if (error) raise_system(error.value(), "look at", path);
        files.push_back({path, *sequence, static_cast<std::uint64_t>(bytes)});
    }
    std::sort(files.begin(), files.end(),
              [](const LogFile& a, const LogFile& b) { return a.first_sequence < b.first_sequence; });
    return files;
}

std::string encode_log_header(const CollectionId& id, std::uint64_t first_sequence) {
    std::string bytes(magic);
    ByteWriter writer(bytes);
    writer.u32(log_version);
    writer.bytes(id.data(), id.size());
    writer.u64(first_sequence);
    writer.u32(crc32c(bytes));
    return bytes;
}

std::uint32_t decode_log_header(std::string_view bytes, const CollectionId& id, const LogFile& file) {
    if (bytes.size() < log_header_bytes) raise_damaged(file, bytes.size(), "it ends inside its header");
    ByteReader reader(bytes);
    std::string_view found_magic;
    std::string_view found_id;
    std::uint32_t version = 0;
    std::uint64_t first_sequence = 0;
    std::uint32_t crc = 0;
    static_cast<void>(reader.bytes(magic.size(), found_magic) && reader.u32(version) &&
                      reader.bytes(id.size(), found_id) && reader.u64(first_sequence) && reader.u32(crc));
    if (found_magic != magic) raise_damaged(file, 0, "it does not begin as a log file does");
    if (crc != crc32c(bytes.substr(0, log_header_bytes - sizeof(crc)))) {
        raise_damaged(file, magic.size(), "the checksum of its header is wrong");
    }
    if (version != log_version) {
        raise(Errc::unsupported_version, file.path.string() + " was written by log format " + std::to_string(version) +
                                             ", this build reads " + std::to_string(log_version));
    }
    if (!std::equal(id.begin(), id.end(), found_id.begin(),
                    [](std::uint8_t a, char b) { return a == static_cast<std::uint8_t>(b); })) {
        raise_damaged(file, id_offset, "it belongs to another collection");
    }
    if (first_sequence != file.first_sequence) {
        raise_damaged(file, first_sequence_offset,
                      "it begins with record " + std::to_string(first_sequence) + ", which is not what its name says");
    }
    return crc;
}

std::string encode_log_record_header(const LogRecord& record, std::uint32_t seed) {
    KITH_ASSERT(record.payload.size() <= max_log_payload && record.durable < record.sequence);
    std::string length;
    ByteWriter(length).u32(static_cast<std::uint32_t>(record.payload.size()));
    std::string rest;
    ByteWriter fields(rest);
    fields.u64(record.sequence);
    fields.u64(record.durable);
    fields.u8(record.kind);

    std::string bytes = length;
    ByteWriter writer(bytes);
    writer.u32(crc32c(record.payload, record_crc(length, rest, seed)));
    writer.bytes(rest);
    return bytes;
}

std::optional<std::uint32_t> log_payload_bytes(std::string_view bytes) noexcept {
    std::uint32_t count = 0;
    if (!ByteReader(bytes).u32(count) || count > max_log_payload) return std::nullopt;
    return count;
}

std::optional<LogRecord> decode_log_record(std::string_view bytes, std::uint32_t seed) noexcept {
    ByteReader reader(bytes);
    LogRecord record;
    std::uint32_t length = 0;
    std::uint32_t crc = 0;
    const bool whole = reader.u32(length) && reader.u32(crc) && reader.u64(record.sequence) &&
                       reader.u64(record.durable) && reader.u8(record.kind) && reader.bytes(length, record.payload);
    if (!whole || length > max_log_payload || record.durable >= record.sequence) return std::nullopt;
    const std::string_view checked = bytes.substr(checked_offset, reader.offset() - checked_offset);
    if (crc != record_crc(bytes.substr(0, sizeof(length)), checked, seed)) return std::nullopt;
    return record;
}

}  // namespace kith::inline v0::detail
