"""Made-up messages, put to us, nginx, HAProxy and Apache: who refuses what, and who forwards what.

``python -m tests.conformance.differential [COUNT] [SEED]`` makes requests and answers of members out of a grammar: a
good message with one to three odd parts in it. Shown are the odd parts of those that we pass on though another refuses
them, and every message that we pass on in a form that is not clearly one message (``tests.fuzz.reader``). No part of
the suite: what it found stands in ``tests.e2e.messages``.
"""

from __future__ import annotations

import random
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import chain
from typing import NamedTuple

from tests.conformance.strictness import Recorder, asked, proxies
from tests.e2e.messages import SECOND
from tests.fuzz import reader

LANES = 4

METHODS = [
    b"GET", b"POST", b"HEAD", b"PUT", b"DELETE", b"OPTIONS", b"PATCH", b"PROPFIND", b"get", b"G-T", b"GET1", b"",
]  # fmt: skip
TARGETS = [
    b"/", b"/a?b=c", b"*", b"http://a/x", b"http://A:80/x", b"http://b/x", b"http://a:81/x", b"https://a/x",
    b"http://a", b"//a/b", b"/a/../b", b"/../b", b"/%2e%2e/b", b"/%2f", b"/%00", b"/%0d%0aX:%20y", b"/%zz", b"/\xe9",
    b"/a?\xe9", b"/a\tb", b"/a\x0bb", b"/a\\b", b'/a"b', b"/a<b>", b"/a{b}", b"/a|b", b"/a^b", b"/a`b", b"/a#b",
    b"/a?b#c", b"?a", b"a", b"/[a]", b"/a;b", b"/a?b?c", b"/a%0", b"/a'b", b"/\x7f", b"a:80", b"http://u@a/",
    b"http://a\\@b/", b"/a b", b"http://[::1]/", b"http:///a", b"HTTP://a/x", b"/%ff", b"/a%20b", b"/%c0%af",
    b"/a%25%30%30",
]  # fmt: skip
VERSIONS = [
    b"HTTP/1.1", b"HTTP/1.0", b"HTTP/1.2", b"HTTP/2.0", b"HTTP/0.9", b"HTTP/1.1 ", b"http/1.1", b"HTTP/01.1",
]  # fmt: skip
HOSTS = [
    b"a", b"A", b"a:80", b"a:81", b"a.", b"a..b", b".a", b"..", b".", b"-", b"-a", b"a-", b"a_b", b"~", b"a~b",
    b"a%41", b"1", b"1.2.3.4", b"1.2.3", b"1.2.3.4.5", b"256.1.1.1", b"[::1]", b"[::1]:80", b"[::]", b"[1]", b"[:]",
    b"[::1%25e]", b"[1:2]", b"[:::]", b"[::1.2.3.4]", b"[fe80::1]", b"[v1.a]", b"::1", b"a:", b"a:0", b"a:00080",
    b"a:65536", b"", b" a", b"a b", b"a,b", b"a/b", b"a@b", b"a?b", b"a#b", b"a\\b", b"\xc3\xa9", b"xn--a", b"a" * 64,
    b"a" * 256, b"a.b.c.d.e.", b"0x7f.1", b"a:80:80", b"[::1", b"a'", b"a!", b"*", b"*.a", b"a;b", b"a=b",
]  # fmt: skip
FIELDS = [
    b"X: y", b"X:y", b"X:", b"X: ", b"X:\ty", b"X: y ", b"X : y", b"X\t: y", b" X: y", b"\tX: y", b"X: a\r\n b",
    b"X: a\r\n\tb", b"X: a\rb", b"X: a\nY: b", b"X: a\x00b", b"X: a\x01b", b"X: a\x7fb", b"X: \xe9", b"X\xe9: y",
    b"X\x00: y", b": y", b"X", b"X(: y", b"X/: y", b"X@: y", b"X[: y", b"X\"y: z", b"X;y: z", b"X,y: z", b"X{y}: z",
    b"!: y", b"X.: y", b"X~: y", b"X_Y: z", b"X: " + b"a" * 5000, b"\xff: y", b"Connection: close",
    b"Connection: X, host, content-length", b"Connection: authorization, x-forwarded-for",
    b"Connection: transfer-encoding", b"Connection: ,,", b"Connection: a b", b"Connection: keep-alive, close",
    b"Connection:", b"Connection: \xe9", b"TE: trailers", b"TE: trailers, gzip;q=0.5", b"Trailer: X",
    b"Trailer: Content-Length", b"Keep-Alive: 300", b"Proxy-Connection: close", b"Upgrade: websocket",
    b"Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAAA", b"Connection: Upgrade\r\nUpgrade: websocket",
    b"Expect: 100-continue", b"Expect: 100-Continue", b"Expect: 200", b"Expect:", b"Max-Forwards: 0",
    b"Max-Forwards: -1", b"Max-Forwards: 1\r\nMax-Forwards: 2", b"Range: bytes=0-", b"Cookie: a=\x01",
    b"Authorization: Basic x", b"Content-Encoding: gzip", b"X-Forwarded-For: 1\r\nX-Forwarded-For: 2", b"Via: 1.1 x",
    b"Referer: http://\x80", b"Host : b", b"Host\x00: b", b"Host: a", b"Host: b", b"host: b",
    b"Content-Type: a\r\nContent-Type: b", b"HTTP/1.1 200 OK", b"GET / HTTP/1.1", b"Date: x\r\nDate: y",
    b"Sec-WebSocket-Key: x", b"Content-Transfer-Encoding: y",
]  # fmt: skip
CODINGS = [
    b"Transfer-Encoding: chunked", b"Transfer-Encoding: Chunked", b"transfer-encoding:chunked",
    b"TRANSFER-ENCODING: CHUNKED", b"Transfer-Encoding:\tchunked", b"Transfer-Encoding: chunked ",
    b"Transfer-Encoding : chunked", b"Transfer-Encoding: chunked, chunked", b"Transfer-Encoding: chunked,",
    b"Transfer-Encoding: ,chunked", b"Transfer-Encoding: identity, chunked", b"Transfer-Encoding: gzip, chunked",
    b"Transfer-Encoding: chunked;x", b"Transfer-Encoding: \"chunked\"", b"Transfer-Encoding: x chunked",
    b"Transfer-Encoding: \x0bchunked", b"Transfer-Encoding: chunked\x00", b"Transfer-Encoding:\r\n chunked",
    b"Transfer_Encoding: chunked", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x", b"Transfer-Encoding: x\r\nTransfer-Encoding: chunked",
    b"Transfer-Encoding: chunked\r\nTransfer_Encoding: x",
]  # fmt: skip
CHUNKS = [
    b"0\r\n\r\n", b"00\r\n\r\n", b"5\r\nhello\r\n00000000000000000000\r\n\r\n", b"A\r\nhellohello\r\n0\r\n\r\n",
    b"a\r\nhellohello\r\n0\r\n\r\n", b"05\r\nhello\r\n0\r\n\r\n", b"0000000000000000005\r\nhello\r\n0\r\n\r\n",
    b"5 \r\nhello\r\n0\r\n\r\n", b" 5\r\nhello\r\n0\r\n\r\n", b"5\t\r\nhello\r\n0\r\n\r\n",
    b"+5\r\nhello\r\n0\r\n\r\n", b"0x5\r\nhello\r\n0\r\n\r\n", b"5;x\r\nhello\r\n0\r\n\r\n",
    b"5;x=y\r\nhello\r\n0\r\n\r\n", b"5 ;x=y\r\nhello\r\n0\r\n\r\n", b'5;x="y"\r\nhello\r\n0\r\n\r\n',
    b'5;x="y\r\nhello\r\n0\r\n\r\n', b'5;x="\r\n"\r\nhello\r\n0\r\n\r\n', b"5;;\r\nhello\r\n0\r\n\r\n",
    b"5;x\x00\r\nhello\r\n0\r\n\r\n", b"5;x\ry\r\nhello\r\n0\r\n\r\n", b"5;x\ny\r\nhello\r\n0\r\n\r\n",
    b"5; x = y\r\nhello\r\n0\r\n\r\n", b"5;\x7f\r\nhello\r\n0\r\n\r\n", b"5;\xe9\r\nhello\r\n0\r\n\r\n",
    b"5;\r\nhello\r\n0\r\n\r\n", b"5;=y\r\nhello\r\n0\r\n\r\n", b"5\nhello\r\n0\r\n\r\n", b"5\r\nhello\n0\r\n\r\n",
    b"5\r\nhello0\r\n\r\n", b"5\rXhello\r\n0\r\n\r\n", b"5\r\nhelloXX0\r\n\r\n", b"5\r\nhello\r\n0\n\r\n",
    b"5\r\nhello\r\n0\r\n\n", b"5\r\nhello\r\n0\n\n", b"\r\n5\r\nhello\r\n0\r\n\r\n", b"5\r\nhello\r\n\r\n0\r\n\r\n",
    b"0\r\nX: y\r\n\r\n", b"0\r\nX : y\r\n\r\n", b"0\r\n X: y\r\n\r\n", b"0\r\nX: y\r\n z\r\n\r\n", b"0\r\nX\r\n\r\n",
    b"0\r\nX: a\x00\r\n\r\n", b"0\r\nX: a\nY: b\r\n\r\n", b"0\r\nContent-Length: 5\r\n\r\n",
    b"0\r\nTransfer-Encoding: chunked\r\n\r\n", b"0\r\nHost: b\r\n\r\n", b"0\r\nX(: y\r\n\r\n", b"0\r\n: y\r\n\r\n",
    b"0\r\nX: \x7f\r\n\r\n", b"0\r\nX: \xe9\r\n\r\n", b"0\r\nX: y\r\nX: z\r\n\r\n", b"0;x=y\r\n\r\n", b"g\r\n\r\n",
    b"-1\r\n\r\n", b"ffffffffffffffff\r\n", b"10000000000000005\r\nhello\r\n0\r\n\r\n", b"5.\r\nhello\r\n0\r\n\r\n",
]  # fmt: skip
LENGTHS: list[tuple[bytes, bytes]] = [
    (b"Content-Length: 5", b"hello"), (b"Content-Length: 0", b""), (b"Content-Length: 05", b"hello"),
    (b"Content-Length:5", b"hello"), (b"Content-Length: 5 ", b"hello"), (b"Content-Length:\t5", b"hello"),
    (b"Content-Length: +5", b"hello"), (b"Content-Length: 5, 5", b"hello"), (b"Content-Length: 5,", b"hello"),
    (b"Content-Length: 5\r\nContent-Length: 5", b"hello"), (b"Content-Length: 5\r\nContent-Length: 0", b"hello"),
    (b"Content-Length: -1", b"hello"), (b"Content-Length: 0x5", b"hello"), (b"Content-Length: 5.0", b"hello"),
    (b"Content-Length:", b""), (b"Content-Length: a", b""), (b"Content-Length: 5\x00", b"hello"),
    (b"Content-Length: 99999999999999999999", b"hello"), (b"Content_Length: 5", b"hello"),
    (b"Content-Length : 5", b"hello"), (b"Content-Length: \r\n 5", b"hello"),
    (b"Content-Length: 00000000000000000005", b"hello"),
    (b"Content-Length: 5\r\nTransfer-Encoding: chunked", b"0\r\n\r\n"), (b"Transfer-Encoding: identity", b""),
    (b"Transfer-Encoding: chunked\r\nContent-Length: 5", b"0\r\n\r\n"), (b"Transfer-Encoding: gzip", b""),
]  # fmt: skip
BODIES = [
    *LENGTHS,
    *((coding, b"5\r\nhello\r\n0\r\n\r\n") for coding in CODINGS),
    *((b"Transfer-Encoding: chunked", body) for body in CHUNKS),
]
"""The field that says how long a body is, and the body."""
ENDS = [
    b"\r\n", b"\n", b"\r", b"\r\r\n", b"\n\r\n",
]  # fmt: skip

STATUS_LINES = [
    b"HTTP/1.1 200 OK", b"HTTP/1.0 200 OK", b"HTTP/1.1 200", b"HTTP/1.1 200 ", b"HTTP/1.1  200 OK",
    b"HTTP/1.1\t200 OK", b"HTTP/1.2 200 OK", b"HTTP/2.0 200 OK", b"HTTP/2 200", b"http/1.1 200 OK", b"HTTP/1.1 99 x",
    b"HTTP/1.1 600 x", b"HTTP/1.1 020 x", b"HTTP/1.1 2000 x", b"HTTP/1.1 200OK", b"HTTP/1.1 +20 x",
    b"HTTP/1.1 200 O\x00K", b"HTTP/1.1 200 O\x01K", b"HTTP/1.1 200 \xe9", b"HTTP/1.1 200 O\rK", b"ICY 200 OK",
    b"HTTP/1.1", b"", b"200 OK", b"HTTP/1.1 204 No Content", b"HTTP/1.1 304 Not Modified",
    b"HTTP/1.1 205 Reset Content", b"HTTP/1.1 101 Switching Protocols", b"HTTP/1.1 100 Continue", b"HTTP/1.1 999 x",
    b"HTTP/1.1 404 x", b"HTTP/1.1 200 O\tK", b"HTTP/1.1 200 \x7f", b"HTTP/11 200 OK", b"HTTP/1.1.1 200 OK",
    b"HTTP/1.1;x 200 OK",
]  # fmt: skip
ANSWER_FIELDS = [
    *FIELDS, b"Location: /x", b"Location: http://a/\x01", b"Location: /x\r\nLocation: /y",
    b"Set-Cookie: a=b; domain=x", b"Server: x", b"Content-Type: a\x00", b"Refresh: 0", b"Date: nonsense",
    b"Connection: set-cookie, date\r\nSet-Cookie: a=b", b"Upgrade: h2c",
]  # fmt: skip
INTERIMS = [
    b"", b"", b"", b"", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\n",
    b"HTTP/1.1 102 Processing\r\nTransfer-Encoding: chunked\r\n\r\n", b"HTTP/1.1 100\r\n\r\n",
    b"HTTP/1.0 100 Continue\r\n\r\n", b"HTTP/1.1 199 x\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n" * 40, b"\r\n",
]  # fmt: skip
AFTERS = [
    b"", b"", b"", b"", b"", b"\r\n", b"junk", b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison",
]  # fmt: skip


class Made(NamedTuple):
    """``odd`` names what is odd about it."""

    request: bytes
    answer: bytes
    odd: tuple[str, ...]


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def request(dice: random.Random) -> Made:
    """A good request with up to three odd parts."""
    parts = dice.sample(
        ["method", "target", "version", "host", "field", "body", "end"], dice.choice((1, 1, 1, 2, 2, 3))
    )
    odd: list[str] = []

    def pick(name: str, choices: Sequence[bytes], good: bytes) -> bytes:
        if name not in parts:
            return good
        chosen = dice.choice(choices)
        odd.append(f"{name} {chosen[:90]!r}")
        return chosen

    method = pick("method", METHODS, b"GET")
    target = pick("target", TARGETS, b"/")
    version = pick("version", VERSIONS, b"HTTP/1.1")
    host = pick("host", [b"Host: " + each for each in HOSTS], b"Host: a")
    fields = [pick("field", FIELDS, b"")] if "field" in parts else []
    length, body = dice.choice(BODIES) if "body" in parts else (b"", b"")
    if length:
        method = b"POST" if method == b"GET" else method
        odd.append(f"body {length!r} {body!r}")
    lines = [b" ".join((method, target, version)), host, *fields, *([length] if length else []), b"", b""]
    ends = [b"\r\n"] * (len(lines) - 1)
    if "end" in parts:
        at = dice.randrange(len(ends))
        ends[at] = pick("end", ENDS, b"\r\n")
    head = b"".join(line + end for line, end in zip(lines, ends, strict=False))
    return Made(head + body, OK, tuple(odd))


def answer(dice: random.Random) -> Made:
    """A good answer with up to three odd parts."""
    parts = dice.sample(["status", "field", "body", "end", "interim", "after"], dice.choice((1, 1, 1, 2, 2, 3)))
    odd: list[str] = []

    def pick(name: str, choices: Sequence[bytes], good: bytes) -> bytes:
        if name not in parts:
            return good
        chosen = dice.choice(choices)
        odd.append(f"answer's {name} {chosen[:90]!r}")
        return chosen

    status = pick("status", STATUS_LINES, b"HTTP/1.1 200 OK")
    fields = [pick("field", ANSWER_FIELDS, b"")] if "field" in parts else []
    length, body = dice.choice(BODIES) if "body" in parts else (b"Content-Length: 5", b"hello")
    if "body" in parts:
        odd.append(f"answer's body {length!r} {body!r}")
    interim, after = pick("interim", INTERIMS, b""), pick("after", AFTERS, b"")
    lines = [status, *fields, length, b"", b""]
    ends = [b"\r\n"] * (len(lines) - 1)
    if "end" in parts:
        ends[dice.randrange(len(ends))] = pick("end", ENDS, b"\r\n")
    head = b"".join(line + end for line, end in zip(lines, ends, strict=False))
    method = dice.choice((b"GET", b"GET", b"GET", b"GET", b"HEAD"))
    if method == b"HEAD":
        odd.append("to HEAD")
    return Made(method + b" / HTTP/1.1\r\nHost: a\r\n\r\n", interim + head + body + after, tuple(odd))


Outcome = tuple[str, bytes, bytes]
"""The first status that the client was told ("-" for none), all that reached the upstream, all that came back."""


def outcome(recorder: Recorder, port: int, made: Made) -> Outcome:
    recorder.received.clear()
    recorder.answer = made.answer
    told = asked(
        port, made.request + SECOND.replace(b"GET", made.request[:4].strip() if made.request[:4] == b"HEAD" else b"GET")
    )
    final = [code for code in re.findall(rb"(?m)^HTTP/1\.[01] (\d+)", told) if code[:1] != b"1" or code == b"101"]
    return (final[0].decode() if final else "-"), b"|".join(recorder.received), told


def lane(made_up: Sequence[Made]) -> list[tuple[Made, dict[str, Outcome]]]:
    """Put messages to proxies of their own, one after the other."""
    recorder = Recorder()
    with ExitStack() as stack:
        ports = proxies(stack, recorder.port)
        return [(each, {name: outcome(recorder, port, each) for name, port in ports.items()}) for each in made_up]


def forwarded(seen: bytes) -> list[bytes]:
    """The requests that reached the upstream but for the good one behind."""
    return [part for part in seen.split(b"|") if part and b" /second " not in part[:14]]


def unclear(made: Made, ours: Outcome) -> str:
    """What of that which we wrote can be read in two ways; "" for nothing."""
    try:
        for part in ours[1].split(b"|"):
            reader.requests(part)
        reader.answers(ours[2], made.request.startswith(b"HEAD "), True)
    except AssertionError as error:
        return str(error)
    return ""


def _whole(made: Made, ours: Outcome) -> bool:
    """Whether the client takes what it got for a whole answer."""
    try:
        return reader.answers(ours[2], made.request.startswith(b"HEAD "), True) > 0
    except AssertionError:
        return True


def main(count: int = 2000, seed: int = 1) -> None:
    for make, what in ((request, "requests"), (answer, "answers")):
        made_up = [make(random.Random(f"{seed} {number}")) for number in range(count)]
        with ThreadPoolExecutor(LANES) as pool:
            found = list(chain.from_iterable(pool.map(lane, [made_up[at::LANES] for at in range(LANES)])))
        refused: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
        for made, each in found:
            ours = each["rproxy"]
            if why := unclear(made, ours):
                print(f"UNCLEAR {made} {ours} {why}")
            passed = bool(forwarded(ours[1])) if make is request else ours[0] not in ("-", "502") and _whole(made, ours)
            for name, (status, seen, _) in each.items():
                gone = status >= "400" and not forwarded(seen) if make is request else status == "502"
                if passed and gone and name != "rproxy":
                    refused[made.odd][name] += 1
        print(f"\n{len(found)} {what}; passed on by us though another refuses them:")
        for odd, names in sorted(refused.items(), key=lambda row: len(row[0])):
            print(f"- {'; '.join(odd)}: {', '.join(names)}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
