// kith/schema/validate.hpp — the values kith takes, and the sentence that says why it does not.
//
// A NaN in one vector would make every comparison with it meaningless, and a graph built on such comparisons loses
// other records too. So each value is looked at once, before anything is written.
//
// Rules:  a text key has 1 to 511 bytes; every text is well-formed UTF-8 and may contain zero bytes; JSON is as RFC 8259 says; the elements of a
//         vector are finite and its length is at most 1e18, so that squared distances stay finite; under Cosine its
//         length is also at least 1e-18, for a vector without length has no direction. Scalar numbers may be anything.
//
// Thread safety: functions without state.
#pragma once

#include "kith/core/element.hpp"
#include "kith/schema/json.hpp"
#include "kith/schema/key.hpp"
#include "kith/schema/utf8.hpp"

#include <array>
#include <bit>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kith::inline v0 {

/// Why a value is refused. `text` names the field, what came and what was expected.
struct FieldProblem {
    std::string_view field;
    std::string text;
};

/// What a metric asks of a vector.
struct VectorRules {
    std::size_t dim = 0;
    bool needs_direction = false;  // a vector of length zero means nothing to the metric

    friend constexpr bool operator==(const VectorRules&, const VectorRules&) noexcept = default;
};

/// The rules of a metric. Metrics live in a column beside this one and are known by the name they are stored under.
template <class Metric>
constexpr VectorRules vector_rules(std::size_t dim) noexcept {
    return {dim, std::string_view(Metric::name) == "cosine"};
}

inline constexpr double shortest_direction = 1e-18;

namespace detail {

/// True for everything but NaN and the infinities. Asks the bits, because a program built with -ffast-math is told by
/// its compiler that every number is finite.
inline bool is_finite(float number) noexcept {
    return (std::bit_cast<std::uint32_t>(number) & 0x7fffffffu) < 0x7f800000u;
}

inline bool all_finite(std::span<const float> vector) noexcept {
    bool finite = true;
    for (const float element : vector) finite &= is_finite(element);
    return finite;
}

/// The sum of squares, in double, where the squares of finite floats never overflow.
inline double square_length(std::span<const float> vector) noexcept {
    std::array<double, 8> sums{};  // independent chains, so that additions overlap
    std::span<const float> rest = vector;
    for (; rest.size() >= sums.size(); rest = rest.subspan(sums.size())) {
        for (std::size_t lane = 0; lane < sums.size(); ++lane) {
            const double element = rest[lane];
            sums[lane] += element * element;
        }
    }
    double total = 0;
    for (const double element : rest) total += element * element;
    for (const double sum : sums) total += sum;
    return total;
}

/// A number for a message, such as "2.3e+19".
inline std::string show_number(double number) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%g", number);
    return text.data();
}

/// The sentence for a vector with an element that is not finite.
inline std::string element_problem(std::span<const float> vector) {
    std::size_t at = 0;
    while (is_finite(vector[at])) ++at;
    const bool infinite = (std::bit_cast<std::uint32_t>(vector[at]) & 0x7fffffffu) == 0x7f800000u;
    return "element " + std::to_string(at) + " is " + (infinite ? "infinite" : "NaN") + ", expected a finite number";
}

/// The sentence for a vector of finite elements.
inline std::optional<std::string> length_problem(std::span<const float> vector, bool needs_direction) {
    const double squares = square_length(vector);
    const bool too_long = squares > longest_vector * longest_vector;
    const bool too_short = needs_direction && squares < shortest_direction * shortest_direction;
    if (!too_long && !too_short) return std::nullopt;
    if (squares == 0) return "all elements are zero, expected a direction that Cosine can compare";
    return "the vector's length is " + show_number(std::sqrt(squares)) + ", expected " +
           (too_long ? "at most 1e18" : "at least 1e-18, so that Cosine can tell its direction");
}

}  // namespace detail

/// Why a vector cannot be stored or searched with; nothing when it can. For vectors sized at run time too: the text
/// is such as "dimension is 384, got 383".
/// Cost: two passes over the elements; allocates only to complain.
inline std::optional<std::string> vector_problem(std::span<const float> vector, VectorRules rules) {
    if (vector.size() != rules.dim) {
        return "dimension is " + std::to_string(rules.dim) + ", got " + std::to_string(vector.size());
    }
    if (!detail::all_finite(vector)) return detail::element_problem(vector);
    return detail::length_problem(vector, rules.needs_direction);
}

namespace detail {

/// Why a vector of these elements cannot be stored.
/// Cost: integers and bits are looked at only for a metric that needs a direction; what is not float is copied.
template <Element T>
std::optional<std::string> elements_problem(std::span<const T> elements, VectorRules rules) {
    if constexpr (std::same_as<T, float>) {
        return vector_problem(elements, rules);
    } else {
        if (sizeof(T) == 1 && !rules.needs_direction) return std::nullopt;
        std::vector<float> floats(elements.size() * dimensions_an_element<T>);
        decode_elements(elements.data(), floats.size(), floats.data());
        return vector_problem(floats, rules);
    }
}

}  // namespace detail

/// Why a text cannot be stored.
inline std::optional<std::string> text_problem(std::string_view text) {
    const std::size_t valid = detail::utf8_valid_prefix(text);
    if (valid == text.size()) return std::nullopt;
    return "byte " + std::to_string(valid) + " is not valid UTF-8, expected UTF-8 text";
}

/// Why a text cannot be a key.
inline std::optional<std::string> key_problem(std::string_view key) {
    if (key.empty()) return "the key is empty, expected 1 to " + std::to_string(max_key_bytes) + " bytes";
    if (key.size() > max_key_bytes) {
        return "the key has " + std::to_string(key.size()) + " bytes, expected at most " +
               std::to_string(max_key_bytes);
    }
    return text_problem(key);
}

namespace detail {

/// Why the value of a member that no VectorField names cannot be stored.
template <class T>
std::optional<std::string> value_problem(const T& value, bool is_key) {
    if constexpr (is_optional<T>) {
        return value.has_value() ? value_problem(*value, is_key) : std::nullopt;
    } else if constexpr (std::same_as<T, std::string>) {
        return is_key ? key_problem(value) : text_problem(value);
    } else if constexpr (std::same_as<T, Json>) {
        return json_problem(value.text);
    } else if constexpr (std::same_as<T, std::vector<std::string>>) {
        for (std::size_t at = 0; at < value.size(); ++at) {
            if (auto problem = text_problem(value[at])) return "element " + std::to_string(at) + ": " + *problem;
        }
        return std::nullopt;
    } else {
        return std::nullopt;
    }
}

}  // namespace detail

}  // namespace kith::inline v0
