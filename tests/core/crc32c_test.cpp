// tests/core/crc32c_test.cpp — the checksum agrees with its published values and with a naive twin.
#include "kith/core/crc32c.hpp"

#include "kith/core/random.hpp"

#include "support/catch.hpp"

#include <array>
#include <string>

namespace {

std::uint32_t bit_by_bit(std::string_view bytes) {
    std::uint32_t remainder = 0xffffffff;
    for (const char byte : bytes) {
        remainder ^= static_cast<unsigned char>(byte);
        for (int bit = 0; bit < 8; ++bit) {
            remainder = (remainder >> 1) ^ ((remainder & 1) != 0 ? 0x82f63b78U : 0U);
        }
    }
    return ~remainder;
}

}  // namespace

TEST_CASE("crc32c gives the values of RFC 3720, appendix B.4") {
    CHECK(kith::crc32c(std::string(32, '\0')) == 0x8a9136aa);
    CHECK(kith::crc32c(std::string(32, '\xff')) == 0x62a8ab43);
    std::string ascending(32, '\0');
    for (std::size_t i = 0; i < ascending.size(); ++i) ascending[i] = static_cast<char>(i);
    CHECK(kith::crc32c(ascending) == 0x46dd794e);
    CHECK(kith::crc32c("123456789") == 0xe3069283);
    CHECK(kith::crc32c("") == 0);
}

TEST_CASE("crc32c of every length and alignment equals its bit-by-bit twin, whole or in pieces") {
    kith::SplitMix64 random(2);
    std::string bytes(300, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    for (std::size_t start = 0; start < 9; ++start) {
        for (std::size_t length = 0; length + start <= bytes.size(); length += 1 + length / 16) {
            const std::string_view piece = std::string_view(bytes).substr(start, length);
            const std::uint32_t expected = bit_by_bit(piece);
            REQUIRE(kith::crc32c(piece) == expected);
            const std::size_t cut = length / 3;
            REQUIRE(kith::crc32c(piece.substr(cut), kith::crc32c(piece.substr(0, cut))) == expected);
        }
    }
}

TEST_CASE("crc32c notices every single flipped bit") {
    std::string bytes = "a record of the log";
    const std::uint32_t right = kith::crc32c(bytes);
    for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
        bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
        CHECK(kith::crc32c(bytes) != right);
        bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
    }
}
