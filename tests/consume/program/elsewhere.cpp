// tests/consume/program/elsewhere.cpp — a second source that includes the library, to meet the first when they link.
#include "note.hpp"

bool works_elsewhere();

bool works_elsewhere() {
    kith::Collection<Notes> notes(kith::in_memory);
    return works(notes);
}
