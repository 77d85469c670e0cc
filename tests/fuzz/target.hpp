// tests/fuzz/target.hpp — a reader of stored bytes that is given any bytes: it answers, or refuses with an Error.
//
// libfuzzer.cpp looks for bytes that break a target, replay.cpp gives it the corpus that was found so far. A target
// whose bytes stand under a checksum is given them as they are and again with the checksum made right, for behind a
// wrong one there is nothing to find.
#pragma once

#include "kith/core/bytes.hpp"
#include "kith/core/error.hpp"

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace kith_fuzz {

struct Target {
    const char* name;                        // of its folder in the corpus, too
    void (*attack)(std::string_view bytes);  // ends the program where a claim does not hold
    std::vector<std::string> (*examples)();  // right bytes, to begin with
};

extern const Target batch_target;
extern const Target columns_target;
extern const Target condition_target;
extern const Target identity_target;
extern const Target images_target;
extern const Target keys_target;
extern const Target lmdb_file_target;
extern const Target log_target;
extern const Target row_target;
extern const Target scalar_index_target;
extern const Target schema_target;
extern const Target segment_file_target;
extern const Target state_record_target;

inline void claim(bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "the claim does not hold: %s\n", what);
    std::abort();
}

/// Whether `read` refused its bytes, with an Error that says so.
template <class Read>
bool refuses(Read&& read) {
    try {
        read();
        return false;
    } catch (const kith::Error& error) {
        const kith::Errc code = error.code();
        claim(code == kith::Errc::corrupt || code == kith::Errc::unsupported_version ||
                  code == kith::Errc::not_a_collection || code == kith::Errc::limit_exceeded,
              error.what());
        return true;
    }
}

/// `bytes` with a number written over those at `offset`, where there are that many.
inline std::string with_number(std::string bytes, std::size_t offset, std::uint32_t value) {
    std::string number;
    kith::ByteWriter(number).u32(value);
    return offset + number.size() <= bytes.size() ? bytes.replace(offset, number.size(), number) : bytes;
}

}  // namespace kith_fuzz
