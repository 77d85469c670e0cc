// tests/compile_fail/compared_list.cpp — a list is looked into, not compared.
#include "kith/query/field_ref.hpp"

#include <string>
#include <vector>

struct Note {
    std::string id;
    std::vector<std::string> tags;
};

#ifdef KITH_BAD
const auto condition = kith::field<&Note::tags> == "cpp";
#else
const auto condition = kith::contains(kith::field<&Note::tags>, "cpp");
#endif
