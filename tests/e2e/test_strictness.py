"""Requests that two readers might understand differently: each is refused, or forwarded in one unambiguous form.

Every row is one message on a connection of its own, followed by a second request: when the first is refused, the
second must never be served (it may be the inside of the first), and nothing of either reaches a member.
"""

from __future__ import annotations

import re

import pytest

from tests.e2e.harness import HELLO, answers, ask, serving, site, upstream
from tests.e2e.messages import FORWARDED, MADE, REFUSED, SECOND, H, get, post

ALL_REFUSED = REFUSED + MADE


@pytest.mark.parametrize("number", range(len(ALL_REFUSED)))
async def test_a_request_that_is_refused_reaches_nobody_and_hides_nothing_behind_it(number: int) -> None:
    status, raw = ALL_REFUSED[number]
    async with upstream(answers(HELLO)) as member, serving(site(member.port)) as proxy:
        got = await ask(proxy.port, raw + SECOND)
        statuses = [int(found) for found in re.findall(rb"HTTP/1\.1 (\d+) ", got)]
        in_path = re.match(rb"GET [^ ]*(?:%|\.\.)[^ ]* HTTP/1\.1\r\n", raw)
        assert statuses[0] == status, got
        if in_path and len(statuses) == 2:
            return  # the message is clear and only its path is not: the connection may live on
        assert len(statuses) == 1
        assert all(b"second" not in head for head in member.heads)
        assert b"Connection: close" in got
        record = proxy.records[0]
        assert record.status == status
        assert record.cause


async def test_what_is_refused_is_refused_behind_good_requests_with_the_same_fields_too() -> None:
    async with upstream(answers(HELLO)) as member, serving(site(member.port)) as proxy:
        for status, raw in ALL_REFUSED:
            got = await ask(proxy.port, get() + get() + raw + SECOND)
            statuses = [int(found) for found in re.findall(rb"HTTP/1\.1 (\d+) ", got)]
            assert statuses[:3] == [200, 200, status], raw


@pytest.mark.parametrize("number", range(len(FORWARDED)))
async def test_a_request_that_is_forwarded_says_one_thing(number: int) -> None:
    raw, expected = FORWARDED[number]
    async with upstream(answers(HELLO)) as member, serving(site(member.port)) as proxy:
        second = b"" if b"HTTP/1.0" in raw else SECOND
        got = await ask(proxy.port, raw + second)
        assert re.findall(rb"HTTP/1\.1 (\d+) ", got) == [b"200"] * (2 if second else 1)
        head = member.heads[0]
        assert expected.replace(b"MEMBER", b"127.0.0.1:%d" % member.port) in head
        assert len(re.findall(rb"(?im)^(?:content-length|transfer-encoding):", head)) <= 1
        assert len(re.findall(rb"(?im)^host:", head)) == 1


HOP_BY_HOP = [
    b"Connection: keep-alive\r\n",
    b"Keep-Alive: timeout=5\r\n",
    b"Proxy-Connection: keep-alive\r\n",
    b"TE: trailers\r\n",
    b"Trailer: X\r\n",
    b"Upgrade: h2c\r\nConnection: Upgrade\r\n",
    b"Upgrade: websocket\r\nConnection: upgrade\r\n",
    b"HTTP2-Settings: x\r\nConnection: HTTP2-Settings\r\n",
    b"Connection: X-Private\r\nX-Private: 1\r\n",
    b"X-Private: 1\r\nConnection: close, x-PRIVATE\r\n",
    b"Connection: keep-alive\r\nConnection: x-private\r\nX-Private: 1\r\n",
    b"Expect: 100-continue\r\n",
]


@pytest.mark.parametrize("fields", HOP_BY_HOP)
async def test_what_belongs_to_one_hop_goes_no_further(fields: bytes) -> None:
    async with upstream(answers(HELLO)) as member, serving(site(member.port)) as proxy:
        got = await ask(proxy.port, get(H + b"Before: 1\r\n" + fields + b"After: 2\r\n") + SECOND)
        assert got.startswith(b"HTTP/1.1 200 OK\r\n")
        names = [line.partition(b":")[0] for line in member.heads[0].split(b"\r\n")[1:-2]]
        forwarded = [b"X-Forwarded-For", b"X-Forwarded-Host", b"X-Forwarded-Server", b"X-Forwarded-Proto"]
        assert names == [b"Host", b"Before", b"After", *forwarded]


@pytest.mark.parametrize(
    "named", [b"Host", b"Content-Length", b"X-Forwarded-For, X-Forwarded-Host", b"Transfer-Encoding"]
)
async def test_connection_cannot_take_away_what_the_proxy_answers_for(named: bytes) -> None:
    async with upstream(answers(HELLO)) as member, serving(site(member.port)) as proxy:
        await ask(proxy.port, post(b"Content-Length: 5\r\nConnection: close, %b\r\n" % named, b"hello"))
        head = member.heads[0]
        for kept in (b"Host: ", b"Content-Length: 5", b"X-Forwarded-For: 127.0.0.1", b"X-Forwarded-Host: a"):
            assert kept in head


async def test_twins_of_what_the_proxy_answers_for_go_no_further() -> None:
    """Behind CGI and WSGI "X_Forwarded_For" is X-Forwarded-For."""
    async with upstream(answers(HELLO)) as member, serving(site(member.port)) as proxy:
        twins = b"X_Forwarded_For: 6\r\ncontent_length: 5\r\nTransfer_Encoding: chunked\r\nX_Real_IP: 6\r\n"
        await ask(proxy.port, get(H + twins + b"x_other: 1\r\nConnection: close\r\n"))
        assert member.heads[0].count(b"_") == 1


SPOOFED = (
    H + b"X-Forwarded-For: 6.6.6.6\r\nx-forwarded-for: 7.7.7.7\r\nX-Forwarded-Host: evil\r\nX-FORWARDED-SERVER: bad\r\n"
    b"X-Forwarded-PROTO: gopher\r\nForwarded: for=6.6.6.6\r\n"
)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, (b"127.0.0.1", b"a", b"me", b"http", b"")),
        ({"forwarded": "append"}, (b"6.6.6.6, 7.7.7.7, 127.0.0.1", b"evil, a", b"bad, me", b"gopher", b"for=6.6.6.6")),
        (
            {"trusted_proxies": ("127.0.0.0/8",)},
            (b"6.6.6.6, 7.7.7.7, 127.0.0.1", b"evil, a", b"bad, me", b"gopher", b"for=6.6.6.6"),
        ),
        ({"trusted_proxies": ("10.0.0.0/8", "::1")}, (b"127.0.0.1", b"a", b"me", b"http", b"")),
        (
            {"forwarded_header": True},
            (b"127.0.0.1", b"a", b"me", b"http", b'for=127.0.0.1;host="a";proto=http'),
        ),
        (
            {"forwarded_header": True, "trusted_proxies": ("127.0.0.1",)},
            (
                b"6.6.6.6, 7.7.7.7, 127.0.0.1",
                b"evil, a",
                b"bad, me",
                b"gopher",
                b'for=6.6.6.6, for=127.0.0.1;host="a";proto=http',
            ),
        ),
    ],
)
async def test_forwarded_fields_are_believed_from_trusted_peers_only(
    options: dict[str, object], told: tuple[bytes, bytes, bytes, bytes, bytes]
) -> None:
    async with upstream(answers(HELLO)) as member, serving(site(member.port, server_name="me", **options)) as proxy:
        await ask(proxy.port, get(SPOOFED + b"Connection: close\r\n"))
        lines = b"X-Forwarded-For: %b\r\nX-Forwarded-Host: %b\r\nX-Forwarded-Server: %b\r\nX-Forwarded-Proto: %b\r\n"
        standard = b"Forwarded: %b\r\n" % told[4] if told[4] else b""
        assert member.heads[0].endswith(lines % told[:4] + standard + b"\r\n")
        assert member.heads[0].lower().count(b"forwarded") == 4 + bool(standard)


@pytest.mark.parametrize(("target", "fields"), [(b"*", b""), (b"/x", b"Max-Forwards: 0\r\n")])
async def test_options_that_are_asked_of_us_are_answered_here(target: bytes, fields: bytes) -> None:
    async with serving(site(1)) as proxy:
        got = await ask(proxy.port, get(H + b"Connection: close\r\n" + fields, target=target, method=b"OPTIONS"))
        assert got.startswith(b"HTTP/1.1 200 OK\r\n")
