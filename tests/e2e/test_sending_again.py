"""How often a request is sent: counted at the members, by what each of their connections does."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace

from proxy_core.config.model import Site, Sticky
from tests.e2e.harness import HELLO, Talk, Upstream, client, read_request, serving, site, upstream
from tests.ports import free_port

GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
REFUSES = ""


def member(connections: str) -> Talk:
    """What each connection in turn does, the last word for all that come later. c: closes, r: resets, h: begins an
    answer with a 103 and closes, a: answers all, w: answers one request and closes over the second."""
    words = iter(connections)

    async def talk(this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        word = next(words, connections[-1])
        while True:
            await read_request(this, reader)
            if word in "aw":
                writer.write(HELLO)
                word = {"a": "a", "w": "c"}[word]
                continue
            if word == "h":
                writer.write(b"HTTP/1.1 103 Early Hints\r\n\r\n")
            if word == "r":
                writer.transport.abort()
            return

    return talk


def bodiless(method: str) -> str:
    return f"{method} / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"


def with_body(method: str) -> str:
    return f"{method} / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"


class Case(NamedTuple):
    """``members``: what the connections of each do. ``seen``: how often each got the request. ``warm``: requests that
    were answered before, so that connections to the members are idle. ``plain``: the member is the URL of a route."""

    members: tuple[str, ...]
    seen: tuple[int, ...]
    status: int
    retries: int
    request: str = GET
    warm: int = 0
    plain: bool = False
    balancer: dict[str, Any] = {}


CASES = {
    "the only member closes": Case(("c",), (2,), 502, 1),
    "the only member resets": Case(("r",), (2,), 502, 1),
    "the member of a plain URL closes": Case(("c",), (2,), 502, 1, plain=True),
    "the only member closes once": Case(("ca",), (2,), 200, 1),
    "an idle connection closes": Case(("wa",), (2,), 200, 1, warm=1),
    "an idle connection closes, and a fresh one": Case(("wca",), (2,), 502, 1, warm=1),
    "one of two closes": Case(("c", "a"), (2, 1), 200, 2),
    "both close": Case(("c", "c"), (2, 1), 502, 2),
    "all of three close": Case(("c", "c", "c"), (2, 1, 0), 502, 2),
    "one closes, the next refuses, a third answers": Case(("c", REFUSES, "a"), (2, 0, 1), 200, 2),
    "one refuses, the next closes": Case((REFUSES, "c"), (0, 2), 502, 1),
    "one refuses, the next closes once": Case((REFUSES, "ca"), (0, 2), 200, 1),
    "one closes idle connections, the other does too": Case(("wc", "wa"), (2, 1), 502, 2, warm=2),
    "one closes, and no other may be tried": Case(("c", "a"), (2, 0), 502, 1, balancer={"maxattempts": 0}),
    "one closes, and one other may be tried": Case(("c", "c", "a"), (2, 1, 0), 502, 2, balancer={"maxattempts": 1}),
    "an answer has begun": Case(("h", "a"), (1, 0), 502, 0),
    "HEAD": Case(("c",), (2,), 502, 1, bodiless("HEAD")),
    "PUT without a body": Case(("c",), (2,), 502, 1, bodiless("PUT")),
    "DELETE without a body": Case(("c", "a"), (2, 1), 200, 2, bodiless("DELETE")),
    "POST without a body": Case(("c", "a"), (1, 0), 502, 0, bodiless("POST")),
    "PATCH without a body": Case(("c", "a"), (1, 0), 502, 0, bodiless("PATCH")),
    "a method nobody knows": Case(("c", "a"), (1, 0), 502, 0, bodiless("FROB")),
    "POST over an idle connection": Case(("wa",), (1,), 502, 0, with_body("POST"), warm=1),
    "PUT with a body": Case(("c", "a"), (1, 0), 502, 0, with_body("PUT")),
    "GET with a body": Case(("c", "a"), (1, 0), 502, 0, with_body("GET")),
    "POST with a body, and one refuses": Case((REFUSES, "a"), (0, 1), 200, 0, with_body("POST")),
}


def of(case: Case, ports: list[int]) -> Site:
    what = site(*ports, balanced=not case.plain)
    if case.plain:
        return what
    return replace(what, balancers={"pool": replace(what.balancers["pool"], **case.balancer)})


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_a_request_is_sent_to_a_member_once_again_at_most_and_then_to_one_other(case: Case) -> None:
    async with AsyncExitStack() as stack:
        there = [await stack.enter_async_context(upstream(member(each))) if each else None for each in case.members]
        ports = [each.port if each else free_port() for each in there]
        proxy = await stack.enter_async_context(serving(of(case, ports)))
        one = await stack.enter_async_context(client(proxy.port))
        for _ in range(case.warm):
            one.send(GET.encode())
            assert (await one.answer())[0].startswith(b"HTTP/1.1 200 ")
        before = [len(each.heads) if each else 0 for each in there]
        one.send(case.request.encode())
        head = await one.answer_head()
        if head.startswith(b"HTTP/1.1 103 "):
            head = await one.answer_head()
        assert int(head.split()[1]) == case.status
        assert (
            tuple(len(each.heads) - known if each else 0 for each, known in zip(there, before, strict=True))
            == case.seen
        )
        assert (await proxy.finished(case.warm + 1)).retries == case.retries


async def test_a_session_that_may_not_leave_its_member_is_sent_there_once_again() -> None:
    async with upstream(member("c")) as a, upstream(member("a")) as b:
        what = site(a.port, b.port)
        given = replace(what.balancers["pool"], sticky=Sticky(cookie="R", issue=True, nofailover=True))
        async with serving(replace(what, balancers={"pool": given})) as proxy, client(proxy.port) as one:
            one.send(b"GET / HTTP/1.1\r\nHost: a\r\nCookie: R=.m0\r\n\r\n")
            assert (await one.answer())[0].startswith(b"HTTP/1.1 502 ")
            assert (len(a.heads), len(b.heads)) == (2, 0)
