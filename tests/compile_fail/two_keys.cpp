// tests/compile_fail/two_keys.cpp — a schema with two keys is refused.
#include "metrics.hpp"

#include "kith/schema/schema.hpp"

#include <string>

struct Note {
    std::string id;
    std::string other;
};

#ifdef KITH_BAD
using Notes = kith::Schema<Note, kith::Key<&Note::id>, kith::Key<&Note::other>>;
#else
using Notes = kith::Schema<Note, kith::Key<&Note::id>, kith::Field<&Note::other>>;
#endif
static_assert(Notes::field_count == 2);
