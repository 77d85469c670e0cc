// tests/compile_fail/text_placeholder_type.cpp — a value bound to a placeholder has the type of its column.
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
const auto condition = kith::condition<Note, "year >= ?">("twenty");
#else
const auto condition = kith::condition<Note, "year >= ?">(20);
#endif
