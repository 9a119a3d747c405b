"""Limits of [limits], deny lists and bans: each is kept, counted, and costs nobody but whom it is meant for."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from proxy_core.config.model import (
    Ban,
    HeaderRule,
    Host,
    Limits,
    ListenerLimits,
    Location,
    Options,
    RewriteMap,
    RewriteRule,
    Site,
)
from proxy_core.control.watching.access_log import common
from proxy_core.runtime.fact_lookups import Outside
from proxy_core.serve.waiting_lines import IN_PROXY
from tests.clock import Clock
from tests.e2e.harness import (
    HELLO,
    Running,
    Upstream,
    answers,
    ask,
    client,
    get,
    read_request,
    serving,
    site,
    until,
    upstream,
)
from tests.ports import free_port

GET = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n"
CLOSE = b"GET /b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


def post(length: int, sent: int) -> bytes:
    return b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%b" % (length, b"x" * sent)


def chunked(*sizes: int) -> bytes:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%b\r\n" % (size, b"x" * size) for size in sizes) + b"0\r\n\r\n"


PLAIN = b"GET /%b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
FIELD = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX: %b\r\n\r\n"
SIZES = [
    ("request_line", 414, PLAIN, 256 - len("GET / HTTP/1.1")),
    ("field", 431, FIELD, 256 - len("X: ")),
    ("head", 431, FIELD, 256 - len(FIELD % b"")),
]


@pytest.mark.parametrize(("limit", "status", "template", "most"), SIZES, ids=[row[0] for row in SIZES])
async def test_a_size_is_kept_to_the_byte(limit: str, status: int, template: bytes, most: int) -> None:
    async with upstream(answers(HELLO)) as member:
        async with serving(site(member.port, limits=Limits(**{limit: 256}))) as proxy:  # type: ignore[arg-type]
            assert (await ask(proxy.port, template % (b"a" * most))).startswith(b"HTTP/1.1 200 ")
            assert not proxy.server.reached()
            assert (await ask(proxy.port, template % (b"a" * (most + 1)))).startswith(b"HTTP/1.1 %d " % status)
            assert proxy.server.reached() == {limit: 1}


async def test_the_number_of_fields_is_kept() -> None:
    async with upstream(answers(HELLO)) as member, serving(site(member.port, limits=Limits(fields=2))) as proxy:
        assert (await ask(proxy.port, CLOSE)).startswith(b"HTTP/1.1 200 ")
        assert (await ask(proxy.port, CLOSE[:-2] + b"A: b\r\n\r\n")).startswith(b"HTTP/1.1 431 ")
        assert proxy.server.reached() == {"fields": 1}


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (post(10, 10), 200),
        (post(11, 0), 413),
        (post(11, 11), 413),
        (post(1 << 40, 0), 413),
        (chunked(5, 5), 200),
        (chunked(5, 6), 413),
        (chunked(1000), 413),
    ],
)
async def test_a_body_that_is_too_long_is_413_and_no_member_gets_all_of_it(raw: bytes, status: int) -> None:
    async with upstream(answers(HELLO)) as member, serving(site(member.port, limits=Limits(body=10))) as proxy:
        async with client(proxy.port) as one:
            one.send(raw)
            head, _ = await one.answer()
        assert head.startswith(b"HTTP/1.1 %d " % status)
        assert proxy.server.reached() == ({"body": 1} if status == 413 else {})
        await until(lambda: status == 200 or member.open == 0)


OWN_BODIES = [
    ("the site's", {}, {}, {}, 10),
    ("the listener's", {}, {}, {"body": 11}, 11),
    ("the host's", {"max_body": 12}, {}, {"body": 11}, 12),
    ("the route's", {"max_body": 12}, {"max_body": 13}, {"body": 11}, 13),
    ("less", {}, {"max_body": 5}, {}, 5),
]


@pytest.mark.parametrize(("_name", "host", "route", "listener", "most"), OWN_BODIES, ids=[row[0] for row in OWN_BODIES])
@pytest.mark.parametrize("spelled", ["counted", "chunked"])
async def test_the_nearest_bound_of_a_body_counts(
    _name: str, host: dict[str, int], route: dict[str, int], listener: dict[str, int], most: int, spelled: str
) -> None:
    async with upstream(answers(HELLO)) as member:
        plain = site(member.port, limits=Limits(body=10))
        what = replace(
            plain,
            hosts={"h": Host(names=("a",), **host)},
            routes=tuple(replace(row, **route) for row in plain.routes),
            listeners={"http": replace(plain.listeners["http"], limits=ListenerLimits(**listener))},
        )
        async with serving(what) as proxy:
            for size, status in ((most, 200), (most + 1, 413)):
                async with client(proxy.port) as one:
                    one.send(chunked(size) if spelled == "chunked" else post(size, size))
                    head, _ = await one.answer()
                assert head.startswith(b"HTTP/1.1 %d " % status)
            assert proxy.server.reached() == {"body": 1}
            assert (await proxy.finished(2)).route is not None


async def test_a_location_may_take_more_than_its_route_and_any_number() -> None:
    async with upstream(answers(HELLO)) as member:
        place = Location(id="up", path="/up", max_body=0)
        what = replace(site(member.port, limits=Limits(body=10)), locations=(place,))
        async with serving(what) as proxy:
            for path, status in ((b"/up/x", 200), (b"/x", 413)):
                async with client(proxy.port) as one:
                    one.send(post(100_000, 100_000).replace(b" / ", b" %b " % path))
                    assert (await one.answer())[0].startswith(b"HTTP/1.1 %d " % status)


class SlowMaps:
    """Maps whose answers take a moment."""

    def ask(self, name: str, key: str) -> tuple[bool, str | None]:
        return False, None

    async def answer(self, name: str, key: str) -> str:
        await asyncio.sleep(0.05)
        return "y"


async def test_a_chunked_body_that_came_before_it_was_decided_is_bound_too() -> None:
    """A rule asks a program first; meanwhile the whole body is there."""
    rule = RewriteRule(id="r", pattern="^/(.*)$", substitution="/${slow:$1|x}", flags=("PT",))
    table = RewriteMap(type="prg", command=("unused",))
    async with upstream(answers(HELLO)) as member:
        what = replace(site(member.port, limits=Limits(body=10)), rewrites=(rule,), maps={"slow": table})
        async with serving(what, outside=Outside(SlowMaps())) as proxy:
            for size, status in ((10, 200), (11, 413)):
                async with client(proxy.port) as one:
                    one.send(chunked(size))
                    assert (await one.answer())[0].startswith(b"HTTP/1.1 %d " % status)


async def test_a_listener_has_sizes_and_times_of_its_own_and_others_do_not() -> None:
    async with upstream(answers(HELLO)) as member:
        plain = site(member.port)
        small = replace(plain.listeners["http"], limits=ListenerLimits(request_line=300, fields=2, head_time=0.2))
        async with serving(replace(plain, listeners={"small": small, **plain.listeners})) as proxy:
            ports = {state.name: state.port for state in proxy.server.listeners}
            long, many = PLAIN % (b"a" * 300), CLOSE[:-2] + b"A: b\r\n\r\n"
            for raw, status in ((long, 414), (many, 431), (b"GET /", 408)):
                assert (await ask(ports["small"], raw)).startswith(b"HTTP/1.1 %d " % status)
            for raw in (long, many):
                assert (await ask(ports["http"], raw)).startswith(b"HTTP/1.1 200 ")


async def test_limits_of_a_listener_are_in_force_from_the_next_request_on() -> None:
    async with upstream(answers(HELLO)) as member:
        plain = site(member.port)
        async with serving(plain) as proxy, client(proxy.port) as one:
            one.send(GET)
            await one.answer()
            bound = replace(plain.listeners["http"], limits=ListenerLimits(fields=1))
            await proxy.apply(replace(plain, listeners={"http": bound}))
            one.send(CLOSE)
            assert (await one.answer())[0].startswith(b"HTTP/1.1 431 ")


async def test_no_bound_on_bodies_is_no_bound() -> None:
    async with upstream(answers(HELLO)) as member, serving(site(member.port, limits=Limits(body=0))) as proxy:
        async with client(proxy.port) as one:
            one.send(post(3_000_000, 3_000_000))
            assert (await one.answer())[1] == b"hello"


async def test_a_head_earns_time_by_what_comes_of_it_and_no_more_than_as_much_again(clock: Clock) -> None:
    bounds = Limits(head_time=80, head_rate=2)
    async with serving(site(free_port(), limits=bounds)) as proxy:
        for number, (count, seconds) in enumerate(((1, 80.5), (100, 130), (160, 160), (1000, 160))):
            async with client(proxy.port) as one:
                one.send(b"G" * count)
                clients = proxy.server._clients
                await until(lambda count=count, clients=clients: [each for each in clients if len(each._held) == count])
                clock.passes(seconds - 2, proxy)
                assert len(proxy.records) == number
                clock.passes(4, proxy)
                assert (await one.rest()).startswith(b"HTTP/1.1 408 ")
            await until(lambda: not proxy.server._clients)
        assert proxy.server.reached() == {"head_time": 4}


async def test_a_body_that_stops_is_408_and_counted() -> None:
    async with upstream(answers(HELLO)) as member, serving(site(member.port, limits=Limits(body_time=0.2))) as proxy:
        assert (await ask(proxy.port, post(10, 5))).startswith(b"HTTP/1.1 408 ")
        assert proxy.server.reached() == {"body_time": 1}


async def test_connections_over_the_bound_are_closed_and_the_others_served() -> None:
    async with upstream(answers(HELLO)) as member, serving(site(member.port, limits=Limits(connections=1))) as proxy:
        async with client(proxy.port) as one:
            one.send(GET)
            await one.answer()
            async with client(proxy.port) as two:
                assert await two.rest() == b""
            one.send(GET)
            await one.answer()
        await until(lambda: not proxy.server.listeners[0].connections)
        assert (await get(proxy.port))[1] == b"hello"
        assert proxy.server.reached() == {"connections": 1}


@pytest.mark.parametrize("trusted", [(), ("127.0.0.0/8",)])
async def test_connections_of_one_client_over_its_bound_get_429_at_once_unless_it_is_a_trusted_proxy(
    trusted: tuple[str, ...],
) -> None:
    bounds = Limits(client_connections=1)
    async with upstream(answers(HELLO)) as member:
        async with serving(site(member.port, limits=bounds, trusted_proxies=trusted)) as proxy:
            async with client(proxy.port) as one:
                one.send(GET)
                await one.answer()
                if trusted:
                    assert (await get(proxy.port))[1] == b"hello"
                else:
                    async with client(proxy.port) as two:
                        raw = await two.rest()  # it did not even ask
                    assert raw.startswith(b"HTTP/1.1 429 Too Many Requests\r\n")
                    assert b"\r\nRetry-After: " in raw
            await until(lambda: not proxy.server.listeners[0].connections)
            assert (await get(proxy.port))[1] == b"hello"
            await until(lambda: not proxy.server._state.admission._connections)


async def test_requests_over_a_clients_rate_get_429_and_when_to_come_again(clock: Clock) -> None:
    async with upstream(answers(HELLO)) as member:
        async with serving(site(member.port, limits=Limits(client_rate=0.01, client_burst=3))) as proxy:
            async with client(proxy.port) as one:
                for _ in range(3):
                    one.send(GET)
                    assert (await one.answer())[1] == b"hello"
            head, _ = await get(proxy.port)
            assert head.startswith(b"HTTP/1.1 429 ")
            assert b"\r\nRetry-After: 100\r\n" in head
            clock.passes(100, proxy)  # one more is earned
            assert (await get(proxy.port))[1] == b"hello"
            assert (await get(proxy.port))[0].startswith(b"HTTP/1.1 429 ")
            assert proxy.server.reached() == {"client_rate": 2}
            assert len(member.heads) == 4


class Slow:
    """An upstream that answers when it is told to."""

    def __init__(self) -> None:
        self.go = asyncio.Event()

    async def __call__(self, this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await read_request(this, reader)
            await self.go.wait()
            writer.write(HELLO)


async def _asked(proxy: Running, count: int) -> list[asyncio.Task[tuple[bytes, bytes]]]:
    tasks = [asyncio.create_task(get(proxy.port)) for _ in range(count)]
    await until(lambda: len(proxy.recorder.live) + len(proxy.recorder.ring) >= count)
    return tasks


async def test_requests_over_the_bound_wait_in_a_queue_and_go_on_in_turn() -> None:
    slow = Slow()
    async with upstream(slow) as member:
        async with serving(site(member.port, limits=Limits(in_flight=2, queue=4, queue_time=3600))) as proxy:
            tasks = await _asked(proxy, 6)
            await until(lambda: len(member.heads) == 2)
            await asyncio.sleep(0.02)
            assert len(member.heads) == 2
            slow.go.set()
            assert [(await task)[1] for task in tasks] == [b"hello"] * 6
            assert not proxy.server.reached()


async def test_a_full_queue_is_a_fast_503_and_a_long_wait_ends_in_one(clock: Clock) -> None:
    slow = Slow()
    async with upstream(slow) as member:
        async with serving(site(member.port, limits=Limits(in_flight=1, queue=2, queue_time=30))) as proxy:
            tasks = await _asked(proxy, 6)
            await until(lambda: len(proxy.recorder.ring) == 3)
            clock.passes(28, proxy)
            assert len(proxy.recorder.ring) == 3
            clock.passes(4, proxy)
            assert len(proxy.recorder.ring) == 5
            slow.go.set()
            heads = [(await task)[0] for task in tasks]
            assert sorted(head[9:12] for head in heads) == [b"200"] + [b"503"] * 5
            assert all(b"\r\nRetry-After: 1\r\n" in head for head in heads if head[9:12] == b"503")
            assert proxy.server.reached() == {"in_flight": 5}


async def test_who_leaves_the_queue_leaves_no_gap_in_it() -> None:
    slow = Slow()
    async with upstream(slow) as member:
        async with serving(site(member.port, limits=Limits(in_flight=1, queue=2, queue_time=3600))) as proxy:
            (first,) = await _asked(proxy, 1)
            async with client(proxy.port) as leaver:
                leaver.send(GET)
                await until(lambda: proxy.server._state.lines)
            await until(lambda: not proxy.server._state.lines)
            second = asyncio.create_task(get(proxy.port))
            await until(lambda: proxy.server._state.lines)
            slow.go.set()
            assert (await first)[1] == (await second)[1] == b"hello"


async def test_a_queue_of_requests_that_are_answered_here_empties_itself() -> None:
    slow = Slow()
    async with upstream(slow) as member:
        what = site(member.port, limits=Limits(in_flight=1, queue=2000, queue_time=3600))
        what = replace(what, routes=(replace(what.routes[0], path="/a"),))
        async with serving(what) as proxy, client(proxy.port) as first:
            first.send(GET)
            await until(lambda: member.heads)
            others = [asyncio.create_task(get(proxy.port, "/nowhere")) for _ in range(50)]
            await until(lambda: proxy.server._state.lines.length(IN_PROXY) == 50)
            slow.go.set()
            assert all([(await other)[0].startswith(b"HTTP/1.1 404 ") for other in others])


async def test_a_bound_that_is_lifted_lets_the_queue_go_on() -> None:
    slow = Slow()
    async with upstream(slow) as member:
        what = site(member.port, limits=Limits(in_flight=1, queue=5, queue_time=3600))
        async with serving(what) as proxy:
            tasks = await _asked(proxy, 3)
            proxy.swap(replace(what, limits=Limits()))
            slow.go.set()
            assert [(await task)[1] for task in tasks] == [b"hello"] * 3


DENIED = [
    (("127.0.0.0/8",), (), 403),
    (("127.0.0.1",), (), 403),
    (("10.0.0.0/8", "::1"), (), 200),
    ((), (Ban(id="x", network="127.0.0.1"),), 403),
    ((), (Ban(id="x", network="127.0.0.0/30", until="2999-01-01T00:00:00Z"),), 403),
    ((), (Ban(id="x", network="127.0.0.1", until="2020-01-01T00:00:00+02:00"),), 200),
    ((), (Ban(id="x", network="127.0.0.1", until="2020-01-01T00:00:00Z"), Ban(id="y", network="127.0.0.1/32")), 403),
]


@pytest.mark.parametrize(("deny", "bans", "status"), DENIED)
async def test_who_is_denied_or_banned_gets_403(deny: tuple[str, ...], bans: tuple[Ban, ...], status: int) -> None:
    async with upstream(answers(HELLO)) as member:
        what = replace(site(member.port, deny=deny), bans=bans)
        async with serving(what) as proxy:
            assert (await get(proxy.port))[0].startswith(b"HTTP/1.1 %d " % status)
            assert proxy.server.reached() == ({"deny": 1} if status == 403 else {})


async def test_a_ban_holds_for_connections_that_are_open_and_ends_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    async with upstream(answers(HELLO)) as member:
        what = site(member.port)
        async with serving(what) as proxy, client(proxy.port) as one:
            one.send(GET)
            assert (await one.answer())[1] == b"hello"
            proxy.swap(replace(what, bans=(Ban(id="x", network="127.0.0.1", until="2100-01-01T00:00:00Z"),)))
            async with client(proxy.port) as two:
                one.send(GET)
                assert (await one.answer())[0].startswith(b"HTTP/1.1 403 ")
                monkeypatch.setattr("proxy_core.serve.client_limits.time", lambda: 4_200_000_000.0)
                two.send(GET)
                assert (await two.answer())[1] == b"hello"


async def test_new_limits_hold_for_the_next_request_of_an_open_connection() -> None:
    async with upstream(answers(HELLO)) as member:
        what: Site = site(member.port)
        async with serving(what) as proxy, client(proxy.port) as one:
            for fields, body in ((3, b"hello"), (1, None)):
                proxy.swap(replace(what, site=Options(server_name=f"n{fields}"), limits=Limits(fields=fields)))
                one.send(GET[:-2] + b"A: b\r\n\r\n")
                head, got = await one.answer()
                assert got == body if body else head.startswith(b"HTTP/1.1 431 ")


def asks(client: str, path: bytes = b"/", close: bool = False) -> bytes:
    end = b"Connection: close\r\n" if close else b""
    return b"GET %b HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: %b\r\n%b\r\n" % (path, client.encode(), end)


async def test_clients_that_a_proxy_names_are_told_apart_on_one_connection() -> None:
    """The same fields come again with other clients between them, and each is the one that asks."""
    header = HeaderRule(id="h", on="request", name="X-Who", value="expr=%{REMOTE_ADDR} %{CONN_REMOTE_ADDR}")
    trust = {"trusted_proxies": ("127.0.0.1",), "client_header": "X-Forwarded-For"}
    async with upstream(answers(HELLO)) as member:
        what = replace(site(member.port, **trust), headers=(header,))
        async with serving(what) as proxy, client(proxy.port) as one:
            for number, asker in enumerate(("1.1.1.1", "1.1.1.1", "2.2.2.2", "1.1.1.1", "bad")):
                one.send(asks(asker))
                await one.answer()
                who = "" if asker == "bad" else asker
                assert f"X-Who: {who} 127.0.0.1\r\n".encode() in member.heads[number]
                assert f"X-Forwarded-For: {asker}\r\n".encode() in member.heads[number]
                assert (await proxy.finished(number + 1)).view.client == who
            assert [problem.severity for problem in proxy.problems] == ["warning"]
            proxy.problems.clear()


async def test_bans_and_rates_are_for_the_client_that_a_proxy_names() -> None:
    trust = {"trusted_proxies": ("127.0.0.1",), "client_header": "X-Forwarded-For", "deny": ("3.3.3.0/24",)}
    async with upstream(answers(HELLO)) as member:
        what = site(member.port, limits=Limits(client_rate=0.01, client_burst=2), **trust)
        async with serving(what) as proxy:
            for asker, status in (
                ("1.1.1.1", 200),
                ("1.1.1.1", 200),
                ("1.1.1.1", 429),
                ("2.2.2.2", 200),
                ("3.3.3.3", 403),
            ):
                assert (await ask(proxy.port, asks(asker, close=True)))[9:12] == b"%d" % status
                assert proxy.records[-1].view.client == asker
            assert proxy.server.reached() == {"client_rate": 1, "deny": 1}


async def test_unknown_clients_are_one_client_to_rates_and_to_nobody_elses_ban() -> None:
    trust = {"trusted_proxies": ("127.0.0.1",), "client_header": "X-Forwarded-For", "deny": ("3.3.3.3",)}
    async with upstream(answers(HELLO)) as member:
        what = site(member.port, limits=Limits(client_rate=0.01, client_burst=2), **trust)
        async with serving(what) as proxy:
            for asker, status in (("unknown", 200), ("bad", 200), ("worse", 429), ("2.2.2.2:80", 200)):
                assert (await ask(proxy.port, asks(asker, close=True)))[9:12] == b"%d" % status
            assert [record.view.client for record in proxy.records] == ["", "", "", "2.2.2.2"]
            assert common(proxy.records[0]).startswith(b"- - - [")
            proxy.problems.clear()


async def test_who_is_turned_away_costs_a_proxy_in_front_no_connection() -> None:
    """Others come over it; but with a body unread nobody knows where the next request begins."""
    trust = {"trusted_proxies": ("127.0.0.1",), "client_header": "X-Forwarded-For", "deny": ("3.3.3.0/24",)}
    async with upstream(answers(HELLO)) as member:
        what = site(member.port, limits=Limits(client_rate=0.01, client_burst=1), **trust)
        async with serving(what) as proxy, client(proxy.port) as one:
            for asker, status in (("1.1.1.1", 200), ("1.1.1.1", 429), ("3.3.3.3", 403), ("2.2.2.2", 200)):
                one.send(asks(asker))
                head, _ = await one.answer()
                assert head[9:12] == b"%d" % status
                assert (b"Retry-After: " in head) is (status == 429)
                assert b"Connection: close" not in head
            one.send(asks("3.3.3.3") + asks("4.4.4.4"))
            assert [(await one.answer())[0][9:12] for _ in range(2)] == [b"403", b"200"]
            one.send(b"HEAD" + asks("3.3.3.3")[3:])
            assert (await one.answer(head_only=True))[0][9:12] == b"403"
            one.send(asks("3.3.3.3")[:-2] + b"Content-Length: 5\r\n\r\nhello" + asks("5.5.5.5"))
            assert [(await one.answer())[0][9:12] for _ in range(2)] == [b"403", b"200"]
            one.send(asks("3.3.3.3")[:-2] + b"Content-Length: 500\r\n\r\n" + asks("6.6.6.6"))
            head, _ = await one.answer()
            assert head[9:12] == b"403"
            assert b"Connection: close" in head
            assert not await one.reader.read()
        assert len(member.heads) == 4
