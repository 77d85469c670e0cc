// tests/fuzz/schema.cpp — a stored schema descriptor: what differs from the program's is said, whatever is stored.
#include "fuzz/target.hpp"

#include "kith/schema/fingerprint.hpp"

#include "collection/stored_schema.hpp"

namespace kith_fuzz {

namespace {

const std::string current =
    "kith schema 1\nid text key\nyear int32 nullable indexed\ntags list of text\n"
    "vector vector 8 metric=l2 index=hnsw(16,200)\nsmall vector 8 of i8 metric=cosine index=flat\n";

void attack(std::string_view bytes) {
    for (const std::string& stored : {std::string(bytes), "kith schema 1\n" + std::string(bytes)}) {
        const std::string said = kith::describe_difference(stored, current);
        claim(said.empty() == (stored == current), "a difference is said where there is one");
        static_cast<void>(kith::describe_difference(current, stored));
        claim(kith::describe_difference(stored, stored).empty(), "no schema differs from itself");
        const kith::detail::StoredSchema known(stored);
        static_cast<void>(known.shown("key"));
        static_cast<void>(known.key_of(bytes));
        static_cast<void>(known.vector_bytes());
    }
}

std::vector<std::string> examples() {
    return {current, current.substr(14), "", "id text key\nyear int64\n", "kith schema 2\nid text key\n"};
}

}  // namespace

const Target schema_target{"schema", attack, examples};

}  // namespace kith_fuzz
