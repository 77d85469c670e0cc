// src/storage/identity.cpp — IDENTITY to bytes and back, with a sentence for each way it can be wrong.
#include "kith/storage/identity.hpp"

#include "kith/core/bytes.hpp"
#include "kith/core/crc32c.hpp"
#include "kith/core/error.hpp"
#include "kith/storage/file.hpp"

#include <algorithm>
#include <random>

namespace kith::inline v0::detail {

namespace {

constexpr std::string_view magic = "kithIDNT";  // on disk
constexpr std::size_t prologue_bytes = 20;      // on disk: magic, format, body bytes, checksum
constexpr std::size_t header_bytes = 24;        // on disk: the prologue and the checksum of the body
constexpr std::uint64_t max_file_bytes = header_bytes + 64 + std::uint64_t{max_schema_bytes};
constexpr std::string_view file_name = "IDENTITY";  // on disk

[[noreturn]] void raise_damaged(const std::filesystem::path& file, std::size_t offset, const std::string& what) {
    raise(Errc::corrupt, file.string() + " is damaged at byte " + std::to_string(offset) + ": " + what);
}

Identity decode_body(std::string_view body, const std::filesystem::path& file) {
    Identity identity;
    ByteReader reader(body);
    std::string_view id;
    std::string_view schema;
    const bool whole = reader.u32(identity.engine) && reader.bytes(identity.id.size(), id) &&
                       reader.u64(identity.fingerprint) && reader.sized(schema) && reader.remaining() == 0;
    if (!whole) raise_damaged(file, header_bytes + reader.offset(), "its fields do not fill it");
    std::copy(id.begin(), id.end(), identity.id.begin());
    identity.schema = schema;
    return identity;
}

}  // namespace

CollectionId make_collection_id() {
    std::random_device source;
    CollectionId id{};
    for (std::uint8_t& byte : id) byte = static_cast<std::uint8_t>(source());
    return id;
}

std::string to_text(const CollectionId& id) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (const std::uint8_t byte : id) {
        text += digits[byte >> 4];
        text += digits[byte & 15];
    }
    return text;
}

std::string encode_identity(const Identity& identity) {
    if (identity.schema.size() > max_schema_bytes) {
        raise(Errc::limit_exceeded, "the schema takes " + std::to_string(identity.schema.size()) + " bytes; at most " +
                                        std::to_string(max_schema_bytes) + " can be stored");
    }
    std::string body;
    ByteWriter fields(body);
    fields.u32(identity.engine);
    fields.bytes(identity.id.data(), identity.id.size());
    fields.u64(identity.fingerprint);
    fields.sized(identity.schema);

    std::string bytes(magic);
    ByteWriter header(bytes);
    header.u32(identity.format);
    header.u32(static_cast<std::uint32_t>(body.size()));
    header.u32(crc32c(bytes));
    header.u32(crc32c(body));
    header.bytes(body);
    return bytes;
}

Identity decode_identity(std::string_view bytes, const std::filesystem::path& file) {
    if (bytes.empty()) raise_damaged(file, 0, "it is empty");
    if (bytes.substr(0, magic.size()) != magic.substr(0, bytes.size())) {
        raise(Errc::not_a_collection, file.string() + " does not begin as that of a kith collection does (byte 0)");
    }
    if (bytes.size() < header_bytes) raise_damaged(file, bytes.size(), "it ends inside its header");

    std::uint32_t format = 0;
    std::uint32_t body_bytes = 0;
    std::uint32_t prologue_crc = 0;
    std::uint32_t body_crc = 0;
    ByteReader reader(bytes.substr(magic.size()));
    static_cast<void>(reader.u32(format) && reader.u32(body_bytes) && reader.u32(prologue_crc) && reader.u32(body_crc));
    if (crc32c(bytes.substr(0, prologue_bytes - 4)) != prologue_crc) {
        raise_damaged(file, magic.size(), "the checksum of its header is wrong");
    }
    if (format != format_version) {
        raise(Errc::unsupported_version, file.string() + " was written by format " + std::to_string(format) +
                                             ", this build reads " + std::to_string(format_version));
    }
    const std::string_view body = bytes.substr(header_bytes);
    if (body.size() != body_bytes) {
        raise_damaged(
            file, bytes.size(),
            std::to_string(body_bytes) + " bytes should follow its header, " + std::to_string(body.size()) + " do");
    }
    if (crc32c(body) != body_crc) raise_damaged(file, header_bytes, "the checksum of its body is wrong");
    return decode_body(body, file);
}

void write_identity(const std::filesystem::path& directory, const Identity& identity) {
    write_file_durably(directory, std::string(file_name), encode_identity(identity));
}

Identity read_identity(const std::filesystem::path& directory) {
    std::error_code error;
    const std::filesystem::file_status status = std::filesystem::status(directory, error);
    if (status.type() == std::filesystem::file_type::not_found) {
        raise(Errc::not_found, directory.string() + ": there is no such directory");
    }
    if (status.type() != std::filesystem::file_type::directory && !error) {
        raise(Errc::not_a_collection, directory.string() + " is a file; a collection is a directory");
    }
    const std::filesystem::path file = directory / file_name;
    if (!error && std::filesystem::status(file, error).type() == std::filesystem::file_type::not_found) {
        raise(Errc::not_a_collection, directory.string() + " is not a kith collection: it holds no IDENTITY");
    }
    return decode_identity(read_whole_file(file, max_file_bytes), file);
}

}  // namespace kith::inline v0::detail
