"""A service that is asked first, on a running server with raw sockets: what it is told, what it gives, and what becomes
of requests when it is dead, slow, or says nothing that counts."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from msgspec.structs import replace

from proxy_core.balance.member_state import MemberKey, UpstreamKey
from proxy_core.config.model import (
    Balancer,
    ErrorPage,
    ForwardAuth,
    HeaderRule,
    Location,
    Member,
    Options,
    Route,
    Site,
)
from proxy_core.control.watching.access_log import common
from proxy_core.runtime import forward_auth
from proxy_core.runtime.fact_lookups import Outside
from proxy_core.runtime.upstreams.connection import Upstream as Connected
from proxy_core.runtime.upstreams.connector import Unreachable
from tests.e2e.harness import (
    Running,
    Talk,
    Upstream,
    answers,
    ask,
    client,
    echoes,
    get,
    read_request,
    serving,
    site,
    until,
    upstream,
)

WELL = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
ANNA = b"HTTP/1.1 200 OK\r\nX-User: anna\r\nX-Other: 1\r\nSet-Cookie: fresh=1\r\nContent-Length: 2\r\n\r\nok"
LOGIN = (
    b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/login?rd=%2Fapp\r\nSet-Cookie: state=1; Path=/; Domain=x\r\n"
    b"Set-Cookie: csrf=2\r\nContent-Length: 0\r\n\r\n"
)
DENIED = (
    b'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer realm="x"\r\nX-Reason: old\r\nContent-Type: text/plain\r\n'
    b"Date: yesterday\r\nContent-Length: 7\r\n\r\nno, you"
)


class Guarded(NamedTuple):
    """A proxy that asks a service about everything below /app, with both that it speaks to."""

    service: Upstream
    member: Upstream
    running: Running

    @property
    def port(self) -> int:
        return self.running.port


def made(member: int, service: int, **settings: object) -> Site:
    asked = ForwardAuth(url=f"http://127.0.0.1:{service}/verify?rd=x", **settings)  # type: ignore[arg-type]
    where = Location(id="app", path="/app", forward_auth="sso")
    return replace(site(member), forward_auth={"sso": asked}, locations=(where,))


@asynccontextmanager
async def guarded(talk: Talk, more: dict[str, object] | None = None, **settings: object) -> AsyncIterator[Guarded]:
    """``more`` is what the site says besides."""
    async with AsyncExitStack() as stack:
        service = await stack.enter_async_context(upstream(talk))
        member = await stack.enter_async_context(upstream(echoes))
        what = replace(made(member.port, service.port, **settings), **(more or {}))
        running = await stack.enter_async_context(serving(what, outside=Outside()))
        yield Guarded(service, member, running)


def lines(head: bytes) -> list[bytes]:
    return head.split(b"\r\n")[:-2]


async def test_the_service_is_told_what_routes_go_by_and_no_body() -> None:
    async with guarded(answers(WELL)) as there:
        async with client(there.port) as one:
            one.send(
                b"POST /open/../app/%61?q=%20 HTTP/1.1\r\nHost: shop.example\r\nCookie: a=b\r\n"
                b"Authorization: Bearer x\r\nX-Forwarded-Uri: /\r\nX-Forwarded-Method: GET\r\n"
                b"X-Forwarded-For: 10.0.0.1\r\nX-Other: y\r\n"
                b"Content-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"
            )
            head, body = await one.answer()
        assert head.startswith(b"HTTP/1.1 200 ")
        assert body.endswith(b"\r\n\r\nhello")
        assert lines(there.service.heads[0]) == [
            b"GET /verify?rd=x HTTP/1.1",
            b"Host: 127.0.0.1:%d" % there.service.port,
            b"X-Forwarded-Method: POST",
            b"X-Forwarded-Uri: /app/a?q=%20",
            b"X-Forwarded-Host: shop.example",
            b"X-Forwarded-Proto: http",
            b"X-Forwarded-For: 127.0.0.1",
            b"CDN-Loop: localhost",
            b"Cookie: a=b",
            b"Authorization: Bearer x",
        ]


async def test_nobody_is_asked_about_what_no_such_location_is_for() -> None:
    async with guarded(answers(WELL)) as there:
        assert (await get(there.port, "/open"))[0].startswith(b"HTTP/1.1 200 ")
        assert not there.service.heads


async def test_the_member_gets_what_the_service_gives_and_never_what_clients_claim() -> None:
    told = {"upstream_headers": ("X-Roles", "Authorization"), "user_header": "X-User"}
    roles = b"HTTP/1.1 204 No Content\r\nX-User: anna\r\nX-Roles: a\r\nX-Roles: b\r\n\r\n"
    claims = ("X-Roles: root", "x_roles: root", "X-User: root", "X_User: root", "Authorization: root", "X-Real: 1")
    async with guarded(answers(roles, WELL), **told) as there:
        _, body = await get(there.port, "/app", *claims)
        assert b"root" not in body
        assert {b"X-User: anna", b"X-Roles: a, b", b"X-Real: 1"} <= set(lines(body))
        assert common(there.running.records[-1]).startswith(b"127.0.0.1 - anna [")
        _, body = await get(there.port, "/app", *claims)  # it admits, and says nothing of whom
        assert b"root" not in body
        assert not re.search(rb"(?i)x.user|x.roles|authorization", body)
        _, body = await get(there.port, "/open", *claims)
        assert [line for line in lines(body) if b"root" in line] == [b"Authorization: root"]


async def test_the_member_gets_no_other_spelling_of_what_the_service_went_by() -> None:
    async with guarded(answers(WELL), request_headers=("X-Tenant",)) as there:
        _, body = await get(there.port, "/app", "X-Tenant: mine", "X_Tenant: yours", "x_Other: 1")
        assert b"X-Tenant: mine" in there.service.heads[0]
        assert b"yours" not in there.service.heads[0] + body
        assert {b"X-Tenant: mine", b"x_Other: 1"} <= {*lines(body)}


async def test_the_client_gets_the_cookies_of_a_2xx_where_the_site_says_so() -> None:
    async with guarded(answers(ANNA), response_headers=("Set-Cookie",)) as there:
        head, body = await get(there.port, "/app")
        assert b"\r\nSet-Cookie: fresh=1\r\n" in head
        assert b"X-Other" not in head + body
    async with guarded(answers(ANNA)) as there:
        assert b"Set-Cookie" not in (await get(there.port, "/app"))[0]


async def test_a_refusal_goes_to_the_client_with_its_fields_and_its_page() -> None:
    async with guarded(answers(DENIED)) as there:
        head, body = await get(there.port, "/app")
        assert lines(head)[0] == b"HTTP/1.1 401 Unauthorized"
        assert {b'WWW-Authenticate: Bearer realm="x"', b"X-Reason: old", b"Content-Type: text/plain"} <= {*lines(head)}
        assert head.lower().count(b"\r\ndate:") == head.lower().count(b"\r\ncontent-type:") == 1
        assert body == b"no, you"
        assert not there.member.heads
        async with client(there.port) as one:
            one.send(b"HEAD /app HTTP/1.1\r\nHost: a\r\n\r\n")
            head, _ = await one.answer(head_only=True)
            assert b"\r\nContent-Length: 7\r\n" in head


async def test_a_refusal_without_a_page_gets_the_built_in_one() -> None:
    async with guarded(answers(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")) as there:
        head, body = await get(there.port, "/app")
        assert head.startswith(b"HTTP/1.1 403 Forbidden")
        assert b"You don't have permission" in body


async def test_the_sites_own_page_and_fields_come_before_those_of_the_service() -> None:
    page = ErrorPage(id="401", status=("401",), text="<p>please log in")
    rule = HeaderRule(id="x", on="always", action="unset", name="X-Reason")
    async with guarded(answers(DENIED), {"errors": (page,), "headers": (rule,)}) as there:
        head, body = await get(there.port, "/app")
        assert body == b"<p>please log in"
        assert b"\r\nContent-Type: text/html; charset=utf-8\r\n" in head
        assert b"WWW-Authenticate: Bearer" in head
        assert b"X-Reason" not in head


async def test_a_redirect_goes_out_as_the_service_wrote_it() -> None:
    async with guarded(answers(LOGIN)) as there:
        head, _ = await get(there.port, "/app")
        assert head.startswith(b"HTTP/1.1 302 Found\r\n")
        assert {b"Location: http://127.0.0.1:1/login?rd=%2Fapp", b"Set-Cookie: state=1; Path=/; Domain=x",
                b"Set-Cookie: csrf=2"} <= {*lines(head)}  # fmt: skip


async def test_a_websocket_is_asked_about_like_anything_else() -> None:
    hello = (
        b"GET /app/ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n"
    )

    async def switches(this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(this, reader)
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
        writer.write(await reader.readexactly(4))

    async with upstream(switches) as member, upstream(answers(DENIED, ANNA)) as service:
        what = made(member.port, service.port, user_header="X-User")
        what = replace(what, routes=(replace(what.routes[0], upgrade=("websocket",)),))
        async with serving(what) as running:
            assert (await ask(running.port, hello)).startswith(b"HTTP/1.1 401 ")
            assert not member.heads
            async with client(running.port) as one:
                one.send(hello)
                assert (await one.answer_head()).startswith(b"HTTP/1.1 101 ")
                one.send(b"ping")
                assert await one.rest() == b"ping"
            assert b"\r\nX-User: anna\r\n" in member.heads[0]
            assert not [head for head in service.heads if re.search(rb"(?i)upgrade|websocket|connection:", head)]


GARBAGE: list[tuple[bytes, str]] = [
    (b"SSH-2.0-x\r\n", "the upstream's answer is not HTTP"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "not HTTP"),
    (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "it answered 404"),
    (b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", "it answered 500"),
    (b"HTTP/1.1 304 Not Modified\r\n\r\n", "it answered 304"),
    (b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", "without one Location"),
    (b"HTTP/1.1 302 Found\r\nLocation: /a\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n", "without one Location"),
    (b"HTTP/1.1 302 Found\r\nLocation: \r\nContent-Length: 0\r\n\r\n", "without one Location"),
    (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", "switched protocols"),
    (b"HTTP/1.1 401 No\r\nContent-Length: 999999\r\n\r\n" + bytes(100_000), "more than 65536 bytes"),
    (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 40_000 + b"\r\n\r\n", "too large"),
    (b"", "closed the connection before it answered"),
    (b"HTTP/1.1 401 No\r\nContent-Length: 9\r\n\r\nno", "in the middle of its answer"),
]


@pytest.mark.parametrize(("said", "why"), GARBAGE, ids=lambda value: value if isinstance(value, str) else "")
async def test_what_is_no_answer_that_counts_lets_nobody_in(said: bytes, why: str) -> None:
    async def talk(this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(this, reader)
        writer.write(said)
        await writer.drain()

    async with guarded(talk) as there:
        head, body = await get(there.port, "/app")
        assert head.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nRetry-After: 1\r\n" in head
        assert b"verify" not in head + body
        assert why in there.running.records[-1].cause
        assert not there.member.heads
        (problem,) = there.running.server.services.problems(there.running.current.rules.site)
        assert why in problem.what
        assert problem.address == ("forward_auth", "sso")


async def test_the_body_of_a_2xx_is_not_waited_for() -> None:
    async def endless(this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(this, reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(bytes(64 * 1024))
            await writer.drain()

    async with guarded(endless) as there:
        assert (await get(there.port, "/app"))[0].startswith(b"HTTP/1.1 200 ")
        await until(lambda: not there.service.open)


async def test_a_slow_service_costs_its_timeout_and_no_more() -> None:
    async def silent(this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(this, reader)
        await reader.read()

    async with guarded(silent, timeout=0.05) as there:
        head, _ = await get(there.port, "/app")
        assert head.startswith(b"HTTP/1.1 503 ")
        assert "no whole answer came within 0.05 s" in there.running.records[-1].cause
        await until(lambda: not there.service.open)


async def test_a_dead_service_is_a_problem_until_it_answers_again() -> None:
    async with guarded(answers(WELL)) as there:
        port, services = there.service.port, there.running.server.services
        await there.service.die()
        assert (await get(there.port, "/app"))[0].startswith(b"HTTP/1.1 503 ")
        assert "refused the connection" in services.problems(there.running.current.rules.site)[0].what
        async with upstream(answers(WELL), port=port):
            assert (await get(there.port, "/app"))[0].startswith(b"HTTP/1.1 200 ")
            assert not services.problems(there.running.current.rules.site)
        (state,) = services.states(there.running.current.rules.site)
        assert (state.admitted, state.refused, state.failed) == (1, 0, 1)


async def test_an_idle_connection_that_closed_meanwhile_costs_no_request() -> None:
    async def once(this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(this, reader)
        writer.write(WELL)
        await reader.readexactly(1)  # and closes when it is asked again

    async with guarded(once) as there:
        for _ in range(3):
            assert (await get(there.port, "/app"))[0].startswith(b"HTTP/1.1 200 ")


async def test_a_service_of_several_members_is_asked_where_it_is_well() -> None:
    async with upstream(answers(WELL)) as well, upstream(answers(WELL)) as dead, upstream(echoes) as member:
        await dead.die()
        members = {name: Member(url=f"http://127.0.0.1:{each.port}/base") for name, each in (("a", dead), ("b", well))}
        what = made(member.port, 1)
        asked = replace(what.forward_auth["sso"], url="balancer://sso/check")
        what = replace(what, forward_auth={"sso": asked}, balancers={"sso": Balancer(members=members)})
        async with serving(what) as running:
            for _ in range(3):
                assert (await get(running.port, "/app"))[0].startswith(b"HTTP/1.1 200 ")
            assert well.heads[0].startswith(b"GET /base/check HTTP/1.1\r\n")


async def test_a_member_that_does_not_accept_leaves_time_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    async with upstream(answers(WELL)) as well, upstream(echoes) as member:
        members = {"a": Member(url="http://127.0.0.1:1"), "b": Member(url=f"http://127.0.0.1:{well.port}")}
        what = made(member.port, 1, timeout=3.0)
        asked = replace(what.forward_auth["sso"], url="balancer://sso/")
        what = replace(what, forward_auth={"sso": asked}, balancers={"sso": Balancer(members=members)})
        async with serving(what) as running:
            connect, given = running.server.upstreams.connect, list[float]()

            async def slow(key: UpstreamKey, seconds: float, keepalive: bool = False) -> Connected:
                if key.port == 1:
                    given.append(seconds)
                    raise Unreachable(f"{key} did not accept within {seconds:g} s")
                return await connect(key, seconds, keepalive)

            monkeypatch.setattr(running.server.upstreams, "connect", slow)
            assert (await get(running.port, "/app"))[0].startswith(b"HTTP/1.1 200 ")
            assert given == [1.5]


async def test_a_service_may_be_reached_over_a_socket_in_the_file_system(tmp_path: Path) -> None:
    heads: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(WELL)
        writer.close()

    socket = tmp_path / "the sso ü.sock"
    async with await asyncio.start_unix_server(talk, socket), upstream(echoes) as member:
        what = made(member.port, 1)
        asked = replace(what.forward_auth["sso"], url=f"unix:{socket}|http://sso/check?a", cache=5.0)
        async with serving(replace(what, forward_auth={"sso": asked})) as running:
            for _ in range(2):
                assert (await get(running.port, "/app"))[0].startswith(b"HTTP/1.1 200 ")
    (head,) = heads
    assert head.startswith(b"GET /check?a HTTP/1.1\r\nHost: sso\r\n")


# -- one answer for many


class Held:
    """A service that answers when it is let go."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.go = asyncio.Event()

    async def __call__(self, this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await read_request(this, reader)
            await self.go.wait()
            writer.write(self.answer)


async def flood(there: Guarded, held: Held, count: int) -> list[tuple[bytes, bytes]]:
    """So many equal requests at once."""
    asked = [asyncio.create_task(get(there.port, "/app")) for _ in range(count)]
    await until(lambda: len(there.running.recorder.live) == count)
    held.go.set()
    return await asyncio.gather(*asked)


async def test_a_thousand_equal_asks_at_once_are_one() -> None:
    held = Held(ANNA)
    async with guarded(held) as there:
        got = await flood(there, held, 1000)
        assert all(head.startswith(b"HTTP/1.1 200 ") for head, _ in got)
        assert len(there.service.heads) == 1
        assert there.running.server.services.states(there.running.current.rules.site)[0].shared == 999


async def test_an_answer_with_a_cookie_for_the_client_is_for_one_client_alone() -> None:
    held = Held(LOGIN)
    async with guarded(held, cache=60.0) as there:
        await flood(there, held, 20)
        assert len(there.service.heads) == 20


async def test_who_leaves_does_not_take_the_answer_from_the_others() -> None:
    held = Held(WELL)
    async with guarded(held) as there:
        async with client(there.port) as first:
            first.send(b"GET /app HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await until(lambda: bool(there.service.heads))
            second = asyncio.create_task(get(there.port, "/app"))
            await until(lambda: len(there.running.recorder.live) == 2)
            first.writer.transport.abort()  # type: ignore[attr-defined]
            await until(lambda: len(there.running.recorder.live) == 1)
        held.go.set()
        assert (await second)[0].startswith(b"HTTP/1.1 200 ")
        assert len(there.service.heads) == 1


async def test_who_leaves_is_no_fault_of_the_service() -> None:
    """The second of two that ask the same asks itself, for the answer has a cookie; and leaves before that is there."""
    first, last = asyncio.Event(), asyncio.Event()

    async def talk(this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await read_request(this, reader)
            await (first if len(this.heads) == 1 else last).wait()
            writer.write(LOGIN)

    async with guarded(talk) as there:
        async with client(there.port) as one, client(there.port) as other:
            for each in (one, other):
                each.send(b"GET /app HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await until(lambda: len(there.running.recorder.live) == 2)
            first.set()
            await until(lambda: len(there.service.heads) == 2)
            one.writer.transport.abort()
            other.writer.transport.abort()
        await until(lambda: not there.running.recorder.live)
        last.set()
        state = there.running.registry.members[MemberKey("", f"http://127.0.0.1:{there.service.port}")]
        await until(lambda: not state.busy)
        assert not state.errors


async def test_who_is_turned_away_is_not_asked_about() -> None:
    async with guarded(answers(WELL), {"site": Options(deny=("127.0.0.1",))}) as there:
        assert (await get(there.port, "/app"))[0].startswith(b"HTTP/1.1 403 ")
        assert not there.service.heads


async def test_the_client_that_a_proxy_in_front_names_is_the_one_that_is_told() -> None:
    options = Options(trusted_proxies=("127.0.0.1",), client_header="X-Forwarded-For")
    async with guarded(answers(WELL), {"site": options}) as there:
        await get(there.port, "/app", "X-Forwarded-For: 6.6.6.6, 1.2.3.4", "X-Forwarded-Proto: https")
        assert {b"X-Forwarded-For: 1.2.3.4", b"X-Forwarded-Proto: https"} <= {*lines(there.service.heads[0])}


async def test_a_2xx_is_kept_for_equal_requests_and_nothing_else_is(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(forward_auth, "monotonic", lambda: clock[0])
    async with guarded(answers(WELL, WELL, DENIED, DENIED, WELL), cache=10.0) as there:
        for _ in range(3):
            assert (await get(there.port, "/app", "Cookie: a"))[0].startswith(b"HTTP/1.1 200 ")
        assert len(there.service.heads) == 1
        await get(there.port, "/app", "Cookie: b")
        assert len(there.service.heads) == 2
        clock[0] = 111.0
        for _ in range(2):
            assert (await get(there.port, "/app", "Cookie: a"))[0].startswith(b"HTTP/1.1 401 ")
        assert len(there.service.heads) == 4
        await get(there.port, "/app", "Cookie: a")
        await there.running.apply(there.running.current.rules.site)  # an edit, whatever it is
        await get(there.port, "/app", "Cookie: a")
        assert len(there.service.heads) == 6


@pytest.mark.parametrize("field", ["Cache-Control: no-store", "Set-Cookie: a=b"])
async def test_what_a_service_does_not_want_kept_is_not(field: str) -> None:
    said = f"HTTP/1.1 200 OK\r\n{field}\r\nContent-Length: 0\r\n\r\n".encode()
    async with guarded(answers(said), cache=10.0, response_headers=("Set-Cookie",)) as there:
        await get(there.port, "/app")
        await get(there.port, "/app")
        assert len(there.service.heads) == 2


async def test_an_ask_that_comes_back_to_where_it_would_be_asked_again_ends() -> None:
    async with upstream(echoes) as member:
        async with serving(site(member.port)) as outer:  # has a port that the other one can name
            what = made(member.port, outer.port)
            await outer.apply(replace(what, locations=(Location(id="all", path="/", forward_auth="sso"),)))
            assert (await get(outer.port, "/app"))[0].startswith(b"HTTP/1.1 503 ")
            assert [record.status for record in outer.records] == [508, 503]
            assert not member.heads


async def test_a_page_that_everybody_may_see_keeps_the_status_and_the_challenge() -> None:
    page = ErrorPage(id="401", status=("401",), path="/login.html")
    async with guarded(answers(DENIED), {"errors": (page,)}) as there:
        head, body = await get(there.port, "/app")
        assert head.startswith(b"HTTP/1.1 401 ")
        assert b'WWW-Authenticate: Bearer realm="x"' in head
        assert body.startswith(b"GET /login.html HTTP/1.1")


async def test_a_page_behind_the_service_that_refuses_gives_way_to_the_built_in_one() -> None:
    page = ErrorPage(id="401", status=("401",), path="/app/page")
    async with guarded(answers(DENIED), {"errors": (page,)}) as there:
        head, body = await get(there.port, "/app")
        assert head.startswith(b"HTTP/1.1 401 ")
        assert b"could not verify" in body  # the page is behind the same service, so the built-in one is sent
        assert not there.member.heads


async def test_a_route_elsewhere_may_lead_to_the_service_itself() -> None:
    """The usual way: pages for logging in are the service's own, under a path of the site."""
    async with upstream(answers(WELL)) as service, upstream(echoes) as member:
        what = made(member.port, service.port)
        login = Route(id="login", path="/app/oauth2", proxy=f"http://127.0.0.1:{service.port}/oauth2")
        open_ = Location(id="open", path="/app/oauth2", forward_auth="off")
        what = replace(what, routes=(login, *what.routes), locations=(*what.locations, open_))
        async with serving(what) as running:
            await get(running.port, "/app/oauth2/start")
            assert [head.split(b" ")[1] for head in service.heads] == [b"/oauth2/start"]
