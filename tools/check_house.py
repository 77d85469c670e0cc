#!/usr/bin/env python3
# tools/check_house.py — proves that the tree keeps the rules of the house.
"""Reads every file of the project and prints each broken rule with its file and line; exits with 1 when there is one.

  tools/check_house.py               checks the tree
  tools/check_house.py --self-test   feeds each rule something bad and expects its complaint

A rule is a function from a file, or from the whole tree, to complaints. Its docstring is the rule.
"""
import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
from typing import NamedTuple

ROOT = pathlib.Path(__file__).resolve().parent.parent

# What each layer may include besides itself.
LAYERS = {
    "core": [],
    "distance": ["core"],
    "quantize": ["core", "distance"],
    "index": ["core", "distance", "quantize"],
    "schema": ["core"],
    "query": ["core", "schema"],
    "scalar": ["core", "schema"],
    "storage": ["core"],
    "collection": ["core", "distance", "quantize", "index", "schema", "query", "scalar", "storage"],
}
# Folders of src/ that are no layer, and the layer whose rules they follow.
COMPILED_FOLDERS = {"kernels": "distance"}

# Each third party and the only files that may include it.
THIRD_PARTIES = {
    "xsimd": ["src/kernels/simd.hpp"],
    "roaring": ["src/storage/roaring.cpp"],
    "lmdb": ["src/storage/environment_state.hpp"],
    "simdjson": ["src/schema/json.cpp"],
}
# Headers with a .h that come with the operating system or the compiler.
SYSTEM_HEADERS = re.compile(r"(sys/\w+|dirent|unistd|fcntl|pthread|cpuid|\w+intrin|arm_\w+|mach/\w+|linux/\w+)\.h")

# Files that choose an include with #if, because the platform or the build decides what exists.
CONDITIONAL_INCLUDES = {
    "include/kith/core/assert.hpp",
    "include/kith/core/error.hpp",
    "include/kith/distance/cpu.hpp",
    "include/kith/kith.hpp",
    "src/core/crc32c.cpp",
    "src/distance/cpu.cpp",
    "src/storage/file_system.cpp",
    "tests/support/private_mount.cpp",
    "src/storage/roaring.cpp",
    "tests/support/catch.hpp",
    "tests/support/file_faults.cpp",
    "tests/support/file_system_type.cpp",
}
MACRO_HEADERS = {"include/kith/core/config.hpp", "include/kith/core/assert.hpp", "include/kith/version.hpp"}
GENERATED = {"single_include/kith.hpp"}
LINE_WALL = 500


class Complaint(NamedTuple):
    path: str
    line: int
    text: str


class File:
    """One source file: its lines as written, and the same lines with comments and literals blanked."""

    def __init__(self, path, text):
        self.path = path
        self.text = text
        self.lines = text.splitlines()
        self.is_header = path.endswith(".hpp")
        self.is_library = path.startswith(("include/kith/", "src/"))
        self.code = without_comments(text).splitlines()
        parts = path.split("/")
        self.layer = None
        if path.startswith("include/kith/") and len(parts) > 3:
            self.layer = parts[2]
        elif path.startswith("src/") and len(parts) > 2:
            self.layer = COMPILED_FOLDERS.get(parts[1], parts[1])

    def complain(self, line, text):
        return Complaint(self.path, line, text)

    def find(self, pattern):
        """The numbers and matches of the lines of code, not of comments, in which `pattern` occurs."""
        regex = re.compile(pattern)
        for number, line in enumerate(self.code, 1):
            match = regex.search(line)
            if match:
                yield number, match

    def includes(self):
        """(line number, name, whether it is quoted) of each include."""
        for number, line in enumerate(self.lines, 1):
            match = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
            if match:
                yield number, match[2], match[1] == '"'


def without_comments(text):
    """The text with comments removed and the insides of string and character literals blanked, line for line."""
    token = re.compile(
        r'//[^\n]*|/\*.*?\*/|R"(?P<raw>[^(\s]*)\(.*?\)(?P=raw)"|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])+\'',
        re.DOTALL)

    def blank(match):
        newlines = "\n" * match[0].count("\n")
        return newlines if match[0].startswith("/") else '""' + newlines

    return token.sub(blank, text)


# Rules about one C++ file.

def opens_with_a_sentence(file):
    """The first line is `// path — sentence.`, the path as it is included."""
    path = file.path.removeprefix("include/")
    opening = []
    for line in file.lines:
        if not line.startswith("//") or line == "//":
            break
        opening.append(line.removeprefix("//").strip())
    sentence = " ".join(opening)
    if not sentence.startswith(f"{path} — ") or not sentence.endswith((".", "?")):
        yield file.complain(1, f"the file does not open with `// {path} — sentence.`")


def headers_guard_once(file):
    """A header has one `#pragma once`, after its opening comment; a source has none."""
    lines = [number for number, line in enumerate(file.lines, 1) if line == "#pragma once"]
    if file.is_header and len(lines) != 1:
        yield file.complain(1, "a header needs one #pragma once")
    elif not file.is_header and lines:
        yield file.complain(lines[0], "#pragma once in a source")
    elif lines and any(line and not line.startswith("//") for line in file.lines[:lines[0] - 1]):
        yield file.complain(lines[0], "#pragma once comes right after the opening comment")


def layers_point_down(file):
    """A layer includes itself and what stands below it, by the full path."""
    for number, name, quoted in file.includes():
        if not quoted or not file.is_library:
            continue
        if not name.startswith("kith/"):
            if file.path.startswith("include/") or not (ROOT / "src" / name).exists():
                yield file.complain(number, f'"{name}" is not a full path')
            layer = COMPILED_FOLDERS.get(name.split("/")[0], name.split("/")[0])
        else:
            layer = name.split("/")[1].removesuffix(".hpp")
        if file.layer and layer != "version" and layer not in [file.layer, *LAYERS.get(file.layer, [])]:
            yield file.complain(number, f"{file.layer} may not include {layer}")


def back_rooms_are_private(file):
    """Only index/hnsw.hpp and its own back room enter index/hnsw/, and so for every such folder."""
    for number, name, _ in file.includes():
        parts = name.split("/")
        if parts[0] == "kith" and len(parts) > 3 and file.is_library:
            room = "/".join(parts[:3])
            if not re.match(rf"(include|src)/({room}\.hpp|{room}/|{room.removeprefix('kith/')}[/.])", file.path):
                yield file.complain(number, f"{name} is in the back room of {room}.hpp")


def third_parties_have_one_door(file):
    """The library includes the standard library and the system; each third party through its one door."""
    if not file.is_library:
        return
    for number, name, quoted in file.includes():
        if quoted or re.fullmatch(r"[a-z_0-9]+", name) or SYSTEM_HEADERS.fullmatch(name):
            continue
        doors = THIRD_PARTIES.get(re.split(r"[/.]", name)[0])
        if doors is None:
            yield file.complain(number, f"<{name}> is no part of the standard library or the system")
        elif file.path not in doors:
            yield file.complain(number, f"<{name}> is included only by {doors[0]}")


def includes_are_unconditional(file):
    """No include stands inside #if, but for the listed doors."""
    depth = 0
    for number, line in enumerate(file.lines, 1):
        if re.match(r"\s*#\s*if", line):
            depth += 1
        elif re.match(r"\s*#\s*endif", line):
            depth -= 1
        elif re.match(r"\s*#\s*include", line) and depth and file.path not in CONDITIONAL_INCLUDES:
            yield file.complain(number, "an include inside #if")


def includes_are_ordered(file):
    """Own header, ours, then third party and standard: within the opening includes no "…" follows a <…>."""
    if not file.is_library:
        return
    end = next((number for number, line in enumerate(file.lines, 1) if line.startswith("namespace")), LINE_WALL)
    angled = False
    for number, _, quoted in file.includes():
        if quoted and angled and number < end:
            yield file.complain(number, "ours come before third-party and standard includes")
        angled = angled or not quoted


def one_throw(file):
    """`throw` stands in core/error.hpp only, so there is one breakpoint for every error."""
    if file.is_library and file.path != "include/kith/core/error.hpp":
        for number, _ in file.find(r"\bthrow\b"):
            yield file.complain(number, "throw: use raise() of core/error.hpp")


def library_is_quiet(file):
    """The library never prints and never ends the program."""
    if file.is_library and file.path not in ("include/kith/core/error.hpp", "include/kith/core/assert.hpp"):
        for number, match in file.find(r"\bstd::(cout|cerr|clog|exit|abort|terminate|quick_exit)\b|\b(f?printf|puts|assert|abort)\("):
            yield file.complain(number, f"{match[0].rstrip('(')}: the library does not print, stop the program or assert")


def namespaces_are_ours(file):
    """The library lives in kith::inline v0; headers use no namespace and name none globally."""
    if file.is_header:
        for number, _ in file.find(r"\busing\s+namespace\b"):
            yield file.complain(number, "using namespace in a header")
    if not file.is_library:
        return
    good = r"namespace (kith::inline v0(::[a-z_:0-9]+)?|detail|[a-z][a-z_0-9]*|std)? ?\{|namespace \{"
    for number, _ in file.find(r"^\s*(inline )?namespace\b"):
        line = file.code[number - 1].strip()
        if "=" in line:
            continue
        at_top = not file.code[number - 1].startswith(" ")
        outer = at_top and not line.startswith(("namespace kith::inline v0", "namespace {", "namespace detail", "namespace std"))
        if not re.match(good, line) or (outer and not _inside_kith(file, number)):
            yield file.complain(number, "namespaces open as `namespace kith::inline v0 {`")


def _inside_kith(file, number):
    """Whether line `number` stands between the opening and the closing line of namespace kith."""
    before = "\n".join(file.code[:number - 1])
    opened = before.rfind("namespace kith::inline v0")
    return opened >= 0 and before.count("{", opened) > before.count("}", opened)


def macros_are_kith(file):
    """Macros begin with KITH_ and are defined in core/config.hpp, core/assert.hpp and version.hpp."""
    if not file.is_library:
        return
    for number, match in file.find(r"^\s*#\s*define\s+(\w+)"):
        if not match[1].startswith("KITH_"):
            yield file.complain(number, f"{match[1]}: macros begin with KITH_")
        elif file.path not in MACRO_HEADERS:
            yield file.complain(number, f"{match[1]}: macros are defined in core/config.hpp and core/assert.hpp")


def doors_open_their_layer(tree):
    """kith/<layer>.hpp includes public headers of its layer, in alphabetical order, and no other; a header that no door
    and no source of src/ reaches is in nobody's way and in nobody's use."""
    reached = set()
    waiting = [path for path in tree if re.fullmatch(r"include/kith/\w+\.hpp|src/.*", path)]
    while waiting:
        path = waiting.pop()
        if path in tree and path not in reached:
            reached.add(path)
            waiting += [f"include/{name}" for _, name, _ in tree[path].includes()]
    for path, file in tree.items():
        match = re.fullmatch(r"include/kith/(\w+)(/.+)?\.hpp", path)
        if not match or match[1] not in LAYERS:
            continue
        if match[2]:
            if path not in reached:
                yield file.complain(1, "no door leads to this header")
            continue
        found = [name for _, name, _ in file.includes()]
        strangers = [name for name in found if not re.fullmatch(rf"kith/{match[1]}/\w+\.hpp", name)]
        if strangers:
            yield file.complain(1, f"the door leads out of its layer: {', '.join(strangers)}")
        if found != sorted(found):
            yield file.complain(1, "the door does not list its headers in alphabetical order")


# Rules about any text.

def files_fit_a_mind(file):
    """No file is longer than the wall."""
    if len(file.lines) > LINE_WALL and file.path.endswith((".hpp", ".cpp", ".py", ".cmake", ".sh")):
        yield file.complain(LINE_WALL + 1, f"{len(file.lines)} lines; {LINE_WALL} is a wall, split it by job")


def no_promises(file):
    """Nothing is left for later in a comment: it is done, or it is an issue."""
    for number, line in enumerate(file.lines, 1):
        match = re.search(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b", line)
        if match:
            yield file.complain(number, match[0])


def no_places(file):
    """No absolute path of somebody's machine."""
    for number, line in enumerate(file.lines, 1):
        match = re.search(r"(?<![\w.}/])/(?:work|tmp|home|root|Users)\b(/|$|[\s\"'`)])", line)
        if match:
            yield file.complain(number, f"{match[0].strip()}: a path of one machine")


def text_is_tidy(file):
    """Unix line ends, no tabs or trailing blanks in code, a newline at the end."""
    if "\r" in file.text or (file.text and not file.text.endswith("\n")):
        yield file.complain(len(file.lines), "the file does not end its lines with a newline")
    for number, line in enumerate(file.lines, 1):
        if line != line.rstrip() or (not file.path.endswith((".tsv", ".md", "LICENSE")) and "\t" in line):
            yield file.complain(number, "a tab or a trailing blank")


# Rules about the tree.

def builds_name_every_source(tree):
    """Each source of src/ and each test is named by the CMakeLists.txt that builds it, for nothing is globbed."""
    for path, file in tree.items():
        match = re.fullmatch(r"(src|tests/\w+)/(.+\.cpp)", path)
        lists = tree.get(f"{match[1]}/CMakeLists.txt") if match else None
        if match and (match[1] == "src" or path.endswith("_test.cpp")):
            if lists is None or not re.search(rf"(^|[\s(]){re.escape(match[2])}([\s)]|$)", lists.text):
                yield file.complain(1, f"{match[1]}/CMakeLists.txt does not name {match[2]}")


def versions_agree(tree):
    """The version is that of version.hpp wherever a packager wants to read it."""
    header = tree.get("include/kith/version.hpp")
    if header is None:
        return
    version = ".".join(re.findall(r"#define KITH_VERSION_\w+ (\d+)", header.text))
    if f'"{version}"' not in header.text:
        yield header.complain(1, f'kith::version is not "{version}"')
    for path in ("vcpkg.json", "ports/kith/vcpkg.json"):
        if path in tree and json.loads(tree[path].text).get("version") != version:
            yield tree[path].complain(1, f"the version is not {version}")


CPP_RULES = [opens_with_a_sentence, headers_guard_once, layers_point_down, back_rooms_are_private,
             third_parties_have_one_door, includes_are_unconditional, includes_are_ordered, one_throw, library_is_quiet,
             namespaces_are_ours, macros_are_kith]
TEXT_RULES = [files_fit_a_mind, no_promises, no_places, text_is_tidy]
TREE_RULES = [doors_open_their_layer, builds_name_every_source, versions_agree]


def complaints(texts):
    """Every complaint about `texts`, a map from path to content."""
    tree = {path: File(path, text) for path, text in texts.items() if path not in GENERATED}
    for path, file in sorted(tree.items()):
        for rule in TEXT_RULES + (CPP_RULES if path.endswith((".hpp", ".cpp")) else []):
            yield from rule(file)
    for rule in TREE_RULES:
        yield from rule(tree)


def read_tree():
    """The text files of the project, tracked or new; all of them when this is no git checkout."""
    try:
        listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
                                capture_output=True, check=True).stdout.decode()
        paths = [path for path in listed.split("\0") if path]
    except (OSError, subprocess.CalledProcessError):
        paths = [os.path.relpath(os.path.join(folder, name), ROOT) for folder, _, names in os.walk(ROOT)
                 if not os.path.relpath(folder, ROOT).startswith(("build", ".git")) for name in names]
    texts = {}
    for path in paths:
        if (ROOT / path).is_file():
            content = (ROOT / path).read_bytes()
            if b"\0" not in content:
                texts[path] = content.decode("utf-8")
    return texts


def main():
    parser = argparse.ArgumentParser(description="Proves that the tree keeps the rules of the house.")
    parser.add_argument("--self-test", action="store_true", help="check the rules themselves")
    if parser.parse_args().self_test:
        sys.path.insert(0, str(ROOT / "tools"))
        import check_house_test
        return check_house_test.run(complaints)
    texts = read_tree()
    found = list(complaints(texts))
    for complaint in found:
        print(f"{complaint.path}:{complaint.line}: {complaint.text}")
    print(f"house rules: {len(texts)} files, {len(found) or 'no'} complaint{'' if len(found) == 1 else 's'}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
