"""A request of which a copy is made is the same as without, to its client, its member and in its record; and what
becomes of the copy."""

from __future__ import annotations

from typing import Any, cast

import pytest
from msgspec.structs import replace

from proxy_core.config.model import Balancer, HeaderRule, Member, RewriteMap, Route, Site
from proxy_core.runtime.compile_site import compile_site
from proxy_core.runtime.registry import Registry
from proxy_core.runtime.shadow_comparison import ShadowTally
from proxy_core.serve import shadow_copies, shadowed_request
from tests.serve.playbook import Play, Step, Wire, accepts, asks, closes, refuses, run, says, sees, tells
from tests.serve.test_flight import GET, HELLO, OK, PLAIN, POST, SCRIPTS, UPGRADE, WRONG


def shadowed(site: Site, **route: Any) -> Site:
    """The site with a shadow beside each route that forwards, which nobody takes requests in."""
    routes = [
        row if row.proxy is None else replace(row, shadow="balancer://s", shadow_share=1.0) for row in site.routes
    ]
    return replace(
        site, routes=tuple(replace(row, **route) for row in routes), balancers={**site.balancers, "s": Balancer()}
    )


@pytest.mark.parametrize("name", [*WRONG, *SCRIPTS])
async def test_a_request_of_which_a_copy_is_made_goes_as_without(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    played = {**WRONG, **SCRIPTS}[name]
    await run(shadowed(played.site), played.idle, played.steps, monkeypatch)


def copied(**expected: object) -> Step:
    """What is known of the copies."""

    def step(play: Play) -> None:
        (known,) = play.state.shadows.tallies.values() or (ShadowTally(),)
        assert {name: getattr(known, name) for name in expected} == expected

    return step


uncopied = copied(requests=0, dropped=0, in_flight=0)
"""No copy was made, and none is missed."""


def serves(answer: bytes, host: bytes) -> Step:
    """The member with this Host answers, whoever else is asked something."""

    def step(play: Play) -> None:
        asked = [each for each in play.upstreams.opened if each.receiver is not None]
        next(each for each in asked if host in cast(Wire, each.transport).written[-400:]).data_received(answer)

    return step


def full(play: Play) -> None:
    """There is no room for more copies of the route."""
    shadow = play.rules.program.routes[0].shadow
    assert shadow is not None
    play.state.shadows.tallies["all", shadow.pool] = ShadowTally(in_flight=shadow_copies.OF_A_ROUTE)


BESIDE = shadowed(PLAIN, shadow="http://s:80")
"""Copies go to a member of their own."""
DONE = (asks(GET), sees(upstream=1), says(HELLO))
"""A request with its answer; the copy is written over an idle connection."""
SEEN = {"status": 200, "sent": 5, "after": "kept", "cause": ""}
COPY = (
    b"GET /x HTTP/1.1\r\nHost: s\r\nX-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Host: a\r\n"
    b"X-Forwarded-Server: localhost\r\nX-Forwarded-Proto: http\r\nX-Shadow: 1\r\n\r\n"
)
LIMITED = replace(
    PLAIN,
    routes=(Route(id="s", path="/s", proxy="balancer://s/"), *shadowed(PLAIN).routes),
    balancers={"s": Balancer(members={"s": Member(url="http://s", max_connections=1)}, timeout=5)},
)
"""The members of the shadow take one request at a time, and those of a route too."""
BY_HASH = replace(
    shadowed(PLAIN),
    maps={"m": RewriteMap(type="prg", command=("/bin/cat",))},
    balancers={"s": Balancer(members={"s": Member(url="http://s")}, method="hash", key="${m:x}")},
)
TO_SHADOW = GET.replace(b"/x", b"/s")
MARKED = GET.replace(b"\r\n\r\n", b"\r\nX-Shadow: 1\r\n\r\n")
COPIES = {
    "a copy is what the member got, with a field that says what it is": (
        BESIDE, *DONE, sees(HELLO, COPY, **SEEN, hits=1), copied(in_flight=1, requests=0),
        says(HELLO), copied(in_flight=0, requests=1, same=1, kinds={}), sees(busy=0, hits=1, number=1),
    ),
    "a copy that is answered otherwise is a difference": (
        BESIDE, *DONE, sees(HELLO, COPY), says(OK + b"hallo"), copied(requests=1, same=0, kinds={"body": 1}),
    ),
    "a longer body is not read to its end": (
        BESIDE, *DONE, sees(HELLO, COPY), says(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b"x" * 9),
        copied(requests=1, kinds={"length": 1}, in_flight=0),
    ),
    "nothing is sent before the real answer has ended": (
        BESIDE, asks(GET), sees(upstream=1), says(OK + b"he"), sees(OK + b"he"), says(b"llo"), sees(b"llo", COPY),
        says(HELLO), copied(same=1, kinds={}),
    ),
    "an idle connection that closes drops the copy and says nothing of the member": (
        BESIDE, *DONE, sees(HELLO, COPY), closes, copied(requests=0, dropped=1, in_flight=0), sees(errors=0, **SEEN),
    ),
    "there is no copy where there is no room": (
        BESIDE, full, *DONE, sees(HELLO, **SEEN), copied(dropped=1, requests=0),
    ),
    "there is no copy of what is not safe": (
        BESIDE, asks(POST, b"0123456789"), says(HELLO), sees(HELLO, 1), uncopied,
    ),
    "there is no copy of what asks for another protocol": (
        BESIDE, asks(UPGRADE), says(HELLO), sees(200, 1), uncopied,
    ),
    "there is no copy of a copy": (BESIDE, asks(MARKED), says(HELLO), sees(HELLO, 1), uncopied),
    "there is no copy where the answer did not end": (
        BESIDE, asks(GET), says(OK + b"he"), sees(OK + b"he", 1), closes, sees(after="cut"), uncopied,
    ),
    "there is no copy with a share of nothing": (
        replace(BESIDE, routes=(replace(BESIDE.routes[0], shadow_share=0.0),)), *DONE, sees(HELLO), uncopied,
    ),
    "a copy waits for no place at a member": (
        LIMITED, *DONE, sees(HELLO, 1), asks(GET), sees(upstream=1), serves(HELLO, b"Host: m"), sees(HELLO),
        copied(dropped=1, in_flight=1), says(HELLO), copied(requests=1, in_flight=0), sees(problems=0),
    ),
    "who waits for a place at a member gets that of a copy": (
        LIMITED, *DONE, sees(HELLO, 1), asks(TO_SHADOW), sees(waits="member", standing=1),
        says(HELLO), sees(upstream=1, waits="answer", standing=0), says(HELLO), sees(HELLO),
    ),
    "a balancer by hash asks what its key needs": (
        BY_HASH, *DONE, sees(HELLO), copied(in_flight=1), tells("v"), sees(upstream=COPY), says(HELLO), copied(same=1),
    ),
    "fields that rules set are in the copy too": (
        replace(BESIDE, headers=(HeaderRule(id="h", name="X-A", action="set", value="1", on="request"),)),
        asks(GET), says(HELLO), sees(HELLO, 2), says(HELLO), copied(same=1),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", COPIES)
async def test_copy(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    site, *steps = COPIES[name]
    await run(site, True, tuple(steps), monkeypatch)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("outcome", "kinds"),
    [
        ((refuses("s refused"),), {"no answer": 1}),
        ((refuses("no file descriptors", ours=True),), None),
        ((accepts, sees(upstream=COPY), says(HELLO)), {}),
    ],
)
async def test_a_copy_that_waits_for_a_connection_leaves_the_client_to_its_next_request(
    outcome: tuple[Step, ...], kinds: dict[str, int] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = copied(requests=1, in_flight=0, kinds=kinds) if kinds is not None else copied(dropped=1, in_flight=0)
    steps = (
        asks(GET), accepts, sees(upstream=1), says(HELLO), sees(HELLO, asked=2, **SEEN), copied(in_flight=1),
        asks(POST, b"0123456789"), sees(upstream=1), says(HELLO), sees(HELLO, **SEEN),
        *outcome, over,
    )  # fmt: skip
    await run(BESIDE, False, steps, monkeypatch)


@pytest.mark.parametrize(("drawn", "copies"), [(0.29, 1), (0.3, 0)])
async def test_the_share_says_how_many_are_copied(drawn: float, copies: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shadowed_request, "random", lambda: drawn)
    some = replace(shadowed(PLAIN), routes=(replace(shadowed(PLAIN).routes[0], shadow_share=0.3),))
    await run(some, True, (*DONE, sees(HELLO), copied(requests=copies)), monkeypatch)


async def test_what_is_known_of_copies_ends_with_their_shadow(monkeypatch: pytest.MonkeyPatch) -> None:
    def another(play: Play) -> None:
        shadows = play.state.shadows
        shadows.adopt(play.rules)
        assert [*shadows.tallies] == [("all", "s")]
        shadows.adopt(compile_site(BESIDE, Registry(), 2))
        assert not shadows.tallies

    await run(shadowed(PLAIN), True, (*DONE, sees(HELLO), copied(requests=1), another), monkeypatch)
