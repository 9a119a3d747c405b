"""Coverage-guided fuzzing of both directions with atheris: ``python -m tests.fuzz.coverage FOLDER``.

Options of libFuzzer follow, ``-max_total_time=600`` among them. No part of the suite and no dependency: `pip install
atheris` where it is to run. What it finds it writes to a file (``crash-…``); inputs that reach new code are kept in
FOLDER. The first byte of an input says which direction it is for and where it is cut; a finding belongs into
tests.e2e.messages.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import atheris  # type: ignore[import-not-found]

with atheris.instrument_imports(include=["proxy_core.serve", "proxy_core.runtime", "proxy_core.http"]):
    from tests.fuzz.reader import answers, requests
    from tests.fuzz.test_properties import ANSWERS, GOOD, MESSAGES
    from tests.fuzz.wire import Wire

LOOP = asyncio.new_event_loop()


async def request(raw: bytes, cut: int) -> None:
    wire = Wire([GOOD])
    await wire.send(raw[:cut], raw[cut:])
    wire.end()
    assert not wire.problems, wire.problems
    assert not wire.recorder.live
    for written in wire.forwarded:
        requests(written)
    answers(wire.transport.written, bodiless=raw.startswith(b"HEAD"), closed=True)


async def answer(raw: bytes, cut: int) -> None:
    wire = Wire([raw[:cut], raw[cut:]])
    await wire.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert not wire.problems, wire.problems
    assert answers(wire.transport.written, False, wire.transport.closed) <= 1
    assert not wire.recorder.live
    wire.end()


def one(data: bytes) -> None:
    if len(data) > 1:
        LOOP.run_until_complete((answer if data[0] & 1 else request)(data[1:], data[0] >> 1))


def main() -> None:
    asyncio.set_event_loop(LOOP)
    folder = Path(sys.argv[1])
    folder.mkdir(exist_ok=True)
    for number, raw in enumerate(MESSAGES):
        (folder / f"request-{number}").write_bytes(b"\x40" + raw)
    for number, raw in enumerate(ANSWERS):
        (folder / f"answer-{number}").write_bytes(b"\x41" + raw)
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
