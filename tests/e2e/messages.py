"""Raw messages for all who read requests: those that must be refused, with the status, and those that go on.

Half of the rows were thought of one by one, the other half says the same of every byte that it is true of. The same
rows are put to other proxies by ``tests.conformance.strictness``.
"""

from __future__ import annotations

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
    (501, get(method=b"GET1")),
    (405, get(method=b"PRI")),
    # Max-Forwards (RFC 9110 §7.6.2)
    (400, get(H + b"Max-Forwards: 0\r\n")),
    (400, get(H + b"Max-Forwards: x\r\n")),
    (400, get(H + b"Max-Forwards: -1\r\n")),
    (400, get(H + b"Max-Forwards:\r\n")),
    (400, get(H + b"Max-Forwards: 1\r\nMax-Forwards: 1\r\n")),
    (400, get(H + b"Max-Forwards: 0\r\n", method=b"FROBNICATE")),
    (405, get(H + b"Max-Forwards: 0\r\n", method=b"TRACE")),
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
    (400, get(b"Host:\ta\r\n")),
    (400, get(b"Host: a\t\r\n")),
    (400, get(b"Host: a b\r\n")),
    (400, get(b"Host: a, b\r\n")),
    (400, get(b"Host: a/b\r\n")),
    (400, get(b"Host: a?b\r\n")),
    (400, get(b"Host: a@b\r\n")),
    (400, get(b"Host: a%20b\r\n")),
    (400, get(b"Host: a::\r\n")),
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
    (400, post(b"Content-Length:\t5\r\n", b"hello")),
    (400, post(b"Content-Length: 5\t\r\n", b"hello")),
    (400, post(b"Content-Length:\r\n", b"hello")),
    (400, post(b"Content-Length: \xb2\r\n", b"hello")),
    (400, post(b"Content-Length: 18446744073709551621\r\n", b"hello")),
    (400, post(b"Content-Length: 5\r\n" + CHUNKED, b"0\r\n\r\n")),
    (400, post(CHUNKED + b"Content-Length: 5\r\n", b"0\r\n\r\n")),
    (400, post(CHUNKED + b"Content-Length: 0\r\n", b"0\r\n\r\n")),
    (501, post(b"Transfer-Encoding:\tchunked\r\n", b"0\r\n\r\n")),
    (501, post(b"Transfer-Encoding: chunked\t\r\n", b"0\r\n\r\n")),
    (501, post(b"Transfer-Encoding: gzip, chunked\r\n", b"0\r\n\r\n")),
    (501, post(b"Transfer-Encoding: chunked, chunked\r\n", b"0\r\n\r\n")),
    (400, post(b"Transfer-Encoding: identity\r\n", b"")),
    (400, post(b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n")),
    (400, post(b"Transfer-Encoding: chunked;q=1\r\n", b"0\r\n\r\n")),
    (400, post(b'Transfer-Encoding: "chunked"\r\n', b"0\r\n\r\n")),
    (400, post(b"Transfer-Encoding:\r\n", b"0\r\n\r\n")),
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


TOKEN = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
CONTROLS = [byte for byte in range(0x20) if byte not in b"\t\r\n"] + [0x7F]
DELIMITERS = [byte for byte in range(0x21, 0x7F) if byte not in TOKEN]
ENDS = {b"\r\n": b"CRLF", b"\n": b"LF", b"\r": b"CR"}


def _made() -> list[tuple[int, bytes]]:
    """What is refused for any byte of a kind, in any place where it may stand."""
    rows: list[tuple[int, bytes]] = []
    for byte in CONTROLS:
        rows.append((400, get(H + b"X: a%cb\r\n" % byte)))
        rows.append((400, get(H + b"X%cY: b\r\n" % byte)))
        rows.append((400, get(target=b"/a%cb" % byte)))
        rows.append((400, get(b"Host: a%c\r\n" % byte)))
        rows.append((400, post(CHUNKED, b"5%c\r\nhello\r\n0\r\n\r\n" % byte)))
    for byte in DELIMITERS:
        if byte != 0x3A:
            rows.append((400, get(H + b"X%cY: b\r\n" % byte)))
        if byte != 0x3B:
            rows.append((400, post(CHUNKED, b"5%c\r\nhello\r\n0\r\n\r\n" % byte)))
        rows.append((400, get(method=b"GE%cT" % byte)))
    for end in (b"\n", b"\r", b"\n\r", b"\r\r\n", b"\r\n\n"):
        rows.append((400, b"GET / HTTP/1.1" + end + b"Host: a\r\n\r\n"))
        rows.append((400, b"GET / HTTP/1.1\r\nHost: a" + end + b"X: y\r\n\r\n"))
        rows.append((400, post(CHUNKED, b"5" + end + b"hello\r\n0\r\n\r\n")))
        rows.append((400, post(CHUNKED, b"5\r\nhello" + end + b"0\r\n\r\n")))
        rows.append((400, post(CHUNKED, b"5;x" + end + b"hello\r\n0\r\n\r\n")))
        rows.append((400, post(CHUNKED, b"5\r\nhello\r\n0" + end + b"X: y\r\n\r\n")))
    for coding in (
        b"chunked,", b",chunked", b"chunked ,identity", b"identity, chunked", b"chunked, gzip", b"deflate", b"chunke",
        b"chunkedx", b"chunked chunked", b"'chunked'", b"chunked; q=0.5", b"trailers", b"cow, chunked", b"br",
    ):  # fmt: skip
        status = 501 if coding.endswith((b",chunked", b", chunked")) else 400  # RFC 9112 §6.3
        rows.append((status, post(b"Transfer-Encoding: %b\r\n" % coding, b"0\r\n\r\n")))
        rows.append((400, post(b"Content-Length: 5\r\nTransfer-Encoding: %b\r\n" % coding, b"0\r\n\r\n")))
    for length in (
        b"5,", b",5", b"5;", b"5 6", b"5\t6", b"1e1", b"5,6", b"five", b"0b1", b"0o5", b"05 5", b"_5", b"1_0", b"~5",
        b'"5"', b"-0", b"+0", b"5.", b"9223372036854775808", b"99999999999999999999999", b"\xd9\xa5", b"5\x0b",
    ):  # fmt: skip
        rows.append((400, post(b"Content-Length: %b\r\n" % length, b"hello")))
    for size in (
        b"+5", b"0X5", b"5h", b"5 ;x", b"5\t", b"\t5", b"", b";x", b"5,5", b"5_0", b"_5", b"5.0", b"10000000000000005",
        b"\xb5", b"5 5", b"00000000000000000000x",
    ):  # fmt: skip
        rows.append((400, post(CHUNKED, size + b"\r\nhello\r\n0\r\n\r\n")))
    for host in (
        b"a\\b", b"a#b", b"a;b", b"a|b", b"a^b", b"a`b", b"a<b", b"a>b", b"a{b", b"a}b", b'a"b', b"[::1]::", b"[::g]",
        b"a]", b"[a", b":80", b"a:8o", b"a:+80", b"a:080000", b"a\tb", b"user:pw@a", b"a,b", b"a%00", b"[::1]80",
        b"[1:2]:80:80", b"a:80/", b"*", b"a=b", b"a&b", b"a!b", b"(a)", b"a'b", b"a$b", b"a+b", b"[fe80::1%25eth0]",
        b".", b"..", b".a", b"a..b", b"a.1", b"a.b.-c", b"~", b"a~b", b"1", b"1.2.3", b"1.2.3.4.5", b"256.1.1.1",
        b"01.2.3.4", b"0x7f.1", b"a:0", b"a:00", b"[1]", b"[:]", b"[:::]", b"[1:2]", b"[1.2.3.4]",
    ):  # fmt: skip
        rows.append((400, get(b"Host: %b\r\n" % host)))
    for target in (
        b"http:/a/", b"http:a", b"http//a", b"//", b"http://a b/", b"http://a::/", b"http://:80/", b"http://a@b/",
        b"http://a\\b/", b"http://[::1", b"ws://a/", b"file:///a", b"http://a#b", b"http://a/#b", b"*x", b"**", b"\\",
        b".", b"..", b"%2f", b"a/b", b"/%2", b"/%g0", b"/%0g", b"/%u0041", b"/a%", b"/%%41", b"/a#", b"#", b"/../",
        b"/.%2e/", b"/%2E./x", b"/a/b/../../../c", b"http://a/../b", b"http://a%2eb/",
    ):  # fmt: skip
        if target != b"//":
            rows.append((400, get(target=target)))
    for version in (
        b"HTTP/1.1.1", b"HTTP/1", b"HTTP/11", b"HTTP/1.1x", b"xHTTP/1.1", b"Http/1.1", b"HTTP /1.1", b"HTTP/ 1.1",
        b"HTTP/1. 1", b"HTTP/+1.1", b"HTTP/-1.1", b"HTTP\\1.1", b"HTTPS/1.1", b"HTTP/1.1;x", b"HTTP/a.b", b"HTTP",
    ):  # fmt: skip
        rows.append((400, get(version=version)))
    for version in (b"HTTP/0.0", b"HTTP/1.3", b"HTTP/1.9", b"HTTP/2.1", b"HTTP/9.9", b"HTTP/0.1"):
        rows.append((505, get(version=version)))
    return rows


MADE = _made()


FORWARDED: list[tuple[bytes, bytes]] = [
    # the request, and what of it must stand in the head that the member receives
    (get(), b"GET / HTTP/1.1\r\nHost: MEMBER\r\n"),
    (b"\r\n" + get(), b"GET / HTTP/1.1\r\n"),
    (b"\r\n\r\n\r\n" + get(), b"GET / HTTP/1.1\r\n"),
    (get(target=b"http://b/x?y"), b"GET /x?y HTTP/1.1\r\nHost: MEMBER\r\n"),
    (get(target=b"http://b/x"), b"X-Forwarded-Host: b\r\n"),
    (get(b"Host: a:81\r\n", target=b"http://a/"), b"X-Forwarded-Host: a\r\n"),
    (get(b"Host: a.test:\r\n"), b"X-Forwarded-Host: a.test\r\n"),
    (get(b"Host: [::1]:\r\n"), b"X-Forwarded-Host: [::1]\r\n"),
    (get(target=b"http://a:/x"), b"X-Forwarded-Host: a\r\n"),
    (get(b"Host: [::1]\r\n", target=b"http://[::2]/"), b"X-Forwarded-Host: [::2]\r\n"),
    (get(b"Host: B:80\r\n", target=b"http://b/x"), b"X-Forwarded-Host: b\r\n"),
    (get(b"Host: b:81\r\n", target=b"HTTP://b:81"), b"X-Forwarded-Host: b:81\r\n"),
    (get(b"", target=b"http://b?x", version=b"HTTP/1.0"), b"GET /?x HTTP/1.1\r\n"),
    (get(target=b"//x"), b"GET /x HTTP/1.1\r\n"),
    (get(target=b"/a/./b/../c"), b"GET /a/c HTTP/1.1\r\n"),
    (get(target=b"/%41"), b"GET /A HTTP/1.1\r\n"),
    (get(target=b"/\xe9"), b"GET /%E9 HTTP/1.1\r\n"),
    (get(target=b"/a?b#c".replace(b"#", b"%23")), b"GET /a?b%23c HTTP/1.1\r\n"),
    (get(target=b"/a??"), b"GET /a?? HTTP/1.1\r\n"),
    (get(b"Host: [::1]:80\r\n"), b"X-Forwarded-Host: [::1]:80\r\n"),
    (get(b"Host: a_b.c\r\n"), b"X-Forwarded-Host: a_b.c\r\n"),
    (get(b"HOST: a\r\n"), b"X-Forwarded-Host: a\r\n"),
    (get(b"Host:  a  \r\n"), b"X-Forwarded-Host: a\r\n"),
    (get(b"", version=b"HTTP/1.0"), b"GET / HTTP/1.1\r\nHost: MEMBER\r\n"),
    (get(H + b"X-Case: Kept\r\n"), b"X-Case: Kept\r\n"),
    (get(H + b"x_y: 1\r\n"), b"x_y: 1\r\n"),
    (get(H + b"Empty:\r\n"), b"Empty:\r\n"),
    (get(H + b"A: \xe9\xff\r\n"), b"A: \xe9\xff\r\n"),
    (get(H + b"A: 1\r\nB: 2\r\nA: 3\r\n"), b"A: 1\r\nB: 2\r\nA: 3\r\n"),
    (get(H + b"X: " + b"a" * 8000 + b"\r\n"), b"X: aaaa"),
    (get(target=b"/" + b"a" * 8000), b"GET /aaaa"),
    (get(H + b"".join(b"X%d: a\r\n" % n for n in range(99))), b"X98: a\r\n"),
    (get(H + b"max-forwards: 10\r\n"), b"Max-Forwards: 9\r\n"),
    (get(H + b"Max-Forwards: 1\r\n", method=b"OPTIONS"), b"Max-Forwards: 0\r\n"),
    (get(method=b"FROBNICATE"), b"FROBNICATE / HTTP/1.1\r\n"),
    (get(method=b"VERSION-CONTROL"), b"VERSION-CONTROL / HTTP/1.1\r\n"),
    (get(method=b"PROPFIND"), b"PROPFIND / HTTP/1.1\r\n"),
    (post(CHUNKED, b"5\r\nhello\r\n0\r\n\r\n").replace(b"POST", b"STORE"), b"Transfer-Encoding: chunked\r\n"),
    (post(b"Content-Length: 5\r\n", b"hello").replace(b"POST", b"STORE"), b"STORE / HTTP/1.1\r\n"),
    (post(b"Content-Length: 5\r\n", b"hello"), b"Content-Length: 5\r\n"),
    (post(b"Content-Length: 005\r\n", b"hello"), b"Content-Length: 5\r\n"),
    (post(b"Content-Length: 0\r\n"), b"Content-Length: 0\r\n"),
    (post(b""), b"POST / HTTP/1.1\r\n"),
    (post(b"Transfer-Encoding: Chunked\r\n", b"5\r\nhello\r\n0\r\n\r\n"), b"Transfer-Encoding: chunked\r\n"),
    (post(CHUNKED, b"5;x=y\r\nhello\r\n0\r\nTrailer: x\r\n\r\n"), b"Transfer-Encoding: chunked\r\n"),
    (post(CHUNKED, b"0005\r\nhello\r\n000\r\n\r\n"), b"Transfer-Encoding: chunked\r\n"),
    (post(CHUNKED, b"0\r\n\r\n"), b"Transfer-Encoding: chunked\r\n"),
]


def _answers() -> dict[str, bytes]:
    """Answers of an upstream that are not clearly one answer, for any byte of a kind in any place."""
    ok, hello = b"HTTP/1.1 200 OK\r\n", b"\r\n\r\nhello"
    rows: dict[str, bytes] = {}
    for byte in CONTROLS:
        rows[f"byte_{byte:02x}_in_value"] = ok + b"A: b%cc\r\nContent-Length: 5" % byte + hello
        rows[f"byte_{byte:02x}_in_name"] = ok + b"A%cB: c\r\nContent-Length: 5" % byte + hello
        rows[f"byte_{byte:02x}_in_reason"] = b"HTTP/1.1 200 O%cK\r\nContent-Length: 5" % byte + hello
    for byte in DELIMITERS:
        if byte != 0x3A:
            rows[f"delimiter_{byte:02x}_in_name"] = ok + b"A%cB: c\r\nContent-Length: 5" % byte + hello
    for end in (b"\n", b"\r", b"\n\r", b"\r\r\n"):
        rows[f"{end!r}_after_status"] = b"HTTP/1.1 200 OK" + end + b"Content-Length: 5" + hello
        rows[f"{end!r}_after_field"] = ok + b"A: b" + end + b"Content-Length: 5" + hello
    for version in (
        b"HTTP/1",
        b"HTTP/1.10",
        b"http/1.1",
        b"HTTP/3.0",
        b"HTTP/0.9",
        b"ICY",
        b"HTTP/1.1.1",
        b" HTTP/1.1",
    ):
        rows[f"version_{version!r}"] = version + b" 200 OK\r\nContent-Length: 5" + hello
    for status in (b"2000", b"2", b"-200", b"2x0", b"", b"000", b"0x200", b"20 0", b" 200"):
        rows[f"status_{status!r}"] = b"HTTP/1.1 %b OK\r\nContent-Length: 5" % status + hello
    for length in (b"", b"5 5", b"5,", b"-5", b"0x5", b"5.0", b"five", b"1e1", b"9223372036854775808", b"5;", b'"5"'):
        rows[f"length_{length!r}"] = ok + b"Content-Length: %b" % length + hello
    for coding in (b"", b"identity", b"chunked, gzip", b"chunked, chunked", b"xchunked", b"chunked;q=1", b"'chunked'"):
        rows[f"coding_{coding!r}"] = ok + b"Transfer-Encoding: %b\r\n\r\n0\r\n\r\n" % coding
    rows["length_twice_alike"] = ok + b"Content-Length: 5\r\nContent-Length: 5" + hello
    rows["length_twice_in_two_cases"] = ok + b"Content-Length: 5\r\ncontent-length: 6" + hello
    rows["coding_then_length"] = ok + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"
    rows["tab_before_colon"] = ok + b"A\t: b\r\nContent-Length: 5" + hello
    rows["first_field_folded"] = ok + b" A: b\r\nContent-Length: 5" + hello
    rows["folded_with_tab"] = ok + b"A: b\r\n\tc\r\nContent-Length: 5" + hello
    rows["no_name"] = ok + b": b\r\nContent-Length: 5" + hello
    return rows


BAD_ANSWERS = _answers()
