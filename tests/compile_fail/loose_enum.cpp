// tests/compile_fail/loose_enum.cpp — an enumeration needs a written underlying type.
#include "metrics.hpp"

#include "kith/schema/schema.hpp"

#include <string>

#ifdef KITH_BAD
enum Color { red, green };
#else
enum Color : std::int32_t { red, green };
#endif

struct Note {
    std::string id;
    Color color = red;
};

using Notes = kith::Schema<Note, kith::Key<&Note::id>>;
static_assert(Notes::field_count == 2);
