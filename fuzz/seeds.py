#!/usr/bin/env python3
"""Writes tests/seeds/: the vectors of the attacks, the RFC's examples, and recorded traffic.

The formats are those of tests/oracles/: options first, then the sizes of the reads if it is read in pieces.
"""

import pathlib
import zlib

TESTS = pathlib.Path(__file__).resolve().parent.parent / "tests"
RECORDED = TESTS / "recorded"
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
    yield "binary-3000", f(0x82, bytes(3000))
    yield "text-3000", f(0x81, "é".encode() * 1500)
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
    for path in sorted((RECORDED / "streams").glob("*.1.c2s" if mask else "*.1.s2c")):
        yield "recorded-" + path.name.split(".")[0], path.read_bytes().partition(b"\r\n\r\n")[2][:400]


REQUEST = [
    "GET /chat HTTP/1.1", "Host: example.com", "Upgrade: websocket", "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13",
]
# The oracle puts the right answer to its own request in the place of this one.
RESPONSE = [
    "HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade",
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
]


def head(lines, *more, start=None, without=None, then=b""):
    """A head with other lines in the place of those of the same name, or behind them."""
    names = {line.partition(":")[0].lower() for line in more}
    kept = [line for line in lines[1:] if line.partition(":")[0].lower() not in names | {without}]
    text = "\r\n".join([lines[0] if start is None else start, *kept, *more])
    return text.encode("latin-1") + b"\r\n\r\n" + then


def sized(lines, count, size):
    """A head with so many headers and bytes: the small limits are 8 and 300."""
    more = [f"X-{n}: y" for n in range(count - len(lines) + 1)]
    more[0] += "y" * (size - len(head(lines, *more)))
    return head(lines, *more)


def requests():
    """Rows H1 to H11; those that are accepted are called open-."""
    def f(*more, **how):
        return head(REQUEST, *more, **how)

    yield "open-rfc", f("Origin: http://example.com", "Sec-WebSocket-Protocol: chat, superchat")
    yield "open-least", f()
    yield "open-length-0", f("Content-Length: 0")
    yield "open-absolute", f(start="GET http://example.com:80/chat?x=1 HTTP/1.1")
    yield "open-connection-list", f("Connection: keep-alive, Upgrade")
    yield "open-case", f("UPGRADE: WebSocket", "connection: upgrade")
    yield "open-extensions", f("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits")
    yield "open-unknown-extensions", f("Sec-WebSocket-Extensions: constructor, __proto__;a=\"b\"")
    yield "open-upgrade-last", f(*(f"X-{n}: y" for n in range(40)), "Upgrade: websocket")
    yield "open-bytes", f("X-Name: \xe9\xff", "Cookie: a=b")
    yield "open-empty-line", b"\r\n\r\n" + f()
    yield "open-early-frame", f(then=b"\x81\x80\x00\x00\x00\x00")
    yield "http", b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n"
    yield "http-head", b"HEAD / HTTP/1.1\r\nHost: example.com\r\n\r\n"
    yield "http-1.0", b"GET / HTTP/1.0\r\n\r\n"
    yield "http-body", b"POST / HTTP/1.1\r\nHost: example.com\r\nContent-Length: 4\r\n\r\nbody"
    yield "open-at-limit", sized(REQUEST, 8, 300)
    yield "over-limit", sized(REQUEST, 8, 301)
    yield "over-limit-headers", sized(REQUEST, 9, 300)
    yield "too-large", f("X-Padding: " + "a" * 300)
    yield "many-headers", b"GET / HTTP/1.1\r\n" + b"A:b\r\n" * 101 + b"\r\n"
    yield "protocol-spaces", f("Sec-WebSocket-Protocol: b" + " " * 150 + "x")
    yield "extension-escapes", f("Sec-WebSocket-Extensions: a;b=\"" + "\\" * 150)
    yield "commas", f("Sec-WebSocket-Extensions: " + "," * 150)
    yield "open-many-extensions", f("Sec-WebSocket-Extensions: " + "a;a," * 60 + "a")
    yield "version-1337", f("Sec-WebSocket-Version: 1337")
    yield "version-list", f("Sec-WebSocket-Version: 13, 8")
    yield "chunked", f("Transfer-Encoding: chunked")
    yield "length-5", f("Content-Length: 5", then=b"hello")
    yield "lengths", f("Content-Length: 0", "Content-Length: 0")
    yield "length-sign", f("Content-Length: +0")
    yield "key-short", f("Sec-WebSocket-Key: AAAA")
    yield "key-15-bytes", f("Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAA")
    yield "key-13-bytes", f("Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAA==")
    yield "key-url-alphabet", f("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j-Q==")
    yield "keys", f("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
    yield "no-key", f(without="sec-websocket-key")
    yield "no-host", f(without="host")
    yield "hosts", f("Host: a", "Host: b")
    yield "host-bad", f("Host: a b")
    yield "no-upgrade", f(without="upgrade")
    yield "connection-upgradex", f("Connection: upgradeX")
    yield "space-before-colon", f("Upgrade : websocket")
    yield "folded", f("X: a\r\n b")
    yield "bare-line-feed", f().replace(b"\r\n", b"\n")
    yield "post", f(start="POST /chat HTTP/1.1")
    yield "fragment", f(start="GET /chat#x HTTP/1.1")
    yield "asterisk", f(start="GET * HTTP/1.1")
    yield "version-1.0", f(start="GET /chat HTTP/1.0")
    yield "version-2", f(start="GET /chat HTTP/2.0")
    yield "zero-byte", f("X: a\0b")
    yield "tls", bytes.fromhex("160301020001000100")
    yield "open-origin", f("Origin: http://example.com")
    yield "origin-missing", f()
    yield "origin-null", f("Origin: null")
    yield "origin-evil", f("Origin: http://example.com.evil.test")
    yield "origins", f("Origin: http://example.com", "Origin: http://example.com")
    yield "origin-bytes", f("Origin: http://\xe9")
    for path in sorted((RECORDED / "handshakes").glob("*.request")):
        yield "open-recorded-" + path.stem, path.read_bytes()


def responses():
    """Rows H5 to H9, H15; those that open a connection are called open-."""
    def f(*more, **how):
        return head(RESPONSE, *more, **how)

    yield "open-rfc", f("Sec-WebSocket-Protocol: chat")
    yield "open-least", f()
    yield "open-frame", f(then=b"\x81\x02hi")
    yield "open-no-reason", f(start="HTTP/1.1 101 ")
    yield "open-interim", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + f()
    yield "open-bytes", f("Server: \xe9\xff", "Set-Cookie: a=b")
    yield "unasked", f()
    yield "many-interim", b"HTTP/1.1 100 \r\n\r\n" * 9 + f()
    yield "status-200", f(start="HTTP/1.1 200 OK")
    yield "status-1010", f(start="HTTP/1.1 1010 ")
    yield "status-101x", f(start="HTTP/1.1 101x")
    yield "version-1.0", f(start="HTTP/1.0 101 Switching Protocols")
    yield "version-2", f(start="HTTP/2 101 Switching Protocols")
    yield "accept-case", f("Sec-WebSocket-Accept: S3PPLMBITXAQ9KYGZZHZRBK+XOO=")
    yield "accept-list", f("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=, x")
    yield "accepts", f(*[RESPONSE[-1]] * 2)
    yield "no-accept", f(without="sec-websocket-accept")
    yield "no-upgrade", f(without="upgrade")
    yield "upgrade-list", f("Upgrade: websocket, h2c")
    yield "no-connection", f(without="connection")
    yield "connection-close", f("Connection: close")
    yield "extension", f("Sec-WebSocket-Extensions: permessage-deflate")
    yield "extension-bad", f("Sec-WebSocket-Extensions: a;;b")
    yield "extensions", f("Sec-WebSocket-Extensions: a", "Sec-WebSocket-Extensions: b")
    yield "protocol-other", f("Sec-WebSocket-Protocol: other")
    yield "protocol-list", f("Sec-WebSocket-Protocol: chat, superchat")
    yield "protocol-prefix", f("Sec-WebSocket-Protocol: cha")
    yield "open-at-limit", sized(RESPONSE, 8, 300)
    yield "over-limit", sized(RESPONSE, 8, 301)
    yield "over-limit-headers", sized(RESPONSE, 9, 300)
    yield "too-large", f("X-Padding: " + "a" * 300)
    yield "many-headers", b"HTTP/1.1 101 \r\n" + b"A:b\r\n" * 101 + b"\r\n"
    yield "folded", f("X: a\r\n b")
    yield "bare-line-feed", f().replace(b"\r\n", b"\n")
    yield "zero-byte", f("X: a\0b")
    yield "empty-line", b"\r\n" + f()
    yield "not-http", b"SSH-2.0-OpenSSH_9.2\r\n"
    yield "redirect", b"HTTP/1.1 302 Found\r\nLocation: ws://evil.test/\r\nContent-Length: 0\r\n\r\n"
    yield "refused", b"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nlost\nmore"
    yield "refused-until-end", b"HTTP/1.1 403 Forbidden\r\n\r\n" + b"no " * 40
    yield "refused-short", b"HTTP/1.1 500 \r\nContent-Length: 9\r\n\r\nhalf"
    yield "refused-lengths", b"HTTP/1.1 500 \r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"
    yield "refused-empty", b"HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\nabc"
    chunked = b"HTTP/1.1 401 Unauthorized\r\nTransfer-Encoding: chunked\r\n\r\n"
    yield "chunked", chunked + b"5;x=y\r\nhello\r\n10\r\n" + b"a" * 16 + b"\r\n0\r\nA: b\r\n\r\nmore"
    yield "chunked-overflow", chunked + b"ffffffffffffffff1\r\nx"
    yield "chunked-tiny", chunked + b"1\r\na\r\n" * 30
    yield "chunked-bad", chunked + b"5\r\nhelloX"
    for path in sorted((RECORDED / "handshakes").glob("*.response")):
        data = path.read_bytes()
        bare = data.lower().find(b"sec-websocket-extensions") < 0 and data.startswith(b"HTTP/1.1 101")
        yield ("open-recorded-" if bare else "recorded-") + path.stem, data


HELLO = bytes.fromhex("f248cdc9c90700")
AGAIN = bytes.fromhex("f200110000")


def payload(text, level=6):
    compressor = zlib.compressobj(level, zlib.DEFLATED, -15)
    return (compressor.compress(text) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]


def compressed():
    """Frames without a mask, whose lengths take one byte; see tests/oracles/deflate.rs."""
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
        ("p-hello", 31, 0, HELLO), ("p-again", 31, 0, AGAIN), ("p-zeros", 17, 0, payload(bytes(5000))),
        ("p-stored", 17, 0, bytes.fromhex("000500faff48656c6c6f00")), ("p-cut", 17, 0, HELLO[:4]),
        ("p-final", 17, 0, bytes.fromhex("f348cdc9c9070000")), ("p-empty", 17, 0, b"\x01\x00"),
        ("p-no-end-of-block", 17, 0, bytes.fromhex("ecc13101000000c2a0f54fa03f6dff000a" + "ff" * 15)),
        ("p-dynamic", 17, 0, payload(b"".join(b"word %d of many; " % (i * i) for i in range(60)))),
        ("pp-again", 1, 0, m(HELLO, AGAIN, AGAIN)), ("pp-empty", 1, 0, m(b"", HELLO, b"", b"\0", AGAIN)),
        ("pp-final", 1, 0, m(HELLO, bytes.fromhex("f348cdc9c9070000"), AGAIN)), ("pp-cut", 1, 0, m(HELLO[:4], HELLO)),
    ]:
        yield name, bytes([options, levels]) + data
    for name, data in zlib_streams():
        yield "p-" + name, bytes([17, 0]) + data
        if len(data) < 64:
            yield "pp-" + name, bytes([1, 0]) + m(data, data)


def zlib_streams():
    """Payloads as zlib makes them: each level, window, strategy, and the forms of the end."""
    text = b"".join(b"%d bottles of beer, " % i for i in range(30))
    for level in range(10):
        yield f"level-{level}", deflated(text, level=level, bits=9 + level % 7)
    for bits in range(9, 16):
        yield f"window-{bits}", deflated(text + bytes(2 ** (bits - 4)) + text, bits=bits)
    for name in ("FILTERED", "HUFFMAN_ONLY", "RLE", "FIXED"):
        yield name.lower(), deflated(text[:60], strategy=getattr(zlib, "Z_" + name))
    yield "bfinal", deflated(b"Hello, hello", end=zlib.Z_FINISH)
    yield "partial", deflated(b"Hello, hello", end=zlib.Z_PARTIAL_FLUSH)
    yield "full", deflated(b"Hello, hello", end=zlib.Z_FULL_FLUSH)


def deflated(text, level=6, bits=15, strategy=zlib.Z_DEFAULT_STRATEGY, end=zlib.Z_SYNC_FLUSH):
    compressor = zlib.compressobj(level, zlib.DEFLATED, -bits, 8, strategy)
    data = compressor.compress(text) + compressor.flush(end)
    return data[:-4] if data.endswith(b"\0\0\xff\xff") else data


def texts():
    """Row U1: what is legal at the edges, and what is not."""
    for name, text in {
        "ascii": b"Hello", "two": b"\xc2\x80\xdf\xbf", "three": b"\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf",
        "four": b"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", "kosme": "κόσμε".encode() * 4, "long": ("aé€😀" * 20).encode(),
        "lone": b"ab\x80", "overlong-two": b"\xc1\xbf", "overlong-three": b"\xe0\x9f\xbf", "overlong-four": b"\xf0\x8f\xbf\xbf",
        "surrogate": b"ok\xed\xa0\x80", "beyond": b"\xf4\x90\x80\x80", "five": b"\xf8\x88\x80\x80\x80", "ff": b"\xff",
        "cut-two": b"a\xc3", "cut-three": b"a\xe2\x82", "cut-four": b"a\xf0\x9f\x98", "broken": b"\xe2\x82\x41\xf0\x9f\x41",
    }.items():
        yield name, text


def closings():
    """Lists of steps, see tests/oracles/close_state.rs."""
    for name, steps in {
        "by-us": "9 c 2 e c 6", "by-peer": "2 e c 6", "both": "9 2 e c 6", "fault": "0 4 e c 6", "bad-code": "5 e c 6",
        "eof": "7 6", "eof-first": "6 7 0", "silent": "9 c f 5f ff 1", "late-data": "9 c 0 1 2 0 e c 6", "answered-late": "2 e f ff",
        "pings": "1 1 d 1b 1 e c 7 c", "busy": "7 8 7 0 1 e 9 b 1b 0 2 e c ff", "twice": "9 9 a 2 2 e 6 6", "fault-closing": "9 4 e c 6 f",
    }.items():
        for role in range(2):
            yield f"{name}-{role}", bytes([role, *(int(step, 16) for step in steps.split())])


def conversations():
    """See tests/oracles/roundtrip_split.rs: a message in each way, cut, both ways, closed."""
    steps = bytes.fromhex("40616263642851525354 04 0c 02 0a f2 05 10 0d 03 16 1e 33 41 c3a9 63 42 05 02 0e 06 47 61 62 63 64 0f")
    for options in [0, 1, 9, 15, 17, 32, 33, 41, 64, 73, 128, 137, 255]:
        for bits in (0o77, 0o11, 0o70):
            yield f"options-{options}-{bits:o}", bytes([options, bits, options]) + steps


def operations():
    """See tests/oracles/ops_cancel.rs."""
    plans = {
        "echo": "00 07ff 09ff 02 07ff 0bff", "cancelled": "00 0700 0700 07ff 0900 09ff 0a00 0bff", "queue": "3a00 3a00 3a00 3a02 05 0bff",
        "closing": "00 03 0dff 07ff 04 07ff", "close-first": "0d00 00 03 07ff 0bff", "end": "00 04 07ff 07ff", "pings": "02 02 0c00 0cff 07ff 0bff",
        "both": "0001 0201 3a00 3a00 38ff 58ff 0001 38ff 0bff", "both-cancelled": "3a00 3a00 3800 0201 3801 3803 0bff",
    }
    for name, plan in plans.items():
        steps = b"".join(bytes.fromhex(step.ljust(4, "0")) for step in plan.split())
        for head in ["000000", "010000", "020000", "1b0000", "3a0000", "7c0000", "000403", "000502", "021c04", "0a0605", "120000", "1a0000", "330000"]:
            yield f"{name}-{head}", bytes.fromhex(head) + steps


def bombs():
    """Options, the root of the limit, repetitions, the size of fragments: see tests/oracles/deflate_bomb.rs."""
    block = payload(bytes(60000), 9) + b"\0\0\xff\xff"
    for name, head, data in [
        ("zeros", "00ff0040", payload(bytes(60000), 9)), ("many", "00ffff00", block), ("pieces", "01ff1f01", block), ("small", "00100303", block),
        ("nothing", "00000040", b"\0"), ("at-limit", "00100040", payload(bytes(256))), ("over-limit", "00100040", payload(bytes(257))),
        ("final", "02ff1040", bytes.fromhex("f348cdc9c9070000")), ("empty-blocks", "04101fff", b"\0\0\0\xff\xff"), ("garbage", "00ff0000", b"\xff\xff"),
        ("empty-final", "0010ff40", b"\3\0"), ("hello", "00100240", HELLO + b"\0\0\xff\xff"),
    ]:
        yield name, bytes.fromhex(head) + data


def extensions():
    """Row D3, and what real clients offer and real servers answer."""
    values = [
        b"permessage-deflate", b"permessage-deflate; client_max_window_bits", b"permessage-deflate;client_max_window_bits=15",
        b"permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=10; client_max_window_bits=12",
        b"permessage-deflate; server_max_window_bits=8, permessage-deflate; server_max_window_bits=9", b"permessage-deflate, permessage-deflate",
        b"a;b=\"c\\d\" ; e , permessage-deflate;client_max_window_bits=\"12\"", b"constructor, __proto__", b"a;;b", b",,a,", b"a;b=\"c,d\"", b"a;b=\"",
        b"x-webkit-deflate-frame", b"permessage-deflate; unheard_of, permessage-deflate; client_no_context_takeover=1", b"a;b=\"" + b"\\\\" * 40,
    ]
    for value in b"7 16 0 08 +9 1e1 999999999999".split() + [b"", b'"10"']:
        values.append(b"permessage-deflate; server_max_window_bits=" + value)
        values.append(b"permessage-deflate; client_max_window_bits=" + value)
    settings = ["3f0f3f0f", "3f003f00", "3a0f3f0f", "1f053f0f", "000f3f0f", "3f0a3f05"]
    for i, value in enumerate(values):
        yield f"{i:02}", bytes.fromhex(settings[i % len(settings)]) + value


def built():
    """Row H4: kinds and texts, see tests/oracles/request_fields.rs."""
    url, host, origin, protocol, header, answer, acceptance, status = range(8)
    def items(*pairs):
        return b"".join(bytes([kind, len(text)]) + text for kind, text in pairs)

    yield "all", items(
        (url, b"wss://example.com:8443/chat?room=1"), (host, b"other.example:80"), (origin, b"https://example.com"), (protocol, b"chat"),
        (protocol, b"superchat"), (header, b"Authorization:Bearer abc"), (answer, b"Content-Type:text/html"), (acceptance, b"Set-Cookie:a=b"),
        (status, b"x" * 80))
    for i, text in enumerate([
        b"ws://h?x y", b"ws://h/#top", b"ws://a@h/", b"ws://[::1]:65536/", b"ws://[::1]:9001/?", b"ws://h:0/", b"WS://H:80", b"ws://1.2.3.4/%zz", b"http://h/",
        b"ws://127.1/", b"ws://h?@x", b"ws://h.:/a/b?c=d[]", b"ws://xn--nxasmq6b/%41",
    ]):
        yield f"url-{i:02}", items((url, text))
    for kind in range(1, 8):
        for i, text in enumerate([b"X:a\r\nY: b", b"X:a\n", b"X\0:a", b"X: a", b"X:", b":a", b"X:\xc3\xa9", b"X:a b\tc", b"Upgrade:h2c", b"Host:h", b"Content-Length:5"]):
            yield f"kind-{kind}-{i:02}", items((kind, text))


def write(target, seeds):
    directory = TESTS / "seeds" / target
    directory.mkdir(parents=True, exist_ok=True)
    for old in directory.iterdir():
        old.unlink()
    for name, data in seeds:
        (directory / name).write_bytes(data)


def cut(seeds, options):
    """Gives each input sizes of reads and options, in turn."""
    for i, (name, data) in enumerate(seeds):
        sizes = [b"", b"\x00", b"\x02\x06", b"\x1f", b"\x00\x7f\x01"][i % 5]
        option = options[i % len(options)]
        for word, bit in {"limit": 4, "too-large": 4, "origin": 8, "unasked": 16}.items():
            option |= bit * (word in name)
        yield name, bytes([option, len(sizes)]) + sizes + data


write("frame_header", headers())
write("server_stream", cut(streams(True), range(16)))
write("client_stream", cut(streams(False), range(16)))
# No more than parking, since other limits refuse most of them, but for what the name says.
write("server_handshake", cut(requests(), range(2)))
write("client_handshake", cut(responses(), range(2)))
write("deflate_stream", ((name, bytes([i % 64, i * 7 % 256]) + data) for i, (name, data) in enumerate(compressed())))
write("diff_deflate", differences())
write("deflate_bomb", bombs())
both = [(name + "-server", data) for name, data in streams(True)] + [(name + "-client", data) for name, data in streams(False)]
write("diff_tungstenite", ((name, bytes([data[0] & 2 | name.endswith("client")]) + data[1:]) for name, data in cut(both, range(4))))
write("utf8_incremental", cut(texts(), range(1)))
write("close_state", closings())
write("roundtrip_split", conversations())
write("ops_cancel", operations())
write("ext_negotiation", extensions())
write("url_and_headers", built())
