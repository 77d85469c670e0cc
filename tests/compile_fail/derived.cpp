// tests/compile_fail/derived.cpp — a record does not inherit members.
#include "metrics.hpp"

#include "kith/schema/schema.hpp"

#include <string>

struct Base {
    std::int32_t year = 0;
};

#ifdef KITH_BAD
struct Note : Base {
#else
struct Note {
#endif
    std::string id;
};

using Notes = kith::Schema<Note, kith::Key<&Note::id>>;
static_assert(Notes::field_count == 1);
