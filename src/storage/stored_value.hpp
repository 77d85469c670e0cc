// src/storage/stored_value.hpp — the three tables of an environment: their keys' bytes and their values' checksums.
//
// Thread safety: any number of threads.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace kith::inline v0::detail {

enum Table : unsigned { rows, keys, state_records };

inline constexpr unsigned table_count = 3;
inline constexpr std::array<const char*, table_count> table_names{"rows", "keys", "state"};  // on disk
inline constexpr std::size_t value_checksum_bytes = 4;                                       // on disk

/// The id of a row as a key: big-endian, so that the order of bytes is the order of numbers.
class RowKey {
public:
    explicit RowKey(std::uint64_t id) noexcept;
    [[nodiscard]] std::string_view text() const noexcept { return {bytes_, sizeof(bytes_)}; }

private:
    char bytes_[8];  // on disk
};

[[nodiscard]] std::uint64_t row_id(std::string_view key) noexcept;

/// What stands behind a value. It is right only under its own key in its own table.
[[nodiscard]] std::uint32_t value_checksum(Table table, std::string_view key, std::string_view value) noexcept;

/// A key for an error text: "row 17", "key 'a\x00b'".
[[nodiscard]] std::string printed_key(Table table, std::string_view key);

[[noreturn]] void raise_damaged(const std::filesystem::path& file, const std::string& what);

/// The value without its checksum. Throws: Errc::corrupt when that is wrong.
[[nodiscard]] std::string_view checked_value(const std::filesystem::path& file, Table table, std::string_view key,
                                             std::string_view stored);

}  // namespace kith::inline v0::detail
