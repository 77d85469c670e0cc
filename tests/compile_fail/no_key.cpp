// tests/compile_fail/no_key.cpp — a schema without a key is refused.
#include "metrics.hpp"

#include "kith/schema/schema.hpp"

#include <string>

struct Note {
    std::string id;
    std::array<float, 3> place{};
};

#ifdef KITH_BAD
using Notes = kith::Schema<Note, kith::VectorField<&Note::place, L2>>;
#else
using Notes = kith::Schema<Note, kith::Key<&Note::id>, kith::VectorField<&Note::place, L2>>;
#endif
static_assert(Notes::field_count == 2);
