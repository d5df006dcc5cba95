#!/usr/bin/env python3
"""What the compiler does not check about the sources: size, layering, leftovers.

Prints each finding as path:line and ends with a non-zero status when there is one.
"""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LONGEST = 500
# Everything else below src/ is the core: no std, no I/O, no clock.
ADAPTERS = ("asynchronous", "blocking", "connect", "driver", "error", "tokio", "futures", "http", "tls")
# What a file of the core may use of std all the same. The feature `deflate` implies `std`, and pools
# that threads share are what keeps codec states out of idle connections.
ALLOWED_STD = {"src/deflate/pool.rs": {"std::thread_local!", "std::sync::", "std::thread"}}

findings = []


def found(path, line, what):
    findings.append(f"{path}:{line}: {what}")


def tracked():
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout
        names = listed.decode().split("\0")
    except (OSError, subprocess.CalledProcessError):  # not a git checkout, such as a package
        names = (str(p.relative_to(ROOT)) for p in ROOT.rglob("*") if "target" not in p.parts)
    return [pathlib.Path(n) for n in names if n and (ROOT / n).is_file()]


def is_core(path):
    if path.parts[0] != "src":
        return False
    return path.parts[1].removesuffix(".rs") not in ADAPTERS


def without_unit_tests(lines):
    for i, line in enumerate(lines):
        if line == "#[cfg(test)]" and any(re.match(r"mod \w+ \{", l) for l in lines[i + 1:i + 4]):
            return lines[:i]
    return lines


def check_core(path, lines):
    if path.name == "tests.rs" or "tests" in path.parts:
        return
    previous = ""
    for number, line in enumerate(without_unit_tests(lines), 1):
        code = line.split("//")[0]
        # An item that exists with the feature `std` only may say so on the line before.
        used = set(re.findall(r"\bstd::[\w:]*!?", code)) - ALLOWED_STD.get(path.as_posix(), set())
        if used and 'cfg(feature = "std")' not in previous:
            found(path, number, "std in the core: " + line.strip())
        if re.search(r"\b(Instant|SystemTime)::now\b", code):
            found(path, number, "a clock in the core: " + line.strip())
        if code.strip():
            previous = code


def check_rust(path, lines):
    if len(lines) > LONGEST:
        found(path, len(lines), f"longer than {LONGEST} lines")
    for number, line in enumerate(lines, 1):
        code = line.split("//")[0]
        if re.search(r"#\[ignore\b", code):
            found(path, number, "an ignored test")
        if re.search(r"\b(todo|unimplemented|dbg)!", code):
            found(path, number, "unfinished: " + line.strip())
        if path.parts[0] == "src" and re.search(r"\bunsafe\b(?!_)", code):
            found(path, number, "unsafe")
    if is_core(path):
        check_core(path, lines)


def main():
    files = tracked()
    rust = [p for p in files if p.suffix == ".rs"]
    for path in rust:
        check_rust(path, (ROOT / path).read_text(encoding="utf-8").splitlines())
    print("\n".join(findings + [f"source: {len(rust)} Rust files, {len(findings)} findings"]))
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
