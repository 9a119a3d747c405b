"""The demo starts what is not there, behaves like clients and servers do, and stops without a trace."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from itertools import islice
from random import Random

import pytest
from msgspec import convert

from proxy_core.balance.heartbeat import LoadReport, report
from proxy_core.config.model import Site
from proxy_core.control.demo import members, traffic
from tests.ports import free_port

DEADLINE = 5.0


def site(**members: str) -> Site:
    return convert(
        {
            "routes": [
                {"id": "x", "path": "/service/index", "except": True},
                {"id": "a", "path": "/service", "proxy": "http://localhost:8000/service"},
                {"id": "b", "path": "/shop", "proxy": "balancer://b/shop"},
            ],
            "balancers": {"b": {"members": {name: {"url": url} for name, url in members.items()}}},
        },
        Site,
    )


async def say(port: int, request: bytes) -> bytes:
    """What a member answers until it closes."""
    async with asyncio.timeout(DEADLINE):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request)
        answer = await reader.read()
        writer.close()
    return answer


async def a_member(turn: float = 0.0, beats: tuple[str, int] | None = None) -> members.Demo:
    member = members.Demo("127.0.0.1", 0, turn, beats)
    await member.open()
    return member


@pytest.fixture
def _always_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(members, "answer_for", lambda random, mood: members.Answer(200, 500, 0.0))


def test_every_loopback_upstream_counts_once_and_no_other() -> None:
    places = {"m1": "http://localhost:8000", "m2": "http://127.0.0.1:8001", "m3": "http://[::1]:8002/base",
               "far": "http://192.0.2.1:8000", "named": "http://localhost.example:8000"}  # fmt: skip
    assert members.loopback_places(site(**places)) == [("localhost", 8000), ("127.0.0.1", 8001), ("::1", 8002)]


async def test_a_member_that_is_there_is_left_alone_and_a_missing_one_is_started() -> None:
    with socket.create_server(("127.0.0.1", 0)) as real:
        missing = free_port()
        asked = site(real=f"http://127.0.0.1:{real.getsockname()[1]}", missing=f"http://127.0.0.1:{missing}")
        routes = tuple(route for route in asked.routes if route.id == "b")
        started = await members.start_members(Site(routes=routes, balancers=asked.balancers))
    try:
        assert [member.port for member in started] == [missing]
    finally:
        for member in started:
            await member.close()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", missing)


@pytest.mark.usefixtures("_always_well")
async def test_a_member_speaks_as_the_tutorials_servers_do_and_keeps_the_connection() -> None:
    member = await a_member()
    try:
        ask = b"GET /a HTTP/1.1\r\nHost: x\r\n"
        answer = await say(member.port, ask + b"\r\n" + ask + b"Connection: close\r\n\r\n")
        assert answer.count(b"HTTP/1.1 200 OK\r\n") == 2
        assert answer.count(b"Server response, port %d.\n" % member.port) == 2
        first = answer.partition(b"\r\n\r\n")
        length = int(first[0].partition(b"Content-Length: ")[2].split(b"\r\n")[0])
        assert first[2][length:].startswith(b"HTTP/1.1 200")
    finally:
        await member.close()


@pytest.mark.usefixtures("_always_well")
@pytest.mark.parametrize(
    "body",
    [b"Content-Length: 5\r\n\r\nGET /", b"Transfer-Encoding: chunked\r\n\r\n5;x=y\r\nGET /\r\n0\r\nTrailer: 1\r\n\r\n"],
)
async def test_a_member_reads_past_the_body_of_a_request(body: bytes) -> None:
    member = await a_member()
    try:
        last = b"HEAD /b HTTP/1.1\r\nConnection: close\r\n\r\n"
        answer = await say(member.port, b"POST /a HTTP/1.1\r\n" + body + last)
        assert answer.count(b"HTTP/1.1 200") == 2
        assert answer.endswith(b"\r\n\r\n"), "the answer to HEAD has no body"
    finally:
        await member.close()


@pytest.mark.usefixtures("_always_well")
@pytest.mark.parametrize("junk", [b"\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", b"x" * 100_000])
async def test_a_member_survives_nonsense(junk: bytes) -> None:
    member = await a_member()
    try:
        async with asyncio.timeout(DEADLINE):
            _, writer = await asyncio.open_connection("127.0.0.1", member.port)
            writer.write(junk)
            writer.write_eof()
        assert b"200 OK" in await say(member.port, b"GET / HTTP/1.0\r\n\r\n")
        writer.close()
    finally:
        await member.close()


def test_members_are_mostly_well_and_sick_one_at_a_time() -> None:
    turns = [n / 3 for n in range(3)]
    moods = [[members.mood_at(float(second), turn) for turn in turns] for second in range(1_800)]
    assert {mood for now in moods for mood in now} == {"well", "slow", "failing", "gone"}
    assert all(sum(mood != "well" for mood in now) <= 1 for now in moods)
    assert 0.02 < sum(mood != "well" for now in moods for mood in now) / (3 * 1_800) < 0.10
    assert "slow" not in {now[0] for now in moods[: int(members.FIRST)]}
    assert moods[int(members.FIRST)][0] == "slow", "a newcomer sees a sick member in the first minute"


async def test_a_member_that_is_gone_refuses_connections_and_then_is_there_again_on_its_port(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mood = "well"
    monkeypatch.setattr(members, "mood_at", lambda elapsed, turn: mood)
    monkeypatch.setattr(members, "BEAT", 0.01)
    member = await a_member()
    async with asyncio.timeout(DEADLINE):
        mood = "gone"
        while not await members._refuses("127.0.0.1", member.port):  # noqa: ASYNC110 a port gives no notice
            await asyncio.sleep(0.01)
        mood = "well"
        while await members._refuses("127.0.0.1", member.port):  # noqa: ASYNC110 a port gives no notice
            await asyncio.sleep(0.01)
    assert (await say(member.port, b"GET / HTTP/1.0\r\n\r\n")).startswith(b"HTTP/1.1 ")
    await member.close()


async def test_a_member_reports_its_load_where_the_site_listens_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(members, "BEAT", 0.01)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as there:
        there.bind(("127.0.0.1", 0))
        there.setblocking(False)
        member = await a_member(beats=there.getsockname())
        async with asyncio.timeout(DEADLINE):
            said = report(await asyncio.get_running_loop().sock_recv(there, 1000))
        await member.close()
    assert said == LoadReport(members.SLOTS, 0, member.port)


def test_rewrite_rules_get_visits_too_and_the_servers_that_they_name() -> None:
    rules = [
        {"id": "a", "pattern": "^/old/(.*)$", "substitution": "http://localhost:8009/new/$1", "flags": ["proxy"]},
        {"id": "b", "pattern": "(x+)+$", "substitution": "http://${map:$1|localhost:1}/", "flags": ["proxy"]},
        {"id": "c", "pattern": "^/off/", "substitution": "/", "enabled": False},
    ]
    asked = convert({"rewrites": rules}, Site)
    assert members.loopback_places(asked) == [("localhost", 8009)]
    paths = {ask.path for visit in islice(traffic.visits(asked, 15.0), 500) for ask in visit.asks}
    assert {"/old/cart", "/old/item/1742"} <= paths
    assert not any(path.startswith("/off") for path in paths)


def test_answers_are_mostly_good_with_some_slow_and_some_failing() -> None:
    random = Random(1)
    answers = [members.answer_for(random, "well") for _ in range(5_000)]
    share = {status: count / 5_000 for status, count in Counter(answer.status for answer in answers).items()}
    assert 0.94 < share[200] < 0.98
    assert 0.02 < share[404] < 0.04
    assert 0.005 < share[500] < 0.02
    assert 0.01 < sum(answer.delay > 0.3 for answer in answers) / 5_000 < 0.03
    failing = [members.answer_for(random, "failing").status for _ in range(500)]
    assert failing.count(503) > 300


def test_the_same_seed_sends_the_same_visits_and_they_are_varied() -> None:
    asked = site(m="http://localhost:8000")
    some = list(islice(traffic.visits(asked, 15.0, seed=4), 2_000))
    assert some == list(islice(traffic.visits(asked, 15.0, seed=4), 2_000))
    assert some != list(islice(traffic.visits(asked, 15.0, seed=5), 2_000))
    asks = [ask for visit in some for ask in visit.asks]
    assert {ask.method for ask in asks} == {"GET", "POST"}
    paths = {ask.path for ask in asks}
    assert {"/service/index", "/favicon.ico", "/service", "/shop/"} <= paths
    assert all(path.startswith("/") for path in paths)
    assert 0 < sum(ask.leaves for ask in asks) < len(asks) / 50


def test_traffic_comes_in_calm_waves_of_the_rate_asked_for() -> None:
    at, seconds = 0.0, Counter[int]()
    for visit in traffic.visits(site(m="http://localhost:8000"), 15.0):
        at += visit.after
        if at > 10 * traffic.WAVE:
            break
        seconds[int(at // (traffic.WAVE / 4)) % 4] += len(visit.asks)
    per_second = [count / (10 * traffic.WAVE / 4) for _, count in sorted(seconds.items())]
    assert 12 < sum(per_second) / 4 < 18
    assert max(per_second[:2]) > 19, "the first half of a wave is its crest"
    assert min(per_second[2:]) < 11


@pytest.mark.usefixtures("_always_well")
async def test_closing_a_member_cuts_its_clients_and_says_nothing() -> None:
    said: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: said.append(context))
    member = await a_member()
    async with asyncio.timeout(DEADLINE):
        reader, writer = await asyncio.open_connection("127.0.0.1", member.port)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        await member.close()
        await reader.read()
        writer.close()
    assert said == []


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")  # asyncio loses one that it just accepted
@pytest.mark.parametrize("steps", range(7))
async def test_a_client_that_has_only_just_come_is_cancelled_without_a_word(steps: int) -> None:
    said: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: said.append(context))
    member = await a_member()
    with socket.create_connection(("127.0.0.1", member.port)):
        for _ in range(steps):
            await asyncio.sleep(0)
        for task in asyncio.all_tasks() - {asyncio.current_task()}:  # as the loop's end does
            task.cancel()
        for _ in range(3):
            await asyncio.sleep(0)
        await member.close()
    assert said == []


async def test_traffic_reaches_the_listener_and_stops_when_it_is_cancelled() -> None:
    seen: list[bytes] = []
    enough = asyncio.Event()
    gone = asyncio.Event()
    open_now = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal open_now
        open_now += 1
        gone.clear()
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                seen.append(head)
                await members.skip_body(reader, head.lower())
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                if len(seen) > 40:
                    enough.set()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            open_now -= 1
            if not open_now:
                gone.set()
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        client = asyncio.create_task(traffic.traffic(port, site(m="http://localhost:8000"), rate=300.0))
        async with asyncio.timeout(DEADLINE):
            await enough.wait()
            client.cancel()
            with pytest.raises(asyncio.CancelledError):
                await client
            await gone.wait()
    assert all(b"Host: localhost:%d\r\n" % port in head for head in seen)


async def test_traffic_outlives_a_listener_that_is_not_there() -> None:
    client = asyncio.create_task(traffic.traffic(free_port(), site(m="http://localhost:8000"), rate=300.0))
    await asyncio.sleep(0.1)
    assert not client.done()
    client.cancel()
    with pytest.raises(asyncio.CancelledError):
        await client


@pytest.mark.parametrize("lasts", [0.0, 1.0])
async def test_an_answer_that_takes_its_time_is_sent_a_little_at_a_time_and_whole(
    lasts: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(members, "answer_for", lambda random, mood: members.Answer(200, 1_000, 0.0, lasts))
    member = await a_member()
    try:
        began = asyncio.get_running_loop().time()
        head, _, body = (await say(member.port, b"GET / HTTP/1.0\r\n\r\n")).partition(b"\r\n\r\n")
        assert b"Content-Length: %d" % len(body) in head
        assert asyncio.get_running_loop().time() - began >= lasts * 0.4
    finally:
        await member.close()


async def test_a_client_that_returns_brings_the_cookies_that_it_was_given() -> None:
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            heads.append(head)
            writer.write(b"HTTP/1.1 200 OK\r\nSet-Cookie: ROUTEID=x.A1; Path=/\r\nContent-Length: 0\r\n\r\n")
            if len(heads) == 2:
                break
        writer.close()

    asks = (traffic.Ask("GET", "/", b"", False),) * 2
    async with asyncio.timeout(DEADLINE), await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        await traffic._visit(traffic.Visit(0.0, "127.0.0.1", "test/1", asks, True), "127.0.0.1", port, {})
    assert b"Cookie" not in heads[0]
    assert b"\r\nCookie: ROUTEID=x.A1\r\n" in heads[1]
