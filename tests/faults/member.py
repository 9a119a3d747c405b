"""A member in a process of its own, that has one vice: ``python -m tests.faults.member PORT NAME VICE LOG``.

With a + before VICE it begins good, and SIGUSR1 turns it from good to bad and back. Every request that it executes is
one line of LOG, ``id sha256-of-body``, written before the answer begins, so that what was executed is known even after
kill -9. Vices are the functions of ``VICES``; "good" is none.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import re
import signal
import socket
import sys
from collections.abc import Awaitable, Callable

Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter
Answer = Callable[[Writer, bytes, bytes], Awaitable[bool]]
"""Answers one request, given who answers and its id; whether the connection goes on."""

FOREVER = 3600.0


def whole(name: bytes, number: bytes) -> bytes:
    body = b"%b %b" % (name, number)
    return b"HTTP/1.1 200 OK\r\nX-Member: %b\r\nContent-Length: %d\r\n\r\n%b" % (name, len(body), body)


async def good(writer: Writer, name: bytes, number: bytes) -> bool:
    writer.write(whole(name, number))
    return True


async def dribbles(writer: Writer, name: bytes, number: bytes) -> bool:
    """Sends the second half of its answer a little later."""
    answer = whole(name, number)
    writer.write(answer[:-3])
    await asyncio.sleep(0.05)
    writer.write(answer[-3:])
    return True


async def slow(writer: Writer, name: bytes, number: bytes) -> bool:
    """A hundred times as slow as ``quick``."""
    await asyncio.sleep(0.3)
    return await good(writer, name, number)


async def quick(writer: Writer, name: bytes, number: bytes) -> bool:
    await asyncio.sleep(0.003)
    return await good(writer, name, number)


async def stalls_before_the_head(writer: Writer, name: bytes, number: bytes) -> bool:
    await asyncio.sleep(FOREVER)
    return False


async def stalls_in_the_body(writer: Writer, name: bytes, number: bytes) -> bool:
    writer.write(whole(name, number)[:-3])
    await asyncio.sleep(FOREVER)
    return False


async def resets(writer: Writer, name: bytes, number: bytes) -> bool:
    opened: socket.socket = writer.get_extra_info("socket")
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    writer.transport.abort()
    return False


async def answers_garbage(writer: Writer, name: bytes, number: bytes) -> bool:
    writer.write(random.randbytes(200) + b"\r\n\r\n")
    return True


async def closes_idle(writer: Writer, name: bytes, number: bytes) -> bool:
    """Keeps connections for a random short while, and closes them without a word."""
    await good(writer, name, number)
    return random.random() < 0.7


VICES: dict[str, Answer] = {
    each.__name__: each
    for each in (
        good, dribbles, slow, quick, stalls_before_the_head, stalls_in_the_body, resets, answers_garbage, closes_idle,
    )
}  # fmt: skip


async def main(port: int, name: bytes, vice: str, log: int) -> None:
    answers = [good, VICES[vice.removeprefix("+")]]
    if vice.startswith("+"):
        answers.reverse()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, answers.reverse)

    async def talk(reader: Reader, writer: Writer) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"(?i)content-length: *(\d+)", head)
                body = await reader.readexactly(int(length[1])) if length else b""
                number = head.split()[1].rpartition(b"/")[2]
                os.write(log, b"%b %b\n" % (number, hashlib.sha256(body).hexdigest().encode()))
                if not await answers[1](writer, name, number):
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", port, backlog=2048)  # a crowd at once is the proxy's trouble
    print("ready", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    _, wanted_port, own_name, wanted_vice, file = sys.argv
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    asyncio.run(main(int(wanted_port), own_name.encode(), wanted_vice, descriptor))
