// kith/query/decimal.hpp — a number in decimal digits as the nearest double, also while compiling.
//
// The standard's own conversion runs only at run time, and not at all for doubles in some libraries. This one divides
// two exact integers until it has 64 bits of the quotient, which with the rest decide the rounding.
//
// Thread safety: functions without state.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>

namespace kith::inline v0::detail {

/// The most characters of a number.
inline constexpr std::size_t max_number_characters = 64;

/// A non-negative integer of up to 1,792 bits: 64 digits, times ten to the power of 394, fit.
class BigInteger {
public:
    explicit constexpr BigInteger(std::uint32_t value) noexcept { add(value); }

    [[nodiscard]] constexpr bool is_zero() const noexcept { return used_ == 0; }

    constexpr void multiply(std::uint32_t factor) noexcept {
        std::uint64_t carry = 0;
        for (std::size_t at = 0; at < used_; ++at) {
            carry += std::uint64_t{limbs_[at]} * factor;
            limbs_[at] = static_cast<std::uint32_t>(carry);
            carry >>= 32;
        }
        if (carry > 0) limbs_[used_++] = static_cast<std::uint32_t>(carry);
    }

    constexpr void multiply_by_power_of_ten(int power) noexcept {
        for (; power >= 9; power -= 9) multiply(1'000'000'000);
        for (; power > 0; --power) multiply(10);
    }

    constexpr void add(std::uint32_t value) noexcept {
        std::uint64_t carry = value;
        for (std::size_t at = 0; carry > 0; ++at) {
            if (at == used_) ++used_;
            carry += limbs_[at];
            limbs_[at] = static_cast<std::uint32_t>(carry);
            carry >>= 32;
        }
    }

    [[nodiscard]] constexpr int bit_length() const noexcept {
        return used_ == 0 ? 0 : static_cast<int>(32 * used_) - std::countl_zero(limbs_[used_ - 1]);
    }

    /// Requires: at most 53 bits.
    [[nodiscard]] constexpr double to_real() const noexcept {
        return static_cast<double>((std::uint64_t{limbs_[1]} << 32) | limbs_[0]);
    }

    constexpr void shift_left(int bits) noexcept {
        for (; bits >= 31; bits -= 31) multiply(std::uint32_t{1} << 31);
        multiply(std::uint32_t{1} << bits);
    }

    [[nodiscard]] constexpr bool at_least(const BigInteger& other) const noexcept {
        if (used_ != other.used_) return used_ > other.used_;
        for (std::size_t at = used_; at-- > 0;) {
            if (limbs_[at] != other.limbs_[at]) return limbs_[at] > other.limbs_[at];
        }
        return true;
    }

    /// Requires: at_least(other).
    constexpr void subtract(const BigInteger& other) noexcept {
        std::uint64_t borrow = 0;
        for (std::size_t at = 0; at < used_; ++at) {
            const std::uint64_t taken = (at < other.used_ ? other.limbs_[at] : 0) + borrow;
            borrow = limbs_[at] < taken ? 1 : 0;
            limbs_[at] = static_cast<std::uint32_t>(limbs_[at] - taken);
        }
        while (used_ > 0 && limbs_[used_ - 1] == 0) --used_;
    }

private:
    std::array<std::uint32_t, 56> limbs_{};  // lowest first; zero from used_ on
    std::size_t used_ = 0;                   // the last used limb is not zero
};

/// `quotient` times 2 to the power of `power`, rounded to the nearest double and half way to even. `rest`: more than
/// that, by less than one unit of the quotient.
constexpr double nearest_double(std::uint64_t quotient, bool rest, int power) noexcept {
    if (quotient == 0) return 0;
    const int length = 64 - std::countl_zero(quotient);
    int exponent = power + length - 1;
    const int precision = exponent >= -1022 ? 53 : 53 - (-1022 - exponent);
    if (precision < 0) return 0;
    const int dropped = length - precision;  // 10 or more: the quotient has 63 bits at least
    const std::uint64_t kept = dropped == 64 ? 0 : quotient >> dropped;
    const std::uint64_t half = std::uint64_t{1} << (dropped - 1);
    const std::uint64_t lost = quotient - (dropped == 64 ? 0 : kept << dropped);
    std::uint64_t digits = kept + (lost > half || (lost == half && (rest || kept % 2 == 1)) ? 1 : 0);
    if (exponent < -1022) return std::bit_cast<double>(digits);  // one that rounds up to 2 to the -1022 fits as well
    if (digits >> 53 != 0) {
        digits >>= 1;
        ++exponent;
    }
    if (exponent > 1023) return std::numeric_limits<double>::infinity();
    const std::uint64_t fraction = digits & ((std::uint64_t{1} << 52) - 1);
    return std::bit_cast<double>((static_cast<std::uint64_t>(exponent + 1023) << 52) | fraction);
}

/// The double nearest to a number such as 12, 0.5, .5 or 1e-3; infinity when it is beyond them all.
/// Requires: digits with at most one dot, then nothing or e, a sign or none, and digits; max_number_characters at most.
constexpr double to_double(std::string_view text) noexcept {
    constexpr int far = 5'000;  // beyond any exponent that 64 characters of digits could make up for
    BigInteger numerator(0);
    int exponent = 0;
    int point = 0;  // 1 behind the dot
    std::size_t at = 0;
    for (; at < text.size() && text[at] != 'e' && text[at] != 'E'; ++at) {
        if (text[at] == '.') {
            point = 1;
            continue;
        }
        numerator.multiply(10);
        numerator.add(static_cast<std::uint32_t>(text[at] - '0'));
        exponent -= point;
    }
    if (at < text.size()) {
        ++at;
        const bool negative = text[at] == '-';
        if (text[at] == '-' || text[at] == '+') ++at;
        int given = 0;
        for (; at < text.size(); ++at) given = given < far ? 10 * given + (text[at] - '0') : given;
        exponent += negative ? -given : given;
    }
    if (numerator.is_zero()) return 0;
    if (numerator.bit_length() <= 53 && exponent >= -22 && exponent <= 22) {  // one rounding of two exact numbers
        double power = 1;
        for (int left = exponent < 0 ? -exponent : exponent; left > 0; --left) power *= 10;
        return exponent < 0 ? numerator.to_real() / power : numerator.to_real() * power;
    }
    if (exponent > 310) return std::numeric_limits<double>::infinity();
    if (exponent < -394) return 0;  // 64 digits and less than 10 to the -330
    BigInteger denominator(1);
    if (exponent >= 0) numerator.multiply_by_power_of_ten(exponent);
    if (exponent < 0) denominator.multiply_by_power_of_ten(-exponent);
    const int longer = numerator.bit_length() - denominator.bit_length();
    if (longer > 0) denominator.shift_left(longer);
    if (longer < 0) numerator.shift_left(-longer);
    std::uint64_t quotient = 0;
    for (int bit = 0; bit < 64; ++bit) {
        const bool goes = numerator.at_least(denominator);
        if (goes) numerator.subtract(denominator);
        quotient = 2 * quotient + (goes ? 1 : 0);
        numerator.shift_left(1);
    }
    return nearest_double(quotient, !numerator.is_zero(), longer - 63);
}

}  // namespace kith::inline v0::detail
