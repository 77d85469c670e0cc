#!/usr/bin/env python3
# tests/reliability_claims.py — every test that docs/reliability.md names is there.
"""Looks for each name in the table of docs/reliability.md among the tests of a build, and for each path in the checkout.

  reliability_claims.py BUILD    a build with all tests, on Linux
"""
import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LAYERS = "core|distance|quantize|index|schema|query|storage|collection|fuzz|tools"


def claims():
    """(number, what proves it) of each line of the table."""
    text = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) == 3 and re.match(r"\d", cells[0]):
            yield cells[0], cells[2]


def main():
    listed = subprocess.run(["ctest", "--test-dir", sys.argv[1], "--show-only=json-v1"], check=True, capture_output=True)
    tests = {test["name"] for test in json.loads(listed.stdout)["tests"]}
    numbers = set()
    wrong = []
    for number, proof in claims():
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
    wrong += [f"claim {number} is missing" for number in range(1, 53) if number not in numbers]
    print("\n".join(wrong) or f"{len(numbers)} claims, and every test they name is there")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
