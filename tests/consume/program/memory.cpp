// tests/consume/program/memory.cpp — a program of the headers alone: its collection lives in memory.
#include "note.hpp"

#if KITH_COMPILED
#error "the headers alone have no compiled unit"
#endif

bool works_elsewhere();

int main() {
    kith::Collection<Notes> notes(kith::in_memory);
    return works(notes) && works_elsewhere() ? 0 : 1;
}
