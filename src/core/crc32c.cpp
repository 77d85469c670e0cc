// src/core/crc32c.cpp — CRC-32C by the processor's instruction, or by tables of eight bytes at a time.
#include "kith/core/crc32c.hpp"

#include "kith/core/bytes.hpp"

#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <cpuid.h>
#include <nmmintrin.h>
#endif

namespace kith::inline v0 {

namespace {

constexpr std::uint32_t reflected_polynomial = 0x82f63b78;

using Tables = std::array<std::array<std::uint32_t, 256>, 8>;

// tables[n][b] is the remainder of byte b followed by n zero bytes.
constexpr Tables make_tables() {
    Tables tables{};
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
        std::uint32_t remainder = byte;
        for (int bit = 0; bit < 8; ++bit) {
            remainder = (remainder >> 1) ^ ((remainder & 1) != 0 ? reflected_polynomial : 0);
        }
        tables[0][byte] = remainder;
    }
    for (std::size_t zeros = 1; zeros < tables.size(); ++zeros) {
        for (std::size_t byte = 0; byte < 256; ++byte) {
            const std::uint32_t before = tables[zeros - 1][byte];
            tables[zeros][byte] = (before >> 8) ^ tables[0][before & 0xff];
        }
    }
    return tables;
}

constexpr Tables tables = make_tables();

std::uint64_t load_eight(const unsigned char* bytes) noexcept {
    std::uint64_t value = 0;
    std::memcpy(&value, bytes, sizeof(value));
    return detail::little_endian(value);
}

std::uint32_t by_tables(const unsigned char* bytes, std::size_t count, std::uint32_t crc) noexcept {
    for (; count >= 8; bytes += 8, count -= 8) {
        const std::uint64_t block = load_eight(bytes) ^ crc;
        crc = 0;
        for (std::size_t byte = 0; byte < 8; ++byte) crc ^= tables[7 - byte][(block >> (8 * byte)) & 0xff];
    }
    for (; count > 0; ++bytes, --count) crc = (crc >> 8) ^ tables[0][(crc ^ *bytes) & 0xff];
    return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) std::uint32_t by_instruction(const unsigned char* bytes, std::size_t count,
                                                               std::uint32_t crc) noexcept {
    std::uint64_t wide = crc;
    for (; count >= 8; bytes += 8, count -= 8) wide = _mm_crc32_u64(wide, load_eight(bytes));
    crc = static_cast<std::uint32_t>(wide);
    for (; count > 0; ++bytes, --count) crc = _mm_crc32_u8(crc, *bytes);
    return crc;
}

bool has_instruction() noexcept {
    unsigned a = 0;
    unsigned b = 0;
    unsigned c = 0;
    unsigned d = 0;
    return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_SSE4_2) != 0;
}
#endif

}  // namespace

std::uint32_t crc32c(const void* data, std::size_t count, std::uint32_t seed) noexcept {
    const auto* bytes = static_cast<const unsigned char*>(data);
#if defined(__x86_64__)
    static const bool use_instruction = has_instruction();
    if (use_instruction) return ~by_instruction(bytes, count, ~seed);
#endif
    return ~by_tables(bytes, count, ~seed);
}

}  // namespace kith::inline v0
