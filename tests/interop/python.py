#!/usr/bin/env python3
"""Python `websockets` as client of the echo example: python.py URL [--deflate MODE].

MODE: off (default), no-takeover, takeover. Ends with a non-zero status at the first mismatch.
"""

import argparse
import asyncio
import os
import sys
import time

from websockets.asyncio.client import connect
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

MIB = 1024 * 1024
WAIT = 120


def extensions(mode):
    if mode == "off":
        return None
    fresh = mode == "no-takeover"
    return [ClientPerMessageDeflateFactory(
        client_no_context_takeover=fresh, server_no_context_takeover=fresh)]


class Mismatch(Exception):
    pass


def same(what, got, wanted):
    if got != wanted or type(got) is not type(wanted):
        shown = [f"{type(v).__name__} of {len(v)}" if hasattr(v, "__len__") and len(v) > 60
                 else repr(v) for v in (got, wanted)]
        raise Mismatch(f"{what}: got {shown[0]}, wanted {shown[1]}")


class Peer:
    def __init__(self, url, mode):
        self.url, self.mode = url, mode

    def connect(self, **more):
        return connect(self.url, proxy=None, compression=None, extensions=extensions(self.mode),
                       max_size=32 * MIB, ping_interval=None, **more)

    async def echoes(self):
        async with self.connect() as ws:
            messages = ["hello", "", b"", b"\x00\xff" * 40, "κόσμε 🚀", "x" * 125,
                        b"y" * 126, "z" * 65535, b"w" * 65536, "", "after the empty one"]
            for message in messages:
                await ws.send(message)
                same("echo", await ws.recv(), message)

    async def empty_between_full(self):
        """An empty message must not put the compression contexts of the two sides out of step."""
        async with self.connect() as ws:
            for i in range(50):
                for message in (f"message {i} " * 20, "", b"", b"message %d " % i * 20):
                    await ws.send(message)
                    same("echo", await ws.recv(), message)

    async def large(self):
        message = os.urandom(MIB) * 16
        assert len(message) == 16_777_216
        async with self.connect() as ws:
            await ws.send(message)
            same("16 MiB echo", await ws.recv(), message)

    async def fragmented(self):
        async with self.connect() as ws:
            await ws.send(["", "frag", "", "men", "ted ", "🚀", ""])
            same("text in fragments", await ws.recv(), "fragmented 🚀")
            pieces = [bytes([i]) * (i * 37) for i in range(200)]
            await ws.send(pieces)
            same("binary in fragments", await ws.recv(), b"".join(pieces))
            # A code point that two frames share, and a ping between fragments.
            rocket = "🚀".encode()
            async with ws.send_context():
                ws.protocol.send_text(rocket[:2], fin=False)
                ws.protocol.send_ping(b"between")
                ws.protocol.send_continuation(rocket[2:], fin=True)
            same("a code point in two fragments", await ws.recv(), "🚀")

    async def pipelined(self):
        count = 100_000
        async with self.connect() as ws:
            async def send():
                for i in range(count):
                    await ws.send(f"message {i}")

            sender = asyncio.create_task(send())
            for i in range(count):
                same("pipelined echo", await ws.recv(), f"message {i}")
            await sender

    async def ping(self):
        async with self.connect() as ws:
            for payload in (b"", b"p" * 125):
                pong = await ws.ping(payload)
                await asyncio.wait_for(pong, 10)

    async def closes(self):
        for code, reason in ((1000, ""), (1000, "done"), (3001, "κλείσε"), (4999, "r" * 123)):
            ws = await self.connect()
            # Ends after the server has closed TCP, or by the library's own deadline of 10 s.
            await asyncio.wait_for(ws.close(code, reason), 5)
            received = ws.protocol.close_rcvd
            if received is None:
                raise Mismatch(f"Close {code} was not answered")
            same("close code received", int(received.code), code)
            same("who closed first", ws.protocol.close_rcvd_then_sent, False)

    async def negotiation(self):
        async with self.connect(subprotocols=["chat.example", "superchat.example"]) as ws:
            same("subprotocol", ws.subprotocol, None)
            agreed = ws.response.headers.get("Sec-WebSocket-Extensions", "")
            same("compression agreed", agreed.startswith("permessage-deflate"), self.mode != "off")
            same("no context takeover agreed", "server_no_context_takeover" in agreed,
                 self.mode == "no-takeover")


async def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--deflate", choices=["off", "no-takeover", "takeover"], default="off")
    options = parser.parse_args()
    peer = Peer(options.url, options.deflate)
    checks = [peer.negotiation, peer.echoes, peer.empty_between_full, peer.fragmented, peer.ping,
              peer.large, peer.pipelined, peer.closes]
    for check in checks:
        started = time.monotonic()
        try:
            await asyncio.wait_for(check(), WAIT)
        except Exception as error:
            print(f"python: {check.__name__}: {type(error).__name__}: {error}", file=sys.stderr)
            os._exit(1)  # Tasks that still send would only add their own complaints.
        print(f"python: {check.__name__:<20} ok  {time.monotonic() - started:6.2f} s", flush=True)


asyncio.run(main())
