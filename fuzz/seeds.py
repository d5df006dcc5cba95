#!/usr/bin/env python3
"""Writes fuzz/seeds/: the vectors of the attacks, the RFC's examples, and recorded traffic.

The formats are those of oracles.rs: options first, for streams then the sizes of the reads.
"""

import pathlib
import zlib

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


HELLO = bytes.fromhex("f248cdc9c90700")
AGAIN = bytes.fromhex("f200110000")


def payload(text, level=6):
    compressor = zlib.compressobj(level, zlib.DEFLATED, -15)
    return (compressor.compress(text) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]


def compressed():
    """Frames without a mask, whose lengths take one byte; see deflate.rs."""
    def f(*frames):
        return b"".join(bytes([first, len(data)]) + data for first, data in frames)

    yield "hello", f((0xC1, HELLO))
    yield "again", f((0xC1, HELLO), (0xC2, AGAIN), (0x81, b"plain"), (0xC1, AGAIN))
    yield "stored", f((0xC1, bytes.fromhex("000500faff48656c6c6f00")))
    yield "final", f((0xC1, bytes.fromhex("f348cdc9c9070000")), (0xC1, AGAIN))
    yield "final-and-more", f((0xC1, bytes.fromhex("f348cdc9c90700") + AGAIN), (0xC1, AGAIN))
    yield "two-blocks", f((0xC1, bytes.fromhex("f248050000 00ffffcac9c90700".replace(" ", ""))))
    yield "fragments", f((0x41, HELLO[:3]), (0x89, b"!"), (0x00, b""), (0x80, HELLO[3:]))
    yield "empty", f(*[(0xC1, e) for e in (b"\0", b"\1\0", b"\2\0", b"\3\0", b"", b"\3\0\0")], (0xC1, HELLO))
    yield "rsv1", f((0x41, HELLO[:3]), (0xC0, HELLO[3:]))
    yield "truncated", f((0xC1, HELLO[:4]))
    yield "garbage", f((0xC1, b"\xff\xff\xff"))
    yield "bad-text", f((0xC1, payload(b"good \xff bad")), (0xC1, HELLO))
    yield "bad-text-and-garbage", f((0x41, payload(b"good \xff bad")), (0x80, b"\xff\xff"))
    yield "zeros", f((0xC2, payload(bytes(70000), 9)))
    yield "dynamic", f((0xC1, payload(b"".join(b"word %d of many; " % (i * i) for i in range(12)))))
    yield "nothing", f((0x42, b"\0\0\0\xff\xff" * 20), (0x00, b"\0\0\0\xff\xff" * 20), (0x80, b"\0"))


def differences():
    def messages(*parts):
        return b"".join(bytes([len(data) | (0 if last else 128)]) + data for last, data in parts)

    def m(*texts):
        return messages(*((True, text) for text in texts))

    words = b"words, words, other words, "
    for name, options, levels, data in [
        ("hello", 14, 5, m(b"Hello", b"Hello")), ("empty", 14, 0, m(b"", b"ab", b"", b"ab", b"", b"")),
        ("fragments", 14, 0, messages((False, words), (False, b""), (True, words))),
        ("eight-bits", 0, 8, m(*[bytes(range(i, i + 100)) for i in (0, 40, 90)] * 4)),
        ("nine-bits", 2, 8, m(*[words * 4] * 6)), ("off", 30, 63, m(words, words)),
        ("level-1", 14, 0, m(*[words[i:] for i in range(20)])), ("zeros", 12, 80, m(*[bytes(127)] * 40)),
        ("p-hello", 15, 0, HELLO), ("p-again", 15, 0, AGAIN), ("p-zeros", 1, 0, payload(bytes(5000))),
        ("p-stored", 1, 0, bytes.fromhex("000500faff48656c6c6f00")), ("p-cut", 1, 0, HELLO[:4]),
        ("p-final", 1, 0, bytes.fromhex("f348cdc9c9070000")), ("p-empty", 1, 0, b"\x01\x00"),
        ("p-dynamic", 1, 0, payload(b"".join(b"word %d of many; " % (i * i) for i in range(60)))),
    ]:
        yield name, bytes([options, levels]) + data


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
write("deflate_stream", ((name, bytes([i % 64, i * 7 % 256]) + data) for i, (name, data) in enumerate(compressed())))
write("diff_deflate", differences())
