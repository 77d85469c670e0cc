// tests/query/shelf.hpp — a record with a column of every kind, for conditions to be about.
#pragma once

#include "kith/core/error.hpp"
#include "kith/query.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kith_test {

enum class Language : std::uint8_t { english, german, french = 200 };

struct Book {
    std::string id;
    std::string title;
    std::int32_t year = 0;
    std::optional<double> price;
    std::vector<std::string> tags;
    std::array<float, 4> cover{};
    bool lent = false;
    Language language{};
    float weight = 0;
    std::uint64_t size = 0;
    std::optional<std::vector<std::int64_t>> editions;
    std::optional<std::string> note;
    Language original{};
    std::int64_t pages = 0;
};

/// The text of the Error that reading a condition throws; empty when it throws none.
template <class... L>
std::string refusal(std::string_view text, const L&... values) {
    try {
        static_cast<void>(kith::parse_condition<Book>(text, values...));
    } catch (const kith::Error& error) {
        return error.what();
    }
    return {};
}

/// Its first line.
template <class... L>
std::string sentence(std::string_view text, const L&... values) {
    const std::string whole = refusal(text, values...);
    return whole.substr(0, whole.find('\n'));
}

}  // namespace kith_test
