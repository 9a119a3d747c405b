"""Coverage-guided fuzzing with atheris, one parser at a time: ``python -m tests.fuzz.coverage NAME FOLDER``.

NAME is ``request``, ``answer``, the same with ``_busy`` behind it for a site that reads and writes more, or one of
``tests.fuzz.parsers``. Options of libFuzzer follow, ``-max_total_time=600``
among them. No part of the suite and no dependency: `pip install atheris` where it is to run. What it finds it writes to
a file (``crash-…``); inputs that reach new code are kept in FOLDER. The first byte of a message says where it is cut. A
finding belongs into tests.e2e.messages, or to the beginnings of its parser.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

import atheris  # type: ignore[import-not-found]

with atheris.instrument_imports(include=["proxy_core"]):
    from tests.fuzz.parsers import PARSERS, Parser
    from tests.fuzz.test_properties import ANSWERS, GOOD, MESSAGES
    from tests.fuzz.wire import BUSY, answer_goes_well, request_goes_well

LOOP = asyncio.new_event_loop()


def messages(check: Callable[[bytes, bytes], Coroutine[Any, Any, None]]) -> Callable[[bytes], None]:
    """The first byte says where the rest is cut."""
    return lambda raw: LOOP.run_until_complete(check(raw[1 : raw[0] + 1], raw[raw[0] + 1 :])) if raw else None


ASK = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
BEGIN = {"request": MESSAGES, "answer": ANSWERS}
CHECKS = {"request": partial(request_goes_well, GOOD), "answer": partial(answer_goes_well, ASK)}
MESSAGE = {
    name + more: Parser(messages(partial(CHECKS[name], what=what)), tuple(b"\x40" + raw for raw in BEGIN[name]))
    for name in CHECKS
    for more, what in (("", None), ("_busy", BUSY))
}


def main() -> None:
    asyncio.set_event_loop(LOOP)
    check, begin = {**PARSERS, **MESSAGE}[sys.argv.pop(1)]
    folder = Path(sys.argv[1])
    folder.mkdir(exist_ok=True, parents=True)
    for number, raw in enumerate(begin):
        (folder / f"begin-{number}").write_bytes(raw)
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
