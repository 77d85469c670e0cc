// tests/compile_fail/calculated_text.cpp — only numbers are calculated with.
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
const auto condition = kith::field<&Note::title> + 1 > 2;
#else
const auto condition = kith::field<&Note::year> + 1 > 2;
#endif
