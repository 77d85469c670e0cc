// tests/compile_fail/condition_types.cpp — a condition in C++ asks a field what its type can answer.
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
    kith::Json body;
};

using kith::field;

#ifdef KITH_BAD
const auto calculated_text = field<&Note::title> + 1 > 2;
const auto like_of_number = like(field<&Note::year>, "2%");
const auto length_of_text = array_length(field<&Note::title>) > 2;
const auto compared_kinds = field<&Note::title> == field<&Note::year>;
const auto compared_json = field<&Note::body> == "owl";
#else
const auto calculated_number = field<&Note::year> + 1 > 2;
const auto like_of_text = like(field<&Note::title>, "2%");
const auto length_of_list = array_length(field<&Note::tags>) > 2;
const auto compared_numbers = field<&Note::year> == field<&Note::price>;
const auto compared_part = field<&Note::body>["title"] == "owl";
#endif
