// tests/consume/program/note.hpp — what the small programs of these tests do with the library.
#pragma once

#include <kith/kith.hpp>

#include <array>
#include <string>
#include <vector>

struct Note {
    std::string id;
    int year = 0;
    std::array<float, 4> vector{};
};

using Notes = kith::Schema<Note, kith::Key<&Note::id>, kith::VectorField<&Note::vector, kith::L2>>;

/// True when `notes`, empty at first, holds what is put into it and finds the nearest.
inline bool works(kith::Collection<Notes>& notes) {
    notes.insert(std::vector<Note>{{"near", 2001, {1, 0, 0, 0}}, {"far", 2002, {0, 0, 0, 9}}});
    const std::array<float, 4> query{1, 1, 0, 0};
    const auto hits = notes.nearest<&Note::vector>(query).where(kith::field<&Note::year> > 2000).limit(1).run();
    return notes.size() == 2 && hits.size() == 1 && hits.front().record.id == "near";
}
