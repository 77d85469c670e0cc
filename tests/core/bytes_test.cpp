// tests/core/bytes_test.cpp — numbers survive the way to bytes and back, and a reader never passes the end.
#include "kith/core/bytes.hpp"

#include "kith/core/random.hpp"

#include "support/catch.hpp"

#include <array>
#include <limits>
#include <vector>

using kith::ByteReader;
using kith::ByteWriter;

TEST_CASE("Stored numbers are little-endian") {
    std::string bytes;
    ByteWriter writer(bytes);
    writer.u8(0x01);
    writer.u16(0x0302);
    writer.u32(0x07060504);
    writer.u64(0x0f0e0d0c0b0a0908);
    REQUIRE(bytes.size() == 15);
    for (std::size_t i = 0; i < bytes.size(); ++i) CHECK(bytes[i] == static_cast<char>(i + 1));
}

TEST_CASE("Every kind of value is read back as it was written") {
    std::string bytes;
    ByteWriter writer(bytes);
    const std::array<float, 3> floats{1.5F, -0.0F, std::numeric_limits<float>::denorm_min()};
    writer.u8(200);
    writer.u16(60000);
    writer.u32(4000000000U);
    writer.u64(std::numeric_limits<std::uint64_t>::max());
    writer.f32(-2.25F);
    writer.f64(1e300);
    writer.f32s(floats);
    writer.sized("k\0th");
    writer.sized("");

    ByteReader reader(bytes);
    std::uint8_t u8 = 0;
    std::uint16_t u16 = 0;
    std::uint32_t u32 = 0;
    std::uint64_t u64 = 0;
    float f32 = 0;
    double f64 = 0;
    std::array<float, 3> read{};
    std::string_view text;
    REQUIRE((reader.u8(u8) && u8 == 200));
    REQUIRE((reader.u16(u16) && u16 == 60000));
    REQUIRE((reader.u32(u32) && u32 == 4000000000U));
    REQUIRE((reader.u64(u64) && u64 == std::numeric_limits<std::uint64_t>::max()));
    REQUIRE((reader.f32(f32) && f32 == -2.25F));
    REQUIRE((reader.f64(f64) && f64 == 1e300));
    REQUIRE((reader.f32s(read) && read == floats));
    REQUIRE((reader.sized(text) && text == "k"));
    REQUIRE((reader.sized(text) && text.empty()));
    CHECK(reader.remaining() == 0);
}

TEST_CASE("A varint takes one byte for each seven bits and refuses more than 64") {
    for (int bit = 0; bit < 64; ++bit) {
        const std::uint64_t value = std::uint64_t{1} << bit;
        std::string bytes;
        ByteWriter(bytes).varint(value);
        CHECK(bytes.size() == static_cast<std::size_t>(bit / 7 + 1));
        ByteReader reader(bytes);
        std::uint64_t read = 0;
        REQUIRE(reader.varint(read));
        CHECK(read == value);
    }
    std::uint64_t value = 7;
    ByteReader too_long(std::string_view("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10));
    CHECK_FALSE(too_long.varint(value));
    CHECK(value == 7);
}

TEST_CASE("A read that finds too few bytes says so and moves nothing") {
    std::string whole;
    ByteWriter writer(whole);
    writer.u64(1);
    for (std::size_t size = 0; size < whole.size(); ++size) {
        ByteReader reader(std::string_view(whole).substr(0, size));
        std::uint64_t value = 42;
        CHECK_FALSE(reader.u64(value));
        CHECK(value == 42);
        CHECK(reader.offset() == 0);
        CHECK(reader.remaining() == size);
    }
}

TEST_CASE("A sized string longer than what is left is refused whole") {
    std::string bytes;
    ByteWriter(bytes).sized("abcdef");
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        ByteReader reader(std::string_view(bytes).substr(0, size));
        std::string_view text = "before";
        CHECK_FALSE(reader.sized(text));
        CHECK(text == "before");
        CHECK(reader.offset() == 0);
    }
}

TEST_CASE("A reader of random bytes never passes their end") {
    kith::SplitMix64 random(1);
    for (int round = 0; round < 2000; ++round) {
        std::string bytes(random.below(40), '\0');
        for (char& byte : bytes) byte = static_cast<char>(random());
        ByteReader reader(bytes);
        for (int step = 0; step < 20; ++step) {
            std::uint64_t number = 0;
            std::string_view text;
            const bool read = random() % 2 == 0 ? reader.varint(number) : reader.sized(text);
            REQUIRE(reader.offset() <= bytes.size());
            if (!read) break;
        }
    }
}
