// tests/compile_fail/not_plain.cpp — a class with a constructor is no record.
#include "metrics.hpp"

#include "kith/schema/schema.hpp"

#include <string>

struct Note {
#ifdef KITH_BAD
    explicit Note(int number) : id(std::to_string(number)) {}
#endif
    std::string id;
};

using Notes = kith::Schema<Note, kith::Key<&Note::id>>;
static_assert(Notes::field_count == 1);
