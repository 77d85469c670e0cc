// tests/compile_fail/unsupported_type.cpp — a member of a type that cannot be stored is refused.
#include "metrics.hpp"

#include "kith/schema/schema.hpp"

#include <chrono>
#include <string>

struct Note {
    std::string id;
#ifdef KITH_BAD
    std::chrono::system_clock::time_point written;
#else
    std::int64_t written = 0;
#endif
};

using Notes = kith::Schema<Note, kith::Key<&Note::id>>;
static_assert(Notes::field_count == 2);
