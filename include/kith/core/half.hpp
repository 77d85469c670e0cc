// kith/core/half.hpp — floats of two bytes, and what they are worth as floats of four.
//
// Compilers disagree on which of their own 16-bit types exist, in which mode and with what name mangling, so these hold
// bits and convert by integer arithmetic. The conversions are always inline: no source leaves a copy of them that was
// built for a newer processor than the next source's.
//
// Thread safety: values.
// Source: IEEE 754-2008, binary16; Intel, "BFLOAT16 – Hardware Numerics Definition", 2018.
#pragma once

#include <bit>
#include <cstdint>

namespace kith::inline v0 {

/// IEEE 754 binary16: 11 significant bits, from 2^-24 to 65504.
class Half {
public:
    Half() = default;

    /// The nearest half, ties to even: infinite from 65520 on, not a number when `value` is none.
    [[gnu::always_inline]] constexpr explicit Half(float value) noexcept : bits_(narrow(value)) {}

    [[gnu::always_inline]] static constexpr Half from_bits(std::uint16_t bits) noexcept {
        Half made;
        made.bits_ = bits;
        return made;
    }

    /// On disk: these bits, little-endian.
    [[nodiscard]] constexpr std::uint16_t bits() const noexcept { return bits_; }

    /// Exact.
    [[nodiscard, gnu::always_inline]] constexpr operator float() const noexcept {
        // The exponent moves to its place, and a multiplication corrects its bias: subnormal halves become normal
        // floats on the way, without a branch.
        constexpr float rebias = 0x1p112F;
        constexpr float past_largest = 0x1p16F;
        const std::uint32_t magnitude = (bits_ & 0x7fffU) << 13;
        const float finite = std::bit_cast<float>(magnitude) * rebias;
        const std::uint32_t special = finite >= past_largest ? 0x7f800000U : 0;
        const std::uint32_t sign = (bits_ & 0x8000U) << 16;
        return std::bit_cast<float>(std::bit_cast<std::uint32_t>(finite) | special | sign);
    }

private:
    [[gnu::always_inline]] static constexpr std::uint16_t narrow(float value) noexcept {
        constexpr std::uint32_t infinity = 0x7f800000;
        constexpr std::uint32_t past_largest = 0x47800000;     // 65536
        constexpr std::uint32_t smallest_normal = 0x38800000;  // 2^-14
        constexpr std::uint32_t rebias = 0x38000000;           // the difference of the biases, 112, as an exponent
        const auto bits = std::bit_cast<std::uint32_t>(value);
        const std::uint32_t sign = (bits >> 16) & 0x8000U;
        const std::uint32_t magnitude = bits & 0x7fffffffU;
        std::uint32_t result = 0;
        if (magnitude > infinity) {
            result = 0x7e00U | ((magnitude >> 13) & 0x3ffU);  // quiet, with what fits of its payload
        } else if (magnitude >= past_largest) {
            result = 0x7c00U;
        } else if (magnitude < smallest_normal) {
            // The last bit of 0.5 is the smallest half, so adding it rounds.
            result = std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) + 0.5F) -
                     std::bit_cast<std::uint32_t>(0.5F);
        } else {
            result = (magnitude + 0xfffU + ((magnitude >> 13) & 1U) - rebias) >> 13;
        }
        return static_cast<std::uint16_t>(result | sign);
    }

    std::uint16_t bits_ = 0;
};

/// The upper half of a float: 8 significant bits, the range of a float.
class Bfloat16 {
public:
    Bfloat16() = default;

    /// The nearest bfloat16, ties to even: infinite past the largest, not a number when `value` is none.
    [[gnu::always_inline]] constexpr explicit Bfloat16(float value) noexcept : bits_(narrow(value)) {}

    [[gnu::always_inline]] static constexpr Bfloat16 from_bits(std::uint16_t bits) noexcept {
        Bfloat16 made;
        made.bits_ = bits;
        return made;
    }

    /// On disk: these bits, little-endian.
    [[nodiscard]] constexpr std::uint16_t bits() const noexcept { return bits_; }

    /// Exact.
    [[nodiscard, gnu::always_inline]] constexpr operator float() const noexcept {
        return std::bit_cast<float>(std::uint32_t{bits_} << 16);
    }

private:
    [[gnu::always_inline]] static constexpr std::uint16_t narrow(float value) noexcept {
        constexpr std::uint32_t infinity = 0x7f800000;
        const auto bits = std::bit_cast<std::uint32_t>(value);
        if ((bits & 0x7fffffffU) > infinity) return static_cast<std::uint16_t>((bits >> 16) | 0x40U);  // quiet
        return static_cast<std::uint16_t>((bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16);
    }

    std::uint16_t bits_ = 0;
};

}  // namespace kith::inline v0
