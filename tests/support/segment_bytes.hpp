// tests/support/segment_bytes.hpp — a segment file whose checksums are made right again after its bytes were changed.
#pragma once

#include "kith/core/bytes.hpp"
#include "kith/core/crc32c.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace kith_test {

inline std::string number_of(std::uint32_t value) {
    std::string bytes;
    kith::ByteWriter(bytes).u32(value);
    return bytes;
}

/// See docs/format.md for the offsets. The payload
/// is as long as the header says, or as there are bytes.
/// Requires: `bytes` holds a whole header.
inline std::string with_right_checksums(std::string bytes) {
    constexpr std::size_t header = 4096, block = 65536;
    std::uint64_t payload = 0;
    static_cast<void>(kith::ByteReader(std::string_view(bytes).substr(36)).u64(payload));
    const std::size_t end = header + static_cast<std::size_t>(std::min<std::uint64_t>(payload, bytes.size() - header));
    std::string table;
    for (std::size_t at = 0; at < end; at += block) {
        const std::size_t first = std::max(at, header);
        const std::size_t last = std::min(at + block, end);
        table += number_of(kith::crc32c(std::string_view(bytes).substr(first, last - std::min(first, last))));
    }
    bytes.resize(end);
    bytes += table;
    bytes.replace(48, 4, number_of(kith::crc32c(table)));
    return bytes.replace(4092, 4, number_of(kith::crc32c(std::string_view(bytes).substr(0, 4092))));
}

}  // namespace kith_test
