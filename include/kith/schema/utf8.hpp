// kith/schema/utf8.hpp — tells well-formed UTF-8 from other bytes.
//
// Text that is not would fail far from where it came in: in JSON, in a tokenizer, in another language's string type.
// So it is refused at the door. Zero bytes are well-formed and may stand anywhere.
//
// Thread safety: functions without state.
// Source: The Unicode Standard, version 15.0, table 3-7 (well-formed byte sequences).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace kith::inline v0::detail {

/// The bytes of the well-formed character at the start of `text`, or 0 when there is none.
/// Requires: text is not empty.
inline std::size_t utf8_character(std::string_view text) noexcept {
    const auto byte = [text](std::size_t at) { return static_cast<unsigned char>(text[at]); };
    const unsigned char lead = byte(0);
    if (lead < 0x80) return 1;
    const std::size_t size = lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
    if (size == 0 || text.size() < size) return 0;
    // The second byte also keeps out long spellings, surrogates, and what lies past U+10FFFF.
    const unsigned char low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    const unsigned char high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (byte(1) < low || byte(1) > high) return 0;
    for (std::size_t at = 2; at < size; ++at) {
        if ((byte(at) & 0xc0) != 0x80) return 0;
    }
    return size;
}

/// The offset of the first byte that begins no well-formed character; text.size() when all is well.
inline std::size_t utf8_valid_prefix(std::string_view text) noexcept {
    std::size_t at = 0;
    while (at < text.size()) {
        std::uint64_t eight = 0;
        if (text.size() - at >= sizeof(eight)) {
            std::memcpy(&eight, text.data() + at, sizeof(eight));
            if ((eight & 0x8080808080808080ULL) == 0) {  // eight ASCII letters at once
                at += sizeof(eight);
                continue;
            }
        }
        const std::size_t size = utf8_character(text.substr(at));
        if (size == 0) return at;
        at += size;
    }
    return at;
}

}  // namespace kith::inline v0::detail
