// tests/compile_fail/suffixes_of_number.cpp — only a text is found by its end.
#include "kith/schema.hpp"

#include <cstdint>
#include <string>

struct Note {
    std::string id;
    std::string title;
    std::int32_t year = 0;
};

#ifdef KITH_BAD
using Notes = kith::Schema<Note, kith::Key<&Note::id>, kith::Field<&Note::year, kith::Indexed{.suffixes = true}>>;
#else
using Notes = kith::Schema<Note, kith::Key<&Note::id>, kith::Field<&Note::year, kith::indexed>,
                           kith::Field<&Note::title, kith::Indexed{.suffixes = true, .substrings = true}>>;
#endif

static_assert(Notes::field_count == 3);
