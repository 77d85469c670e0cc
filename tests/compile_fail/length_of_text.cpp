// tests/compile_fail/length_of_text.cpp — only lists have a length.
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
const auto condition = kith::array_length(kith::field<&Note::title>) > 2;
#else
const auto condition = kith::array_length(kith::field<&Note::tags>) > 2;
#endif
