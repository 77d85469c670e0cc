#!/usr/bin/env python3
# tools/amalgamate.py — pastes include/kith/kith.hpp and all it includes into single_include/kith.hpp.
"""Makes the single header: collections in memory, no dependency, nothing to link.

  tools/amalgamate.py            writes single_include/kith.hpp
  tools/amalgamate.py --check    exits with 1 when that file is not what would be written

Each header is pasted once, where it is first included. Standard headers are hoisted to the top, except those a header
chooses with #if. What stands in `#if KITH_COMPILED` is left out, and the macro reads as 0 everywhere else, so the file
means the same in a program that links kith::kith. The inline namespace is renamed, so both may even meet in one program.
"""
import argparse
import difflib
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
INCLUDE = ROOT / "include"
DOOR = "kith/kith.hpp"
OUTPUT = ROOT / "single_include" / "kith.hpp"

OPENING = """\
// kith.hpp — the whole of kith for collections in memory, in one file.
//
// Made by tools/amalgamate.py from include/kith; change it there. It needs no dependency and nothing to link, and may be
// included from any number of sources. Collections that live in a directory need the library itself.
//
// Licence: Apache-2.0, the kith authors.
#pragma once
"""

OURS = re.compile(r'#include "(kith/[^"]+)"')
SYSTEM = re.compile(r"#include (<[^>]+>)")
CONDITION = re.compile(r"#(if|ifdef|ifndef|elif|else|endif)\b(.*)")


class Amalgamation:
    def __init__(self):
        self.pasted = set()
        self.system_includes = set()
        self.lines = []

    def paste(self, name):
        """Appends the header `name` and, in their places, those it includes."""
        if name in self.pasted:
            return
        self.pasted.add(name)
        source = (INCLUDE / name).read_text(encoding="utf-8").splitlines()
        depth = 0  # of conditions that stay in the file
        for line in self.without_compiled_part(source, name):
            condition = CONDITION.match(line)
            ours, system = OURS.match(line), SYSTEM.match(line)
            if condition:
                depth += {"if": 1, "ifdef": 1, "ifndef": 1, "endif": -1}.get(condition[1], 0)
            if line == "#pragma once":
                continue
            if ours and depth:
                sys.exit(f"{name}: an include of ours within #if cannot be pasted: {line}")
            if ours:
                self.paste(ours[1])
            elif system and not depth:
                self.system_includes.add(system[1])
            else:
                self.lines.append(line)
        self.lines.append("")

    @staticmethod
    def without_compiled_part(source, name):
        """The lines that stay when KITH_COMPILED is 0, with the conditions on it gone."""
        kept = []
        conditions = []  # one for each open #if: None, or whether the branch of a condition on KITH_COMPILED stays
        for line in source:
            condition = CONDITION.match(line)
            word = condition[1] if condition else ""
            subject = condition[2].strip() if condition else ""
            if word in ("if", "ifdef", "ifndef"):
                about_compiled = "KITH_COMPILED" in subject
                if about_compiled and subject not in ("KITH_COMPILED", "!KITH_COMPILED"):
                    sys.exit(f"{name}: a condition this script does not read: {line}")
                # Defined and 0: #if and #ifndef of it go, #if ! stays.
                conditions.append(subject.startswith("!") if about_compiled else None)
                if about_compiled:
                    continue
            elif word in ("else", "elif", "endif") and conditions[-1] is not None:
                if word == "elif":
                    sys.exit(f"{name}: a condition this script does not read: {line}")
                conditions[-1] = not conditions[-1]
                if word == "endif":
                    conditions.pop()
                continue
            elif word == "endif":
                conditions.pop()
            if all(kept_branch is not False for kept_branch in conditions):
                kept.append(line)
        return kept

    def text(self):
        """The whole file."""
        body = "\n".join(self.lines)
        body = re.sub(r"\binline v0\b", "inline v0_single", body)
        body = re.sub(r"^(?!\s*//).*$", lambda code: re.sub(r"\bKITH_COMPILED\b", "0", code[0]), body, flags=re.MULTILINE)
        body = re.sub(r"\n{3,}", "\n\n", body).strip()
        includes = "\n".join(f"#include {name}" for name in sorted(self.system_includes))
        return f"{OPENING}\n{includes}\n\n{body}\n"


def main():
    parser = argparse.ArgumentParser(description="Makes single_include/kith.hpp.")
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    check = parser.parse_args().check

    amalgamation = Amalgamation()
    amalgamation.paste(DOOR)
    made = amalgamation.text()
    if not check:
        OUTPUT.parent.mkdir(exist_ok=True)
        OUTPUT.write_text(made, encoding="utf-8")
        print(f"wrote {OUTPUT.relative_to(ROOT)}: {len(amalgamation.pasted)} headers, {made.count(chr(10))} lines")
        return 0
    found = OUTPUT.read_text(encoding="utf-8") if OUTPUT.exists() else ""
    if found == made:
        return 0
    changes = difflib.unified_diff(found.splitlines(), made.splitlines(), "single_include/kith.hpp", "made now", lineterm="")
    print("\n".join(list(changes)[:40]))
    print("single_include/kith.hpp is not what include/kith makes: run ./dev single")
    return 1


if __name__ == "__main__":
    sys.exit(main())
