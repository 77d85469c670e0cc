// tests/compile_fail/small_integer.cpp — a small integer is refused.
#include "metrics.hpp"

#include "kith/schema/schema.hpp"

#include <string>

struct Note {
    std::string id;
#ifdef KITH_BAD
    std::int16_t year = 0;
#else
    std::int32_t year = 0;
#endif
};

using Notes = kith::Schema<Note, kith::Key<&Note::id>>;
static_assert(Notes::field_count == 2);
