"""The demo starts members that are not there; they behave as servers do, and stop without a trace."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from random import Random

import pytest

from proxy_core.balance.heartbeat import LoadReport, report
from proxy_core.config.model import Site
from proxy_core.control.demo import members
from tests.control.demo.harness import DEADLINE, site
from tests.ports import free_port


async def say(port: int, request: bytes) -> bytes:
    """What a member answers until it closes."""
    async with asyncio.timeout(DEADLINE):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request)
        answer = await reader.read()
        writer.close()
    return answer


async def a_member(turn: float = 0.0, beats: tuple[str, int] | None = None) -> members.DemoMember:
    member = members.DemoMember("127.0.0.1", 0, turn, beats)
    await member.open()
    return member


@pytest.fixture
def _always_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(members, "page_for", lambda random, mood: members.DemoPage(200, 500, 0.0))


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
    [
        b"Content-Length: 5\r\n\r\nGET /",
        b"Transfer-Encoding: chunked\r\n\r\n5;x=y\r\nGET /\r\n0\r\nTrailer: 1\r\n\r\n",
        b"Content-Length: 2000000\r\n\r\n" + b"x" * 2_000_000,
    ],
    ids=["length", "chunks", "long"],
)
async def test_a_member_reads_past_the_body_of_a_request(body: bytes) -> None:
    member = await a_member()
    try:
        last = b"HEAD /" + b"b" * 20_000 + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        answer = await say(member.port, b"POST /a HTTP/1.1\r\nHost: x\r\n" + body + last)
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
    assert (await say(member.port, b"GET / HTTP/1.0\r\n\r\n")).startswith(b"HTTP/1.0 ")
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


def test_answers_are_mostly_good_with_some_slow_and_some_failing() -> None:
    random = Random(1)
    answers = [members.page_for(random, "well") for _ in range(5_000)]
    share = {status: count / 5_000 for status, count in Counter(answer.status for answer in answers).items()}
    assert 0.94 < share[200] < 0.98
    assert 0.02 < share[404] < 0.04
    assert 0.005 < share[500] < 0.02
    assert 0.01 < sum(answer.delay > 0.3 for answer in answers) / 5_000 < 0.03
    failing = [members.page_for(random, "failing").status for _ in range(500)]
    assert failing.count(503) > 300


@pytest.mark.usefixtures("_always_well")
async def test_closing_a_member_cuts_its_clients_and_says_nothing() -> None:
    said: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: said.append(context))
    member = await a_member()
    async with asyncio.timeout(DEADLINE):
        reader, writer = await asyncio.open_connection("127.0.0.1", member.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
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


@pytest.mark.parametrize("lasts", [0.0, 1.0])
async def test_an_answer_that_takes_its_time_is_sent_a_little_at_a_time_and_whole(
    lasts: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(members, "page_for", lambda random, mood: members.DemoPage(200, 1_000, 0.0, lasts))
    member = await a_member()
    try:
        async with asyncio.timeout(DEADLINE):
            reader, writer = await asyncio.open_connection("127.0.0.1", member.port)
            writer.write(b"GET / HTTP/1.0\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            first = await reader.read(10_000)
            body = first + await reader.read()
            writer.close()
        assert b"Content-Length: %d\r\n" % len(body) in head
        assert not lasts or len(first) < len(body)
    finally:
        await member.close()
