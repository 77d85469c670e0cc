// tests/consume/program/directory.cpp — a program that links kith::kith: its collection is there when opened again.
#include "note.hpp"

#include <filesystem>

#if KITH_COMPILED != 1
#error "kith::kith does not tell its users that it is compiled"
#endif

int main() {
    const std::filesystem::path path = "notes.kith";
    std::filesystem::remove_all(path);
    {
        kith::Collection<Notes> notes(path);
        if (!works(notes)) return 1;
    }
    const kith::Collection<Notes> notes(path);
    return notes.size() == 2 ? 0 : 1;
}
