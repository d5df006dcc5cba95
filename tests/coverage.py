#!/usr/bin/env python3
"""Runs the tests of the core with cargo-llvm-cov, in the tree that mutants.py makes, prints the
lines of the core that none of them reached, and fails when these are more than 2 %.

    tests/coverage.py [REPORT]      REPORT: what `cargo llvm-cov report --json` has written before
"""

import json
import os
import pathlib
import subprocess
import sys

from mutants import SLOW_TESTS, TESTS, TREE, prepare

CORE = ["src/frame/", "src/utf8.rs", "src/message.rs", "src/connection/", "src/handshake/",
        "src/deflate/"]
AT_LEAST = 98.0


def measure():
    prepare(TESTS + SLOW_TESTS)
    # Without optimisation the exhaustive tests take half an hour. One at a time, since files of tests
    # that count allocations expect to have a process, and its pools, to themselves.
    command = ["cargo", "llvm-cov", "--no-report", "--no-fail-fast", "--features", "deflate,http",
               "--lib", "--test", "core", "--", "--test-threads=1"]
    environment = os.environ | {"CARGO_PROFILE_TEST_OPT_LEVEL": "1"}
    subprocess.run(command, cwd=TREE, check=True, env=environment)
    report = ["cargo", "llvm-cov", "report", "--json"]
    return subprocess.run(report, cwd=TREE, check=True, capture_output=True, text=True).stdout


def counts(segments):
    """How often each line ran, as LLVM counts: a line has the most of the regions that start on it,
    or else of the one that reaches into it."""
    lines, around = {}, None
    by_line = {}
    for line, _, count, has_count, is_entry, is_gap in segments:
        by_line.setdefault(line, []).append((count, has_count, is_entry and not is_gap))
    last = max(by_line, default=0)
    for line in range(min(by_line, default=1), last + 1):
        here = by_line.get(line, [])
        starts = [count for count, has_count, is_entry in here if has_count and is_entry]
        if starts or (around is not None and (not here or here[0][1])):
            lines[line] = max(starts + ([around] if around is not None else []))
        if here:
            count, has_count, _ = here[-1]
            around = count if has_count else None
    return lines


def main():
    text = pathlib.Path(sys.argv[1]).read_text() if sys.argv[1:] else measure()
    total = reached = 0
    for file in json.loads(text)["data"][0]["files"]:
        name = str(pathlib.Path(file["filename"]).relative_to(TREE))
        if not any(name.startswith(part) for part in CORE):
            continue
        summary = file["summary"]["lines"]
        total += summary["count"]
        reached += summary["covered"]
        source = (TREE / name).read_text(encoding="utf-8").splitlines()
        for line, count in counts(file["segments"]).items():
            if count == 0:
                print(f"{name}:{line}: {source[line - 1].strip()}")
    share = 100 * reached / total
    print(f"coverage: {reached} of {total} lines of the core, {share:.2f} %")
    sys.exit(0 if share >= AT_LEAST else 1)


if __name__ == "__main__":
    main()
