"""A small upstream for machines without nginx: ``python -m benchmarks.upstream PORT…``, PORT:CERTIFICATE for TLS.

It answers what the benchmarks ask for and nothing else: as many bytes as the path says, and messages of a WebSocket
with as many of their own. Bodies come by Content-Length.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from typing import cast

import uvloop

from benchmarks.load import ACCEPT, MASKED, MESSAGE, body_length
from benchmarks.rows import SIZES


class _Upstream(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._data = bytearray()
        self._message = 0

    def data_received(self, data: bytes) -> None:
        self._data += data
        if self._message:
            self._echo()
        while not self._message and (end := self._data.find(b"\r\n\r\n") + 4) > 3:
            whole = end + body_length(self._data[:end])
            if len(self._data) < whole:
                return
            target = bytes(self._data.split(b" ", 2)[1])
            if target == b"/ws":
                self._message = MASKED
                self._transport.write(_SWITCH)
            else:
                self._transport.write(_ANSWERS[target.split(b"?")[0]])
            del self._data[:whole]

    def _echo(self) -> None:
        """A message for each that came: what is in them nobody looks at."""
        count, left = divmod(len(self._data), self._message)
        self._data = self._data[len(self._data) - left :]
        self._transport.write(MESSAGE * count)


def _answer(size: int) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size


_ANSWERS = {path.encode(): _answer(size) for path, size in SIZES.items()}
_SWITCH = (
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: %b\r\n\r\n"
    % ACCEPT
)


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
