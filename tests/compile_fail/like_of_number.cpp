// tests/compile_fail/like_of_number.cpp — a pattern is for text.
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
const auto condition = kith::like(kith::field<&Note::year>, "2%");
#else
const auto condition = kith::like(kith::field<&Note::title>, "2%");
#endif
