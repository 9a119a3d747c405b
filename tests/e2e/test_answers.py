"""What the client gets of an answer: fields, addresses, framing, and pages of our own in place of errors."""

from __future__ import annotations

import asyncio
import re

import pytest

from tests.e2e.harness import Upstream, answers, ask, client, get, read_request, serving, site, upstream


def ok(*fields: str, status: str = "200 OK") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *fields, "Content-Length: 2", "", "ok"]).encode("latin-1")


async def fields_of(raw: bytes, request: str = "/", **options: object) -> list[bytes]:
    async with upstream(answers(raw)) as member, serving(site(member.port, path="/app", **options)) as proxy:
        head, _ = await get(proxy.port, request)
        return head.split(b"\r\n")[1:-2]


async def test_fields_pass_in_order_and_spelling_and_those_of_one_hop_do_not() -> None:
    raw = ok(
        "Server: x", "date: yesterday", "Set-Cookie: a=1", "sEt-cookie: b=2", "Keep-Alive: timeout=5", "Upgrade: h2c",
        "Connection: keep-alive, X-Hop", "X-Hop: 1", "TE: x", "Trailer: x", "Proxy-Authenticate: Basic",
        "Proxy-Connection: x", "X-Bytes: \xe9\xff", "Empty:",
    )  # fmt: skip
    assert await fields_of(raw) == [
        b"Server: x", b"date: yesterday", b"Set-Cookie: a=1", b"sEt-cookie: b=2", b"X-Bytes: \xe9\xff", b"Empty:",
        b"Content-Length: 2", b"Connection: close",
    ]  # fmt: skip


async def test_a_missing_date_is_added() -> None:
    assert re.fullmatch(rb"Date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", (await fields_of(ok()))[0])


ADDRESSES = [
    # what the upstream says (MEMBER is its own origin), and what the client reads
    ("MEMBER/app/x?y#z", "http://localhost/x?y#z"),
    ("MEMBER/APP/x", "http://localhost/x"),
    ("MEMBER/other", "MEMBER/other"),
    ("/app/x", "/app/x"),
    ("http://elsewhere/app/x", "http://elsewhere/app/x"),
    ("MEMBER/app/\xe9", "http://localhost/\xe9"),
]


@pytest.mark.parametrize("name", ["Location", "content-location", "URI", "Destination", "X-Other"])
@pytest.mark.parametrize(("said", "seen"), ADDRESSES)
async def test_addresses_of_the_upstream_become_ours(name: str, said: str, seen: str) -> None:
    async def talk(this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(this, reader)
        value = said.replace("MEMBER", f"http://127.0.0.1:{this.port}")
        writer.write(ok(f"{name}:  {value} ", status="302 Found"))

    async with upstream(talk) as member, serving(site(member.port, path="/app")) as proxy:
        head, _ = await get(proxy.port)
        expected = (said if name == "X-Other" else seen).replace("MEMBER", f"http://127.0.0.1:{member.port}")
        assert re.search(rb"(?m)^%b: +(.*?) *\r$" % name.encode(), head)[1] == expected.encode("latin-1")


async def test_reverse_off_leaves_addresses_alone() -> None:
    location = "Location: http://127.0.0.1:1/x"
    async with upstream(answers(ok(location))) as member, serving(site(member.port, reverse="off")) as proxy:
        assert location.encode() in (await get(proxy.port))[0]


@pytest.mark.parametrize("status", [400, 401, 404, 418, 499, 500, 503, 599])
@pytest.mark.parametrize("hidden", [False, True])
async def test_error_override_shows_our_page_instead_of_theirs(status: int, hidden: bool) -> None:
    raw = ok("WWW-Authenticate: Basic", "Set-Cookie: secret", "Retry-After: 5", status=f"{status} Whatever")
    async with upstream(answers(raw, ok())) as member, serving(site(member.port, error_override=hidden)) as proxy:
        async with client(proxy.port) as one:
            one.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            head, body = await one.answer()
            assert head.startswith(b"HTTP/1.1 %d " % status)
            assert (body == b"ok") != hidden
            assert (b"secret" in head) != hidden
            assert (b"WWW-Authenticate: Basic" in head) == (status == 401 or not hidden)
            one.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert (await one.answer())[1] == b"ok"
            assert member.connections == 1
        assert proxy.records[0].status == status


async def test_error_override_does_not_wait_for_a_long_body() -> None:
    raw = b"HTTP/1.1 500 Oh\r\nContent-Length: 10000000\r\n\r\nsecret"
    async with upstream(answers(raw)) as member, serving(site(member.port, error_override=True)) as proxy:
        async with client(proxy.port) as one:
            for _ in range(2):
                one.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                assert b"secret" not in (await one.answer())[1]


async def test_error_override_answers_head_without_a_body() -> None:
    raw = b"HTTP/1.1 404 No\r\nContent-Length: 10\r\n\r\n"
    async with upstream(answers(raw)) as member, serving(site(member.port, error_override=True)) as proxy:
        got = await ask(proxy.port, b"HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert got.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(("version", "relayed"), [(b"1.1", True), (b"1.0", False)])
async def test_interim_answers_reach_only_clients_that_know_them(version: bytes, relayed: bool) -> None:
    raw = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + ok()
    async with upstream(answers(raw)) as member, serving(site(member.port)) as proxy:
        got = await ask(proxy.port, b"GET / HTTP/%b\r\nHost: a\r\nConnection: close\r\n\r\n" % version)
        assert re.findall(rb"HTTP/1.1 (\d+)", got) == ([b"103"] if relayed else []) + [b"200"]


async def test_chunked_answers_to_old_clients_end_with_the_connection() -> None:
    raw = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
    async with upstream(answers(raw)) as member, serving(site(member.port)) as proxy:
        got = await ask(proxy.port, b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert b"Transfer-Encoding" not in got
        assert got.endswith(b"\r\n\r\nok")


UPGRADE_FIRST = ("Upgrade: TLS/1.3, HTTP/2.0", "Connection: Upgrade, X-Hop", "X-Hop: 1")


@pytest.mark.parametrize("hidden", [False, True])
async def test_a_426_says_what_to_change_to_and_no_other_answer_does(hidden: bool) -> None:
    """RFC 9110 §15.5.22; httpd drops it."""
    told = await fields_of(ok(*UPGRADE_FIRST, status="426 Upgrade Required"), error_override=hidden)
    assert b"Upgrade: TLS/1.3, HTTP/2.0" in told
    assert [line for line in told if line.startswith(b"Connection")] == [b"Connection: Upgrade", b"Connection: close"]
    assert b"X-Hop: 1" not in told
    told = await fields_of(ok(*UPGRADE_FIRST, status="400 Bad"), error_override=hidden)
    assert not [line for line in told if b"pgrade" in line]


@pytest.mark.parametrize("order", ["kkckc", "cckc", "ckkc"])
async def test_a_head_that_a_member_repeats_is_right_for_clients_that_stay_and_for_those_that_go(order: str) -> None:
    fields = b"Date: Mon, 30 Nov 2026 15:07:41 GMT\r\nETag: a\r\n"
    told = b"HTTP/1.1 200 OK\r\n" + fields + b"Content-Length: 5\r\n\r\nhello"
    async with upstream(answers(*[told] * len(order))) as member, serving(site(member.port)) as proxy:
        for each in order:
            goes = b"Connection: close\r\n" if each == "c" else b""
            async with client(proxy.port) as one:
                one.send(b"GET / HTTP/1.1\r\nHost: a\r\n" + goes + b"\r\n")
                head, body = await one.answer()
            assert head == b"HTTP/1.1 200 OK\r\n" + fields + b"Content-Length: 5\r\n" + goes + b"\r\n"
            assert body == b"hello"
        assert len(member.heads) == len(order)
