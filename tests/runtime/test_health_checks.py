"""Active checks: when a member is out and back, whom they call well, and that they follow the site.

Counting results in a row differs from httpd on purpose (hc_check in modules/proxy/mod_proxy_hcheck.c counts all).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from random import Random
from time import monotonic

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy_core.balance.choosing import choose
from proxy_core.balance.member_state import MemberKey, MemberState
from proxy_core.balance.passive_checks import failed
from proxy_core.config.model import Balancer, HealthCheck, Member, Route, Site
from proxy_core.runtime import health_checks
from proxy_core.runtime.compile_site import adopt, compile_site
from proxy_core.runtime.health_checks import Checks, ask, note, target
from proxy_core.runtime.registry import Registry
from proxy_core.runtime.rule_set import RuleSet
from proxy_core.runtime.upstreams.connector import Upstreams
from tests.e2e.harness import Talk, Upstream, answers, read_request, until, upstream
from tests.ports import free_port

Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter
KEY = MemberKey("b", "m")


def bound(registry: Registry, *members: Member, check: HealthCheck | None, previous: RuleSet | None = None) -> RuleSet:
    named = {f"m{n}": member for n, member in enumerate(members)}
    site = Site(
        routes=(Route(id="all", path="/", proxy="balancer://b/"),),
        balancers={"b": Balancer(members=named, health=check)},
    )
    rules = compile_site(site, registry, 1, previous)
    adopt(rules, registry, monotonic())
    return rules


@asynccontextmanager
async def checking(upstreams: Upstreams) -> AsyncIterator[Checks]:
    checks = Checks(upstreams, Random(1))
    try:
        yield checks
    finally:
        await checks.close()
        upstreams.close()


# Counting


@given(st.lists(st.booleans(), max_size=30), st.integers(1, 4), st.integers(1, 4))
def test_a_member_is_out_after_fails_in_a_row_and_back_after_passes_in_a_row(
    outcomes: list[bool], passes: int, fails: int
) -> None:
    state, check = MemberState(KEY), HealthCheck(passes=passes, fails=fails)
    out = False
    for n, passed in enumerate(outcomes, 1):
        note(state, check, passed, "", at=n)
        if outcomes[:n][-fails:] == [False] * fails:
            out = True
        elif outcomes[:n][-passes:] == [True] * passes:
            out = False
        assert state.failing == out


def test_passing_clears_the_error_that_requests_met_so_that_nobody_waits_for_retry() -> None:
    state = MemberState(KEY)
    failed(state, monotonic(), "refused")
    note(state, HealthCheck(passes=2), True, "", at=1)
    assert state.error_at
    note(state, HealthCheck(passes=2), True, "", at=2)
    assert not state.error_at
    assert not state.last_error


def test_a_member_that_fails_its_checks_gets_nothing_even_when_nobody_else_is_left() -> None:
    registry = Registry()
    rules = bound(registry, Member(url="http://127.0.0.1:1"), Member(url="http://127.0.0.1:2"), check=HealthCheck())
    registry.member(MemberKey("b", "m0")).failing = True
    assert {choose(rules.pools["b"], 1.0).key.member for _ in range(5)} == {"m1"}  # type: ignore[union-attr]
    registry.member(MemberKey("b", "m1")).failing = True
    assert choose(rules.pools["b"], 1.0) is None


# Whom a check calls well


async def stalls_before_the_head(this: Upstream, reader: Reader, writer: Writer) -> None:
    await read_request(this, reader)
    await asyncio.sleep(60)


async def stalls_in_the_body(this: Upstream, reader: Reader, writer: Writer) -> None:
    await read_request(this, reader)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf ")
    await asyncio.sleep(60)


async def hangs_up(this: Upstream, reader: Reader, writer: Writer) -> None:
    await read_request(this, reader)
    writer.transport.abort()


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nX-State: fine\r\n\r\nready\n"
GET = HealthCheck(method="get", timeout=0.3)


@pytest.mark.parametrize(
    ("check", "talk", "passed", "said"),
    [
        (HealthCheck(timeout=0.3), stalls_before_the_head, True, "accepted within"),
        (GET, answers(OK), True, "200 within"),
        (GET, answers(b"HTTP/1.1 399 Odd\r\nContent-Length: 0\r\n\r\n"), True, "399"),
        (GET, answers(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"), False, "404 is not expected"),
        (GET, answers(b"HTTP/1.1 100 Continue\r\n\r\n" + OK), True, "200"),
        (GET, answers(b"SSH-2.0-OpenSSH\r\n\r\n"), False, "not HTTP"),
        (GET, answers(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"), False, "Duplicate"),
        (GET, stalls_before_the_head, False, "no whole answer within 0.3 s"),
        (GET, stalls_in_the_body, False, "no whole answer within 0.3 s"),
        (GET, hangs_up, False, "closed"),
        (HealthCheck(method="head"), answers(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n"), True, "200"),
        (HealthCheck(method="options", expect=("204",)), answers(b"HTTP/1.1 204 No Content\r\n\r\n"), True, "204"),
        (HealthCheck(method="get", expr="hc('body') =~ /^ready/"), answers(OK), True, "200"),
        (HealthCheck(method="get", expr="hc('body') =~ /^ready/ && resp('x-state') == 'ill'"), answers(OK), False,
         "does not hold"),
        (HealthCheck(method="get", expr="%{REQUEST_STATUS} -lt 300"), answers(OK), True, "200"),
    ],
)  # fmt: skip
async def test_what_an_upstream_does_and_what_its_check_says(
    check: HealthCheck, talk: Talk, passed: bool, said: str
) -> None:
    async with upstream(talk) as there:
        rules = bound(Registry(), Member(url=f"http://127.0.0.1:{there.port}"), check=check)
        upstreams = Upstreams(65536)
        outcome = await ask(upstreams, target(check, rules.pools["b"].members[0]))
        assert outcome is not None
        assert outcome[0] == passed, outcome
        assert said in outcome[1]
        await until(lambda: there.open == 0 or talk in (stalls_before_the_head, stalls_in_the_body))
        upstreams.close()


async def test_who_refuses_or_has_no_name_fails_and_the_words_say_so() -> None:
    upstreams = Upstreams(65536)
    for url, said in (
        (f"http://127.0.0.1:{free_port()}", "refused"),
        ("http://nowhere.invalid:80", "nowhere.invalid has no address"),
    ):
        rules = bound(Registry(), Member(url=url), check=GET)
        outcome = await ask(upstreams, target(HealthCheck(timeout=5), rules.pools["b"].members[0]))
        assert outcome is not None
        assert not outcome[0]
        assert said in outcome[1]
    upstreams.close()


async def test_the_uri_is_asked_behind_the_members_own_path_with_its_host() -> None:
    async with upstream(answers(OK)) as there:
        check = HealthCheck(method="get", uri="/health?deep=1")
        rules = bound(Registry(), Member(url=f"http://127.0.0.1:{there.port}/app"), check=check)
        upstreams = Upstreams(65536)
        await ask(upstreams, target(check, rules.pools["b"].members[0]))
        upstreams.close()
        lines = there.heads[0].split(b"\r\n")
        assert lines[0] == b"GET /app/health?deep=1 HTTP/1.1"
        assert b"Host: 127.0.0.1:%d" % there.port in lines


# Following the site


async def test_checks_of_one_member_never_overlap() -> None:
    now = most = done = 0

    async def slow(this: Upstream, reader: Reader, writer: Writer) -> None:
        nonlocal now, most, done
        await read_request(this, reader)
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.15)
        now, done = now - 1, done + 1
        writer.write(OK)

    check = HealthCheck(method="get", interval=0.1, timeout=2)
    async with upstream(slow) as there, checking(Upstreams(65536)) as checks:
        checks.adopt(bound(Registry(), Member(url=f"http://127.0.0.1:{there.port}"), check=check))
        await until(lambda: done >= 3)
        assert most == 1


@pytest.mark.parametrize(("lasts", "least", "most"), [(0.0, 9.0, 11.0), (8.0, 9.0, 11.0), (30.0, 30.0, 30.0)])
async def test_checks_keep_their_interval_from_beginning_to_beginning_or_follow_each_other(
    lasts: float, least: float, most: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, times, others = 0.0, list[float](), asyncio.sleep

    async def passes(seconds: float) -> None:
        nonlocal now
        now += seconds
        await others(0)

    async def asked(upstreams: Upstreams, whom: health_checks.Target) -> tuple[bool, str]:
        times.append(now)
        await passes(lasts)
        return True, ""

    monkeypatch.setattr(health_checks, "ask", asked)
    monkeypatch.setattr(health_checks, "monotonic", lambda: now)
    monkeypatch.setattr(health_checks.asyncio, "sleep", passes)
    async with checking(Upstreams(65536)) as checks:
        checks.adopt(bound(Registry(), Member(url="http://127.0.0.1:1"), check=HealthCheck(interval=10)))
        while len(times) < 10:
            await others(0)
    gaps = [round(after - before, 6) for before, after in pairwise(times)]
    assert all(least <= gap <= most for gap in gaps), gaps


async def test_the_first_checks_of_many_members_do_not_come_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health_checks, "AT_ONCE", 4)
    now = most = done = 0

    async def counted(upstreams: Upstreams, whom: health_checks.Target) -> tuple[bool, str]:
        nonlocal now, most, done
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.01)
        now, done = now - 1, done + 1
        return True, ""

    monkeypatch.setattr(health_checks, "ask", counted)
    async with checking(Upstreams(65536)) as checks:
        members = [Member(url=f"http://127.0.0.1:{port}") for port in range(1, 101)]
        checks.adopt(bound(Registry(), *members, check=HealthCheck(interval=0.1)))
        await until(lambda: done >= 100)
        assert most <= 4


async def test_an_edit_that_leaves_a_members_check_alone_does_not_start_it_anew() -> None:
    registry, check = Registry(), HealthCheck(method="get", interval=0.1)
    async with upstream(answers(OK)) as there, checking(Upstreams(65536)) as checks:
        url = f"http://127.0.0.1:{there.port}"
        first = bound(registry, Member(url=url), check=check)
        checks.adopt(first)
        state = registry.member(MemberKey("b", "m0"))
        await until(lambda: state.check is not None and state.check.streak >= 2)
        seen = state.check
        checks.adopt(bound(registry, Member(url=url, weight=5), check=check, previous=first))
        assert state.check is seen
        await until(lambda: seen is not None and seen.streak >= 4)


@pytest.mark.parametrize(
    "after",
    [
        (Member(url="http://127.0.0.1:1"), None),
        (Member(url="http://127.0.0.1:1"), HealthCheck(method="none")),
        (Member(url="http://127.0.0.1:1", status="stopped"), HealthCheck()),
    ],
    ids=["no checks", "method none", "stopped"],
)
async def test_who_is_not_checked_any_more_is_not_out_for_it(after: tuple[Member, HealthCheck | None]) -> None:
    registry = Registry()
    async with checking(Upstreams(65536)) as checks:
        checks.adopt(bound(registry, Member(url="http://127.0.0.1:1"), check=HealthCheck(interval=0.1)))
        state = registry.member(MemberKey("b", "m0"))
        await until(lambda: state.failing)
        checks.adopt(bound(registry, after[0], check=after[1]))
        assert not state.failing
        assert state.check is None
        await asyncio.sleep(0.15)
        assert state.check is None


async def test_a_member_that_points_elsewhere_is_not_judged_by_who_was_there_before() -> None:
    registry = Registry()
    async with upstream(answers(OK)) as there, checking(Upstreams(65536)) as checks:
        check = HealthCheck(method="get", interval=0.1)
        checks.adopt(bound(registry, Member(url="http://127.0.0.1:1"), check=check))
        state = registry.member(MemberKey("b", "m0"))
        await until(lambda: state.failing)
        checks.adopt(bound(registry, Member(url=f"http://127.0.0.1:{there.port}"), check=check))
        assert not state.failing
        await until(lambda: state.check is not None and state.check.passed and state.check.at)


async def test_checks_end_with_the_member() -> None:
    registry, check = Registry(), HealthCheck(method="get", interval=0.1)
    async with upstream(answers(OK)) as there, checking(Upstreams(65536)) as checks:
        checks.adopt(bound(registry, Member(url=f"http://127.0.0.1:{there.port}"), check=check))
        await until(lambda: there.heads)
        checks.adopt(bound(registry, check=check))
        await until(lambda: not there.open)
        asked = len(there.heads)
        await asyncio.sleep(0.3)
        assert len(there.heads) == asked
