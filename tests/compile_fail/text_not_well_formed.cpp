// tests/compile_fail/text_not_well_formed.cpp — a condition in text keeps to the grammar.
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
const auto condition = kith::condition<Note, "year >= 2020 && title = 'owl'">();
#else
const auto condition = kith::condition<Note, "year >= 2020 and title = 'owl'">();
#endif
