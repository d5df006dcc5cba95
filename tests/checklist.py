#!/usr/bin/env python3
"""Prints the ids of rfc-checklist.md that no test names, and fails when there are any.

    tests/checklist.py [--deflate] [FAMILY...]      default: R6455 RIANA R8307 R7936
                                                       R8441 R9220

A test names an id by its full spelling in a `.rs` file below tests/ or fuzz/, or inside a
`#[cfg(test)]` module of src/. `--deflate` adds the family R7692.

An id in DEFERRED needs no test; once it has one, its entry is stale and fails the run too.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
CHECKLIST = ROOT / "tests" / "rfc-checklist.md"
ID = re.compile(r"(?<![\w-])(?:R\d{4}|RIANA)(?:-\d+(?:\.\d+)*)?-(?:\d\d|T)(?![\w-])")
DEFAULT_FAMILIES = ["R6455", "RIANA", "R8307", "R7936", "R8441", "R9220"]

DEFERRED = {
    "R6455-4.1-02": "one connection attempt per address at a time: the caller's duty, documented",
    "R6455-5.4-05": "binds intermediaries that pass frames on; the crate is an endpoint",
    "R6455-5.5.1-03": "what an application shows to its users is the caller's duty, documented",
    "R6455-7.2.3-01": "the crate does not reconnect by itself; backing off is the caller's duty",
    "R9220-3-02": "QUIC and its early data are the caller's, documented",
    "RIANA-03": "the extension's token is first written and read with permessage-deflate",
}
# Not deferred any more once compression is covered.
DEFERRED_UNTIL_DEFLATE = {"RIANA-03"}


def ids_in(text):
    return set(ID.findall(text))


def family(name):
    return name.split("-")[0]


def order(name):
    return [[int(n) for n in part.split(".")] if part[0].isdigit() else [10**6]
            for part in name.split("-")[1:]]


def unit_tests(path):
    """The part of a source file that is compiled for tests only."""
    text = path.read_text(encoding="utf-8")
    if path.name == "tests.rs" or "tests" in path.relative_to(ROOT / "src").parts:
        return text
    found = re.search(r"^#\[cfg\(test\)\]\n(?:#\[.*\]\n)*(?:pub\S* )?mod \w+ \{", text, re.M)
    return text[found.start():] if found else ""


def tested_ids():
    tested = set()
    for path in (ROOT / "tests").rglob("*.rs"):
        tested |= ids_in(path.read_text(encoding="utf-8"))
    for path in (ROOT / "fuzz").rglob("*.rs"):
        if "target" not in path.relative_to(ROOT).parts:
            tested |= ids_in(path.read_text(encoding="utf-8"))
    for path in (ROOT / "src").rglob("*.rs"):
        tested |= ids_in(unit_tests(path))
    return tested


def main():
    arguments = sys.argv[1:]
    deflate = "--deflate" in arguments
    families = [a.rstrip("-*") for a in arguments if a != "--deflate"] or list(DEFAULT_FAMILIES)
    if deflate and "R7692" not in families:
        families.append("R7692")

    rules = {}
    for number, line in enumerate(CHECKLIST.read_text(encoding="utf-8").splitlines(), 1):
        for name in ID.findall(line):
            rules.setdefault(name, (number, line))
    unknown = [f for f in families if f not in map(family, rules)]
    if unknown:
        sys.exit("checklist: no such family: " + " ".join(unknown))

    deferred = set(DEFERRED) - (DEFERRED_UNTIL_DEFLATE if deflate else set())
    covered = {name for name in rules if family(name) in families}
    tested = tested_ids()
    by_place = lambda names: sorted(names, key=lambda n: (family(n), order(n)))

    missing = by_place(covered - tested - deferred)
    stale = by_place(name for name in deferred if name in tested or name not in rules)
    unlisted = by_place(tested - set(rules))
    for name in missing:
        print(f"missing   {name}  (line {rules[name][0]})")
    for name in stale:
        why = "has a test now" if name in tested else "is not in the checklist"
        print(f"stale     {name}: deferred, but it {why}")
    for name in unlisted:
        print(f"unknown   {name}: named by a test, but not in the checklist")
    due = covered - deferred
    print(f"checklist: {len(due & tested)} of {len(due)} rules have a test "
          f"({' '.join(families)}); {len(covered & deferred)} deferred, "
          f"{len(stale)} stale, {len(unlisted)} unknown")
    sys.exit(1 if missing or stale or unlisted else 0)


if __name__ == "__main__":
    main()
