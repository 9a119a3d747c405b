"""What bytraffic goes by, on the wire: bytes written to a member, and status lines and body bytes read from it.

Which bytes httpd counts is in mod_proxy_http.c and in ap_proxy_pass_brigade of proxy_util.c; that the two elect alike
by them is in tests/conformance/test_bytraffic.py.
"""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from proxy_core.balance.member_state import MemberKey
from proxy_core.config.model import Site
from tests.e2e.harness import HELLO, Running, Talk, Upstream, client, serving, site, upstream
from tests.e2e.test_tunnels import ASK, SWITCH
from tests.waiting import until

OK = len("HTTP/1.1 200 OK")


def counted(*ports: int) -> Site:
    """A balancer by bytraffic whose members may tunnel and whose errors are pages of our own."""
    plain = site(*ports, balanced=True)
    route = msgspec.structs.replace(plain.routes[0], error_override=True, upgrade=("websocket",))
    pool = msgspec.structs.replace(plain.balancers["pool"], method="bytraffic")
    return msgspec.structs.replace(plain, routes=(route,), balancers={"pool": pool})


def bytes_of(proxy: Running, member: str = "m0") -> tuple[int, int]:
    state = proxy.registry.members[MemberKey("pool", member)]
    return state.transferred, state.read


def hears(raw: bytes, heard: bytearray, wanted: bytes) -> Talk:
    """An upstream that answers once what it heard ends in ``wanted``, and closes."""

    async def talk(this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not heard.endswith(wanted):
            heard.extend(await reader.read(65536))
            this.heads[:] = [bytes(heard)]
        writer.write(raw)

    return talk


GET = (b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",)
POST = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
CASES: dict[str, tuple[tuple[bytes, ...], bytes, bytes, int]] = {
    # What the client says in pieces, how that ends upstream, the answer, and how much of it counts.
    "length": (GET, b"\r\n\r\n", HELLO, OK + 5),
    "chunks": (GET, b"\r\n\r\n", CHUNKS + b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX: y\r\n\r\n", OK + 5),
    "until-close": (GET, b"\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\nhello", OK + 5),
    "head": ((b"HEAD" + GET[0][3:],), b"\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", OK),
    "not-modified": (GET, b"\r\n\r\n", b"HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n", OK + len("Not Modified") - 2),
    "interim": (GET, b"\r\n\r\n", b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n" + HELLO, OK + 3 + OK + 5),
    "our-own-page": (GET, b"\r\n\r\n", b"HTTP/1.1 404 No\r\nContent-Length: 5\r\n\r\nhello", OK),
    "body": ((POST + b"Content-Length: 4\r\n\r\nbo", b"dy"), b"body", HELLO, OK + 5),
    "body-in-chunks": (
        (POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\nbo\r\n", b"2\r\ndy\r\n0\r\n\r\n"), b"dy\r\n0\r\n\r\n",
        HELLO, OK + 5,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("asked", "wanted", "raw", "read"), CASES.values(), ids=CASES)
async def test_every_byte_to_a_member_counts_and_status_lines_and_bodies_from_it(
    asked: tuple[bytes, ...], wanted: bytes, raw: bytes, read: int
) -> None:
    heard = bytearray()
    async with upstream(hears(raw, heard, wanted)) as up, serving(counted(up.port)) as proxy:
        async with client(proxy.port) as one:
            for number, piece in enumerate(asked):
                await until(lambda number=number: not number or b"\r\n\r\n" in heard)  # type: ignore[misc]
                one.send(piece)
            await proxy.finished()
        assert bytes_of(proxy) == (len(heard), read)


async def test_bytes_through_a_tunnel_count_as_they_go() -> None:
    async def echo(this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        this.heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(SWITCH)
        while data := await reader.read(65536):
            writer.write(data)

    async with upstream(echo) as up, serving(counted(up.port)) as proxy, client(proxy.port) as one:
        one.send(ASK)
        await one.answer()
        one.send(b"\x81\x03abc")
        line = len("HTTP/1.1 101 Switching Protocols")
        await until(lambda: bytes_of(proxy) == (len(up.heads[0]) + 5, line + 5))


async def test_a_request_in_flight_counts_before_it_is_answered() -> None:
    async def holds(this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        this.heads.append(await reader.readuntil(b"\r\n\r\n"))
        await reader.read()

    async with upstream(holds) as a, upstream(holds) as b, serving(counted(a.port, b.port)) as proxy:
        async with client(proxy.port) as one, client(proxy.port) as other:
            one.send(GET[0])
            await until(lambda: bool(a.heads))
            other.send(GET[0])
            await until(lambda: bool(b.heads))
