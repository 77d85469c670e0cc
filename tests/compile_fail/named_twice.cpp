// tests/compile_fail/named_twice.cpp — a member has one attribute.
#include "metrics.hpp"

#include "kith/schema/schema.hpp"

#include <string>

struct Note {
    std::string id;
    std::int32_t year = 0;
};

#ifdef KITH_BAD
using Notes =
    kith::Schema<Note, kith::Key<&Note::id>, kith::Field<&Note::year>, kith::Field<&Note::year, kith::indexed>>;
#else
using Notes = kith::Schema<Note, kith::Key<&Note::id>, kith::Field<&Note::year, kith::indexed>>;
#endif
static_assert(Notes::field_count == 2);
