// tests/compile_fail/never_null.cpp — only an optional field may be null.
#include "kith/query/field_ref.hpp"

#include <optional>
#include <string>

struct Note {
    std::string id;
    std::optional<double> price;
};

#ifdef KITH_BAD
const auto condition = kith::field<&Note::id>.is_null();
#else
const auto condition = kith::field<&Note::price>.is_null();
#endif
