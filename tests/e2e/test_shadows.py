"""Copies to members that are slow, dead, or answer otherwise: clients notice nothing, and what differs is told."""

from __future__ import annotations

import asyncio
from pathlib import Path

from msgspec.structs import replace

from proxy_core.config.model import Balancer, Member, Route, Site
from tests.e2e.harness import HELLO, Upstream, answers, client, serving, site, until, upstream
from tests.ports import free_port

OTHER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhallo"
GET = b"GET /%b/17 HTTP/1.1\r\nHost: localhost\r\nCookie: a=1\r\n\r\n"


async def silent(this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    this.heads.append(await reader.readuntil(b"\r\n\r\n"))
    await reader.read()


def beside(ports: dict[str, int], real: int) -> Site:
    """A route for each port, whose copies all go there."""
    url = f"http://127.0.0.1:{real}"
    members = {name: Member(url=f"http://127.0.0.1:{port}", timeout=0.2) for name, port in ports.items()}
    return replace(
        site(real),
        routes=tuple(
            Route(id=name, path=f"/{name}", proxy=f"{url}/{name}", shadow=f"balancer://{name}", shadow_share=1.0)
            for name in ports
        ),
        balancers={name: Balancer(members={"m": member}) for name, member in members.items()},
    )


async def test_copies_to_members_that_are_slow_dead_or_different_are_noticed_by_nobody_but_the_operator(
    tmp_path: Path,
) -> None:
    async with (
        upstream(answers(HELLO)) as real, upstream(silent) as slow, upstream(answers(OTHER)) as different,
        upstream(answers(HELLO)) as same,
    ):  # fmt: skip
        ports = {"slow": slow.port, "dead": free_port(), "different": different.port, "same": same.port}
        async with serving(beside(ports, real.port), tmp_path) as running, client(running.port) as one:
            for name in (*ports, "slow"):  # a connection that goes on, held up by no copy
                one.send(GET % name.encode())
                assert (await one.answer())[1] == b"hello"
            tallies = {route: tally for (route, _), tally in running.server.shadows.tallies.items()}
            assert {*tallies} == {*ports}
            await until(lambda: not any(tally.in_flight for tally in tallies.values()))
            assert {name: (tally.requests, dict(tally.kinds)) for name, tally in tallies.items()} == {
                "slow": (2, {"no answer": 2}),
                "dead": (1, {"no answer": 1}),
                "different": (1, {"content-type": 1, "body": 1}),
                "same": (1, {}),
            }
            assert {shape for shape, _ in tallies["different"].groups} == {"GET /different/{n}"}
            assert b"X-Shadow: 1\r\n" in same.heads[0]
            assert b"Cookie: a=1\r\n" in same.heads[0]
            assert all(b"X-Shadow" not in head for head in real.heads)
            assert len(running.records) == len(real.heads)
            assert {exchange.status for exchange in running.records} == {200}
            members = {(key.balancer, state.answered, state.errors) for key, state in running.registry.members.items()}
            assert members >= {("dead", 0, 1), ("different", 1, 0), ("same", 1, 0), ("slow", 0, 2)}
            real_state = next(state for key, state in running.registry.members.items() if not key.balancer)
            assert (real_state.elected, real_state.errors, real_state.error_at) == (len(real.heads), 0, 0.0)
