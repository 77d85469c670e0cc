// tests/compile_fail/c_array.cpp — a C array is refused.
#include "metrics.hpp"

#include "kith/schema/schema.hpp"

#include <string>

struct Note {
    std::string id;
#ifdef KITH_BAD
    float place[3] = {};
#else
    std::array<float, 3> place{};
#endif
};

using Notes = kith::Schema<Note, kith::Key<&Note::id>>;
static_assert(Notes::field_count == 2);
