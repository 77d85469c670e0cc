// tests/compile_fail/text_wrong_comparison.cpp — a column in a text is compared as its type can be.
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
const auto condition = kith::condition<Note, "tags = 'owl'">();
#else
const auto condition = kith::condition<Note, "tags contains 'owl'">();
#endif
