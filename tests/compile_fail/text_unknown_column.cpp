// tests/compile_fail/text_unknown_column.cpp — a condition in text names columns of its record.
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
const auto condition = kith::condition<Note, "titel = 'owl'">();
#else
const auto condition = kith::condition<Note, "title = 'owl'">();
#endif
