# tools/check_house_test.py — something bad for each rule of check_house.py, and the complaint it must draw.
"""Run by `tools/check_house.py --self-test`, so that a rule that no longer bites is found."""

GOOD = {
    "include/kith/core/slot.hpp": """\
// kith/core/slot.hpp — a dense number; "throw" in a comment and a string do no harm.
//
// throw using namespace #include
#pragma once

#include <cstdint>

namespace kith::inline v0 {

inline constexpr const char* text = "throw std::cout assert(";
inline constexpr int separated = 1'000'000;

namespace detail {
int inner();
}

}  // namespace kith::inline v0
""",
    "include/kith/core.hpp": "// kith/core.hpp — the door.\n#pragma once\n\n#include \"kith/core/slot.hpp\"\n",
    "src/CMakeLists.txt": "add_library(kith core/slot.cpp)\n",
    "src/core/slot.cpp": "// src/core/slot.cpp — a source.\n#include \"kith/core/slot.hpp\"\n\n#include <unistd.h>\n",
}

HEADER = "// kith/core/bad.hpp — a header.\n#pragma once\n"

# (path, text, words of the complaint); the path is added to the good tree.
BAD = [
    ("include/kith/core/bad.hpp", "// wrong.hpp — a header.\n#pragma once\n", "open with"),
    ("include/kith/core/bad.hpp", "// kith/core/bad.hpp — no full stop\n#pragma once\n", "open with"),
    ("include/kith/core/bad.hpp", "// kith/core/bad.hpp — no guard.\n", "#pragma once"),
    ("include/kith/core/bad.hpp", HEADER + '#include "kith/index/flat.hpp"\n', "core may not include index"),
    ("include/kith/core/bad.hpp", HEADER + '#include "slot.hpp"\n', "full path"),
    ("include/kith/schema/bad.hpp", '// kith/schema/bad.hpp — a header.\n#pragma once\n#include "kith/query/parse.hpp"\n',
     "schema may not include query"),
    ("src/storage/bad.cpp", '// src/storage/bad.cpp — a source.\n#include "kith/schema.hpp"\n', "storage may not include"),
    ("src/kernels/bad.cpp", '// src/kernels/bad.cpp — a source.\n#include "kith/index.hpp"\n', "distance may not include"),
    ("include/kith/index/flat.hpp",
     '// kith/index/flat.hpp — a header.\n#pragma once\n#include "kith/index/hnsw/graph.hpp"\n', "back room"),
    ("include/kith/core/bad.hpp", HEADER + "#include <lmdb.h>\n", "included only by"),
    ("include/kith/core/bad.hpp", HEADER + "#include <boost/any.hpp>\n", "no part of the standard library"),
    ("src/storage/bad.cpp", "// src/storage/bad.cpp — a source.\n#include <roaring/roaring.hh>\n", "included only by"),
    ("include/kith/core/bad.hpp", HEADER + "#ifdef X\n#include <bit>\n#endif\n", "inside #if"),
    ("include/kith/core/bad.hpp", HEADER + '#include <bit>\n#include "kith/core/slot.hpp"\n', "ours come before"),
    ("include/kith/core/bad.hpp", HEADER + "inline void f() { throw 1; }\n", "throw"),
    ("src/core/bad.cpp", "// src/core/bad.cpp — a source.\nvoid f() { std::abort(); }\n", "does not print"),
    ("src/core/bad.cpp", "// src/core/bad.cpp — a source.\nvoid f() { assert(true); }\n", "does not print"),
    ("include/kith/core/bad.hpp", HEADER + "using namespace std;\n", "using namespace"),
    ("include/kith/core/bad.hpp", HEADER + "namespace kith {\n}\n", "namespaces open as"),
    ("include/kith/core/bad.hpp", HEADER + "namespace other {\n}\n", "namespaces open as"),
    ("include/kith/core/bad.hpp", HEADER + "#define MAX(a) a\n", "begin with KITH_"),
    ("include/kith/core/bad.hpp", HEADER + "#define KITH_MAX(a) a\n", "defined in core/config.hpp"),
    ("include/kith/core/bad.hpp", HEADER, "no door leads"),
    ("include/kith/core.hpp", '// kith/core.hpp — the door.\n#pragma once\n#include "kith/core/z.hpp"\n#include "kith/core/a.hpp"\n',
     "alphabetical order"),
    ("include/kith/core.hpp", '// kith/core.hpp — the door.\n#pragma once\n#include "kith/index/flat.hpp"\n',
     "out of its layer"),
    ("include/kith/core/bad.hpp", HEADER + "\n" * 500, "is a wall"),
    ("include/kith/core/bad.hpp", HEADER + "// TO" "DO: later\n", "TO" "DO"),
    ("docs/bad.md", "see /ho" "me/someone/notes\n", "a path of one machine"),
    ("docs/bad.md", "no newline", "newline"),
    ("docs/bad.md", "blank \n", "trailing blank"),
    ("src/core/new.cpp", "// src/core/new.cpp — a source.\n", "does not name core/new.cpp"),
    ("tests/core/new_test.cpp", "// tests/core/new_test.cpp — a test.\n", "does not name new_test.cpp"),
]


def run(complaints):
    """Returns 0 when the good tree is praised and every bad file is caught."""
    failures = [f"the good tree drew: {complaint}" for complaint in complaints(GOOD)]
    for path, text, words in BAD:
        drawn = [complaint for complaint in complaints({**GOOD, path: text}) if words in complaint.text]
        if not drawn:
            failures.append(f"{path} with {text!r} did not draw a complaint with {words!r}")
    for failure in failures:
        print(failure)
    print(f"self-test of the house rules: {len(BAD)} bad files, {len(failures) or 'no'} failures")
    return 1 if failures else 0
