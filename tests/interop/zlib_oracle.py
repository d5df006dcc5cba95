"""Compresses and inflates messages with C zlib, whose windows are as small as agreed.

Reads one sequence a line: what to do, window bits, "On" or "Off" for context takeover, level,
memory level, and the messages or payloads in hexadecimal, each after an "x". Writes what they
become in the same notation.
"""

import sys
import zlib

TAIL = b"\x00\x00\xff\xff"


def compress(bits, takeover, level, memory_level, messages):
    compressor = None
    for message in messages:
        if compressor is None or takeover == "Off":
            compressor = zlib.compressobj(level, zlib.DEFLATED, -bits, memory_level)
        payload = compressor.compress(message) + compressor.flush(zlib.Z_SYNC_FLUSH)
        yield payload.removesuffix(TAIL)  # nothing at all for an empty message in a row


def inflate(bits, takeover, level, memory_level, payloads):
    inflater = None
    for payload in payloads:
        if inflater is None or takeover == "Off":
            inflater = zlib.decompressobj(-bits)
        # One octet at a time, so that nothing is found in the output of the same call.
        octets = (bytes([octet]) for octet in payload + TAIL)
        yield b"".join(inflater.decompress(octet) for octet in octets)


for line in sys.stdin:
    action, bits, takeover, level, memory_level, *items = line.split()
    function = {"compress": compress, "inflate": inflate}[action]
    items = [bytes.fromhex(item[1:]) for item in items]
    results = function(int(bits), takeover, int(level), int(memory_level), items)
    print(*("x" + result.hex() for result in results), flush=True)
