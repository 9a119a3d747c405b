"""Balancing on a running server: sessions, queues, failing members, retries, drains."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from proxy_core.balance.member_state import MemberKey
from proxy_core.config.model import Ejection, HeaderRule, Member, Site, Sticky
from tests.clock import Clock
from tests.e2e.harness import (
    HELLO,
    Talk,
    Upstream,
    answers,
    client,
    get,
    read_request,
    serving,
    site,
    until,
    upstream,
)
from tests.ports import free_port


def says(name: bytes, status: bytes = b"200 OK") -> Talk:
    return answers(b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (status, len(name), name))


def balanced(*ports: int, each: dict[str, Any] | None = None, **balancer: Any) -> Site:
    what = site(*ports, balanced=True)
    members = {name: replace(member, **(each or {})) for name, member in what.balancers["pool"].members.items()}
    return replace(what, balancers={"pool": replace(what.balancers["pool"], members=members, **balancer)})


def changed(what: Site, name: str, **settings: Any) -> Site:
    pool = what.balancers["pool"]
    members = {**pool.members, name: replace(pool.members[name], **settings)}
    return replace(what, balancers={"pool": replace(pool, members=members)})


def cookie_of(head: bytes) -> str:
    found = re.search(rb"Set-Cookie: ([^;\r]*)", head)
    return found[1].decode() if found else ""


async def who(port: int, *fields: str) -> str:
    return (await get(port, "/", *fields))[1].decode()


async def test_a_client_gets_a_cookie_once_and_stays_with_its_member() -> None:
    async with upstream(says(b"a")) as a, upstream(says(b"b")) as b:
        sticky = Sticky(cookie="ROUTE", issue=True)
        async with serving(balanced(a.port, b.port, sticky=sticky)) as proxy:
            head, body = await get(proxy.port)
            assert (body, cookie_of(head)) == (b"a", "ROUTE=.m0")
            assert b"Set-Cookie: ROUTE=.m0; Path=/; SameSite=Lax; HttpOnly\r\n" in head
            for _ in range(3):
                head, body = await get(proxy.port, "/", "Cookie: ROUTE=.m0")
                assert (body, cookie_of(head)) == (b"a", "")
            proxy.swap(changed(proxy.current.rules.site, "m0", status="draining"))
            assert await who(proxy.port, "Cookie: ROUTE=.m0") == "a"
            assert {await who(proxy.port) for _ in range(3)} == {"b"}
            proxy.swap(changed(proxy.current.rules.site, "m0", status="disabled"))
            head, body = await get(proxy.port, "/", "Cookie: ROUTE=.m0")
            assert (body, cookie_of(head)) == (b"b", "ROUTE=.m1")


async def test_rules_for_answers_see_who_took_a_request_and_rules_for_requests_do_not() -> None:
    async with upstream(answers(HELLO)) as a:
        rows = tuple(
            HeaderRule(id=on, on=on, name=f"X-{on}", value="%{BALANCER_WORKER_ROUTE}e %{BALANCER_ROUTE_CHANGED}e")  # type: ignore[arg-type]
            for on in ("request", "response")
        )
        what = replace(balanced(a.port, sticky=Sticky(cookie="R", issue=True)), headers=rows)
        async with serving(what) as proxy:
            head, _ = await get(proxy.port)
            assert b"X-response: m0 1\r\n" in head
            assert b"X-request: (null) (null)\r\n" in a.heads[0]
            head, _ = await get(proxy.port, "/", "Cookie: R=.m0")
            assert b"X-response: m0 (null)\r\n" in head


async def test_a_session_fails_over_or_is_refused_as_nofailover_says() -> None:
    async with upstream(says(b"b")) as b:
        for nofailover, expected in ((False, b"200"), (True, b"503")):
            sticky = Sticky(cookie="ROUTE", issue=True, nofailover=nofailover)
            async with serving(balanced(free_port(), b.port, sticky=sticky)) as proxy:
                head, _ = await get(proxy.port, "/", "Cookie: ROUTE=.m0")
                assert head.split()[1] == expected


async def test_hash_keeps_a_key_with_its_member() -> None:
    async with upstream(says(b"a")) as a, upstream(says(b"b")) as b:
        async with serving(balanced(a.port, b.port, method="hash", key="%{HTTP:X-User}")) as proxy:
            seen = {user: {await who(proxy.port, f"X-User: {user}") for _ in range(3)} for user in "abcdefgh"}
            assert all(len(members) == 1 for members in seen.values())
            assert len(set.union(*seen.values())) == 2


async def test_failonstatus_sends_the_next_requests_elsewhere() -> None:
    async with upstream(says(b"a", b"503 Busy")) as a, upstream(says(b"b")) as b:
        async with serving(balanced(a.port, b.port, failonstatus=("503",))) as proxy:
            assert [await who(proxy.port) for _ in range(4)] == ["a", "b", "b", "b"]


async def test_an_ejected_member_gets_no_request_until_its_time_is_over(clock: Clock) -> None:
    async with upstream(says(b"a", b"500 Sick")) as a, upstream(says(b"b")) as b:
        rule = Ejection(consecutive=2, seconds=30)
        async with serving(balanced(a.port, b.port, ejection=rule)) as proxy:
            assert Counter([await who(proxy.port) for _ in range(10)]) == {"a": 2, "b": 8}
            state = proxy.registry.members[MemberKey("pool", "m0")]
            assert state.ejections == 1
            clock.passes(29, proxy)
            assert {await who(proxy.port) for _ in range(3)} == {"b"}
            clock.passes(2, proxy)
            assert "a" in {await who(proxy.port) for _ in range(3)}


class Holds:
    """An upstream that answers when it is told to, and counts how many requests it had at once."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.now = self.most = 0

    async def __call__(self, this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await read_request(this, reader)
            self.now += 1
            self.most = max(self.most, self.now)
            await self.go.wait()
            self.now -= 1
            writer.write(HELLO)


async def test_requests_above_the_limit_wait_in_line_and_the_line_has_an_end() -> None:
    holds = Holds()
    async with upstream(holds) as member:
        what = balanced(member.port, each={"max_connections": 2}, timeout=5.0, queue=3)
        async with serving(what) as proxy:
            asked = [asyncio.create_task(get(proxy.port, f"/{n}")) for n in range(5)]
            await until(lambda: holds.now == 2 and len(proxy.recorder.live) == 5)
            head, _ = await get(proxy.port)
            assert head.startswith(b"HTTP/1.1 503 ")
            assert b"Retry-After: 5\r\n" in head
            assert proxy.records[-1].cause == "3 requests wait for pool already"
            holds.go.set()
            assert [body for _, body in await asyncio.gather(*asked)] == [b"hello"] * 5
            assert holds.most == 2
            assert sum(record.queued > 0 for record in proxy.records) == 3


async def test_waiting_ends_with_its_time_and_when_the_client_leaves() -> None:
    holds = Holds()
    async with upstream(holds) as member:
        async with serving(balanced(member.port, each={"max_connections": 1}, timeout=0.3)) as proxy:
            first = asyncio.create_task(get(proxy.port))
            await until(lambda: holds.now == 1)
            async with client(proxy.port) as leaves:
                leaves.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe")
                await until(lambda: len(proxy.recorder.live) == 2)
            await until(lambda: len(proxy.recorder.live) == 1)
            head, _ = await get(proxy.port)
            assert head.startswith(b"HTTP/1.1 503 ")
            assert proxy.records[-1].cause == "no member of pool was free within 0.3 s"
            holds.go.set()
            assert (await first)[1] == b"hello"
            assert not proxy.server._state.lines


async def test_a_limit_that_is_raised_and_a_member_that_is_added_take_those_who_wait() -> None:
    holds = Holds()
    async with upstream(holds) as a, upstream(says(b"b")) as b:
        what = balanced(a.port, each={"max_connections": 1}, timeout=5.0)
        async with serving(what) as proxy:
            asked = [asyncio.create_task(get(proxy.port)) for _ in range(3)]
            await until(lambda: len(proxy.recorder.live) == 3)
            proxy.swap(changed(what, "m0", max_connections=2))
            await until(lambda: holds.now == 2)
            proxy.swap(balanced(a.port, b.port, each={"max_connections": 2}, timeout=5.0))
            await until(lambda: b.heads)
            holds.go.set()
            assert sorted(body for _, body in await asyncio.gather(*asked)) == [b"b", b"hello", b"hello"]


async def test_who_waits_gets_no_member_that_drains_by_then() -> None:
    holds = Holds()
    async with upstream(holds) as a, upstream(says(b"b")) as b:
        what = balanced(a.port, each={"max_connections": 1}, timeout=5.0)
        async with serving(what) as proxy:
            asked = [asyncio.create_task(get(proxy.port)) for _ in range(2)]
            await until(lambda: len(proxy.recorder.live) == 2)
            proxy.swap(changed(balanced(a.port, b.port, timeout=5.0), "m0", status="draining"))
            await until(lambda: b.heads)
            holds.go.set()
            await asyncio.gather(*asked)
            assert len(a.heads) == 1


async def test_a_session_that_waits_for_its_member_keeps_nobody_from_another() -> None:
    holds = Holds()
    async with upstream(holds) as a, upstream(says(b"b")) as b:
        what = balanced(a.port, b.port, each={"max_connections": 1}, timeout=5.0, sticky=Sticky(cookie="R", issue=True))
        what = changed(what, "m1", status="disabled")
        async with serving(what) as proxy:
            asked = [asyncio.create_task(get(proxy.port, "/", "Cookie: R=.m0")) for _ in range(2)]
            await until(lambda: len(proxy.recorder.live) == 2)
            anybody = asyncio.create_task(get(proxy.port))
            await until(lambda: len(proxy.recorder.live) == 3)
            proxy.swap(changed(what, "m1", status="enabled"))
            assert (await anybody)[1] == b"b"
            holds.go.set()
            assert [body for _, body in await asyncio.gather(*asked)] == [b"hello"] * 2


async def test_lines_of_sessions_and_of_others_are_served_in_the_order_in_which_requests_came() -> None:
    holds = Holds()
    async with upstream(holds) as a:
        what = balanced(a.port, each={"max_connections": 1}, timeout=5.0, sticky=Sticky(cookie="R", issue=True))
        async with serving(what) as proxy:
            asked = []
            for number in range(7):
                fields = ["Cookie: R=.m0"] if number % 2 else []
                asked.append(asyncio.create_task(get(proxy.port, f"/{number}", *fields)))
                await until(lambda n=number: len(proxy.recorder.live) == n + 1)
            holds.go.set()
            await asyncio.gather(*asked)
            assert [head.split()[1] for head in a.heads] == [b"/%d" % number for number in range(7)]


@pytest.mark.parametrize("edit", ["balancer removed", "member renamed"])
async def test_who_is_in_flight_or_in_line_goes_on_when_its_member_is_no_more(edit: str) -> None:
    holds = Holds()
    async with upstream(holds) as a:
        what = balanced(a.port, each={"max_connections": 1}, timeout=5.0, sticky=Sticky(cookie="R", issue=True))
        async with serving(what) as proxy:
            asked = [asyncio.create_task(get(proxy.port, "/", "Cookie: R=.m0")) for _ in range(3)]
            await until(lambda: len(proxy.recorder.live) == 3)
            pool = what.balancers["pool"]
            renamed = replace(what, balancers={"pool": replace(pool, members={"other": pool.members["m0"]})})
            proxy.swap(site(a.port) if edit == "balancer removed" else renamed)
            holds.go.set()
            assert [body for _, body in await asyncio.gather(*asked)] == [b"hello"] * 3


async def closes(this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(this, reader)


@pytest.mark.parametrize(("method", "status", "asked"), [("GET", b"200", 2), ("POST", b"502", 1), ("PATCH", b"502", 1)])
async def test_what_may_be_done_twice_goes_to_another_member_when_one_breaks_off(
    method: str, status: bytes, asked: int
) -> None:
    async with upstream(closes) as a, upstream(says(b"b")) as b:
        async with serving(balanced(a.port, b.port)) as proxy, client(proxy.port) as one:
            one.send(f"{method} / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n".encode())
            head, _ = await one.answer()
            assert head.split()[1] == status
            assert len(a.heads) == asked
            assert len(b.heads) == (status == b"200")
            record = await proxy.finished()
            assert record.retries == (2 if b.heads else 0)


async def test_maxattempts_bounds_how_many_members_are_tried() -> None:
    async with upstream(says(b"b")) as b:
        for most, status in ((0, b"503"), (1, b"503"), (2, b"200"), (None, b"200")):
            async with serving(balanced(free_port(), free_port(), b.port, maxattempts=most)) as proxy:
                head, _ = await get(proxy.port)
                assert head.split()[1] == status


async def test_a_drained_members_requests_are_cut_when_its_time_is_over_also_when_it_was_removed() -> None:
    holds = Holds()
    async with upstream(holds) as a, upstream(says(b"b")) as b:
        what = balanced(a.port, b.port, drain_timeout=0.3)
        for number, swap in enumerate(("draining", "removed")):
            async with serving(what) as proxy, client(proxy.port) as one:
                one.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                await until(lambda n=number: len(a.heads) == n + 1)
                pool = what.balancers["pool"]
                if swap == "removed":
                    rest = {name: member for name, member in pool.members.items() if name != "m0"}
                    proxy.swap(replace(what, balancers={"pool": replace(pool, members=rest)}))
                else:
                    proxy.swap(changed(what, "m0", status=swap))
                assert await who(proxy.port) == "b"
                head, _ = await one.answer()
                assert head.startswith(b"HTTP/1.1 503 ")
                assert proxy.registry.members[MemberKey("pool", "m0")].busy == 0


async def test_sessions_go_elsewhere_once_their_member_has_drained_for_as_long_as_it_may() -> None:
    """They would be cut as soon as they came."""
    async with upstream(says(b"a")) as a, upstream(says(b"b")) as b:
        what = balanced(a.port, b.port, sticky=Sticky(cookie="R", issue=True), drain_timeout=30.0)
        async with serving(what) as proxy:
            proxy.swap(changed(what, "m0", status="draining"))
            assert await who(proxy.port, "Cookie: R=.m0") == "a"
            proxy.registry.members[MemberKey("pool", "m0")].drain_at -= 31
            assert await who(proxy.port, "Cookie: R=.m0") == "b"


async def test_what_a_request_meets_at_an_origin_that_was_mended_meanwhile_is_not_held_against_the_new_one() -> None:
    holds = Holds()
    async with upstream(holds) as wrong, upstream(says(b"right")) as right:
        what = balanced(wrong.port, failonstatus=("500",), ejection=Ejection(consecutive=1), forcerecovery=False)
        async with serving(what) as proxy:
            late = asyncio.create_task(get(proxy.port))
            await until(lambda: wrong.heads)
            proxy.swap(changed(what, "m0", url=f"http://127.0.0.1:{right.port}"))
            await wrong.die()
            head, _ = await late
            assert head.split()[1] in (b"502", b"503")
            state = proxy.registry.members[MemberKey("pool", "m0")]
            assert (state.error_at, state.ejected_until, state.last_error) == (0.0, 0.0, "")
            assert await who(proxy.port) == "right"


async def test_a_member_may_have_times_of_its_own_and_connections_that_are_never_used_twice(
    clock: Clock,
) -> None:
    async def silent(this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(this, reader)
        await asyncio.sleep(60)

    async with upstream(silent) as a:
        async with serving(balanced(a.port, each={"timeout": 0.2})) as proxy:
            assert (await get(proxy.port))[0].startswith(b"HTTP/1.1 502 ")
    async with upstream(answers(HELLO)) as a:
        async with serving(balanced(a.port, each={"disablereuse": True})) as proxy:
            for _ in range(3):
                await get(proxy.port)
            assert a.connections == 3
        async with serving(balanced(a.port, each={"ttl": 3})) as proxy:
            for passing, count in ((0, 4), (2, 4), (4, 5)):
                clock.passes(passing, proxy)
                await get(proxy.port)
                assert a.connections == count


async def test_an_added_member_starts_slowly() -> None:
    async with upstream(says(b"a")) as a, upstream(says(b"b")) as b:
        what = balanced(a.port, slow_start=60.0)
        async with serving(what) as proxy:
            assert await who(proxy.port) == "a"
            pool = what.balancers["pool"]
            members = {**pool.members, "m1": Member(url=f"http://127.0.0.1:{b.port}")}
            proxy.swap(replace(what, balancers={"pool": replace(pool, members=members)}))
            seen = Counter([await who(proxy.port) for _ in range(22)])
            assert seen == {"a": 20, "b": 2}


async def test_a_member_may_be_a_socket_in_the_file_system(tmp_path: Path) -> None:
    heads: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer), suppress(asyncio.IncompleteReadError):
            while True:
                heads.append(await reader.readuntil(b"\r\n\r\n"))
                writer.write(HELLO)

    path = tmp_path / "app.sock"
    server = await asyncio.start_unix_server(talk, path)
    what = balanced(1)
    what = changed(what, "m0", url=f"unix:{path}|http://app/base", retry=0.0)
    async with serving(what) as proxy:
        assert (await get(proxy.port, "/x"))[1] == b"hello"
        assert heads[0].startswith(b"GET /base/x HTTP/1.1\r\nHost: app\r\n")
        server.close()
        for open_one in proxy.server.upstreams.idle.values():
            for each in open_one:
                each.drop()
        path.unlink()
        assert (await get(proxy.port, "/x"))[0].startswith(b"HTTP/1.1 503 ")
        assert f"unix:{path} refused" in proxy.records[-1].cause
