// tests/compile_fail/nprobe_of_graph.cpp — only an inverted file has lists to read.
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
    static_cast<void>(notes.nearest<&Note::place>(here).nprobe(3).run());
#else
    static_cast<void>(notes.nearest<&Note::place>(here).ef_search(3).run());
#endif
}
