// kith/query/parse/time_reader.hpp — a point in time as ISO 8601 writes it, also while compiling.
//
//   time := YYYY-MM-DD [("T" | " ") HH:MM [":" SS ["." 1 to 6 digits]] ["Z" | ("+" | "-") HH ":" MM]]
//
// Thread safety: values.
#pragma once

#include "kith/schema/field.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace kith::inline v0::detail {

/// Reads a whole text at once.
class TimeReader {
public:
    explicit constexpr TimeReader(std::string_view text) : text_(text) {
        read();
        ok_ = ok_ && text_.empty();
    }

    [[nodiscard]] constexpr bool ok() const noexcept { return ok_; }

    /// Microseconds since 1970, in UTC.
    [[nodiscard]] constexpr std::int64_t count() const noexcept { return count_; }

private:
    constexpr void read() {
        const int year = number(4, 9999);
        want('-');
        const int month = number(2, 12);
        want('-');
        const int day = number(2, 31);
        const std::chrono::year_month_day date{std::chrono::year(year),
                                               std::chrono::month(static_cast<unsigned>(month)),
                                               std::chrono::day(static_cast<unsigned>(day))};
        ok_ = ok_ && date.ok();
        if (!ok_) return;
        constexpr std::int64_t minute = 60'000'000;
        count_ = std::chrono::sys_days(date).time_since_epoch().count() * (24 * 60 * minute);
        if (text_.empty()) return;
        if (!take('T') && !take(' ')) return;
        count_ += number(2, 23) * (60 * minute);
        want(':');
        count_ += number(2, 59) * minute;
        if (take(':')) {
            count_ += number(2, 59) * (minute / 60);
            if (take('.')) fraction();
        }
        if (take('Z') || text_.empty()) return;
        const int sign = take('-') ? 1 : -1;  // behind UTC: UTC is later
        if (sign < 0) want('+');
        count_ += sign * (number(2, 23) * (60 * minute));
        want(':');
        count_ += sign * (number(2, 59) * minute);
    }

    constexpr void fraction() {
        std::int64_t unit = 100'000;
        std::size_t digits = 0;
        for (; digits < 6 && !text_.empty() && text_.front() >= '0' && text_.front() <= '9'; ++digits) {
            count_ += (text_.front() - '0') * unit;
            unit /= 10;
            text_.remove_prefix(1);
        }
        ok_ = ok_ && digits > 0;
    }

    constexpr bool take(char letter) noexcept {
        if (text_.empty() || text_.front() != letter) return false;
        text_.remove_prefix(1);
        return true;
    }

    constexpr void want(char letter) noexcept { ok_ = take(letter) && ok_; }

    /// That many digits.
    constexpr int number(std::size_t digits, int most) noexcept {
        int value = 0;
        for (; digits > 0; --digits) {
            if (text_.empty() || text_.front() < '0' || text_.front() > '9') {
                ok_ = false;
                return 0;
            }
            value = 10 * value + (text_.front() - '0');
            text_.remove_prefix(1);
        }
        ok_ = ok_ && value <= most;
        return value;
    }

    std::string_view text_;  // what is not read yet
    std::int64_t count_ = 0;
    bool ok_ = true;
};

}  // namespace kith::inline v0::detail
