"""A standard error or output that is full, closed or read by nobody neither holds the proxy up nor ends it."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import Process
from contextlib import suppress
from pathlib import Path

import pytest

from tests.faults.harness import PATIENCE, ROOT
from tests.ports import free_port

SITE = """\
version = 1
[listeners.http]
address = "127.0.0.1:%d"
[[routes]]
path = "/"
proxy = "http://127.0.0.1:9"
timeout = 7
"""
EDITS = 40
CLOSED = -1


def full_pipe() -> int:
    """The writing end of a pipe that nobody reads and that has no room."""
    _, writing = os.pipe()
    os.set_blocking(writing, False)
    with suppress(BlockingIOError):
        while os.write(writing, bytes(4096)):
            pass
    os.set_blocking(writing, True)
    return writing


def unread_pipe() -> int:
    """The writing end of a pipe whose reader has left."""
    reading, writing = os.pipe()
    os.close(reading)
    return writing


def full_disk() -> int:
    return os.open("/dev/full", os.O_WRONLY)


def full_socket() -> int:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with suppress(BlockingIOError):
        while ours.send(bytes(4096)):
            pass
    ours.setblocking(True)
    theirs.detach()
    return ours.detach()


def closed() -> int:
    return CLOSED


async def started(site: Path, output: int, error: int) -> Process:
    shut = f"{' >&-' if output == CLOSED else ''}{' 2>&-' if error == CLOSED else ''}"
    command = ("sh", "-c", f'exec "$@"{shut}', "sh", sys.executable, "-m", "proxy_core.control.cli", str(site))
    ends = {"stdout": None if output == CLOSED else output, "stderr": None if error == CLOSED else error}
    return await asyncio.create_subprocess_exec(*command, cwd=ROOT, **ends)


async def status(port: int) -> bytes:
    """That of a GET; b"" while nobody accepts."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return b""
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    async with asyncio.timeout(PATIENCE):
        head = await reader.read()
    writer.close()
    return head[9:12]


@pytest.mark.parametrize(
    ("output", "error"),
    [
        (unread_pipe, full_pipe), (full_disk, unread_pipe), (closed, full_disk), (full_disk, full_socket),
        (closed, closed),
    ],
    ids=lambda end: end.__name__.replace("_", " "),
)  # fmt: skip
async def test_what_its_words_go_to_is_no_matter_of_life_and_death(tmp_path: Path, output, error) -> None:  # type: ignore[no-untyped-def]
    site, port = tmp_path / "site.toml", free_port()
    text = SITE % port
    site.write_text(text)
    ends = output(), error()
    process = await started(site, *ends)
    try:
        async with asyncio.timeout(4 * PATIENCE):
            while await status(port) != b"503":
                assert process.returncode is None
                await asyncio.sleep(0.05)
        for number in range(EDITS):
            site.write_text(text.replace("7", f"{number + 1}") if number % 2 else f"nonsense = \n{'x = 1' * 1000}")
            process.send_signal(signal.SIGHUP)
            await asyncio.sleep(0.02)
            assert await status(port) == b"503"
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        for end in ends:
            if end != CLOSED:
                os.close(end)
