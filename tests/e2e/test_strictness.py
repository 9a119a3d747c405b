"""Requests that two readers might understand differently: each is refused, or forwarded in one unambiguous form.

Every row is one message on a connection of its own, followed by a second request: when the first is refused, the
second must never be served (it may be the inside of the first), and nothing of either reaches a member.
"""

from __future__ import annotations

import re

import pytest

from tests.e2e.harness import HELLO, answers, ask, serving, site, upstream

H = b"Host: a\r\n"
SECOND = b"GET /second HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


def get(fields: bytes = H, target: bytes = b"/", method: bytes = b"GET", version: bytes = b"HTTP/1.1") -> bytes:
    return b"%b %b %b\r\n%b\r\n" % (method, target, version, fields)


def post(fields: bytes, body: bytes = b"") -> bytes:
    return b"POST / HTTP/1.1\r\nHost: a\r\n" + fields + b"\r\n" + body


CHUNKED = b"Transfer-Encoding: chunked\r\n"

REFUSED: list[tuple[int, bytes]] = [
    # request line (RFC 9112 §3)
    (400, get(method=b"G@T")),
    (400, get(method=b"")),
    (400, b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, b"GET /  HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, b"GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, b" GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n"),
    (400, b"GET / x HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, b"GET /\r\nHost: a\r\n\r\n"),
    (400, b"GET\r\nHost: a\r\n\r\n"),
    (400, b"/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    (501, get(method=b"FROBNICATE")),
    (501, get(method=b"get")),
    (501, get(method=b"Get")),
    (405, get(method=b"TRACE")),
    (405, b"CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n"),
    (405, get(method=b"CONNECT")),
    # versions
    (505, get(version=b"HTTP/2.0")),
    (505, get(version=b"HTTP/1.2")),
    (505, get(version=b"HTTP/0.9")),
    (505, get(version=b"HTTP/3.0")),
    (505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    (400, get(version=b"http/1.1")),
    (400, get(version=b"HTTP/1.10")),
    (400, get(version=b"HTTP/01.1")),
    (400, get(version=b"HTTP/1,1")),
    (400, get(version=b"HTTP/1.")),
    (400, get(version=b"HTTP1.1")),
    (400, get(version=b"RTSP/1.0")),
    (400, get(version=b"ICE/1.0")),
    # targets
    (400, get(target=b"x")),
    (400, get(target=b"*")),
    (400, get(target=b"a:80")),
    (400, get(target=b"?x")),
    (400, get(target=b"//a b")),
    (400, get(target=b"/a#b")),
    (400, get(target=b"/a\x00b")),
    (400, get(target=b"/a\x7fb")),
    (400, get(target=b"/a\x01b")),
    (400, get(target=b"/a\tb")),
    (400, get(target=b"ftp://a/")),
    (400, get(target=b"https://a/")),
    (400, get(target=b"http:///")),
    (400, get(target=b"http://")),
    (400, get(target=b"http://u@a/")),
    (400, get(target=b"http://a:b/")),
    (400, get(target=b"http://a:99999/")),
    (400, get(target=b"http://[::1/")),
    (400, get(target=b"/%zz")),
    (400, get(target=b"/%")),
    (400, get(target=b"/%4")),
    (404, get(target=b"/%00")),
    (404, get(target=b"/%2f")),
    (400, get(target=b"/..")),
    (400, get(target=b"/a/../../b")),
    (400, get(target=b"/%2e%2e/b")),
    (414, get(target=b"/" + b"a" * 8190)),
    (414, get(target=b"/" + b"a" * 40_000)),
    (414, b"A" * 40_000),
    # Host (RFC 9112 §3.2)
    (400, get(b"")),
    (400, get(b"Host:\r\n")),
    (400, get(b"Host: \r\n")),
    (400, get(b"Host: a\r\nHost: a\r\n")),
    (400, get(b"Host: a\r\nhost: b\r\n")),
    (400, get(b"Host: a b\r\n")),
    (400, get(b"Host: a, b\r\n")),
    (400, get(b"Host: a/b\r\n")),
    (400, get(b"Host: a?b\r\n")),
    (400, get(b"Host: a@b\r\n")),
    (400, get(b"Host: a%20b\r\n")),
    (400, get(b"Host: a:\r\n")),
    (400, get(b"Host: a:x\r\n")),
    (400, get(b"Host: a:-1\r\n")),
    (400, get(b"Host: a:65536\r\n")),
    (400, get(b"Host: a:80:80\r\n")),
    (400, get(b"Host: [::1\r\n")),
    (400, get(b"Host: []\r\n")),
    (400, get(b"Host: [::1]x\r\n")),
    (400, get(b"Host: http://a\r\n")),
    (400, get(b"Host: \xe9\r\n")),
    # field lines (RFC 9112 §5)
    (400, get(H + b"X : y\r\n")),
    (400, get(H + b"X\t: y\r\n")),
    (400, get(H + b" X: y\r\n")),
    (400, get(H + b"X: y\r\n z\r\n")),
    (400, get(H + b"X: y\r\n\tz\r\n")),
    (400, get(b" Host: a\r\n")),
    (400, get(H + b": y\r\n")),
    (400, get(H + b"nonsense\r\n")),
    (400, get(H + b"X(: y\r\n")),
    (400, get(H + b"X\xe9: y\r\n")),
    (400, get(H + b"X\x00: y\r\n")),
    (400, get(H + b"X: a\x00b\r\n")),
    (400, get(H + b"X: a\x0bb\r\n")),
    (400, get(H + b"X: a\x7fb\r\n")),
    (400, get(H + b"X: a\rb\r\n")),
    (400, get(H + b"X: a\nY: b\r\n")),
    (400, b"GET / HTTP/1.1\nHost: a\n\n\r\n\r\n"),
    (400, b"GET / HTTP/1.1\r\nHost: a\n\r\n\r\n"),
    (400, b"GET / HTTP/1.1\rHost: a\r\r\n\r\n"),
    (400, b"GET / HTTP/1.1\r\n\nHost: a\r\n\r\n"),
    (431, get(H + b"X: " + b"a" * 8190 + b"\r\n")),
    (431, get(H + b"X" * 8190 + b": a\r\n")),
    (431, get(H + b"".join(b"X%d: a\r\n" % n for n in range(101)))),
    (431, get(H + b"".join(b"X%d: %b\r\n" % (n, b"a" * 4000) for n in range(10)))),
    # length of the body (RFC 9112 §6)
    (400, post(b"Content-Length: 5\r\nContent-Length: 5\r\n", b"hello")),
    (400, post(b"Content-Length: 5\r\nContent-Length: 6\r\n", b"hello")),
    (400, post(b"Content-Length: 5, 5\r\n", b"hello")),
    (400, post(b"Content-Length: +5\r\n", b"hello")),
    (400, post(b"Content-Length: -5\r\n", b"hello")),
    (400, post(b"Content-Length: 0x5\r\n", b"hello")),
    (400, post(b"Content-Length: 5 5\r\n", b"hello")),
    (400, post(b"Content-Length: 5.0\r\n", b"hello")),
    (400, post(b"Content-Length:\r\n", b"hello")),
    (400, post(b"Content-Length: \xb2\r\n", b"hello")),
    (400, post(b"Content-Length: 18446744073709551621\r\n", b"hello")),
    (400, post(b"Content-Length: 5\r\n" + CHUNKED, b"0\r\n\r\n")),
    (400, post(CHUNKED + b"Content-Length: 5\r\n", b"0\r\n\r\n")),
    (400, post(CHUNKED + b"Content-Length: 0\r\n", b"0\r\n\r\n")),
    (501, post(b"Transfer-Encoding: gzip, chunked\r\n", b"0\r\n\r\n")),
    (501, post(b"Transfer-Encoding: chunked, chunked\r\n", b"0\r\n\r\n")),
    (501, post(b"Transfer-Encoding: identity\r\n", b"")),
    (501, post(b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n")),
    (501, post(b"Transfer-Encoding: chunked;q=1\r\n", b"0\r\n\r\n")),
    (501, post(b'Transfer-Encoding: "chunked"\r\n', b"0\r\n\r\n")),
    (501, post(b"Transfer-Encoding:\r\n", b"0\r\n\r\n")),
    (501, post(CHUNKED + CHUNKED, b"0\r\n\r\n")),
    (501, post(b"Transfer-Encoding: gzip\r\n" + CHUNKED, b"0\r\n\r\n")),
    (400, post(b"Transfer-Encoding : chunked\r\n", b"0\r\n\r\n")),
    (400, post(b"Transfer-Encoding\t: chunked\r\n", b"0\r\n\r\n")),
    (400, post(b"Transfer-Encoding:\r\n chunked\r\n", b"0\r\n\r\n")),
    (501, post(b"Transfer-Encoding: \x0bchunked\r\n".replace(b"\x0b", b"x, "), b"0\r\n\r\n")),
    (400, b"POST / HTTP/1.0\r\nHost: a\r\n" + CHUNKED + b"\r\n0\r\n\r\n"),
    # chunks (RFC 9112 §7.1)
    (400, post(CHUNKED, b"g\r\n\r\n")),
    (400, post(CHUNKED, b"-1\r\n\r\n")),
    (400, post(CHUNKED, b"0x5\r\nhello\r\n0\r\n\r\n")),
    (400, post(CHUNKED, b" 5\r\nhello\r\n0\r\n\r\n")),
    (400, post(CHUNKED, b"5 \r\nhello\r\n0\r\n\r\n")),
    (400, post(CHUNKED, b"5\nhello\r\n0\r\n\r\n")),
    (400, post(CHUNKED, b"5\r\nhello\n0\r\n\r\n")),
    (400, post(CHUNKED, b"5\r\nhelloX\r\n0\r\n\r\n")),
    (400, post(CHUNKED, b"5\r\nhell\r\n0\r\n\r\n")),
    (400, post(CHUNKED, b"\r\n5\r\nhello\r\n0\r\n\r\n")),
    (400, post(CHUNKED, b"ffffffffffffffff1\r\nhello\r\n0\r\n\r\n")),
    (400, post(CHUNKED, b"0\r\nX : y\r\n\r\n")),
    (400, post(CHUNKED, b"5;\x00\r\nhello\r\n0\r\n\r\n")),
    (400, post(CHUNKED, b"5;" + b"a" * 40_000 + b"\r\nhello\r\n0\r\n\r\n")),
    (400, post(CHUNKED, b"0\r\n" + b"".join(b"X%d: %b\r\n" % (n, b"a" * 1000) for n in range(40)) + b"\r\n")),
    # expectations (RFC 9110 §10.1.1)
    (417, post(b"Expect: 200-ok\r\nContent-Length: 5\r\n", b"hello")),
    (417, post(b"Expect: 100-continue, x\r\nContent-Length: 5\r\n", b"hello")),
    (417, get(H + b"Expect: x\r\n")),
    # not HTTP
    (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
    (400, b"\x00\r\n\r\n"),
    (400, b"{}\r\n\r\n"),
]


@pytest.mark.parametrize("number", range(len(REFUSED)))
async def test_a_request_that_is_refused_reaches_nobody_and_hides_nothing_behind_it(number: int) -> None:
    status, raw = REFUSED[number]
    async with upstream(answers(HELLO)) as member, serving(site(member.port)) as proxy:
        got = await ask(proxy.port, raw + SECOND)
        statuses = [int(found) for found in re.findall(rb"HTTP/1\.1 (\d+) ", got)]
        in_path = status == 404 or (raw[:5] == b"GET /" and b"/%" in raw[:8]) or b"/.." in raw[:14]
        assert statuses[0] == status, got
        if in_path and len(statuses) == 2:
            return  # the message is clear and only its path is not: the connection may live on
        assert len(statuses) == 1
        assert all(b"second" not in head for head in member.heads)
        assert b"Connection: close" in got
        record = proxy.records[0]
        assert record.status == status
        assert record.cause


FORWARDED: list[tuple[bytes, bytes]] = [
    # the request, and what of it must stand in the head that the member receives
    (get(), b"GET / HTTP/1.1\r\nHost: MEMBER\r\n"),
    (b"\r\n" + get(), b"GET / HTTP/1.1\r\n"),
    (b"\r\n\r\n\r\n" + get(), b"GET / HTTP/1.1\r\n"),
    (get(target=b"http://b/x?y"), b"GET /x?y HTTP/1.1\r\nHost: MEMBER\r\n"),
    (get(target=b"http://b/x"), b"X-Forwarded-Host: b\r\n"),
    (get(target=b"HTTP://b:81"), b"X-Forwarded-Host: b:81\r\n"),
    (get(target=b"http://b?x"), b"GET /?x HTTP/1.1\r\n"),
    (get(target=b"//x"), b"GET /x HTTP/1.1\r\n"),
    (get(target=b"/a/./b/../c"), b"GET /a/c HTTP/1.1\r\n"),
    (get(target=b"/%41"), b"GET /A HTTP/1.1\r\n"),
    (get(target=b"/\xe9"), b"GET /%E9 HTTP/1.1\r\n"),
    (get(target=b"/a?b#c".replace(b"#", b"%23")), b"GET /a?b%23c HTTP/1.1\r\n"),
    (get(target=b"/a??"), b"GET /a?? HTTP/1.1\r\n"),
    (get(b"Host: [::1]:80\r\n"), b"X-Forwarded-Host: [::1]:80\r\n"),
    (get(b"Host: a_b.c\r\n"), b"X-Forwarded-Host: a_b.c\r\n"),
    (get(b"HOST: a\r\n"), b"X-Forwarded-Host: a\r\n"),
    (get(b"Host:\ta \t\r\n"), b"X-Forwarded-Host: a\r\n"),
    (get(b"", version=b"HTTP/1.0"), b"GET / HTTP/1.1\r\nHost: MEMBER\r\n"),
    (get(H + b"X-Case: Kept\r\n"), b"X-Case: Kept\r\n"),
    (get(H + b"x_y: 1\r\n"), b"x_y: 1\r\n"),
    (get(H + b"Empty:\r\n"), b"Empty:\r\n"),
    (get(H + b"A: \xe9\xff\r\n"), b"A: \xe9\xff\r\n"),
    (get(H + b"A: 1\r\nB: 2\r\nA: 3\r\n"), b"A: 1\r\nB: 2\r\nA: 3\r\n"),
    (get(H + b"X: " + b"a" * 8000 + b"\r\n"), b"X: aaaa"),
    (get(target=b"/" + b"a" * 8000), b"GET /aaaa"),
    (get(H + b"".join(b"X%d: a\r\n" % n for n in range(99))), b"X98: a\r\n"),
    (post(b"Content-Length: 5\r\n", b"hello"), b"Content-Length: 5\r\n"),
    (post(b"Content-Length: 005\r\n", b"hello"), b"Content-Length: 5\r\n"),
    (post(b"Content-Length: 0\r\n"), b"Content-Length: 0\r\n"),
    (post(b""), b"POST / HTTP/1.1\r\n"),
    (post(b"Transfer-Encoding: Chunked\r\n", b"5\r\nhello\r\n0\r\n\r\n"), b"Transfer-Encoding: chunked\r\n"),
    (post(CHUNKED, b"5;x=y\r\nhello\r\n0\r\nTrailer: x\r\n\r\n"), b"Transfer-Encoding: chunked\r\n"),
    (post(CHUNKED, b"0005\r\nhello\r\n000\r\n\r\n"), b"Transfer-Encoding: chunked\r\n"),
    (post(CHUNKED, b"0\r\n\r\n"), b"Transfer-Encoding: chunked\r\n"),
]


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
        forwarded = [b"X-Forwarded-For", b"X-Forwarded-Host", b"X-Forwarded-Server"]
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


SPOOFED = (
    H + b"X-Forwarded-For: 6.6.6.6\r\nx-forwarded-for: 7.7.7.7\r\nX-Forwarded-Host: evil\r\nX-FORWARDED-SERVER: bad\r\n"
)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, (b"127.0.0.1", b"a", b"me")),
        ({"forwarded": "append"}, (b"6.6.6.6, 7.7.7.7, 127.0.0.1", b"evil, a", b"bad, me")),
        ({"trusted_proxies": ("127.0.0.0/8",)}, (b"6.6.6.6, 7.7.7.7, 127.0.0.1", b"evil, a", b"bad, me")),
        ({"trusted_proxies": ("10.0.0.0/8", "::1")}, (b"127.0.0.1", b"a", b"me")),
    ],
)
async def test_forwarded_fields_are_believed_from_trusted_peers_only(
    options: dict[str, object], told: tuple[bytes, bytes, bytes]
) -> None:
    async with upstream(answers(HELLO)) as member, serving(site(member.port, server_name="me", **options)) as proxy:
        await ask(proxy.port, get(SPOOFED + b"Connection: close\r\n"))
        lines = b"X-Forwarded-For: %b\r\nX-Forwarded-Host: %b\r\nX-Forwarded-Server: %b\r\n\r\n" % told
        assert member.heads[0].endswith(lines)
        assert member.heads[0].lower().count(b"x-forwarded-") == 3


async def test_options_asterisk_is_answered_here() -> None:
    async with serving(site(1)) as proxy:
        got = await ask(proxy.port, get(H + b"Connection: close\r\n", target=b"*", method=b"OPTIONS"))
        assert got.startswith(b"HTTP/1.1 200 OK\r\n")
