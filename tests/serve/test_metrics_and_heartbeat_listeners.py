"""Heartbeats over the wire: datagrams, a multicast group, and POST."""

from __future__ import annotations

import asyncio
import socket
from time import monotonic
from typing import Any

import pytest

from proxy_core.balance.heartbeat import LoadReport
from proxy_core.serve.metrics_and_heartbeat_listeners import hear_heartbeats, serve_pages

GROUP = "239.7.7.7"
SECRET = {"/metrics": ("text/plain", lambda: (200, "secret"))}


async def arrived(said: list[tuple[LoadReport, str]], count: int) -> None:
    end = monotonic() + 5
    while len(said) < count:
        assert monotonic() < end, said
        await asyncio.sleep(0.005)


def send(there: tuple[str, int], *datagrams: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
        for datagram in datagrams:
            sender.sendto(datagram, there)


async def test_datagrams_are_heard_and_rubbish_is_not() -> None:
    said: list[tuple[LoadReport, str]] = []
    beats = await hear_heartbeats("127.0.0.1:0", lambda *heard: said.append(heard))
    try:
        send(("127.0.0.1", beats.port), b"\xff" * 900, b"v=1", b"v=1&ready=5&busy=2")
        await arrived(said, 1)
        assert said == [(LoadReport(5, 2), "127.0.0.1")]
    finally:
        await beats.close()


async def post(port: int, body: bytes, method: str = "POST", host: str = "Host: localhost\r\n") -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    fields = f"{host}Connection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    version = "HTTP/1.1" if host else "HTTP/1.0"
    writer.write(f"{method} /heartbeat {version}\r\n{fields}".encode() + body)
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    return answer.split(b"\r\n")[0]


async def test_a_post_of_the_same_text_does_as_well() -> None:
    said: list[tuple[LoadReport, str]] = []
    beats = await hear_heartbeats("127.0.0.1:0", lambda *heard: said.append(heard))
    try:
        assert b" 200 " in await post(beats.port, b"v=1&ready=3&busy=0&port=81")
        assert b" 400 " in await post(beats.port, b"hello")
        assert b" 405 " in await post(beats.port, b"", "GET")
        assert said == [(LoadReport(3, 0, 81), "127.0.0.1")]
    finally:
        await beats.close()


NAMES = [
    ("Host: localhost", True),
    ("Host: LocalHost.:9090", True),
    ("Host: proxy.localhost", True),
    ("Host: 127.0.0.1:9090", True),
    ("Host: 127.8.8.8", True),
    ("Host: [::1]:9090", True),
    ("Host: proxy.internal:1", True),
    ("", True),
    ("Host: evil.example", False),
    ("Host: localhost.evil.example", False),
    ("Host: notlocalhost", False),
    ("Host: 10.1.2.3", False),
    ("Host: ", False),
    ("Host: 127.0.0.1.evil.example", False),
]


@pytest.mark.parametrize(("host", "ours"), NAMES)
async def test_pages_for_programs_answer_to_their_own_names_alone(host: str, ours: bool) -> None:
    said: list[tuple[LoadReport, str]] = []
    line = f"{host}\r\n" if host else ""
    http = "HTTP/1.1" if host else "HTTP/1.0"
    page = await serve_pages("127.0.0.1:0", SECRET, lambda: ["Proxy.Internal"])
    beats = await hear_heartbeats("127.0.0.1:0", lambda *heard: said.append(heard), lambda: ["Proxy.Internal"])
    try:
        for path, status in (("/metrics", 200), ("/", 404)):
            reader, writer = await asyncio.open_connection("127.0.0.1", page.port)
            writer.write(f"GET {path} {http}\r\n{line}Connection: close\r\n\r\n".encode())
            got = await asyncio.wait_for(reader.read(), 5)
            writer.close()
            assert int(got.split()[1]) == (status if ours else 421)
            assert (b"secret" in got) is (ours and status == 200)
        answer = await post(beats.port, b"v=1&ready=3&busy=0", host=line)
        assert (b" 200 " in answer, b" 421 " in answer, len(said)) == (ours, not ours, int(ours))
    finally:
        await page.close()
        await beats.close()


@pytest.mark.parametrize("head", ["GET http://evil.example/metrics HTTP/1.1\r\nHost: localhost",
                                  "GET /metrics HTTP/1.1\r\nHost: localhost\r\nHost: evil.example"])  # fmt: skip
async def test_a_request_that_names_two_hosts_is_none_of_ours(head: str) -> None:
    page = await serve_pages("127.0.0.1:0", SECRET)
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", page.port)
        writer.write(f"{head}\r\nConnection: close\r\n\r\n".encode())
        got = await asyncio.wait_for(reader.read(), 5)
        writer.close()
        assert int(got.split()[1]) in (400, 421)
        assert b"secret" not in got
    finally:
        await page.close()


async def test_a_multicast_group_is_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[tuple[LoadReport, str]] = []
    loop = asyncio.get_running_loop()
    real, ends = loop.create_datagram_endpoint, list[Any]()

    async def kept(*arguments: Any, **named: Any) -> Any:
        ends.extend(await real(*arguments, **named))
        return tuple(ends)

    monkeypatch.setattr(loop, "create_datagram_endpoint", kept)
    beats = await hear_heartbeats(f"{GROUP}:0", lambda *heard: said.append(heard))
    try:
        transport, protocol = ends
        opened = transport.get_extra_info("socket")
        assert opened.getsockname() == (GROUP, beats.port)
        protocol.datagram_received(b"v=1&ready=5&busy=2", ("10.0.0.9", 5))
        assert said == [(LoadReport(5, 2), "10.0.0.9")]
    finally:
        await beats.close()
