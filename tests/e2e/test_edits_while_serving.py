"""Edits while it serves: swaps lose nothing, listeners come and go, draining finishes what is in flight."""

from __future__ import annotations

import asyncio
import gc
import socket

import pytest
from msgspec.structs import replace

from proxy_core.balance.member_state import MemberKey
from proxy_core.config.model import Listener, Site
from proxy_core.serve.listeners import ListenError
from tests.e2e.harness import (
    HELLO,
    PATIENCE,
    Client,
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

GET = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n"


def weights(what: Site, *values: float) -> Site:
    pool = what.balancers["pool"]
    members = {
        name: replace(member, weight=value) for (name, member), value in zip(pool.members.items(), values, strict=True)
    }
    return replace(what, balancers={"pool": replace(pool, members=members)})


async def slow(this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        await read_request(this, reader)
        await asyncio.sleep(0.4)
        writer.write(HELLO)


async def test_a_thousand_swaps_under_load_lose_no_request() -> None:
    async with upstream(answers(HELLO)) as a, upstream(answers(HELLO)) as b:
        what = site(a.port, b.port)
        async with serving(what) as proxy:
            stop = asyncio.Event()
            bad: list[bytes] = []

            async def load() -> int:
                count = 0
                async with client(proxy.port) as one:
                    while not stop.is_set():
                        one.send(GET)
                        head, body = await one.answer()
                        if body != b"hello":
                            bad.append(head)
                        count += 1
                return count

            loads = [asyncio.create_task(load()) for _ in range(8)]
            for number in range(1000):
                proxy.swap(weights(what, 1 + number % 7, 1 + number % 3))
                if number % 5 == 0:
                    await asyncio.sleep(0.001)
            stop.set()
            total = sum(await asyncio.gather(*loads))
            assert not bad
            assert total > 100
            assert proxy.current.rules.generation == 1001
            states = [proxy.registry.members[MemberKey("pool", name)] for name in ("m0", "m1")]
            assert sum(state.answered for state in states) == total


async def test_a_request_keeps_the_rules_and_the_member_it_started_with() -> None:
    async with upstream(slow) as old, upstream(answers(HELLO)) as new:
        async with serving(site(old.port)) as proxy, client(proxy.port) as one:
            one.send(GET)
            await until(lambda: old.heads)
            proxy.swap(site(new.port))
            assert (await get(proxy.port))[1] == b"hello"
            assert (await one.answer())[1] == b"hello"
            assert [record.rules.generation for record in proxy.records] == [2, 1]
            one.send(GET)
            await one.answer()
            assert len(old.heads) == 1


async def test_forwarded_fields_follow_an_edit_on_an_open_connection() -> None:
    async with upstream(answers(HELLO)) as member, serving(site(member.port)) as proxy, client(proxy.port) as one:
        for name in ("one", "two"):
            proxy.swap(site(member.port, server_name=name))
            one.send(GET)
            await one.answer()
            assert f"X-Forwarded-Server: {name}\r\n".encode() in member.heads[-1]


async def test_a_new_connection_follows_an_edit_whatever_is_known_of_what_it_sends() -> None:
    async with upstream(answers(HELLO)) as member, serving(site(member.port)) as proxy:
        for name in ("one", "one", "two"):
            before = proxy.server._state.policy(proxy.current.rules)
            proxy.swap(site(member.port, server_name=name))
            async with client(proxy.port) as one:
                one.send(GET)
                await one.answer()
            assert f"X-Forwarded-Server: {name}\r\n".encode() in member.heads[-1]
            held = proxy.server._state.blocks._known
            assert held, "it is known from now on"
            assert all(hop.policy is not before for *_, hop in held), "what held before is forgotten"


async def test_listeners_that_stay_keep_their_connections_new_ones_accept_and_gone_ones_drain() -> None:
    async with upstream(slow) as member:
        what = replace(
            site(member.port),
            listeners={"stays": Listener(address="127.0.0.1:0"), "goes": Listener(address="127.0.0.1:0")},
        )
        async with serving(what) as proxy:
            ports = {state.name: state.port for state in proxy.server.listeners}
            async with client(ports["stays"]) as stays, client(ports["goes"]) as goes, client(ports["goes"]) as idle:
                goes.send(GET)
                await until(lambda: member.heads)
                names = {"stays": Listener(address="127.0.0.1:0"), "comes": Listener(address="127.0.0.1:0")}
                await proxy.apply(replace(what, listeners=names))
                assert [(s.name, s.draining) for s in proxy.server.listeners] == [
                    ("stays", False), ("comes", False), ("goes", True),
                ]  # fmt: skip
                with pytest.raises(OSError):  # noqa: PT011
                    await asyncio.open_connection("127.0.0.1", ports["goes"])
                head, body = await goes.answer()
                assert body == b"hello"
                assert b"Connection: close\r\n" in head
                goes.writer.close()
                assert await idle.rest() == b""
                stays.send(GET)
                assert (await stays.answer())[1] == b"hello"
                comes = next(state.port for state in proxy.server.listeners if state.name == "comes")
                assert (await get(comes))[1] == b"hello"
                await until(lambda: len(proxy.server.listeners) == 2)


async def test_a_listener_may_be_renamed_without_anybody_noticing() -> None:
    port = free_port()
    async with upstream(answers(HELLO)) as member:
        what = replace(site(member.port), listeners={"a": Listener(address=f"127.0.0.1:{port}")})
        async with serving(what) as proxy, client(port) as one:
            one.send(GET)
            await one.answer()
            await proxy.apply(replace(what, listeners={"b": Listener(address=f"127.0.0.1:{port}")}))
            one.send(GET)
            assert (await one.answer())[1] == b"hello"
            assert [state.name for state in proxy.server.listeners] == ["b"]


async def test_a_taken_port_refuses_the_whole_edit_and_leaves_nothing_bound() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        async with serving(site(free_port())) as proxy:
            port = free_port()
            names = {
                "good": Listener(address=f"127.0.0.1:{port}"),
                "taken": Listener(address=f"127.0.0.1:{taken.getsockname()[1]}"),
                "elsewhere": Listener(address="192.0.2.1:80"),
            }
            with pytest.raises(ListenError) as refused:
                await proxy.server.prepare(names)
            assert [problem.address[1] for problem in refused.value.problems] == ["taken", "elsewhere"]
            assert "has this address" in refused.value.problems[0].what
            with pytest.raises(OSError):  # noqa: PT011
                await asyncio.open_connection("127.0.0.1", port)
            assert len(proxy.server.listeners) == 1


async def test_draining_finishes_what_is_in_flight_and_cuts_the_rest() -> None:
    async with upstream(slow) as member, serving(site(member.port)) as proxy, client(proxy.port) as one:
        one.send(GET + GET)
        await until(lambda: member.heads)
        drained = asyncio.create_task(proxy.server.drain(3600))
        head, body = await one.answer()
        assert body == b"hello"
        assert b"Connection: close\r\n" in head
        assert await one.rest() == b""
        one.writer.close()
        assert await asyncio.wait_for(drained, PATIENCE) == 0
    async with upstream(slow) as member, serving(site(member.port)) as proxy, client(proxy.port) as one:
        one.send(GET)
        await until(lambda: member.heads)
        assert await proxy.server.drain(0.05) == 1
        assert await one.rest() == b""


async def test_every_address_means_both_families() -> None:
    async with upstream(answers(HELLO)) as member:
        what = replace(site(member.port), listeners={"http": Listener(address=":0")})
        async with serving(what) as proxy:
            hosts = ["127.0.0.1", "::1"] if socket.has_dualstack_ipv6() else ["127.0.0.1"]
            for host in hosts:
                try:
                    reader, writer = await asyncio.open_connection(host, proxy.port)
                except OSError:
                    assert host == "::1"  # a machine without IPv6 on its loopback
                    continue
                writer.write(GET)
                assert (await Client(reader, writer).answer())[1] == b"hello"
                assert f"X-Forwarded-For: {host}\r\n".encode() in member.heads[-1]
                writer.close()


async def test_listeners_that_are_stopped_before_they_have_begun_leave_no_failure_that_nobody_has_seen() -> None:
    told: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: told.append(context))
    async with serving(site(1)) as proxy:
        prepared = await proxy.server.prepare({"other": Listener(address="127.0.0.1:0")})
        (new,) = prepared.new
        proxy.server.commit(prepared)
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        new.stop()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    new._starting = None
    del prepared, new
    gc.collect()
    assert told == []
