#!/usr/bin/env python3
"""Counts the instructions that each path of the core takes for one message, and compares them with
the committed ones.

    benches/instructions.py [PATH...]      all paths, or those whose names contain one of PATH
    benches/instructions.py --accept       writes what was counted to instructions.tsv

Ends with a non-zero status when a path takes over 3 % more than the baseline says, or is in one of
the two only. Counts of different compilers cannot be compared: with another one than the baseline
names, the figures are reported and nothing fails. Takes a minute. Needs valgrind, and installs the
Debian package if it is missing.
"""

import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
BASELINE = ROOT / "benches" / "instructions.tsv"
TOLERANCE = 0.03
# What the start takes, and the growing of buffers, is in both runs and not in their difference.
FEW, MANY = 2, 12
# Valgrind counts each byte that `rep movsb` moves as an instruction. Without it the C library
# copies in vectors, whose number is what a copy costs.
TUNABLES = ":".join(
    f"glibc.cpu.x86_rep_{kind}_threshold={1 << 30}" for kind in ("movsb", "stosb")
)


def install():
    if shutil.which("valgrind"):
        return
    sudo = [] if os.geteuid() == 0 else ["sudo"]
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    for command in ["update"], ["-y", "install", "valgrind"]:
        subprocess.run([*sudo, "apt-get", "-qq", *command], check=True, env=environment)


def build():
    """The program, as the profile `release` makes it, whatever flags are set around."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS")
        and not name.startswith("CARGO_PROFILE_")
    }
    command = ["cargo", "build", "--release", "--locked", "--package", "fullduplex-benches"]
    command += ["--bin", "instructions", "--message-format", "json-render-diagnostics"]
    built = subprocess.run(
        command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True
    )
    messages = map(json.loads, built.stdout.splitlines())
    return [m["executable"] for m in messages if m.get("executable")][-1]


def compiler():
    shown = subprocess.run(["rustc", "-vV"], cwd=ROOT, check=True, capture_output=True, text=True)
    fields = dict(line.split(": ", 1) for line in shown.stdout.splitlines() if ": " in line)
    return f"rustc {fields['release']} for {fields['host']}"


def run(program, path, rounds):
    """Messages handled, and instructions for all of them and the start."""
    command = ["valgrind", "--tool=cachegrind", "--cache-sim=no"]
    command += ["--cachegrind-out-file=/dev/null", program, path, str(rounds)]
    # Nothing else from the environment: its size moves the stack.
    environment = {"PATH": os.environ["PATH"], "GLIBC_TUNABLES": TUNABLES}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    refs = re.search(r"I\s+refs:\s+([\d,]+)", done.stderr)
    if done.returncode != 0 or not refs:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr}")
    return int(done.stdout), int(refs[1].replace(",", ""))


def count(program, path):
    few, many = run(program, path, FEW), run(program, path, MANY)
    return (many[1] - few[1]) / (many[0] - few[0])


def read_baseline():
    """The compiler that it was made with, and the instructions of each path."""
    if not BASELINE.exists():
        return None, {}
    made_with, *lines = BASELINE.read_text().splitlines()
    rows = (line.split("\t") for line in lines)
    return made_with.removeprefix("# "), {path: float(figure) for path, figure in rows}


def main(arguments):
    accept = "--accept" in arguments
    chosen = [argument for argument in arguments if argument != "--accept"]
    if any(argument.startswith("-") for argument in chosen) or (accept and chosen):
        sys.exit(__doc__)
    install()
    program = build()
    listed = subprocess.run([program], check=True, capture_output=True, text=True).stdout.split()
    paths = [path for path in listed if not chosen or any(part in path for part in chosen)]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        counts = dict(zip(paths, pool.map(lambda path: count(program, path), paths)))

    made_with, baseline = read_baseline()
    same_compiler = made_with == compiler()
    slower, faster, new = [], [], []
    print(f"{'path':36}{'baseline':>12}{'now':>12}{'ratio':>8}")
    for path, now in counts.items():
        before = baseline.get(path)
        if before is None:
            print(f"{path:36}{'none':>12}{now:12.1f}")
            new.append(path)
            continue
        ratio = now / before
        verdict = ""
        if ratio > 1 + TOLERANCE:
            slower.append(path)
            verdict = "  slower"
        elif ratio < 1 - TOLERANCE:
            faster.append(path)
            verdict = "  faster"
        print(f"{path:36}{before:12.1f}{now:12.1f}{ratio:8.3f}{verdict}")
    gone = [] if chosen else sorted(baseline.keys() - counts.keys())

    if accept:
        rows = [f"{path}\t{now:.1f}\n" for path, now in counts.items()]
        BASELINE.write_text("".join([f"# {compiler()}\n", *rows]))
        print(f"accepted: {len(rows)} paths with {compiler()}")
    elif not same_compiler:
        print(f"NOT COMPARED: the baseline was made with {made_with}, this is {compiler()}")
    elif slower or new or gone:
        for what, which in (
            (f"over {TOLERANCE:.0%} slower", slower),
            ("not in the baseline", new),
            ("in the baseline only", gone),
        ):
            if which:
                print(f"{what}: {', '.join(which)}")
        sys.exit("instructions: if that is meant, run benches/instructions.py --accept")
    elif faster:
        print(
            f"over {TOLERANCE:.0%} faster: {', '.join(faster)}; run benches/instructions.py"
            " --accept, or the gain may be lost again unseen"
        )


main(sys.argv[1:])
