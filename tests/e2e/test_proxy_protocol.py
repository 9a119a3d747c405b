"""The PROXY protocol on a listener: who the client is, everywhere, and who may not say so."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import trustme
from msgspec.structs import replace

from proxy_core.config.model import Certificate, Listener, ListenerTls, Site
from proxy_core.serve import connection_setup
from tests.e2e.harness import ask, client, echoes, serving, site, until, upstream
from tests.serve.test_proxy_protocol import BAD, V4, v2

REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Forwarded-For: 9.9.9.9\r\n\r\n"


def proxied(port: int, tls: ListenerTls | None = None, trusted: tuple[str, ...] = ("127.0.0.0/8",)) -> Site:
    made = site(port, trusted_proxies=trusted)
    return replace(made, listeners={"in": Listener(address="127.0.0.1:0", proxy_protocol=True, tls=tls)})


@pytest.mark.parametrize("header", [b"PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n", v2(0x21, 0x11, V4)])
async def test_the_client_is_who_the_header_says_and_is_trusted_as_itself(header: bytes) -> None:
    async with upstream(echoes) as member, serving(proxied(member.port)) as proxy:
        raw = await ask(proxy.port, header + REQUEST)
        assert b"\r\nX-Forwarded-For: 192.0.2.1\r\n" in raw, "the balancer is trusted, its client is not"
        view = (await proxy.finished()).view
        assert view.client == "192.0.2.1"
        came = view.connection
        assert (came.address, came.port, came.client_port) == ("198.51.100.2", 443, 56324)


@pytest.mark.parametrize("header", [b"PROXY UNKNOWN\r\n", v2(0x20, 0, b"")])
async def test_a_balancers_own_connection_speaks_for_itself(header: bytes) -> None:
    async with upstream(echoes) as member, serving(proxied(member.port)) as proxy:
        assert b"\r\nX-Forwarded-For: 9.9.9.9, 127.0.0.1\r\n" in await ask(proxy.port, header + REQUEST)


@pytest.mark.parametrize("header", [each for each in BAD if each])
async def test_a_malformed_header_closes_without_a_word(header: bytes) -> None:
    async with upstream(echoes) as member, serving(proxied(member.port)) as proxy, client(proxy.port) as one:
        one.send(header + REQUEST if header.endswith(b"\n") else header)
        one.writer.write_eof()
        assert await one.rest() == b""
        assert not member.heads


async def test_who_is_not_trusted_is_turned_away_whatever_it_says() -> None:
    header = b"PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n"
    async with upstream(echoes) as member, serving(proxied(member.port, trusted=("10.0.0.0/8",))) as proxy:
        assert await ask(proxy.port, header + REQUEST) == b""
        await until(lambda: proxy.server.listeners[0].turned_away == 1)
        await proxy.apply(proxied(member.port))
        assert b"200 OK" in await ask(proxy.port, header + REQUEST), "an edit of the trusted holds at once"


async def test_who_opens_for_longest_makes_room_when_too_many_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_setup, "OPENING_MOST", 3)
    async with upstream(echoes) as member, serving(proxied(member.port)) as proxy, AsyncExitStack() as stack:
        slow = [await stack.enter_async_context(client(proxy.port)) for _ in range(3)]
        assert b"200 OK" in await ask(proxy.port, b"PROXY UNKNOWN\r\n" + REQUEST)
        assert await slow[0].rest() == b""
        slow[2].send(b"PROXY UNKNOWN\r\n" + REQUEST)
        assert b"200 OK" in await slow[2].rest()
        assert proxy.server.listeners[0].turned_away == 1


async def test_a_header_stands_before_the_handshake(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.issue_cert("a.example").private_key_and_cert_chain_pem.write_to_path(tmp_path / "a.pem")
    context = ssl.create_default_context()
    authority.configure_trust(context)
    tls = ListenerTls(certificates=(Certificate(id="a", cert="a.pem"),))
    async with upstream(echoes) as member, serving(proxied(member.port, tls), tmp_path) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"PROXY TCP6 2001:db8::7 ::1 1 2\r\n")
        await writer.start_tls(context, server_hostname="a.example")
        writer.write(REQUEST)
        async with asyncio.timeout(10):
            seen = await reader.read(65536)
        assert b"\r\nX-Forwarded-For: 2001:db8::7\r\n" in seen
        assert b"\r\nX-Forwarded-Proto: https\r\n" in seen
        writer.close()
