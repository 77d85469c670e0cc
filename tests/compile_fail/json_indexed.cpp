// tests/compile_fail/json_indexed.cpp — JSON has no index.
#include "kith/schema.hpp"

#include <string>

struct Note {
    std::string id;
    kith::Json body;
};

#ifdef KITH_BAD
using Notes = kith::Schema<Note, kith::Key<&Note::id>, kith::Field<&Note::body, kith::indexed>>;
#else
using Notes = kith::Schema<Note, kith::Key<&Note::id>, kith::Field<&Note::body>>;
#endif

const auto descriptor = Notes::descriptor();
