"""A mistake of ours in any function that a request passes, in whatever callback: told, contained, nothing left."""

from __future__ import annotations

import asyncio
import contextlib
import types
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any

import pytest
import uvloop
from msgspec.structs import replace

from proxy_core.config.model import Balancer, Member, Site
from tests.e2e.harness import HELLO, Talk, answers, serving, until, upstream
from tests.e2e.harness import site as plain
from tests.e2e.test_tunnels import ASK, switches
from tests.faults.injected import breaking, seeing
from tests.faults.rest import left
from tests.ports import free_port

GET = b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
KEEP = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 10\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"


pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")
"""What a function that broke had in its hands nobody closes but the collector."""

SPARED = {
    "ClientConnection.__init__",
    "ClientConnection._go_on",
    "ClientConnection.connection_lost",
    "ClientConnection.connection_made",
    "Lingering.cut",
    "Flight.client_left",
    "Forwarding.release",
    "OpenRequest._end",
    "OpenRequest.release",
    "OpenRequest.wait_for",
    "Admission.closed",
    "ProxyServer._enter",
    "ServerState.record",
    "Tunnel._over",
    "Upstream.connection_made",
    "UpstreamRequest.__init__",
    "Lines.freed",
    "bind.<locals>.<lambda>",
}
"""What is the last to be called for a connection, or sets it free: what is called from it is broken, itself it is not.
"""


def _here(frame: types.FrameType) -> bool:
    return "/proxy_core/" in frame.f_code.co_filename


@dataclass
class Shape:
    site: Callable[[int], Site]
    talk: Talk
    pieces: tuple[bytes, ...] = (GET,)


def two(port: int) -> Site:
    members = {
        "dead": Member(url=f"http://127.0.0.1:{free_port()}", retry=0),
        "m": Member(url=f"http://127.0.0.1:{port}"),
    }
    return replace(plain(port, port), balancers={"pool": Balancer(members=members)})


def upgrading(port: int) -> Site:
    made = plain(port)
    return replace(made, routes=(replace(made.routes[0], upgrade=("websocket",)),))


SHAPES: dict[str, Shape] = {
    "GET": Shape(plain, answers(HELLO)),
    "two on a connection": Shape(plain, answers(HELLO), (KEEP + GET,)),
    "chunks": Shape(plain, answers(CHUNKED)),
    "POST": Shape(plain, answers(HELLO), (POST, b"world")),
    "refused": Shape(plain, answers(HELLO), (b"GET / HTTP/1.1\r\n\r\n",)),
    "the next member": Shape(two, answers(HELLO)),
    "not an answer": Shape(plain, answers(b"what?\r\n\r\n")),
    "a tunnel": Shape(upgrading, switches(), (ASK,)),
}


async def ask(port: int, *pieces: bytes) -> bytes:
    """What comes back until the end; a connection that breaks ends it."""
    got = b""
    with contextlib.suppress(OSError):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            for piece in pieces:
                writer.write(piece)
                await asyncio.sleep(0.002)
            while more := await reader.read(65536):
                got += more
                if got.startswith(b"HTTP/1.1 101"):
                    writer.write_eof()
        finally:
            writer.close()
    return got


async def within(seconds: float, answer: Awaitable[bytes], what: str) -> bytes:
    try:
        async with asyncio.timeout(seconds):
            return await answer
    except TimeoutError:
        raise AssertionError(f"{what}: the client waits for ever") from None


async def every(shape: Shape) -> int:
    """How many functions were broken."""
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    async with upstream(shape.talk) as member, serving(shape.site(member.port)) as proxy:
        port, upstreams, count = proxy.port, proxy.server.upstreams, 0
        good = await ask(port, *shape.pieces)
        upstreams.close()
        seen: set[types.CodeType] = set()
        with seeing(seen, _here):
            await ask(port, *shape.pieces)
            await until(lambda: not left(proxy, member))
        for code in sorted(seen, key=lambda each: each.co_qualname):
            if code.co_qualname in SPARED:
                continue
            upstreams.close()
            await until(lambda: not member.open)
            proxy.problems.clear()
            complaints.clear()
            with breaking(code, _here) as done:
                await within(10, ask(port, *shape.pieces), code.co_qualname)
            end = monotonic() + 5
            while more := left(proxy, member):
                assert monotonic() < end, (code.co_qualname, more)
                await asyncio.sleep(0.001)
            assert proxy.problems or complaints or not done, f"nobody is told that {code.co_qualname} failed"
            again = await within(10, ask(port, *shape.pieces), f"after {code.co_qualname}")
            assert again[:12] == good[:12], f"after {code.co_qualname}: {again!r}"
            count += bool(done)
        proxy.problems.clear()
        proxy.recorder.ring.clear()  # where recording failed, a record is missing
        for state in proxy.registry.members.values():
            state.elected = 0
    return count


@pytest.mark.parametrize("loop", [uvloop.new_event_loop, asyncio.new_event_loop], ids=["uvloop", "asyncio"])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_mistake_in_any_function_costs_one_connection_at_most(
    shape: str, loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    with asyncio.Runner(loop_factory=loop) as runner:
        assert runner.run(every(SHAPES[shape])) > 30
