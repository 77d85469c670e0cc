// tests/compile_fail/vector_of_list.cpp — a vector field has a fixed dimension.
#include "metrics.hpp"

#include "kith/schema/schema.hpp"

#include <string>
#include <vector>

struct Note {
    std::string id;
#ifdef KITH_BAD
    std::vector<float> place;
#else
    std::array<float, 3> place{};
#endif
};

using Notes = kith::Schema<Note, kith::Key<&Note::id>, kith::VectorField<&Note::place, L2>>;
static_assert(Notes::field_count == 2);
