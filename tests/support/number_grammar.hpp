// tests/support/number_grammar.hpp — a record, random calculations over it, and what they come to, naively.
#pragma once

#include "kith/query.hpp"

#include <array>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace kith_test {

enum class Shade : std::int8_t { dark = -3, grey = 0, light = 100 };

struct Thing {
    std::string key;
    std::int32_t small = 0;
    std::optional<std::int64_t> large;
    std::uint64_t size = 0;
    float weight = 0;
    std::optional<double> price;
    bool open = false;
    std::optional<bool> maybe;
    std::optional<std::string> note;
    Shade shade = Shade::grey;
    std::vector<std::string> tags;
    std::optional<std::vector<std::int32_t>> marks;
    std::optional<kith::Json> more;
    std::array<float, 2> place{};
    kith::Timestamp seen;  // these two no grammar speaks of
    std::uint32_t code = 0;
};

__extension__ using Wide = __int128;
using Amount = std::variant<std::monostate, Wide, double>;  // nothing: null

/// A number of a record, and how it is written.
struct DrawnNumber {
    std::string text;
    std::function<Amount(const Thing&)> meaning;
    bool whole = false;
};

/// `Choose` has `std::uint64_t below(std::uint64_t count)`.
template <class Choose>
class NumberGrammar {
public:
    explicit NumberGrammar(Choose& choose) : choose_(choose) {}

    std::uint64_t pick(std::uint64_t count) { return choose_.below(count); }
    std::int32_t number() { return static_cast<std::int32_t>(pick(9)) - 4; }

    /// A keyword in any case.
    std::string word(std::string keyword) {
        if (pick(2) == 0) return keyword;
        for (char& letter : keyword) {
            if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
        }
        return keyword;
    }

    /// Every integer of 64 bits and every double is one of these on the machines the tests run on.
    static long double exact(const Amount& amount) {
        const auto* whole = std::get_if<Wide>(&amount);
        return whole != nullptr ? static_cast<long double>(*whole) : static_cast<long double>(std::get<double>(amount));
    }

    template <class T>
    static Amount amount(const std::optional<T>& value) {
        if (!value.has_value()) return {};
        if constexpr (std::is_floating_point_v<T>) return static_cast<double>(*value);
        return Wide(*value);
    }

    static Amount calculated(char op, const Amount& left, const Amount& right) {
        if (left.index() == 0 || right.index() == 0) return {};
        if (left.index() == 2 || right.index() == 2) {
            const auto real = [](const Amount& one) {
                const auto* whole = std::get_if<Wide>(&one);
                return whole != nullptr ? static_cast<double>(*whole) : std::get<double>(one);
            };
            const double a = real(left);
            const double b = real(right);
            if (op == '/' && b == 0) return a / (std::signbit(b) ? -0.0 : 0.0);
            return op == '+' ? a + b : op == '-' ? a - b : op == '*' ? a * b : a / b;
        }
        const Wide a = std::get<Wide>(left);
        const Wide b = std::get<Wide>(right);
        if ((op == '/' || op == '%') && b == 0) return {};
        Wide result = 0;
        if (op == '*' && __builtin_mul_overflow(a, b, &result)) return {};
        if (op == '+') result = a + b;
        if (op == '-') result = a - b;
        if (op == '/') result = a / b;
        if (op == '%') result = a % b;
        if (result < Wide(std::numeric_limits<std::int64_t>::min()) ||
            result > Wide(std::numeric_limits<std::uint64_t>::max())) {
            return {};
        }
        return result;
    }

    DrawnNumber drawn_number(int depth) {
        if (depth <= 0 || pick(3) == 0) return plain_number();
        if (pick(6) == 0) {
            DrawnNumber inner = drawn_number(depth - 1);
            return {"-(" + inner.text + " + size)",
                    [a = inner.meaning](const Thing& thing) {
                        const Amount sum = calculated('+', a(thing), Wide(thing.size));
                        return calculated('-', zero_like(sum), sum);
                    },
                    inner.whole};
        }
        DrawnNumber left = drawn_number(depth - 1);
        DrawnNumber right = drawn_number(depth - 1);
        const bool whole = left.whole && right.whole;
        const char op = "+-*/%"[pick(whole ? 5 : 4)];
        // A column beside each constant, for a calculation of constants alone may be refused.
        auto meaning = [a = left.meaning, b = right.meaning, op](const Thing& thing) {
            return calculated(op, calculated('+', a(thing), Wide(thing.small)), b(thing));
        };
        return {"((" + left.text + " + small) " + op + " " + right.text + ")", meaning, whole};
    }

    static Amount zero_like(const Amount& amount) {
        if (amount.index() == 2) return -0.0;  // less a real: its sign is changed, that of zero too
        return Wide(0);
    }

    DrawnNumber plain_number() {
        switch (pick(8)) {
            case 0:
                return {"small", [](const Thing& thing) { return Amount(Wide(thing.small)); }, true};
            case 1:
                return {"large", [](const Thing& thing) { return amount(thing.large); }, true};
            case 2:
                return {"size", [](const Thing& thing) { return Amount(Wide(thing.size)); }, true};
            case 3:
                return {"weight", [](const Thing& thing) { return Amount(static_cast<double>(thing.weight)); }, false};
            case 4:
                return {"price", [](const Thing& thing) { return amount(thing.price); }, false};
            case 5:
                return {word("ARRAY_LENGTH(") + "marks)",
                        [](const Thing& thing) {
                            return thing.marks.has_value() ? Amount(Wide(thing.marks->size())) : Amount();
                        },
                        true};
            case 6: {
                const std::uint64_t value = pick(3) == 0 ? ~pick(3) : pick(6);
                return {std::to_string(value), [value](const Thing&) { return Amount(Wide(value)); }, true};
            }
            default: {
                const double value = static_cast<double>(pick(9)) * 0.25;
                return {std::to_string(value), [value](const Thing&) { return Amount(value); }, false};
            }
        }
    }

private:
    Choose& choose_;
};

}  // namespace kith_test
