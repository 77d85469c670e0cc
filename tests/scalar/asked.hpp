// tests/scalar/asked.hpp — random members of every type, random questions, and a naive twin that answers them.
//
// The twin compares values as C++ does and knows no terms, so that it proves the encoding, too.
#pragma once

#include "support/catch.hpp"

#include "kith/core/random.hpp"
#include "kith/scalar.hpp"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace kith_test {

using kith::mix64;
using kith::Slot;
using kith::SplitMix64;
using kith::detail::ScalarQuestion;

enum class Grade : std::int16_t { low = -300, middle = 0, high = 300 };

/// A value, one of about `distinct`.
template <class V>
V random_scalar(SplitMix64& random, std::uint64_t distinct) {
    const std::uint64_t number = random.below(distinct);
    if constexpr (std::same_as<V, bool>) {
        return number % 2 == 1;
    } else if constexpr (std::same_as<V, Grade>) {
        return number % 3 == 0 ? Grade::low : number % 3 == 1 ? Grade::middle : Grade::high;
    } else if constexpr (std::same_as<V, kith::Timestamp>) {
        return V(std::chrono::microseconds(static_cast<std::int64_t>(mix64(number))));
    } else if constexpr (std::same_as<V, std::string>) {
        std::string text;
        SplitMix64 letters(number);
        for (std::uint64_t left = letters.below(9); left > 0; --left)
            text += std::string("abc\0\xff", 5)[letters.below(5)];
        return text;
    } else if constexpr (std::floating_point<V>) {
        const V special[] = {V(0.0),
                             V(-0.0),
                             std::numeric_limits<V>::infinity(),
                             -std::numeric_limits<V>::infinity(),
                             std::numeric_limits<V>::quiet_NaN(),
                             -std::numeric_limits<V>::quiet_NaN(),
                             std::numeric_limits<V>::denorm_min(),
                             -std::numeric_limits<V>::denorm_min(),
                             std::numeric_limits<V>::max()};
        if (number < std::size(special)) return special[number];
        return static_cast<V>(SplitMix64(number).uniform() * 200 - 100);
    } else {
        const V special[] = {V(0), std::numeric_limits<V>::max(), std::numeric_limits<V>::min()};
        if (number < std::size(special)) return special[number];
        return static_cast<V>(number - distinct / 2);
    }
}

/// A member of a record: a tenth of optionals are null, lists have up to five elements.
template <class T>
T random_member(SplitMix64& random, std::uint64_t distinct) {
    if constexpr (kith::detail::is_optional<T>) {
        if (random.below(10) == 0) return std::nullopt;
        return random_member<typename T::value_type>(random, distinct);
    } else if constexpr (kith::detail::is_list<T>) {
        T list;
        for (std::uint64_t left = random.below(6); left > 0; --left) {
            list.push_back(random_scalar<kith::detail::ScalarOf<T>>(random, distinct));
        }
        return list;
    } else {
        return random_scalar<T>(random, distinct);
    }
}

template <class T>
std::vector<T> random_members(SplitMix64& random, std::size_t count, std::uint64_t distinct) {
    std::vector<T> members;
    for (std::size_t at = 0; at < count; ++at) members.push_back(random_member<T>(random, distinct));
    return members;
}

template <class V>
bool is_number([[maybe_unused]] const V& value) {
    if constexpr (std::floating_point<V>) return !std::isnan(value);
    return true;
}

template <class T>
bool present([[maybe_unused]] const T& member) {
    if constexpr (kith::detail::is_optional<T>) return member.has_value();
    return true;
}

/// The elements of a list, or the scalar alone; none of null.
template <class T>
std::vector<kith::detail::ScalarOf<T>> elements(const T& member) {
    if constexpr (kith::detail::is_optional<T>) {
        return member.has_value() ? elements(*member) : std::vector<kith::detail::ScalarOf<T>>();
    } else if constexpr (kith::detail::is_list<T>) {
        return member;
    } else {
        return {member};
    }
}

/// A question, and whether a member satisfies it.
template <class T>
struct Asked {
    std::string name;
    ScalarQuestion question;
    std::function<bool(const T&)> holds;
};

/// Makes random questions about members of type T.
template <class T>
class Questions {
public:
    using V = kith::detail::ScalarOf<T>;
    using List = std::vector<V>;

    Questions(SplitMix64& random, std::uint64_t distinct) : random_(&random), distinct_(distinct) {}

    [[nodiscard]] Asked<T> next() {
        switch (random_->below(9)) {
            case 0:
                return {"null", ScalarQuestion::null(), [](const T& member) { return !present(member); }};
            case 1:
                return {"present", ScalarQuestion::present(), [](const T& member) { return present(member); }};
            case 2:
            case 3:
                return any_of();
            case 4:
                if constexpr (kith::detail::is_list<kith::detail::Present<T>>) return all_of();
                [[fallthrough]];
            case 5:
                if constexpr (kith::detail::is_list<kith::detail::Present<T>>) return length();
                [[fallthrough]];
            case 6:
                if constexpr (std::same_as<V, std::string>) return about_text();
                [[fallthrough]];
            default:
                return range();
        }
    }

private:
    template <class Test>
    static bool any_element(const T& member, Test&& test) {
        const List list = elements(member);
        for (const V& element : list) {
            if (test(element)) return true;
        }
        return false;
    }

    V value() {
        for (;;) {
            V made = random_scalar<V>(*random_, distinct_ + 3);
            if (is_number(made)) return made;
        }
    }

    List values(std::uint64_t most) {
        List made;
        for (std::uint64_t left = random_->below(most); left > 0; --left) made.push_back(value());
        return made;
    }

    static std::vector<std::string> terms(const List& values) {
        std::vector<std::string> made;
        for (const V& one : values) made.push_back(kith::detail::term_of<V>(one));
        return made;
    }

    Asked<T> any_of() {
        const List wanted = values(6);
        return {"any_of", ScalarQuestion::any_of(terms(wanted)), [wanted](const T& member) {
                    return any_element(member, [&](const V& element) {
                        return std::find(wanted.begin(), wanted.end(), element) != wanted.end();
                    });
                }};
    }

    Asked<T> all_of() {
        const List wanted = values(4);
        return {"all_of", ScalarQuestion::all_of(terms(wanted)), [wanted](const T& member) {
                    const List list = elements(member);
                    return present(member) && std::all_of(wanted.begin(), wanted.end(), [&](const V& one) {
                               return std::find(list.begin(), list.end(), one) != list.end();
                           });
                }};
    }

    Asked<T> length() {
        const auto fewest = static_cast<std::uint32_t>(random_->below(6));
        const auto most = static_cast<std::uint32_t>(fewest + random_->below(4));
        return {"length", ScalarQuestion::length(fewest, most), [fewest, most](const T& member) {
                    const std::size_t size = elements(member).size();
                    return present(member) && size >= fewest && size <= most;
                }};
    }

    Asked<T> range() {
        std::optional<V> low;
        std::optional<V> high;
        const bool low_in = random_->below(2) == 1;
        const bool high_in = random_->below(2) == 1;
        if (random_->below(4) > 0) low = value();
        if (random_->below(4) > 0) high = value();
        std::optional<kith::detail::TermBound> lower;
        std::optional<kith::detail::TermBound> upper;
        if (low) lower = {kith::detail::term_of<V>(*low), low_in};
        if (high) upper = {kith::detail::term_of<V>(*high), high_in};
        return {"range", ScalarQuestion::range(lower, upper), [=](const T& member) {
                    return any_element(member, [&](const V& element) {
                        return is_number(element) && (!low || (low_in ? element >= *low : element > *low)) &&
                               (!high || (high_in ? element <= *high : element < *high));
                    });
                }};
    }

    Asked<T> about_text() {
        std::string text = random_scalar<std::string>(*random_, distinct_);
        const std::size_t begin = random_->below(text.size() + 1);
        text = text.substr(begin, random_->below(5));
        switch (random_->below(4)) {
            case 0:
                return {"prefix", ScalarQuestion::prefix(text), [text](const T& member) {
                            return any_element(member, [&](const std::string& one) { return one.starts_with(text); });
                        }};
            case 1:
                return {"suffix", ScalarQuestion::suffix(text), [text](const T& member) {
                            return any_element(member, [&](const std::string& one) { return one.ends_with(text); });
                        }};
            case 2: {
                const std::string prefix = text.substr(0, random_->below(3));
                return {"matching", ScalarQuestion::matching(prefix, text, &begins_alike), [text](const T& member) {
                            return any_element(member, [&](const std::string& one) { return begins_alike(one, text); });
                        }};
            }
            default:
                return {"substring", ScalarQuestion::substring(text), [text](const T& member) {
                            return any_element(member,
                                               [&](const std::string& one) { return one.find(text) != one.npos; });
                        }};
        }
    }

    /// Whether a text is as long as the pattern, or longer, and begins with its first two letters.
    static bool begins_alike(std::string_view text, std::string_view pattern) noexcept {
        return text.size() >= pattern.size() && text.starts_with(pattern.substr(0, 2));
    }

    SplitMix64* random_;
    std::uint64_t distinct_;
};

/// The naive answer over the first `count` members.
template <class T>
std::vector<std::uint64_t> naive_answer(const Asked<T>& asked, const std::vector<T>& members, Slot count) {
    std::vector<std::uint64_t> words(kith::detail::words_of(count));
    for (Slot slot = 0; slot < count; ++slot) {
        if (asked.holds(members[slot])) words[slot / 64] |= std::uint64_t{1} << (slot % 64);
    }
    return words;
}

/// Random bits, one in `one_in`; none where it is 0.
inline std::vector<std::uint64_t> random_bits(SplitMix64& random, Slot count, std::uint64_t one_in) {
    std::vector<std::uint64_t> words(kith::detail::words_of(count));
    for (Slot slot = 0; slot < count && one_in > 0; ++slot) {
        if (random.below(one_in) == 0) words[slot / 64] |= std::uint64_t{1} << (slot % 64);
    }
    return words;
}

/// Of some slots, those for which the answer is certainly `wanted`.
template <class T>
std::vector<std::uint64_t> naive_kept(const Asked<T>& asked, const std::vector<T>& members,
                                      std::vector<std::uint64_t> words, Slot count, bool wanted) {
    for (Slot slot = 0; slot < count; ++slot) {
        const bool known = present(members[slot]) || asked.question.ask == kith::detail::Ask::null;
        if (!known || asked.holds(members[slot]) != wanted) words[slot / 64] &= ~(std::uint64_t{1} << (slot % 64));
    }
    return words;
}

inline Slot count_bits(const std::vector<std::uint64_t>& words) {
    Slot count = 0;
    for (const std::uint64_t word : words) count += static_cast<Slot>(std::popcount(word));
    return count;
}

}  // namespace kith_test
