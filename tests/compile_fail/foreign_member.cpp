// tests/compile_fail/foreign_member.cpp — an attribute names a member of its own record.
#include "metrics.hpp"

#include "kith/schema/schema.hpp"

#include <string>

struct Other {
    std::int32_t year = 0;
};

struct Note {
    std::string id;
    std::int32_t year = 0;
};

#ifdef KITH_BAD
using Notes = kith::Schema<Note, kith::Key<&Note::id>, kith::Field<&Other::year>>;
#else
using Notes = kith::Schema<Note, kith::Key<&Note::id>, kith::Field<&Note::year>>;
#endif
static_assert(Notes::field_count == 2);
