"""Mistakes of ours, put in one after the other: whatever raises, wherever, costs one request and leaks nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from proxy_core.config.model import Limits
from proxy_core.runtime.upstreams.connection import Upstream
from proxy_core.runtime.upstreams.connector import Upstreams
from proxy_core.serve import client_connection, forwarding
from proxy_core.serve import member_answer as answers_module
from proxy_core.serve.flight import Flight
from proxy_core.serve.forwarding import Forwarding
from proxy_core.serve.request_head import RequestReader
from proxy_core.serve.strict_parser import StrictParser
from proxy_core.serve.upstream_request import UpstreamRequest
from tests.builds import replaceable
from tests.e2e.harness import HELLO, answers, ask, client, serving, site, until, upstream

PLACES: list[tuple[Any, str]] = [
    (RequestReader, "read"),
    (StrictParser, "head"),
    (StrictParser, "body"),
    (client_connection, "Flight"),
    (forwarding, "choose"),
    (Upstreams, "take"),
    (Upstreams, "connect"),
    (Upstreams, "give_back"),
    (Upstream, "ask"),
    (Upstream, "write"),
    (answers_module, "head"),
    *[(Flight, name) for name in ("received", "decide", "send_body")],
    *[(Forwarding, name) for name in ("decided", "elected")],
    *[(UpstreamRequest, name) for name in ("sent", "send_body", "interim", "answered", "body", "ended")],
]
CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
ANSWERS = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", CHUNKS
CLOSE = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


class Injected(Exception):
    pass


def once(real: Callable[..., Any], error: type[BaseException]) -> Callable[..., Any]:
    """Raises at the first call, and is the real thing from then on."""
    calls = []

    def wrapped(*arguments: Any, **named: Any) -> Any:
        calls.append(1)
        if len(calls) == 1:
            raise error("put in by a test")
        return real(*arguments, **named)

    return wrapped


@pytest.mark.parametrize(("where", "name"), PLACES, ids=[f"{getattr(w, '__name__', w)}.{n}" for w, n in PLACES])
async def test_an_exception_costs_its_request_and_nothing_else(
    where: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    replaceable(getattr(where, name))
    async with upstream(answers(b"".join(ANSWERS), HELLO)) as member, serving(site(member.port)) as proxy:
        monkeypatch.setattr(where, name, once(getattr(where, name), Injected))
        async with client(proxy.port) as one:
            one.send(POST)
            await until(lambda: member.heads or proxy.problems, 10)  # a body that comes later is a body of its own
            one.send(b"3\r\nabc\r\n0\r\n\r\n")
            async with asyncio.timeout(10):
                raw = await one.reader.read(300)
        await until(lambda: not proxy.recorder.live, 10)
        status = proxy.records[0].status
        assert raw.startswith(b"HTTP/1.1 500 ") or status in (0, 200, 499, 500, 502), (raw, status)
        assert not raw.endswith(b"0\r\n\r\n") or b"abc" in raw
        proxy.at_rest()
        assert b"HTTP/1.1 200 OK\r\n" in await ask(proxy.port, CLOSE)
        assert len(proxy.problems) == 1, proxy.problems
        assert "put in by a test" in proxy.problems.pop().what


async def test_a_mistake_in_the_sweep_is_not_the_end_of_deadlines(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(site(1, limits=Limits(idle_time=0.1))) as proxy:
        monkeypatch.setattr(Upstreams, "sweep", once(Upstreams.sweep, Injected))
        async with client(proxy.port) as one:
            assert await one.rest() == b""
