// tests/fuzz/temporary_file.hpp — one folder a process for targets that read files, in memory where there is such.
#pragma once

#include "support/temporary_directory.hpp"

namespace kith_fuzz {

inline const kith_test::TemporaryDirectory& folder() {
    static const kith_test::TemporaryDirectory made;
    return made;
}

}  // namespace kith_fuzz
