"""Recent problems: told once, shown for a while, and never a word on the terminal by themselves."""

from __future__ import annotations

import asyncio
import logging

import pytest

from proxy_core.control.watching import problems
from proxy_core.control.watching.problems import RecentProblems
from proxy_core.errors import Problem


def raised(text: str) -> Exception:
    try:
        raise ValueError(text)
    except ValueError as error:
        return error


def test_what_is_repeated_is_told_and_logged_once_as_long_as_it_is_shown(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = RecentProblems()
    now = 0.0
    monkeypatch.setattr(problems, "monotonic", lambda: now)
    for _ in range(100):
        kept.crashed("deciding a request", raised("x"), "serving goes on")
    assert len(kept.current()) == len(caplog.records) == 1
    assert "ValueError: x" in kept.current()[0].what
    assert "Traceback" in (caplog.text)
    now = problems.SHOWN + 1
    assert kept.current() == []
    kept.crashed("deciding a request", raised("x"), "serving goes on")
    assert len(caplog.records) == 2


def test_only_so_many_are_kept() -> None:
    kept = RecentProblems()
    for number in range(3 * problems.MOST):
        kept.add(Problem(what=str(number)))
    assert len(kept.current()) == problems.MOST
    assert kept.current()[-1].what == str(3 * problems.MOST - 1)


async def test_an_error_in_a_protocols_callback_is_a_notice_and_prints_nothing(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("proxy_core.control.watching.problems"), "disabled", True)
    kept = RecentProblems()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(kept.from_loop)

    class Broken(asyncio.Protocol):
        def data_received(self, data: bytes) -> None:
            raise RuntimeError("a mistake")

    server = await loop.create_server(Broken, "127.0.0.1", 0)
    _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(b"x")
    async with asyncio.timeout(5):
        while not kept.current():  # noqa: ASYNC110 - there is nothing to wait on
            await asyncio.sleep(0.01)
    assert "RuntimeError: a mistake" in kept.current()[0].what
    writer.close()
    server.close()
    captured = capfd.readouterr()
    assert captured.out + captured.err == ""
