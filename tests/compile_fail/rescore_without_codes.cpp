// tests/compile_fail/rescore_without_codes.cpp — what is compared by its vectors at once is not compared again.
#include "kith/collection/collection.hpp"
#include "kith/distance/l2.hpp"

#include <array>
#include <string>

struct Note {
    std::string id;
    std::array<float, 3> place{};
};

using Notes = kith::Schema<Note, kith::Key<&Note::id>, kith::VectorField<&Note::place, kith::L2>>;

void ask(const kith::Collection<Notes>& notes) {
    const std::array<float, 3> here{};
#ifdef KITH_BAD
    static_cast<void>(notes.nearest<&Note::place>(here).rescore(3).run());
#else
    static_cast<void>(notes.nearest<&Note::place>(here).recall(0.9).run());
#endif
}
