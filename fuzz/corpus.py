#!/usr/bin/env python3
"""Packs inputs of a fuzz target into tests/corpus/TARGET, and unpacks them.

    fuzz/corpus.py pack TARGET DIRECTORY
    fuzz/corpus.py unpack TARGET DIRECTORY

A packed input stands behind its length in two bytes. One file for each target, since thousands of
small files would weigh on every clone.
"""

import hashlib
import pathlib
import sys

CORPUS = pathlib.Path(__file__).resolve().parent.parent / "tests" / "corpus"


def pack(target, directory):
    inputs = {path.read_bytes() for path in directory.iterdir()}
    kept = sorted((data for data in inputs if 0 < len(data) < 2**16), key=lambda data: (len(data), data))
    CORPUS.mkdir(exist_ok=True)
    (CORPUS / target).write_bytes(b"".join(len(data).to_bytes(2, "big") + data for data in kept))
    print(f"{target}: {len(kept)} inputs, {sum(map(len, kept))} bytes")


def unpack(target, directory):
    packed = (CORPUS / target).read_bytes()
    directory.mkdir(parents=True, exist_ok=True)
    while packed:
        end = 2 + int.from_bytes(packed[:2], "big")
        data, packed = packed[2:end], packed[end:]
        (directory / hashlib.sha1(data).hexdigest()).write_bytes(data)


{"pack": pack, "unpack": unpack}[sys.argv[1]](sys.argv[2], pathlib.Path(sys.argv[3]))
