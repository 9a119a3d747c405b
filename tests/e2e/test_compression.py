"""Answers that are coded on a running server: what clients get is what members said, and streams do not wait."""

from __future__ import annotations

import asyncio
import gzip
import os
import re
from collections.abc import Callable
from typing import Any

import brotli
import pytest
import zstandard
from msgspec.structs import replace

from proxy_core.config.model import Compress, EnvRule, HeaderRule, Location, Site
from tests.e2e.harness import Client, Upstream, answers, client, get, read_request, serving, site, until, upstream

TEXT = b"".join(b"<p>paragraph %d of a page</p>\n" % number for number in range(200))
CODED = Compress(types=("text/*",))


def unzstd(data: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompressobj().decompress(data)


DECODE: dict[str, Callable[[bytes], bytes]] = {
    "zstd": unzstd,
    "br": brotli.decompress,
    "gzip": gzip.decompress,
}


def page(body: bytes = TEXT, *fields: str, kind: str = "text/html", chunked: bool = False) -> bytes:
    framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(body)}"
    head = "\r\n".join(["HTTP/1.1 200 OK", f"Content-Type: {kind}", framing, *fields, "", ""]).encode()
    return head + (b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if chunked else body)


def coding_site(port: int, compress: Compress = CODED, **more: Any) -> Site:
    return replace(site(port), compress=compress, **more)


def field(head: bytes, name: str) -> str | None:
    found = re.search(rf"(?im)^{name}: *(.*?)\r?$".encode(), head)
    return found[1].decode() if found else None


@pytest.mark.parametrize("coding", ["zstd", "br", "gzip"])
@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("size", [1, 40])
async def test_a_client_gets_what_the_member_said_in_the_coding_that_it_takes(
    coding: str, chunked: bool, size: int
) -> None:
    body = TEXT * size
    async with upstream(answers(page(body, 'ETag: "a"', chunked=chunked))) as member:
        async with serving(coding_site(member.port)) as proxy:
            head, got = await get(proxy.port, "/", f"Accept-Encoding: {coding}")
            record = await proxy.finished()
    assert field(head, "content-encoding") == coding
    assert field(head, "vary") == "Accept-Encoding"
    assert field(head, "etag") == 'W/"a"'
    assert DECODE[coding](got) == body
    assert record.sent == len(got) < len(body) / 5
    assert record.notes is not None
    assert (record.notes["coding"], record.notes["instream"]) == (coding, str(len(body)))
    assert record.notes["outstream"] == str(len(got))
    assert proxy.recorder.coded[coding].plain == len(body)
    assert (record.member.state.read if record.member else 0) > len(body)


async def test_a_client_that_takes_nothing_gets_what_the_member_said_and_vary() -> None:
    async with upstream(answers(page(TEXT, 'ETag: "a"'))) as member, serving(coding_site(member.port)) as proxy:
        head, got = await get(proxy.port)
    assert got == TEXT
    assert [field(head, name) for name in ("content-encoding", "vary", "etag")] == [None, "Accept-Encoding", '"a"']
    assert field(head, "content-length") == str(len(TEXT))


async def test_head_says_what_get_says_but_for_the_length() -> None:
    async def talk(this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head, _ = await read_request(this, reader)
            writer.write(page()[: -len(TEXT)] if head[:4] == b"HEAD" else page())

    async with upstream(talk) as member, serving(coding_site(member.port)) as proxy, client(proxy.port) as one:
        said = []
        for method in ("HEAD", "GET", "HEAD"):
            one.send(f"{method} / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n".encode())
            head, _ = await one.answer(method == "HEAD")
            said.append([field(head, name) for name in ("content-encoding", "vary", "content-type")])
            assert method == "GET" or field(head, "content-length") is None
    assert said == [["gzip", "Accept-Encoding", "text/html"]] * 3


async def test_each_event_of_a_stream_goes_out_before_the_next_one_comes() -> None:
    go = asyncio.Event()

    async def talk(this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(this, reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for number in range(3):
            event = b"data: %d\n\n" % number
            writer.write(b"%x\r\n%b\r\n" % (len(event), event))
            await go.wait()
            go.clear()
        writer.write(b"0\r\n\r\n")

    async with upstream(talk) as member, serving(coding_site(member.port)) as proxy, client(proxy.port) as one:
        one.send(b"GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: br\r\nConnection: close\r\n\r\n")
        assert b"Content-Encoding: br" in await one.answer_head()
        decode = brotli.Decompressor()
        for number in range(3):
            assert decode.process(await _chunk(one)) == b"data: %d\n\n" % number
            go.set()
        await one.rest()
        assert decode.process(b"") == b""


async def _chunk(one: Client) -> bytes:
    async with asyncio.timeout(5):
        size = int(await one.reader.readuntil(b"\r\n"), 16)
        data = await one.reader.readexactly(size)
        await one.reader.readexactly(2)
    return data


async def test_a_member_is_not_read_from_while_a_slow_client_has_enough() -> None:
    """What nobody can code smaller, so that the client's buffers fill."""
    piece, sent = os.urandom(65536), 0

    async def gushes(this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % (len(piece) * 256))
        for _ in range(256):
            writer.write(piece)
            await writer.drain()
            sent += 1

    async with upstream(gushes) as member, serving(coding_site(member.port)) as proxy, client(proxy.port) as one:
        one.send(b"GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n")
        await one.answer_head()
        await until(lambda: any(each.blocked for each in proxy.server._clients))
        assert sent < 256
        while await one.reader.read(1 << 20):
            pass
        record = await proxy.finished()
        assert record.status == 200
        assert record.notes is not None
        assert record.notes["instream"] == str(256 * len(piece))


async def test_a_client_that_leaves_while_its_answer_is_coded_costs_nothing_else() -> None:
    async with upstream(answers(page(os.urandom(1 << 20), kind="text/plain"))) as member:
        async with serving(coding_site(member.port)) as proxy:
            async with client(proxy.port) as one:
                one.send(b"GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: br\r\n\r\n")
                await one.answer_head()
            await proxy.finished()
            assert (await get(proxy.port))[0].startswith(b"HTTP/1.1 200")


async def test_a_body_that_breaks_is_cut_and_not_ended() -> None:
    async def breaks(this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(this, reader)
        writer.write(page()[:-100])
        await writer.drain()

    async with upstream(breaks) as member, serving(coding_site(member.port)) as proxy, client(proxy.port) as one:
        one.send(b"GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n")
        assert not (await one.rest()).endswith(b"0\r\n\r\n")
        assert (await proxy.finished()).cut == 502


async def test_http_1_0_gets_a_coded_body_until_the_end_of_the_connection() -> None:
    async with upstream(answers(page(chunked=True))) as member, serving(coding_site(member.port)) as proxy:
        async with client(proxy.port) as one:
            one.send(b"GET / HTTP/1.0\r\nAccept-Encoding: gzip\r\n\r\n")
            head, body = await one.answer()
    assert field(head, "transfer-encoding") is None
    assert gzip.decompress(body) == TEXT


async def test_a_member_is_asked_for_the_strong_tag_too_and_the_304_has_the_clients_form() -> None:
    answer = b'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\n\r\n'
    async with upstream(answers(answer)) as member, serving(coding_site(member.port)) as proxy:
        head, _ = await get(proxy.port, "/", 'If-None-Match: W/"a", "b"', "Accept-Encoding: br")
    assert field(member.heads[0], "if-none-match") == 'W/"a", "a", "b"'
    assert (field(head, "etag"), field(head, "vary")) == ('W/"a"', "Accept-Encoding")


@pytest.mark.parametrize(("asks", "seen"), [(False, "br;q=0.5"), (True, "identity")])
async def test_members_are_asked_for_what_is_not_coded_where_the_site_says_so(asks: bool, seen: str) -> None:
    async with upstream(answers(page())) as member:
        async with serving(coding_site(member.port, replace(CODED, ask_identity=asks))) as proxy:
            head, _ = await get(proxy.port, "/", "Accept-Encoding: br;q=0.5")
    assert field(member.heads[0], "accept-encoding") == seen
    assert field(head, "content-encoding") == "br"


async def test_what_the_site_makes_of_accept_encoding_counts_here_too() -> None:
    row = HeaderRule(id="h", on="request", action="unset", name="Accept-Encoding")
    async with upstream(answers(page())) as member:
        async with serving(coding_site(member.port, headers=(row,))) as proxy:
            head, _ = await get(proxy.port, "/", "Accept-Encoding: br")
    assert (field(head, "content-encoding"), field(head, "vary")) == (None, "Accept-Encoding")


async def test_what_a_member_has_coded_passes_as_it_is_and_so_do_bodies_of_requests() -> None:
    async with upstream(answers(page(b"z" * 999, "Content-Encoding: zstd"))) as member:
        async with serving(coding_site(member.port)) as proxy, client(proxy.port) as one:
            one.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc")
            head, body = await one.answer()
    assert (field(head, "content-encoding"), body) == ("zstd", b"z" * 999)
    assert field(member.heads[0], "content-encoding") == "gzip"


async def test_the_table_of_a_location_takes_the_place_of_the_routes_and_that_of_a_route_the_sites() -> None:
    async with upstream(answers(page())) as member:
        what = coding_site(member.port)
        of_route = replace(what.routes[0], compress=Compress(types=("text/html",), codings=("gzip",)))
        none = Location(id="none", path="/none", compress=Compress())
        async with serving(replace(what, routes=(of_route,), locations=(none,))) as proxy:
            codings = [field((await get(proxy.port, path, "Accept-Encoding: br, gzip"))[0], "content-encoding")
                       for path in ("/", "/none/x")]  # fmt: skip
    assert codings == ["gzip", None]


async def test_a_variable_spares_a_request() -> None:
    spares = EnvRule(id="e", name="no-gzip", value="1", from_="%{HTTP_USER_AGENT}", capture="^Old")
    async with upstream(answers(page())) as member:
        async with serving(coding_site(member.port, replace(CODED, codings=("gzip",)), env=(spares,))) as proxy:
            old, _ = await get(proxy.port, "/", "Accept-Encoding: gzip", "User-Agent: Old/1")
            new, _ = await get(proxy.port, "/", "Accept-Encoding: gzip", "User-Agent: New/1")
    assert (field(old, "content-encoding"), field(old, "vary")) == (None, None)
    assert field(new, "content-encoding") == "gzip"


async def test_requests_of_one_connection_are_each_coded_for_themselves() -> None:
    async with upstream(answers(page())) as member, serving(coding_site(member.port)) as proxy:
        async with client(proxy.port) as one:
            for coding in ("gzip", "identity", "br", "gzip", "identity"):
                one.send(f"GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: {coding}\r\n\r\n".encode())
                head, body = await one.answer()
                assert DECODE.get(coding, bytes)(body) == TEXT
                assert (field(head, "content-encoding") or "identity") == coding
    assert member.connections == 1
