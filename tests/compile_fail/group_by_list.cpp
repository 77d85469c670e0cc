// tests/compile_fail/group_by_list.cpp — a record with several values belongs to no one group.
#include "kith/collection/collection.hpp"
#include "kith/distance/l2.hpp"

#include <array>
#include <string>
#include <vector>

struct Note {
    std::string id;
    std::string author;
    std::vector<std::string> tags;
    std::array<float, 3> place{};
};

using Notes = kith::Schema<Note, kith::Key<&Note::id>, kith::VectorField<&Note::place, kith::L2>>;

void ask(const kith::Collection<Notes>& notes) {
    const std::array<float, 3> here{};
#ifdef KITH_BAD
    static_cast<void>(notes.nearest<&Note::place>(here).group_by<&Note::tags>(3, 2).run());
#else
    static_cast<void>(notes.nearest<&Note::place>(here).group_by<&Note::author>(3, 2).run());
#endif
}
