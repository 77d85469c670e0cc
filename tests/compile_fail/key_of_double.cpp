// tests/compile_fail/key_of_double.cpp — a number with a fraction is no key.
#include "metrics.hpp"

#include "kith/schema/schema.hpp"

struct Note {
#ifdef KITH_BAD
    double id = 0;
#else
    std::int64_t id = 0;
#endif
};

using Notes = kith::Schema<Note, kith::Key<&Note::id>>;
static_assert(Notes::field_count == 1);
