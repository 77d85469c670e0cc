// tests/compile_fail/compared_kinds.cpp — fields of different kinds are not compared.
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
const auto condition = kith::field<&Note::title> == kith::field<&Note::year>;
#else
const auto condition = kith::field<&Note::year> == kith::field<&Note::price>;
#endif
