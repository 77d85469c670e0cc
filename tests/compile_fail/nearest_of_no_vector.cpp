// tests/compile_fail/nearest_of_no_vector.cpp — only a vector field is searched.
#include "metrics.hpp"

#include "kith/schema/schema.hpp"

#include <string>

struct Note {
    std::string id;
    std::array<float, 3> place{};
    std::array<float, 3> color{};
};

using Notes = kith::Schema<Note, kith::Key<&Note::id>, kith::VectorField<&Note::place, L2>>;
#ifdef KITH_BAD
static_assert(Notes::vector_index<&Note::color> == 0);
#else
static_assert(Notes::vector_index<&Note::place> == 0);
#endif
