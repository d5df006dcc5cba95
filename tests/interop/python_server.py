#!/usr/bin/env python3
"""Python `websockets` as echo server for one connection of the client example.

    python_server.py [--deflate MODE]       MODE: off (default), no-takeover, takeover

Prints its URL, and ends with a non-zero status if compression was not agreed on as MODE says or
nothing was echoed.
"""

import argparse
import asyncio

from websockets.asyncio.server import serve
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory


async def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deflate", choices=["off", "no-takeover", "takeover"], default="off")
    mode = parser.parse_args().deflate
    extensions = None
    if mode != "off":
        fresh = mode == "no-takeover"
        extensions = [ServerPerMessageDeflateFactory(
            server_no_context_takeover=fresh, client_no_context_takeover=fresh)]
    ended = asyncio.get_running_loop().create_future()

    async def echo(ws):
        count = 0
        async for message in ws:
            await ws.send(message)
            count += 1
        ended.set_result((count, ws.response.headers.get("Sec-WebSocket-Extensions", ""),
                          ws.protocol.close_rcvd))

    async with serve(echo, "127.0.0.1", 0, compression=None, extensions=extensions) as server:
        print("ws://127.0.0.1:%d" % server.sockets[0].getsockname()[1], flush=True)
        count, agreed, close = await asyncio.wait_for(ended, 60)
    assert count > 0, "nothing was echoed"
    assert close is not None and close.code == 1000, f"closed with {close}"
    assert agreed.startswith("permessage-deflate") == (mode != "off"), agreed
    for parameter in ("server_no_context_takeover", "client_no_context_takeover"):
        assert (parameter in agreed) == (mode == "no-takeover"), agreed


asyncio.run(main())
