// tests/compile_fail/number_with_text.cpp — a number is not compared with text.
#include "kith/query/field_ref.hpp"

#include <cstdint>
#include <string>

struct Note {
    std::string id;
    std::int32_t year = 0;
};

#ifdef KITH_BAD
const auto condition = kith::field<&Note::year> == "2020";
#else
const auto condition = kith::field<&Note::year> == 2020;
#endif
