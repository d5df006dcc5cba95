#!/usr/bin/env python3
"""Prints the ids of rfc-checklist.md and attacks.md that no test names, and the tests that
SECURITY.md names and that do not exist, and fails when there are any.

    tests/checklist.py [--deflate] [FAMILY...]      default: R6455 RIANA R8307 R7936
                                                       R8441 R9220

A test names an id by its full spelling in a `.rs` file below tests/ or fuzz/, or inside a
`#[cfg(test)]` module of src/. `--deflate` adds the family R7692.

The ids of attacks.md are short, so that they count in doc comments only. An attack that ends in
`[FILE]` is shown by that file, which has to name the id as well.

An id in DEFERRED needs no test; once it has one, its entry is stale and fails the run too.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
CHECKLIST = ROOT / "tests" / "rfc-checklist.md"
ATTACKS = ROOT / "tests" / "attacks.md"
ID = re.compile(r"(?<![\w-])(?:R\d{4}|RIANA)(?:-\d+(?:\.\d+)*)?-(?:\d\d|T)(?![\w-])")
ATTACK = re.compile(r"\b[LFWDUHMT][1-9]\d?\b")
DOC_COMMENT = re.compile(r"^\s*//[/!](.*)", re.M)
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


def test_code():
    """The text of every file, or part of a file, that tests."""
    for path in (ROOT / "tests").rglob("*.rs"):
        yield path.read_text(encoding="utf-8")
    for path in (ROOT / "fuzz").rglob("*.rs"):
        if "target" not in path.relative_to(ROOT).parts:
            yield path.read_text(encoding="utf-8")
    for path in (ROOT / "src").rglob("*.rs"):
        yield unit_tests(path)


def attacks(code):
    """The faults of the list of attacks, each as a line to print, and how many rows it has."""
    rows = {}
    for line in ATTACKS.read_text(encoding="utf-8").splitlines():
        if row := re.match(r"- (\w+) ", line):
            files = re.findall(r"\[([\w./]+)\]", line)
            if row[1] in rows or not ATTACK.fullmatch(row[1]):
                sys.exit(f"checklist: a second {row[1]}, or no id of an attack")
            rows[row[1]] = files
    tested = {name for text in code for comment in DOC_COMMENT.findall(text)
              for name in ATTACK.findall(comment)}
    faults = []
    for name, files in rows.items():
        unnamed = [f for f in files if not (ROOT / f).exists()
                   or name not in ATTACK.findall((ROOT / f).read_text(encoding="utf-8"))]
        if not files and name not in tested:
            faults.append(f"missing   {name}: no test names this attack")
        faults += [f"missing   {name}: {file} does not name this attack" for file in unnamed]
    return faults, len(rows)


def promises():
    """The tests that SECURITY.md names, and a line to print for each that does not exist."""
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    named = sorted(set(re.findall(r"\b([a-z]\w+)::([a-z]\w+)\b", text)) - {("fullduplex", "deflate"), ("file", "test")})
    faults = []
    for file, test in named:
        path = ROOT / "tests" / f"{file}.rs"
        if not path.exists():
            path = ROOT / "tests" / file / "main.rs"
        code = path.read_text(encoding="utf-8") if path.exists() else ""
        if not re.search(rf"\bfn {test}\b", code):
            faults.append(f"missing   {file}::{test}, which SECURITY.md names")
    return faults, len(named)


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
    code = list(test_code())
    tested = set().union(*map(ids_in, code))
    faults, count = attacks(code)
    broken, promised = promises()
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
    for fault in faults + broken:
        print(fault)
    due = covered - deferred
    print(f"checklist: {len(due & tested)} of {len(due)} rules have a test "
          f"({' '.join(families)}); {len(covered & deferred)} deferred, "
          f"{len(stale)} stale, {len(unlisted)} unknown")
    print(f"checklist: {count} attacks, {len(faults)} of them not shown; "
          f"SECURITY.md names {promised} tests, {len(broken)} of which do not exist")
    sys.exit(1 if missing or stale or unlisted or faults or broken else 0)


if __name__ == "__main__":
    main()
