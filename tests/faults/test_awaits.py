"""Whatever happens at whichever await of a request: one request pays, nothing is left behind, the next is served."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gc
import socket
import ssl
import struct
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from time import monotonic
from types import SimpleNamespace
from typing import Any

import pytest
import trustme
import uvloop
from msgspec.structs import replace

from proxy_core.config.model import (
    Auth,
    Balancer,
    Certificate,
    ErrorPage,
    Listener,
    ListenerTls,
    Location,
    Member,
    RewriteMap,
    RewriteRule,
    Route,
    Site,
    UpstreamTls,
)
from proxy_core.runtime.fact_lookups import Outside
from proxy_core.runtime.maps.store import MapStore
from tests.e2e.harness import HELLO, Running, Talk, Upstream, answers, read_request, serving, until, upstream
from tests.e2e.harness import site as plain
from tests.e2e.test_tunnels import ASK, switches
from tests.faults.awaits import Happening, Steps, cancelled, cancelled_as_it_comes_true
from tests.faults.rest import left
from tests.ports import free_port

GET = b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
HOLD = GET.replace(b"/x", b"/hold")
POST = b"POST /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 10\r\n\r\nhello"
PRIVATE = b"Authorization: Basic " + base64.b64encode(b"anna:secret") + b"\r\n"
CLOSING = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"
PROXIED = b"PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n"
SECRET = "anna:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n"  # of "secret"
PROGRAM = "import sys\nfor line in sys.stdin: print('/' + line.strip(), flush=True)\n"


@dataclass
class Shape:
    """A request and what it meets. ``site`` is made from the port of the member; ``first`` goes before what is
    counted, over a connection of its own; ``hold``: it occupies the one place that the member has; ``secure``: the
    client speaks TLS, the member does. ``good`` is how its answer begins where nothing happens."""

    site: Callable[[int], Site]
    talk: Talk
    pieces: tuple[bytes, ...] = (GET,)
    first: bytes = b""
    hold: bool = False
    client_tls: bool = False
    member_tls: bool = False
    good: tuple[bytes, ...] = (b"HTTP/1.1 200", b"HTTP/1.1 101")


@dataclass
class Here:
    """A running proxy, its member, and the client whose request it is about."""

    shape: Shape
    proxy: Running
    member: Upstream
    steps: Steps
    context: ssl.SSLContext
    writer: asyncio.StreamWriter | None = None
    complaints: list[dict[str, Any]] = field(default_factory=list)

    async def ask(self, *pieces: bytes) -> bytes:
        """What comes back until the end; b"" for a connection that did not come about or broke."""
        tls = {"ssl": self.context, "server_hostname": "a.example"} if self.shape.client_tls else {}
        got = b""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            reader, self.writer = await asyncio.open_connection("127.0.0.1", self.proxy.port, **tls)
            for piece in pieces:
                self.writer.write(piece)
                await asyncio.sleep(0)
            while more := await reader.read(65536):
                got += more
                if got.startswith(b"HTTP/1.1 101"):
                    self.writer.write_eof()
        if self.writer is not None:
            self.writer.close()
        return got

    def leave(self, task: asyncio.Task[Any], awaited: Any) -> None:
        if self.writer is not None:
            reset(self.writer)

    def too_late(self, task: asyncio.Task[Any], awaited: Any) -> None:
        for client in list(self.proxy.server._clients):
            if not client.closing:
                asyncio.get_running_loop().call_soon(client.expired)

    async def forget(self) -> None:
        """As if nothing had been asked yet."""
        self.proxy.server.upstreams.close()
        self.proxy.server.upstreams.resolver.names.clear()
        passwords = self.proxy.server._state.outside.passwords
        passwords._files.clear()
        for known in passwords._known.values():
            known.clear()
        await until(lambda: not self.member.open)
        self.member.connections = 0

    def left(self) -> dict[str, Any]:
        """What is not at rest."""
        return left(self.proxy, self.member) | ({"tasks": self.steps.tasks} if self.steps.tasks else {})


def reset(writer: asyncio.StreamWriter) -> None:
    """Leave without a word: RST, not FIN."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def balanced(*ports: int, **member: Any) -> Site:
    members = {f"m{n}": Member(url=f"http://127.0.0.1:{port}", retry=0, **member) for n, port in enumerate(ports)}
    return replace(plain(*ports, balanced=True), balancers={"pool": Balancer(members=members, timeout=5, queue=5)})


def by_name(port: int) -> Site:
    return replace(plain(port), routes=(Route(id="all", path="/", proxy=f"http://localhost:{port}/"),))


def upgrading(port: int) -> Site:
    made = plain(port)
    return replace(made, routes=(replace(made.routes[0], upgrade=("websocket",)),))


def mapped(port: int) -> Site:
    rules = (RewriteRule(id="m", pattern="^/x(.*)", substitution="/${m:found$1}", flags=("PT",)),)
    command = (sys.executable, "program.py")
    return replace(plain(port), rewrites=rules, maps={"m": RewriteMap(type="prg", command=command)})


def looked_up(port: int) -> Site:
    rules = (RewriteRule(id="m", pattern="^/x", substitution="/y", flags=("PT",), conditions=()),)
    return replace(plain(port), rewrites=rules)


def guarded(port: int) -> Site:
    where = Location(id="app", path="/", require=("valid-user",), auth="staff")
    return replace(plain(port), locations=(where,), auth={"staff": Auth(realm="Staff", file="users")})


def in_folder(port: int) -> Site:
    return replace(plain(port), routes=(Route(id="all", path="/", folder="."),))


def paged(port: int) -> Site:
    """What asks for anything but the page finds nobody."""
    made = balanced(free_port())
    page = Route(id="page", path="/page", proxy=f"http://localhost:{port}/")
    row = ErrorPage(id="e", status=("5xx",), path="/page")
    return replace(made, routes=(page, *made.routes), errors=(row,))


def tls_listener(port: int, **listener: Any) -> Site:
    tls = ListenerTls(certificates=(Certificate(id="a", cert="a.pem"),))
    return replace(plain(port), listeners={"https": Listener(address="127.0.0.1:0", tls=tls, **listener)})


def proxied(port: int) -> Site:
    made = plain(port, trusted_proxies=("127.0.0.0/8",))
    return replace(made, listeners={"in": Listener(address="127.0.0.1:0", proxy_protocol=True)})


def tls_member(port: int) -> Site:
    route = Route(id="all", path="/", proxy=f"https://127.0.0.1:{port}/")
    return replace(plain(port), routes=(route,), upstream_tls=UpstreamTls(ca="ca.pem"))


async def closes_the_second(this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Its first connection closes over its second request, which has to be sent again over another."""
    number = this.connections
    await read_request(this, reader)
    writer.write(HELLO)
    while number > 1:
        await read_request(this, reader)
        writer.write(HELLO)
    await read_request(this, reader)


async def answers_one(this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Keeps whoever asks for /hold waiting, and closes after an answer."""
    head, _ = await read_request(this, reader)
    if b"/hold" in head:
        await reader.read()
    writer.write(CLOSING)


SHAPES: dict[str, Shape] = {
    "GET": Shape(plain, answers(HELLO)),
    "POST": Shape(plain, answers(HELLO), (POST, b"world")),
    "a name": Shape(by_name, answers(HELLO)),
    "asked again": Shape(plain, closes_the_second, first=GET),
    "the next member": Shape(lambda port: balanced(free_port(), port), answers(HELLO)),
    "in line": Shape(partial(balanced, max_connections=1), answers_one, hold=True),
    "a map": Shape(mapped, answers(HELLO)),
    "a password": Shape(guarded, answers(HELLO), (GET.replace(b"Host: a\r\n", b"Host: a\r\n" + PRIVATE),)),
    "a file": Shape(in_folder, answers(HELLO), (GET.replace(b"/x", b"/users"),)),
    "a page for an error": Shape(paged, answers(HELLO), (POST, b"world"), good=(b"HTTP/1.1 503",)),
    "a tunnel": Shape(upgrading, switches(), (ASK,)),
    "TLS": Shape(tls_listener, answers(HELLO), client_tls=True),
    "PROXY": Shape(proxied, answers(HELLO), (PROXIED, GET)),
    "a member with TLS": Shape(tls_member, answers(HELLO), member_tls=True),
}
HAPPENINGS: dict[str, Callable[[Here], Happening]] = {
    "it is cancelled": lambda here: cancelled,
    "it is cancelled as it comes true": lambda here: cancelled_as_it_comes_true,
    "the client leaves": lambda here: here.leave,
    "a deadline passes": lambda here: here.too_late,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    made = tmp_path_factory.mktemp("awaits")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(made / "ca.pem")
    issued = authority.issue_cert("a.example", "127.0.0.1")
    issued.private_key_and_cert_chain_pem.write_to_path(made / "a.pem")
    client, member = ssl.create_default_context(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.configure_trust(client)
    issued.configure_cert(member)
    (made / "users").write_text(SECRET)
    (made / "program.py").write_text(PROGRAM)
    return SimpleNamespace(path=made, client=client, member=member)


@asynccontextmanager
async def running(shape: Shape, folder: SimpleNamespace) -> AsyncIterator[Here]:
    steps, complaints = Steps(), list[dict[str, Any]]()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    steps.install(loop)
    async with AsyncExitStack() as stack:
        tls = folder.member if shape.member_tls else None
        member = await stack.enter_async_context(upstream(shape.talk, ssl=tls))
        site = shape.site(member.port)
        maps = MapStore()
        stack.push_async_callback(maps.close)
        maps.commit(await maps.prepare(site, folder.path))
        outside = Outside(maps, folder.path)
        proxy = await stack.enter_async_context(serving(site, folder.path, outside=outside))
        yield Here(shape, proxy, member, steps, folder.client, complaints=complaints)
    gc.collect()
    await asyncio.sleep(0)
    assert not complaints, complaints


async def everywhere(shape: Shape, happening: Callable[[Here], Happening], folder: SimpleNamespace) -> int:
    """At how many places it happened."""
    async with running(shape, folder) as here:
        for number in range(1, 200):
            await here.forget()
            await one(here, number, happening(here))
            done = here.steps.done
            here.steps.at(0, cancelled)  # what did not happen must not happen to what comes after
            if not done:
                return number - 1
            here.writer = None
            await here.forget()
            async with asyncio.timeout(10):
                assert (await here.ask(*(shape.pieces))).startswith(shape.good), number
            await until(lambda: not here.left())
    raise AssertionError("it never comes to an end")


async def one(here: Here, number: int, happening: Happening) -> None:
    """The request, and what must hold after it."""
    shape, proxy = here.shape, here.proxy
    if shape.first:
        assert b" 200 " in await here.ask(shape.first)
    known = proxy.recorder.newest
    here.writer = None
    async with asyncio.timeout(10):
        if shape.hold:
            _, holder = await asyncio.open_connection("127.0.0.1", proxy.port)
            holder.write(HOLD)
            await until(lambda: here.member.open)
            asking = asyncio.create_task(here.ask(*shape.pieces))
            await until(lambda: proxy.server._state.lines)
            known += 1
            here.steps.at(number, happening)
            reset(holder)
            got = await asking
        else:
            here.steps.at(number, happening)
            got = await here.ask(*shape.pieces)
    assert not got or got[9:12] in (b"101", b"200", b"400", b"500", b"502", b"503", b"504"), got
    end = monotonic() + 10
    while left := here.left():
        assert monotonic() < end, (number, left)
        await asyncio.sleep(0.001)
    proxy.at_rest()
    assert proxy.recorder.newest - known <= 1, "finished twice"
    assert proxy.recorder.newest > known or not got, "answered and not recorded"


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("happening", HAPPENINGS)
@pytest.mark.parametrize("shape", SHAPES)
def test_whatever_happens_at_any_await_costs_one_request(
    shape: str, happening: str, loop: Callable[[], asyncio.AbstractEventLoop], folder: SimpleNamespace
) -> None:
    with asyncio.Runner(loop_factory=loop) as runner:
        assert runner.run(everywhere(SHAPES[shape], HAPPENINGS[happening], folder)) >= 1
