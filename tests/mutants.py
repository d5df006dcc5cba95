#!/usr/bin/env python3
"""Runs cargo-mutants on the wire and protocol layers, against the tests of these layers.

    tests/mutants.py [--all-tests] [ARGUMENTS OF cargo mutants...]

    tests/mutants.py -f 'src/frame/*'                 the mutants of some files
    tests/mutants.py --shard 0/8                      every eighth mutant
    tests/mutants.py --all-tests --iterate            those that are left, with the slow tests too

There are two thousand mutants, each of which is a build and a run of the tests. So this happens in
a tree of its own, in target/mutants: the tests of the core become one crate, without what tests of
the adapters depend on, and a run ends with the first test that fails. Slow tests and unit tests are
left to the second run.
"""

import os
import pathlib
import re
import shutil
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
TREE = ROOT / "target" / "mutants"
TESTS = """
    close_frames closing control_answers deadlines debug eof failing fragmentation framing
    fuzz_seeds lending limits marks masking memory messages outcome outgoing pieces retry room
    sending streams timers utf8 handshake_answers handshake_client handshake_heads
    handshake_rejected handshake_request handshake_server negotiation origin proxy proxy_urls
    redirects url deflate_agreement deflate_codec deflate_connection deflate_exchange
    deflate_negotiation deflate_pieces deflate_sending deflate_sharing
""".split()
# Minutes without optimisation: only for what the others miss.
SLOW_TESTS = """
    corpus http2 deflate_differential exhaustive http_types
    allocations blocking deflate_memory deflate_threads handshake_floods pair_properties queueing
""".split()
SLOW = """
    connections_and_an_independent connections_read_an_independent the_seeds_of_
    a_message_of_the_default_limit keepalive_runs_for_a_hundred large_fragments_are_assembled
    the_keys_of_a_seeded the_keys_of_the_thread unsolicited_pongs a_frame_may_be_as_large
    a_message_may_be_as_large a_million_ long_texts_are_validated masking_agrees_with_its
    a_message_of_each_boundary a_flood_of_ a_declared_length long_lists_take
    any_legal_sequence
""".split()
FILES = """
    src/frame/*.rs src/utf8.rs src/message.rs src/connection/**/*.rs src/handshake/**/*.rs
    src/deflate/*.rs
""".split()
SHARED = "codec deflated oracles".split()
COMMON = "executor feed handshake hostile net pair".split()
DEV_DEPENDENCIES = "allocation-counter flate2 miniz_oxide proptest socket2 tungstenite".split()


def manifest(dependencies=()):
    """Without examples, the workspace and what only adapters are tested with."""
    text = (ROOT / "Cargo.toml").read_text(encoding="utf-8")
    kept = []
    for section in re.split(r"(?m)^(?=\[)", text):
        name = section.partition("]")[0].lstrip("[")
        if name == "dev-dependencies":
            lines = section.splitlines()
            kept.append("\n".join([lines[0]] + [
                line for line in lines
                if line.partition(" ")[0] in [*DEV_DEPENDENCIES, *dependencies]]) + "\n")
        elif name not in ("workspace", "example") and not name.startswith("target."):
            kept.append(section)
    kept.append('[workspace]\n[profile.mutants]\ninherits = "test"\ndebug = "none"\n'
                '[profile.mutants.package."*"]\nopt-level = 3\n')
    return "\n".join(kept)


def put(path, text):
    """Writes what has changed, so that what has not is not built again."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def prepare(tests, dependencies=()):
    shutil.rmtree(TREE / "tests", ignore_errors=True)
    for name in ("src", "tests/corpus", "tests/recorded", "tests/seeds"):
        shutil.copytree(ROOT / name, TREE / name, dirs_exist_ok=True)
    for name in ("Cargo.lock", "README.md"):
        shutil.copy2(ROOT / name, TREE / name)
    put(TREE / "Cargo.toml", manifest(dependencies))
    modules = [f"mod {name};" for name in ["common", *SHARED, *tests]]
    put(TREE / "tests/core/main.rs", "//! The tests of the core.\n" + "\n".join(modules) + "\n")
    put(TREE / "tests/core/common/mod.rs", "".join(f"pub mod {name};\n" for name in COMMON))
    for name in COMMON:
        if (ROOT / f"tests/common/{name}").is_dir():
            shutil.copytree(ROOT / f"tests/common/{name}", TREE / f"tests/core/common/{name}")
        else:
            shutil.copy2(ROOT / f"tests/common/{name}.rs", TREE / f"tests/core/common/{name}.rs")
    for name in SHARED:
        shutil.copytree(ROOT / "tests" / name, TREE / "tests/core" / name)
    for name in tests:
        file, module = ROOT / f"tests/{name}.rs", TREE / f"tests/core/{name}.rs"
        if not file.exists():
            file, module = ROOT / f"tests/{name}/main.rs", TREE / f"tests/core/{name}/mod.rs"
            shutil.copytree(file.parent, module.parent)
        text = file.read_text(encoding="utf-8")
        text = re.sub(r'(?m)^#\[path = "\.\./\w+/mod\.rs"\]\n', "", text)
        text = re.sub(rf"(?m)^mod (common|{'|'.join(SHARED)});", r"use crate::\1;", text)
        put(module, text)


def main():
    arguments = sys.argv[1:]
    thorough = "--all-tests" in arguments
    arguments = [a for a in arguments if a != "--all-tests"]
    prepare(TESTS + SLOW_TESTS if thorough else TESTS)
    # `--fail-fast` of the tests is not stable yet.
    os.environ |= {"RUSTC_BOOTSTRAP": "1", "PROPTEST_CASES": "256" if thorough else "32",
                   "CARGO_TARGET_DIR": str(TREE / "target")}
    skipped = [] if thorough else [word for name in SLOW for word in ("--skip", name)]
    if not {"-f", "--file"} & set(arguments):
        arguments = [word for name in FILES for word in ("--file", name)] + arguments
    config = ROOT / ".cargo" / "mutants.toml"
    command = ["cargo", "mutants", "--in-place", "--dir", str(TREE), "--config", str(config),
               *arguments, "--", *(["--lib"] if thorough else []), "--test", "core", "--",
               "-Zunstable-options", "--fail-fast", *skipped]
    print(" ".join(command), flush=True)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
