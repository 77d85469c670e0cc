// tests/compile_fail/compared_vector.cpp — a vector is not compared.
#include "kith/query/field_ref.hpp"

#include <array>
#include <string>

struct Note {
    std::string id;
    std::array<float, 3> place{};
};

#ifdef KITH_BAD
const auto condition = kith::field<&Note::place> == std::array<float, 3>{};
#else
const auto condition = kith::field<&Note::id> == "first";
#endif
