"""What explain and the inspector tell of a request is what the proxy does with it, at admission and behind it."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from proxy_core.config.model import Ban, HeaderRule, Limits, Location, Route
from proxy_core.control.explaining.explain import explain, inspection
from proxy_core.control.question import Question
from proxy_core.runtime.fact_lookups import Outside
from tests.e2e.harness import HELLO, Running, answers, client, get, serving, site, until, upstream


async def told(proxy: Running, *fields: str, url: str = "/", outside: Outside | None = None) -> tuple[int, str]:
    question = Question(url=url, fields=fields, listener="http")
    explained = await explain(proxy.current.rules, outside or Outside(), question, proxy.server.admission)
    return explained.status, explained.sentence


@pytest.mark.parametrize(
    ("options", "bans", "why"),
    [
        ({"deny": ("127.0.0.1",)}, (), "127.0.0.1 is denied"),
        ({}, (Ban(id="night", network="127.0.0.0/8"),), "127.0.0.0/8 is banned by night"),
        ({}, (Ban(id="over", network="127.0.0.1", until="2001-01-01T00:00:00Z"),), ""),
    ],
)
async def test_who_is_kept_out_is_told_so(options: dict[str, object], bans: tuple[Ban, ...], why: str) -> None:
    async with upstream(answers(HELLO)) as member:
        async with serving(replace(site(member.port, **options), bans=bans)) as proxy:
            status, sentence = await told(proxy)
            head, _ = await get(proxy.port)
            assert head.startswith(b"HTTP/1.1 %d " % (status or 200))
            assert (status, why in sentence) == (403 if why else 0, True)
            assert ("forwarded" in sentence) is not bool(why)


async def test_who_asks_too_fast_is_told_so_and_asking_takes_no_token() -> None:
    async with upstream(answers(HELLO)) as member:
        async with serving(replace(site(member.port), limits=Limits(client_rate=0.01, client_burst=2))) as proxy:
            for _ in range(5):
                assert (await told(proxy))[0] == 0
            for status in (b"200", b"200", b"429"):
                assert (await get(proxy.port))[0].startswith(b"HTTP/1.1 " + status)
            assert await told(proxy) == (
                429,
                "answered here with 429: the client sends requests faster than client_rate",
            )


async def test_a_full_proxy_is_told_so() -> None:
    async with upstream(answers(b"")) as member:  # who never answers
        limits = Limits(in_flight=1, queue=1, queue_time=5)
        async with serving(replace(site(member.port), limits=limits)) as proxy:
            async with client(proxy.port) as one, client(proxy.port) as two:
                one.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                await until(lambda: len(proxy.recorder.live) == 1)
                assert (await told(proxy))[0] == 0, "it would wait, not be refused"
                two.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                await until(lambda: len(proxy.recorder.live) == 2)
                status, sentence = await told(proxy)
                assert (status, "the queue is full" in sentence) == (503, True)
                assert (await get(proxy.port))[0].startswith(b"HTTP/1.1 503 ")


async def test_too_many_connections_of_a_client_are_told() -> None:
    async with upstream(answers(HELLO)) as member:
        async with serving(replace(site(member.port), limits=Limits(client_connections=1))) as proxy:
            assert (await told(proxy))[0] == 0
            async with client(proxy.port) as one:
                one.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                await one.answer()
                assert (await told(proxy))[0] == 429


async def test_a_body_that_is_too_long_is_told() -> None:
    async with upstream(answers(HELLO)) as member:
        async with serving(replace(site(member.port), limits=Limits(body=10))) as proxy:
            assert (await told(proxy, "Content-Length: 10"))[0] == 0
            assert await told(proxy, "Content-Length: 11") == (
                413,
                "answered here with 413: the request body is longer than 10 bytes",
            )


async def test_what_is_answered_before_all_rules_is_told_so() -> None:
    async with upstream(answers(HELLO)) as member:
        async with serving(site(member.port)) as proxy:
            async with client(proxy.port) as one:
                one.send(b"OPTIONS / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n")
                assert (await one.answer())[0].startswith(b"HTTP/1.1 200 ")
            seen = inspection(proxy.records[0]).explanation
            question = Question(url="/", method="OPTIONS", fields=("Max-Forwards: 0",), listener="http")
            explained = await explain(proxy.current.rules, Outside(), question, proxy.server.admission)
            assert (
                (seen.sentence, seen.status)
                == (explained.sentence, explained.status)
                == ("answered here with 200", 200)
            )


async def test_the_inspector_says_of_who_was_turned_away_what_turned_it_away() -> None:
    async with upstream(answers(HELLO)) as member:
        options = {"trusted_proxies": ("127.0.0.1",), "client_header": "X-Who", "deny": ("203.0.113.7",)}
        async with serving(site(member.port, **options)) as proxy:
            head, _ = await get(proxy.port, "/", "X-Who: 203.0.113.7")
            assert head.startswith(b"HTTP/1.1 403 ")
            explained = inspection(proxy.records[0]).explanation
            assert explained.sentence == "answered here with 403: 203.0.113.7 is denied"
            assert [step.address for step in explained.steps][-1] == ("site", "deny")
            assert explained.pool == ""


NOWHERE = "-f '/nowhere/at/all'"
"""A condition that only the outside can answer."""


@pytest.mark.parametrize("expr", [f"!({NOWHERE})", "-f '{file}'", "%{{TIME_YEAR}} -gt 2000", "env('x') != 'y'"])
async def test_a_location_whose_condition_asks_a_fact_keeps_the_rows_of_all_locations(
    expr: str, tmp_path: Path
) -> None:
    file = tmp_path / "there"
    file.touch()
    rows = [
        HeaderRule(id=name, on="always", action="set", name=f"X-{name}", value="yes", location=name)
        for name in ("plain", "asks", "not")
    ]
    places = (
        Location(id="plain", path="/"),
        Location(id="asks", path="/", expr=expr.format(file=file)),
        Location(id="not", path="/", expr=NOWHERE),
    )
    routes = (Route(id="out", path="/", except_=True),)
    what = replace(site(1), locations=places, headers=tuple(rows), routes=routes)
    outside = Outside()
    async with serving(what, outside=outside) as proxy:
        head, _ = await get(proxy.port)
        assert (b"X-plain: yes" in head, b"X-asks: yes" in head, b"X-not: yes" in head) == (True, True, False)
        question = Question(url="/", listener="http")
        explained = await explain(proxy.current.rules, outside, question, proxy.server.admission)
        seen = inspection(proxy.records[0]).explanation
        assert explained.steps == seen.steps
        done = {step.address[-1] for step in seen.steps if step.address[0] == "headers" and step.verdict == "match"}
        assert done == {"plain", "asks"}


async def test_an_edit_of_an_answer_gets_the_fact_that_it_asks_for(tmp_path: Path) -> None:
    file = tmp_path / "there"
    file.touch()
    row = HeaderRule(id="a", on="always", action="set", name="X-A", value="yes", expr=f"-f '{file}'")
    never = HeaderRule(id="b", on="request", action="set", name="X-B", value="yes", expr=NOWHERE)
    async with upstream(answers(HELLO)) as member:
        what = replace(site(member.port), headers=(row, replace(row, id="c", name="X-C", expr=NOWHERE), never))
        async with serving(what, outside=Outside()) as proxy:
            head, _ = await get(proxy.port)
            assert b"X-A: yes" in head
            assert b"X-C" not in head
            assert b"X-B" not in member.heads[-1]
