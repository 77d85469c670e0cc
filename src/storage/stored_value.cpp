// src/storage/stored_value.cpp — keys to bytes, values to checksums.
#include "storage/stored_value.hpp"

#include "kith/core/bytes.hpp"
#include "kith/core/crc32c.hpp"
#include "kith/core/error.hpp"

namespace kith::inline v0::detail {

RowKey::RowKey(std::uint64_t id) noexcept {
    for (std::size_t byte = 0; byte < sizeof(bytes_); ++byte) bytes_[byte] = static_cast<char>(id >> (56 - 8 * byte));
}

std::uint64_t row_id(std::string_view key) noexcept {
    std::uint64_t id = 0;
    for (const char byte : key) id = (id << 8) | static_cast<unsigned char>(byte);
    return id;
}

std::uint32_t value_checksum(Table table, std::string_view key, std::string_view value) noexcept {
    return crc32c(value, crc32c(key, crc32c(table_names[table])));
}

std::string printed_key(Table table, std::string_view key) {
    constexpr std::string_view digits = "0123456789abcdef";
    if (table == rows) return "row " + std::to_string(row_id(key));
    std::string text = table == keys ? "key '" : "state '";
    for (const char byte : key) {
        const auto code = static_cast<unsigned char>(byte);
        if (code >= 0x20 && code != 0x7f) {
            text += byte;
        } else {
            text.append("\\x").append(1, digits[code >> 4]).append(1, digits[code & 15]);
        }
    }
    return text + '\'';
}

void raise_damaged(const std::filesystem::path& file, const std::string& what) {
    raise(Errc::corrupt, file.string() + " is damaged: " + what);
}

std::string_view checked_value(const std::filesystem::path& file, Table table, std::string_view key,
                               std::string_view stored) {
    if (stored.size() < value_checksum_bytes) {
        raise_damaged(file, printed_key(table, key) + ": its value is shorter than a checksum");
    }
    const std::string_view value = stored.substr(0, stored.size() - value_checksum_bytes);
    std::uint32_t crc = 0;
    static_cast<void>(ByteReader(stored.substr(value.size())).u32(crc));
    if (crc != value_checksum(table, key, value)) {
        raise_damaged(file, printed_key(table, key) + ": its checksum is wrong");
    }
    return value;
}

}  // namespace kith::inline v0::detail
