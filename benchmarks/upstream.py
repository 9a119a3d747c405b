"""A small upstream for machines without nginx: ``python -m benchmarks.upstream PORT…``, PORT:CERTIFICATE for TLS.

It answers what the benchmarks ask for and nothing else: /1k with 1 KiB, /100k with 100 KiB, bodies by Content-Length.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from typing import cast

import uvloop

from benchmarks.contenders import LARGE, SMALL
from benchmarks.load import body_length


class _Upstream(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._data = b""

    def data_received(self, data: bytes) -> None:
        self._data += data
        while (end := self._data.find(b"\r\n\r\n") + 4) > 3:
            whole = end + body_length(self._data[:end])
            if len(self._data) < whole:
                return
            self._transport.write(_LARGE if b"/100k" in self._data[:16] else _SMALL)
            self._data = self._data[whole:]


def _answer(size: int) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size


_SMALL, _LARGE = _answer(SMALL), _answer(LARGE)


async def _main(places: list[str]) -> None:
    loop = asyncio.get_running_loop()
    servers = []
    for place in places:
        port, _, certificate = place.partition(":")
        context = None
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
        servers.append(await loop.create_server(_Upstream, "127.0.0.1", int(port), ssl=context))
    await asyncio.gather(*(server.serve_forever() for server in servers))


if __name__ == "__main__":
    uvloop.run(_main(sys.argv[1:]))
