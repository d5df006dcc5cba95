#!/usr/bin/env python3
"""Writes fuzz/seeds/: the vectors of the attacks, the RFC's examples, and recorded traffic.

The formats are those of oracles.rs: options first, for streams then the sizes of the reads.
"""

import pathlib

ROOT = pathlib.Path(__file__).resolve().parent
RECORDED = ROOT.parent / "tests" / "recorded" / "streams"
KEY = bytes.fromhex("37fa213d")


def frame(first, payload=b"", mask=False):
    length = len(payload)
    if length < 126:
        head = bytes([first, length])
    elif length < 65536:
        head = bytes([first, 126]) + length.to_bytes(2, "big")
    else:
        head = bytes([first, 127]) + length.to_bytes(8, "big")
    if mask:
        head = bytes([head[0], head[1] | 128]) + head[2:] + KEY
        payload = bytes(byte ^ KEY[i % 4] for i, byte in enumerate(payload))
    return head + payload


def headers():
    for name, text in {
        "short": "8205", "short-masked": "818537fa213d", "medium": "827e0100", "long": "827f0000000000010000",
        "long-masked": "82ff000000000001000037fa213d", "fragment": "0103", "continuation": "8002",
        "ping": "8905", "pong-masked": "8a8537fa213d", "close": "8802", "longest": "827f7fffffffffffffff",
        "top-bit": "827f8000000000000001", "top-bit-masked": "82ffffffffffffffffff",
        "not-minimal-16": "827e0005", "not-minimal-64": "827f000000000000ffff", "compressed": "c105",
        "overflow": "0affffffffffffffffffffeb0e8f", "reserved": "8305", "long-control": "897e007e",
    }.items():
        data = bytes.fromhex(text)
        options = (0 if data[1] & 128 else 1) | (2 if data[0] & 64 else 0) | (4 if data[0] & 15 == 0 else 0)
        yield name, bytes([options]) + data


def streams(mask):
    def f(first, payload=b""):
        return frame(first, payload, mask)

    yield "hello", f(0x81, b"Hello")
    yield "fragmented", f(0x01, b"Hel") + f(0x89, b"Hello") + f(0x80, b"lo")
    yield "pong", f(0x8A, b"Hello")
    yield "binary-256", f(0x82, bytes(range(256)))
    yield "binary-70000", f(0x82, bytes(70000))
    yield "text-20000", f(0x81, "é".encode() * 10000)
    yield "utf8-split", f(0x01, b"\xf0\x9f") + f(0x00, b"\x98") + f(0x80, b"\x80")
    yield "utf8-bad", f(0x01, b"\xce\xba\xe1\xbd\xb9") + f(0x80, b"ok\xed\xa0\x80")
    yield "utf8-cut", f(0x81, b"half \xe2\x82")
    yield "empty", f(0x81) + f(0x82) + f(0x01) + f(0x00) + f(0x80) + f(0x89)
    yield "fragments", f(0x01, b"a") + f(0x00, b"a") * 40 + f(0x80, b"a")
    yield "empty-fragments", f(0x02) + f(0x00) * 40
    yield "pings", f(0x89, b"p" * 125) * 20
    yield "close", f(0x81, b"bye") + f(0x88, b"\x03\xe8done") + f(0x81, b"late")
    yield "close-empty", f(0x88)
    yield "close-one-byte", f(0x88, b"\x03")
    yield "close-1005", f(0x88, b"\x03\xed")
    yield "close-reason", f(0x88, b"\x03\xe8\xff\xfe")
    yield "claim", (b"\x82\xff" if mask else b"\x82\x7f") + (16 << 20).to_bytes(8, "big") + KEY + b"some"
    yield "claim-all", (b"\x82\xff" if mask else b"\x82\x7f") + b"\x7f" + b"\xff" * 7 + KEY + b"some"
    yield "top-bit", (b"\x82\xff" if mask else b"\x82\x7f") + b"\x80" + b"\x00" * 6 + b"\x01" + KEY
    yield "wrong-mask", frame(0x81, b"Hello", not mask)
    yield "sequence", f(0x01, b"x") + f(0x81, b"y")
    yield "orphan", f(0x80, b"x")
    yield "reserved", f(0xC1, b"x")
    for path in sorted(RECORDED.glob("*.1.c2s" if mask else "*.1.s2c")):
        yield "recorded-" + path.name.split(".")[0], path.read_bytes().partition(b"\r\n\r\n")[2][:400]


def write(target, seeds):
    directory = ROOT / "seeds" / target
    directory.mkdir(parents=True, exist_ok=True)
    for old in directory.iterdir():
        old.unlink()
    for name, data in seeds:
        (directory / name).write_bytes(data)


def cut(seeds):
    """Gives each stream its options and sizes of reads, in turn."""
    for i, (name, data) in enumerate(seeds):
        sizes = [b"", b"\x00", b"\x02\x06", b"\x1f", b"\x00\x7f\x01"][i % 5]
        yield name, bytes([i % 16, len(sizes)]) + sizes + data


write("frame_header", headers())
write("server_stream", cut(streams(True)))
write("client_stream", cut(streams(False)))
