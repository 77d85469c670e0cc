// tests/compile_fail/text_out_of_range.cpp — a value in a text is in the range of its column.
#include "kith/query.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

struct Note {
    std::string id;
    std::string title;
    std::int32_t year = 0;
    std::optional<double> price;
    std::vector<std::string> tags;
};

#ifdef KITH_BAD
const auto condition = kith::condition<Note, "year >= 3000000000">();
#else
const auto condition = kith::condition<Note, "year >= 2000000000">();
#endif
