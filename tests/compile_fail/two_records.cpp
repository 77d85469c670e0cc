// tests/compile_fail/two_records.cpp — a condition is about one record type.
#include "kith/query/field_ref.hpp"

#include <cstdint>

struct Note {
    std::int32_t year = 0;
};

struct Other {
    std::int32_t year = 0;
};

#ifdef KITH_BAD
const auto condition = kith::field<&Note::year> > 1 && kith::field<&Other::year> > 1;
#else
const auto condition = kith::field<&Note::year> > 1 && kith::field<&Note::year> < 9;
#endif
