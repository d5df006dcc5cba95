#!/usr/bin/env python3
"""Tries all mutants that cargo-mutants lists with one build.

    tests/mutants_at_once.py [PATHS...]             all that have not been tried, of some files
    tests/mutants_at_once.py --left                 those that are left, with the slow tests too
    tests/mutants_at_once.py --adapters             those that are left, with tests of the adapters
    tests/mutants_at_once.py --again                all, from the start
    tests/mutants_at_once.py --built                as the above, with what was built the last time
    tests/mutants_at_once.py --trace                as the above, after a change of existing tests

cargo-mutants builds each of its two thousand mutants. Here each function holds the bodies of all of
its mutants, and a number that the test process is given says which of them runs. What does not
build by itself is found by the compiler's errors. The tests run once each to see which functions
they reach; a mutant meets only those that reach it, the quickest first, until one fails. Constants
and functions that constants call cannot be switched: cargo-mutants has to try these, and this says
which they are.
"""

import argparse
import collections
import json
import os
import pathlib
import re
import resource
import shutil
import subprocess
import time
import zlib

import mutants

TREE = mutants.ROOT / "target" / "mutants_at_once"
TARGET = TREE / "target"
FEATURES = "deflate,http"
# Tests of the adapters and of memory, for what the tests of the core leave. Unit tests are run
# again with them: some are of what only adapters use.
ADAPTERS = """
    async_deadlines async_memory deflate_connection_memory memory opening split split_ends
    split_over waiting
""".split()
LEFT = ("left", "unreached")
ADAPTERS_NEED = "cap tokio".split()
# No mutant: each function that runs is noted.
TRACE = 0xFFFF_FFFE
SWITCH = """//! Which mutant runs: the number that stands in the standard input.
use core::sync::atomic::{AtomicBool, Ordering};
use std::fs::File;
use std::io::{Read, Write};
use std::sync::OnceLock;
static ACTIVE: OnceLock<u32> = OnceLock::new();
static REACHED: [AtomicBool; FUNCTIONS] = [const { AtomicBool::new(false) }; FUNCTIONS];
// Allocates nothing, as there are tests that count.
fn read() -> u32 {
    let mut text = [0; 16];
    let length = File::open("/dev/stdin").and_then(|mut file| file.read(&mut text)).unwrap_or(0);
    core::str::from_utf8(&text[..length]).unwrap().trim().parse().unwrap_or(0)
}
pub(crate) fn active(function: usize) -> u32 {
    let active = *ACTIVE.get_or_init(read);
    if active == TRACE && !REACHED[function].swap(true, Ordering::Relaxed) {
        let mut file = File::options().append(true).create(true).open("reached").unwrap();
        file.write_all(&u32::try_from(function).unwrap().to_le_bytes()).unwrap();
    }
    active
}
"""


def run(command, **options):
    environment = os.environ | {"RUSTC_BOOTSTRAP": "1", "CARGO_TARGET_DIR": str(TARGET)}
    return subprocess.run(command, cwd=TREE, env=environment, text=True, capture_output=True,
                          check=False, **options)


def put_whole(path, text):
    part = path.with_suffix(f".{os.getpid()}")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def listed():
    """All mutants, with a number each."""
    files = [word for name in mutants.FILES for word in ("--file", name)]
    answer = run(["cargo", "mutants", "--list", "--json", *files])
    found = json.loads(answer.stdout)
    for number, mutant in enumerate(found, 1):
        mutant["number"] = number
        del mutant["diff"]
    return found


class Source:
    """A file, its functions that have mutants, and where in it these are written."""

    def __init__(self, name, own):
        self.name = name
        self.text = (mutants.ROOT / name).read_text(encoding="utf-8")
        starts = [0]
        for line in self.text.splitlines(keepends=True):
            starts.append(starts[-1] + len(line))
        self.at = lambda place: starts[place["line"] - 1] + place["column"] - 1
        self.functions = collections.defaultdict(list)
        for mutant in own:
            span = mutant["function"]["span"]
            self.functions[self.at(span["start"]), self.at(span["end"])].append(mutant)
        for inner in list(self.functions):
            for outer in list(self.functions):
                if inner != outer and outer[0] <= inner[0] and inner[1] <= outer[1]:
                    self.functions[outer] += self.functions.pop(inner)
                    break

    def body(self, start, end):
        """Where the outermost braces of a function begin."""
        depth, at = 0, start
        while at < end:
            if self.text.startswith("//", at):
                at = self.text.index("\n", at)
            elif self.text[at] == '"':
                at = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL).match(self.text, at).end() - 1
            elif self.text[at] in "([":
                depth += 1
            elif self.text[at] in ")]":
                depth -= 1
            elif self.text[at] == "{" and not depth:
                return at
            at += 1
        raise ValueError(f"{self.name}: no body at {start}")

    def write(self, dropped, constant, numbers):
        """Writes the file with its switches; returns which lines belong to which mutant."""
        out, at, lines = [], 0, {}
        line = 1

        def put(text):
            nonlocal line
            out.append(text)
            line += text.count("\n")

        for (start, end), own in sorted(self.functions.items()):
            own = [m for m in own if m["number"] not in dropped]
            if not own or own[0]["function"]["function_name"] in constant:
                continue
            body = self.body(start, end)
            signature = re.sub(r"\bconst (?=(unsafe )?fn\b)", "", self.text[start:body])
            put(self.text[at:start] + signature)
            put(f"{{ match crate::mutant::active({numbers[self.name, start]}) {{\n")
            for mutant in own:
                first, last = self.at(mutant["span"]["start"]), self.at(mutant["span"]["end"])
                begin = line
                new = mutant["replacement"]
                put(f"{mutant['number']} => {self.text[body:first]}{new} {self.text[last:end]}\n")
                for own_line in range(begin, line):
                    lines[own_line] = mutant["number"]
            put(f"_ => {self.text[body:end]} }} }}")
            at = end
        put(self.text[at:])
        mutants.put(TREE / self.name, "".join(out))
        return lines


def build(found):
    """Builds what builds; returns the others, and those that cannot be switched."""
    switched = [m for m in found if m["function"]]
    files = collections.defaultdict(list)
    for mutant in switched:
        files[mutant["file"]].append(mutant)
    sources = [Source(name, own) for name, own in files.items()]
    numbers = {}
    for source in sources:
        for span, own in sorted(source.functions.items()):
            numbers[source.name, span[0]] = len(numbers)
            for mutant in own:
                mutant["place"] = numbers[source.name, span[0]]
    cache = TREE / "unviable.json"
    names = {m["name"]: m["number"] for m in found}
    known = json.loads(cache.read_text()) if cache.exists() else {"dropped": [], "constant": []}
    dropped = {names[name] for name in known["dropped"] if name in names}
    constant = set(known["constant"])
    # Each body has a type of its own.
    constant |= {m["function"]["function_name"] for m in switched
                 if "-> impl" in m["function"]["return_type"]}
    mutants.put(TREE / "src/mutant.rs", SWITCH.replace("FUNCTIONS", str(len(numbers))).replace(
        "TRACE", str(TRACE)))
    library = (TREE / "src/lib.rs").read_text(encoding="utf-8")
    library = library.replace("\npub mod connection;", "\nmod mutant;\npub mod connection;")
    assert "mod mutant;" in library
    mutants.put(TREE / "src/lib.rs", library)
    while True:
        lines = {source.name: source.write(dropped, constant, numbers) for source in sources}
        answer = run(["cargo", "check", "--lib", "--message-format", "json",
                      "--features", FEATURES])
        before = len(dropped), len(constant)
        rest = []
        for message in map(json.loads, answer.stdout.splitlines()):
            message = message.get("message") or {}
            if message.get("level") != "error":
                continue
            spans = [s for s in message["spans"] if s["is_primary"]]
            own = {lines.get(s["file_name"], {}).get(s["line_start"]) for s in spans} - {None}
            called = re.search(r"cannot call non-const .*`([^`]*)`", message["message"])
            if own:
                dropped |= own
            elif called:
                # What a constant calls has to stay as it is.
                last = re.sub(r"<.*?>", "", called.group(1)).split("::")[-2:]
                names_of = {f["function"]["function_name"] for f in switched}
                constant |= {name for name in names_of
                             if name.split("::") in (last, last[-1:])}
                rest.append(message["rendered"])
            else:
                rest.append(message["rendered"])
        print(f"do not build: {len(dropped)}, constant: {len(constant)}", flush=True)
        by_number = {number: name for name, number in names.items()}
        cache.write_text(json.dumps({"dropped": [by_number[n] for n in sorted(dropped)],
                                     "constant": sorted(constant)}))
        if answer.returncode == 0:
            break
        if before == (len(dropped), len(constant)):
            raise SystemExit("\n".join(rest) or answer.stderr)
    apart = {m["number"] for m in found
             if not m["function"] or m["function"]["function_name"] in constant}
    return dropped - apart, apart


def programs(tests):
    chosen = [word for name in tests for word in ("--test", name)]
    answer = run(["cargo", "test", "--no-run", "--profile", "mutants", "--lib", *chosen,
                  "--features", FEATURES, "--message-format", "json"])
    if answer.returncode:
        raise SystemExit("\n".join(
            message["message"]["rendered"] for message in map(json.loads, answer.stdout.splitlines())
            if message.get("message", {}).get("level") == "error"))
    built = [json.loads(line) for line in answer.stdout.splitlines()]
    return [b["executable"] for b in built if b.get("executable") and b["profile"]["test"]]


def limits():
    resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def test(program, number, names, seconds):
    """Which test fails within so much time of the processor, if one does."""
    def limit():
        limits()
        resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 1, int(seconds) + 1))
    answer = subprocess.Popen(
        [program, "-Zunstable-options", "--fail-fast", "--exact", *names], cwd=TREE, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=limit,
        env=os.environ | {"RUSTC_BOOTSTRAP": "1", "PROPTEST_CASES": "64", "RUST_BACKTRACE": "0",
                          "PROPTEST_FAILURE_PERSISTENCE": "off"})
    # Counted second by second: the machine may stop this together with the tests.
    given = f"{number}\n"
    for _ in range(60 + 10 * int(seconds)):
        try:
            output, _ = answer.communicate(given, timeout=1)
            break
        except subprocess.TimeoutExpired:
            given = None
    else:
        answer.kill()
        answer.wait()
        return "timeout"
    if answer.returncode == 0:
        return None
    failed = re.findall(r"(?m)^test (\S+).* \.\.\. FAILED", output)
    return failed[0] if failed else f"status {answer.returncode}"


def trace(built, anew):
    """How long each test takes, and which functions it reaches."""
    traced, reached_file = TREE / "traces.json", TREE / "reached"
    known = json.loads(traced.read_text()) if traced.exists() and not anew else {}
    traces = {}
    for program in built:
        kind = pathlib.Path(program).name.rsplit("-", 1)[0]
        answer = subprocess.run([program, "--list", "--format", "terse"], cwd=TREE, text=True,
                                capture_output=True, check=True, stdin=subprocess.DEVNULL,
                                env=os.environ | {"RUSTC_BOOTSTRAP": "1"})
        for name in re.findall(r"(?m)^(.*): test$", answer.stdout):
            key = f"{kind} {name}"
            if key in known:
                traces[key] = known[key]
                continue
            reached_file.unlink(missing_ok=True)
            start = time.monotonic()
            failed = test(program, TRACE, [name], 600)
            if failed:
                print(f"fails without a mutant: {name}: {failed}", flush=True)
                continue
            data = reached_file.read_bytes() if reached_file.exists() else b""
            reached = sorted({int.from_bytes(data[i:i + 4], "little")
                              for i in range(0, len(data), 4)})
            traces[key] = {"seconds": time.monotonic() - start, "reached": reached}
        traced.write_text(json.dumps(traces))
    return traces


def attempt(mutant, built, traces, slow):
    """The test that catches a mutant."""
    reaching = [(t["seconds"], name) for name, t in traces.items()
                if mutant["place"] in t["reached"]]
    if not reaching:
        return "unreached"
    quick = sorted((len(traces[n]["reached"]), n) for s, n in reaching if s < 0.05)
    first = {n for _, n in quick[:30]}
    batches = [first, {n for _, n in quick} - first, {n for s, n in reaching if 0.05 <= s < 0.5}]
    if slow:
        batches.append({n for s, n in reaching if 0.5 <= s < 3})
    for batch in batches:
        for program in built:
            kind = pathlib.Path(program).name.rsplit("-", 1)[0] + " "
            own = [n.removeprefix(kind) for n in batch if n.startswith(kind)]
            while own:
                seconds = 4 + 4 * sum(traces[kind + n]["seconds"] for n in own)
                caught = test(program, mutant["number"], own, seconds)
                if not caught:
                    break
                # A test that only fails in this company says nothing.
                if caught not in own or (test(program, mutant["number"], [caught], seconds)
                                         and not test(program, 0, [caught], seconds)):
                    return "caught by " + caught
                own.remove(caught)
    return "left"


def everything(adapters):
    """Builds all of it; remembers what for `--built`."""
    if adapters:
        mutants.prepare([], ADAPTERS_NEED)
        shutil.rmtree(TREE / "tests/core")
        for name in (*ADAPTERS, *mutants.SHARED, "common"):
            if (mutants.ROOT / "tests" / name).is_dir():
                shutil.copytree(mutants.ROOT / "tests" / name, TREE / "tests" / name)
            else:
                shutil.copy2(mutants.ROOT / f"tests/{name}.rs", TREE / f"tests/{name}.rs")
    else:
        mutants.prepare(mutants.TESTS + mutants.SLOW_TESTS)
    manifest = (TREE / "Cargo.toml").read_text(encoding="utf-8")
    manifest = manifest.replace('debug = "none"\n', 'debug = "none"\nopt-level = 1\n')
    mutants.put(TREE / "Cargo.toml", manifest)
    found = listed()
    unviable, apart = build(found)
    built = programs(ADAPTERS if adapters else ["core"])
    (TREE / "built.json").write_text(json.dumps([found, [*unviable], [*apart], built]))
    return found, unviable, apart, built


def main():
    global TREE, FEATURES
    parser = argparse.ArgumentParser()
    parser.add_argument("--left", action="store_true")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--trace", action="store_true")
    parser.add_argument("--built", action="store_true")
    parser.add_argument("--adapters", action="store_true")
    parser.add_argument("paths", nargs="*")
    arguments = parser.parse_args()
    core_file, results_file = TREE / "results.json", TREE / "results.json"
    if arguments.adapters:
        results_file = TREE / "with_adapters.json"
    results = {}
    if results_file.exists() and not arguments.again:
        results = json.loads(results_file.read_text())
    if arguments.adapters:
        FEATURES = "deflate,http,tokio"
        TREE = mutants.ROOT / "target" / "mutants_with_adapters"
    mutants.TREE = TREE
    if arguments.built:
        found, unviable, apart, built = json.loads((TREE / "built.json").read_text())
    else:
        found, unviable, apart, built = everything(arguments.adapters)
    print("built", flush=True)
    traces = trace(built, arguments.trace)
    print(f"{len(traces)} tests, {sum(t['seconds'] for t in traces.values()):.0f} s", flush=True)
    results = {m["name"]: results[m["name"]] for m in found if m["name"] in results}
    # In no order, so that a run that is cut short is a fair sample.
    for mutant in sorted(found, key=lambda mutant: zlib.crc32(mutant["name"].encode())):
        name, number = mutant["name"], mutant["number"]
        if number in unviable or number in apart:
            results[name] = "does not build" if number in unviable else "cannot be switched"
            continue
        if arguments.paths and not any(name.startswith(path) for path in arguments.paths):
            continue
        if arguments.adapters and json.loads(core_file.read_text()).get(name) not in LEFT:
            continue
        old = results.get(name, "new")
        if old == "new" or (arguments.left and old in LEFT):
            start = time.monotonic()
            results[name] = attempt(mutant, built, traces, arguments.left or arguments.adapters)
            # There may be another run, of other mutants.
            if results_file.exists():
                results |= json.loads(results_file.read_text()) | {name: results[name]}
            put_whole(results_file, json.dumps(results, indent=1))
            if not results[name].startswith("caught"):
                print(f"{results[name]}: {name} ({time.monotonic() - start:.1f} s)", flush=True)
    put_whole(results_file, json.dumps(results, indent=1))
    table = collections.Counter()
    for name, result in results.items():
        layer = "/".join(re.split(r"[/:]", name)[:2])
        table[layer, "caught" if result.startswith("caught") else result] += 1
    for (layer, result), count in sorted(table.items()):
        print(f"{layer:20} {result:20} {count}")


if __name__ == "__main__":
    main()
