#!/usr/bin/env python3
# tests/documented_claims.py — every test that docs/reliability.md and docs/behaviours.md name is there.
"""Looks for what their tables name: tests among those of a build, paths in the checkout, claims in their files.

  documented_claims.py BUILD    a build with all tests, on Linux
"""
import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LAYERS = "core|distance|quantize|index|schema|query|storage|collection|fuzz|tools"


def rows(page, cells):
    """The cells of each numbered line of the table of a page."""
    for line in (ROOT / "docs" / page).read_text(encoding="utf-8").splitlines():
        row = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(row) == cells and re.match(r"\d", row[0]):
            yield row


def missing(numbers, last):
    return [f"claim {number} is missing" for number in range(1, last + 1) if number not in numbers]


def reliability(build):
    """What is wrong with docs/reliability.md, which names tests of ctest."""
    listed = subprocess.run(["ctest", "--test-dir", build, "--show-only=json-v1"], check=True, capture_output=True)
    tests = {test["name"] for test in json.loads(listed.stdout)["tests"]}
    numbers = set()
    wrong = []
    for number, _, proof in rows("reliability.md", 3):
        ends = [int(end) for end in re.findall(r"\d+", number)]
        numbers.update(range(ends[0], ends[-1] + 1))
        names = re.findall(rf"\b(?:{LAYERS})\.[a-z_.]*[a-z_*]", re.sub(r"\b\S+\.(?:py|cpp|hpp|md)\b", "", proof))
        paths = re.findall(r"\b(?:tests|tools|docs)/[\w./]+", proof)
        for name in names:
            there = any(test.startswith(name[:-1]) for test in tests) if name.endswith("*") else name in tests
            if not there:
                wrong.append(f"claim {number}: there is no test {name}")
        wrong += [f"claim {number}: there is no {path}" for path in paths if not (ROOT / path).exists()]
        if not names and "not yet" not in proof:
            wrong.append(f"claim {number}: no test is named")
    return wrong + missing(numbers, 52)


def claims_of(path):
    """The names of the test cases of a file; none where it is not built."""
    built = (path.parent / "CMakeLists.txt").read_text(encoding="utf-8")
    if not re.search(rf"\b{re.escape(path.name)}\b", built):
        return set()
    literals = re.findall(r'TEST_CASE\(\s*((?:"(?:[^"\\]|\\.)*"\s*)+)', path.read_text(encoding="utf-8"))
    return {"".join(re.findall(r'"((?:[^"\\]|\\.)*)"', literal)) for literal in literals}


def behaviours():
    """What is wrong with docs/behaviours.md, which names files under tests/, each with its claims behind it."""
    numbers = set()
    wrong = []
    for number, _, outcome, proof in rows("behaviours.md", 4):
        numbers.add(int(number))
        if not re.search(r"\*\*kith\*\*|the same", outcome):
            wrong.append(f"behaviour {number}: is it the same, or **kith**?")
        path = None
        proved = False
        for file, claim in re.findall(r'`([^`]+)`|"([^"]+)"', proof):
            if file:
                path = ROOT / "tests" / file
                proved = proved or file.startswith("compile_fail/")
            if path is None or not path.exists():
                wrong.append(f"behaviour {number}: there is no file {file or claim}")
            elif claim:
                proved = True
                if claim not in claims_of(path):
                    wrong.append(f"behaviour {number}: {path.name} has no test case '{claim}'")
        if not proved:
            wrong.append(f"behaviour {number}: no test is named")
    return wrong + missing(numbers, max(35, *numbers))


def main():
    wrong = reliability(sys.argv[1]) + behaviours()
    print("\n".join(wrong) or "every test that reliability.md and behaviours.md name is there")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
