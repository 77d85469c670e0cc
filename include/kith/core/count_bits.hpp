// kith/core/count_bits.hpp — how many bits are set in many words.
//
// A build for any x86-64 has no instruction for it, and std::popcount is then a call that looks tables up. Adding eight
// words bit by bit first leaves one of them to count.
//
// Source: Warren, Hacker's Delight, second edition, section 5-1 (a carry-save adder over an array).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace kith::inline v0::detail {

/// The bits that are set in one word.
[[nodiscard]] constexpr std::uint64_t count_bits(std::uint64_t word) noexcept {
    word -= (word >> 1) & 0x5555555555555555U;
    word = (word & 0x3333333333333333U) + ((word >> 2) & 0x3333333333333333U);
    word = (word + (word >> 4)) & 0x0f0f0f0f0f0f0f0fU;
    return (word * 0x0101010101010101U) >> 56;
}

/// Sums of three bits, for 64 of them at a time: `sum` takes the lower digit, the higher one is returned.
[[nodiscard]] constexpr std::uint64_t add_bits(std::uint64_t& sum, std::uint64_t a, std::uint64_t b) noexcept {
    const std::uint64_t either = sum ^ a;
    const std::uint64_t carry = (sum & a) | (either & b);
    sum = either ^ b;
    return carry;
}

/// The bits that are set in all of them.
[[nodiscard]] constexpr std::size_t count_bits(std::span<const std::uint64_t> words) noexcept {
    std::uint64_t ones = 0;
    std::uint64_t twos = 0;
    std::uint64_t fours = 0;
    std::uint64_t eights = 0;  // counted, not a digit
    std::size_t at = 0;
    for (; at + 8 <= words.size(); at += 8) {
        const std::uint64_t a = add_bits(ones, words[at], words[at + 1]);
        const std::uint64_t b = add_bits(ones, words[at + 2], words[at + 3]);
        const std::uint64_t c = add_bits(ones, words[at + 4], words[at + 5]);
        const std::uint64_t d = add_bits(ones, words[at + 6], words[at + 7]);
        const std::uint64_t lower = add_bits(twos, a, b);
        const std::uint64_t upper = add_bits(twos, c, d);
        eights += count_bits(add_bits(fours, lower, upper));
    }
    std::uint64_t rest = 0;
    for (; at < words.size(); ++at) rest += count_bits(words[at]);
    return static_cast<std::size_t>(8 * eights + 4 * count_bits(fours) + 2 * count_bits(twos) + count_bits(ones) +
                                    rest);
}

}  // namespace kith::inline v0::detail
