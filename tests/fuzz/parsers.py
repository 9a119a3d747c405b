"""What must hold of each parser, whatever its input is: a table of checks, with inputs to begin from.

A check raises AssertionError for a broken promise, and lets through whatever the parser raises that it does not name.
hypothesis puts the beginnings and their neighbours to it in the suite (``test_parsers``), atheris for hours outside it
(``coverage``). The messages of HTTP have checks of their own in ``coverage``.
"""

from __future__ import annotations

import asyncio
import re
import struct
import tempfile
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

import msgspec

from proxy_core.apache.importer import import_file
from proxy_core.balance import heartbeat, sticky
from proxy_core.config.editing.site_edits import Delete, Edit, Move, Set, Unusable, edited
from proxy_core.config.model import Sticky
from proxy_core.config.reading.document import parse
from proxy_core.control.watching import access_log
from proxy_core.http import target
from proxy_core.http.hop_by_hop import RefusedRequest
from proxy_core.http.request_view import RequestView
from proxy_core.rules.access import networks
from proxy_core.rules.access.authorization import credentials
from proxy_core.rules.expression import evaluation
from proxy_core.rules.facts import Facts
from proxy_core.rules.text import pattern, template
from proxy_core.rules.text.variables import Scope
from proxy_core.runtime import passwords
from proxy_core.runtime.exchange import Exchange
from proxy_core.runtime.maps import text_file as text_maps
from proxy_core.runtime.maps.dbm import berkeley, gdbm, sdbm
from proxy_core.runtime.maps.dbm.layout import BadDbmFile as BadDbm
from proxy_core.serve import proxy_protocol
from proxy_core.serve.request_body import RequestBody
from proxy_core.serve.strict_parser import StrictParser
from proxy_core.serve.websocket_frames import Frames

ROOT = Path(__file__).parent.parent.parent
IMPORTS = ROOT / "tests/conformance/imports"
VIEW = RequestView(b"GET", b"/a/b?c=d", b"a.example", "192.0.2.1", "http", b"GET /a/b?c=d HTTP/1.1\r\nHost: a\r\n\r\n")


class Parser(NamedTuple):
    check: Callable[[bytes], None]
    begin: tuple[bytes, ...]


def _scope() -> Scope:
    return Scope(VIEW, Facts(ask=lambda fact: (True, None)), "/a/b", "c=d", condition=("x", "y"), rule=("/a/b", "b"))


# -- HTTP and its neighbours


def paths(raw: bytes) -> None:
    for slashes in ("refuse", "keep", "decode"):
        for merge in (True, False):
            reading = target.Reading(cast(Any, slashes), merge)
            with suppress(target.BadTarget):
                path = target.normalised(target.split(raw)[0], reading)
                spelled = target.escaped(path, reading)
                assert path[0] == "/"
                assert not {"..", "."} & set(path.split("/"))
                assert not re.search(rb"[^!-~]", spelled)
                # Slashes in front are one when they come in; "/.//" leaves two where none are merged, as in httpd.
                again = target.normalised(spelled, reading)
                assert again == (path if merge else "/" + path.lstrip("/")), (path, spelled)
                assert target.normalised(target.escaped(again, reading), reading) == again


_CHUNKED = re.compile(rb"(?:([0-9A-Fa-f]+)(?:[ \t]*;[^\r\n]*)?[ \t]*\r\n)")


def _dechunked(raw: bytes) -> tuple[bytes, int] | None:
    """Body and size of a chunked message, read generously; None where it is none or not whole."""
    body, at = b"", 0
    while found := _CHUNKED.match(raw, at):
        size, at = int(found[1], 16), found.end()
        if not size:
            trailers = re.compile(rb"(?:[^\r\n][^\n]*\r\n)*\r\n").match(raw, at)
            return (body, trailers.end()) if trailers else None
        body, at = body + raw[at : at + size], at + size + 2
        if raw[at - 2 : at] != b"\r\n":
            return None
    return None


LOOP = asyncio.new_event_loop()
CHUNKED_HEAD = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunks(raw: bytes) -> None:
    """However it is cut, the same body ends at the same place; and a reader that knows no mercy for us agrees."""
    seen = set()
    for cut in {0, raw[0] % len(raw), len(raw) // 2} if raw else ():
        judge = StrictParser(LOOP)
        judge.head(CHUNKED_HEAD, -1)
        reading, body, taken, ended = RequestBody(-1, judge), b"", 0, False
        try:
            for piece in (raw[:cut], raw[cut:]):
                while piece and not ended:
                    more, count, ended = reading.take(piece)
                    assert count, "it would never end"
                    body, taken, piece = body + more, taken + count, piece[count:]
        except RefusedRequest:
            continue
        if ended:
            seen.add((body, taken))
    assert len(seen) <= 1, seen
    assert not seen or seen == {_dechunked(raw)}, (seen, _dechunked(raw))


def proxy_header(raw: bytes) -> None:
    with suppress(proxy_protocol.BadProxyHeader):
        if len(raw) >= 16 and raw.startswith(proxy_protocol.SIGNATURE):
            ends = proxy_protocol.version_2(raw[:16], raw[16 : 16 + int.from_bytes(raw[14:16], "big")])
        else:
            ends = proxy_protocol.version_1(raw)
        if ends is not None:
            (source, port), (destination, own) = ends
            family = "TCP6" if ":" in source else "TCP4"
            line = f"PROXY {family} {source} {destination} {port} {own}".encode()
            assert proxy_protocol.version_1(line) == ends


def frames(raw: bytes) -> None:
    """Cut anywhere, the same: and never past the end."""
    whole, pieces = Frames(), Frames()
    assert whole.follow(raw) == len(raw)
    for start, end in pairwise(sorted({0, len(raw), *raw[:6]})):
        pieces.follow(raw[start:end])
        if end >= len(raw):
            break
    assert (whole.between, whole.closed) == (pieces.between, pieces.closed)
    assert Frames().follow(raw, stop=True) <= len(raw)


def beats(raw: bytes) -> None:
    said = heartbeat.report(raw)
    assert said is None or all(0 <= number <= 100_000 for number in (said.ready, said.busy, said.port))


def cookies(raw: bytes) -> None:
    name, _, rest = raw.partition(b"\n")
    head = b"GET / HTTP/1.1\r\nCookie: " + rest + b"\r\n\r\n"
    for separator in ("", "."):
        kept = Sticky(cookie=name.decode("latin-1") or "R", param="p", separator=separator, scolonpathdelim=True)
        found = sticky.session_route(kept, rest, head)
        assert found in (rest + head).decode("latin-1")


def basic(raw: bytes) -> None:
    found = credentials(raw.decode("latin-1"))
    assert found is None or ":" in found


def urls(raw: bytes) -> None:
    text = raw.decode("utf-8", "replace")
    with suppress(ValueError):
        there = target.origin(text)
        assert 0 <= there.port <= 65535
        assert not re.search(r"[\x00-\x1f\x7f]", there.host), there
    with suppress(ValueError):
        target.endpoint(text)
    target.balancer(text)
    networks.parse(text)
    networks.seen_as(text)


def log_lines(raw: bytes) -> None:
    """One line for each request, in which nothing steers a terminal or ends a quote."""
    view = RequestView(raw[:8], raw[8:40], raw[40:60], "192.0.2.1", "http", raw)
    exchange = Exchange(cast(Any, SimpleNamespace(generation=1)), view, raw, "1.1", 1e9, 1.0, status=200)
    for line in (access_log.common(exchange), access_log.combined(exchange)):
        assert re.fullmatch(rb"[\x20-\x7e]*\n", line)
        assert re.fullmatch(rb'[^"]*"(?:\\.|[^"\\])*"[^"]*(?:"(?:\\.|[^"\\])*" "(?:\\.|[^"\\])*")?\n', line), line
    line = access_log.json(exchange)
    assert line.count(b"\n") == 1
    msgspec.json.decode(line)


# -- rules


def patterns(raw: bytes) -> None:
    """What Python's ``re`` is given means what PCRE means."""
    wanted, _, subject = raw.decode("latin-1").partition("\n")
    with suppress(pattern.PatternError):
        exact = pattern._exact(wanted, nocase := raw[-1:] > b"~")
        made = pattern.compile(wanted, nocase)
        with suppress(pattern.Runaway):
            assert made.search(subject) == exact.search(subject), (wanted, subject)
            assert made.search(subject) is None or made.runaway or subject.startswith(made.prefix)


def conditions(raw: bytes) -> None:
    for made in (evaluation.compile_expr, evaluation.compile_string):
        with suppress(evaluation.ExprError, evaluation.ExprFailure, pattern.Runaway):
            compiled = made(raw.decode("utf-8", "replace"))
            if isinstance(compiled, evaluation.Expr):
                assert compiled.truth(_scope()) in (True, False)
            else:
                assert isinstance(compiled.value(_scope()), str)


def templates(raw: bytes) -> None:
    text = raw.decode("latin-1")
    made = template.compile(text)
    filled = made.expand(_scope(), lambda value: value)
    assert made.constant is None or filled == made.constant


# -- files


def site_files(raw: bytes) -> None:
    """Reading tells what is wrong and never raises; every edit says what it was to say, or that it does not fit."""
    document = parse(raw.decode("utf-8", "replace"))
    assert document.site is not None or document.problems
    for problem in document.problems:
        assert problem.line >= 0
    if document.broken:
        return
    edits: list[Edit] = []
    for key, value in list(document.data.items())[:3]:
        edits += [Set((key,), value), Delete((key,)), Set((key, "more"), [1, "x"])]
        if isinstance(value, dict):
            edits += [Delete((key, name)) for name in list(value)[:2]]
        elif isinstance(value, list):
            edits += [Move((key, str(at)), "") for at in range(len(value[:2]))]
    for edit in edits:
        with suppress(Unusable):
            assert not edited(document, [edit]).canonical, edit


def apache_files(raw: bytes) -> None:
    text = re.sub(r"(?i)include", "incl", raw.decode("utf-8", "replace"))  # no file of this machine
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "httpd.conf"
        file.write_text(text)
        made = import_file(file, {"A": "b"}, allow_programs=False)
    again = parse(made.text)
    assert again.site is not None, (made.text, again.problems)


def htpasswd(raw: bytes) -> None:
    for kept in list(passwords.users_in(raw).values())[:3]:
        if not re.search(rb"^\$(2|y|7|gy)|rounds=", kept):  # as slow as they say, by intent
            passwords.verify(kept, b"secret")


def map_files(raw: bytes) -> None:
    text = raw.decode("latin-1")
    first: dict[str, str] = {}
    for row in text_maps.rows(text):
        first.setdefault(row.key, row.value)
        assert 1 <= row.line <= text.count("\n") + 1
    table = text_maps.table(text)
    assert table == first
    for key in [*list(table)[:2], "new"]:
        for value in ("there", None):
            with suppress(text_maps.Unwritable):
                assert text_maps.table(text_maps.edited(text, key, value)).get(key) == value


def dbm_files(raw: bytes) -> None:
    """Whatever the file says: an answer or Malformed, from a bounded number of bounded reads."""
    spent = 0

    def read(offset: int, size: int) -> bytes:
        nonlocal spent
        spent += size
        assert spent < 1 << 26, "it reads without end"
        if not 0 <= offset < 1 << 63:
            raise OSError(22, "Invalid argument")
        return raw[1:][offset : offset + size]

    readers = (
        lambda: sdbm.fetch(read, read, b"key"),
        lambda: gdbm.fetch(read, b"key"),
        lambda: berkeley.fetch(read, b"key"),
    )
    with suppress(BadDbm, OSError, struct.error, IndexError):
        readers[raw[0] % 3 if raw else 0]()


def _files(folder: Path, pattern: str) -> tuple[bytes, ...]:
    return tuple(file.read_bytes() for file in sorted(folder.rglob(pattern)))


PARSERS: dict[str, Parser] = {
    "paths": Parser(paths, (b"/", b"/a//b/./../c%2e%2F%25/%7e?q", b"/a;b=c/%C3%A4", b"/..%2f..")),
    "chunks": Parser(
        chunks, (b"5\r\nhello\r\n0\r\n\r\n", b"1;a=b\r\nx\r\n00\r\nT: v\r\n\r\nGET", b"A\r\n0123456789\r\n0\r\n\r\n")
    ),
    "proxy_header": Parser(
        proxy_header,
        (
            b"PROXY TCP4 192.0.2.1 192.0.2.2 1 65535",
            b"PROXY TCP6 2001:db8::1 ::1 0 80",
            b"PROXY UNKNOWN",
            proxy_protocol.SIGNATURE + b"\x21\x11\x00\x0c" + bytes(range(12)),
            proxy_protocol.SIGNATURE + b"\x21\x21\x00\x24" + bytes(range(36)),
        ),
    ),
    "frames": Parser(
        frames, (b"\x81\x05hello\x88\x02\x03\xe9", b"\x82\x7e\x00\x80" + bytes(128), b"\x01\xff" + bytes(12))
    ),
    "beats": Parser(beats, (b"v=1&ready=5&busy=2&port=8001", b"v=1&busy=%31")),
    "cookies": Parser(cookies, (b"R\nR=x.a; S=y", b"JSESSIONID\na=b, JSESSIONID = z.b", b"p\n/x;p=1.a?p=2")),
    "basic": Parser(basic, (b"Basic dTpw", b"basic  dTpw==", b"Bearer x")),
    "urls": Parser(
        urls, (b"http://a.example:80/x", b"balancer://b/", b"unix:/run/a|http://b/", b"[::1]:80", b"fe80::1%lo")
    ),
    "log_lines": Parser(log_lines, (VIEW.head, b'GET /" HTTP/1.1\r\nReferer: \\"\x1b[31m\r\nUser-Agent: \xff\r\n\r\n')),
    "patterns": Parser(
        patterns,
        (
            b"^/a(.*)$\n/ab",
            b"(?i)x{1,3}?[^a-z\\d]\nXX1",
            b"(?:a|b)+c\\b\nabc d",
            b"[]a]\\.(?!x)\n].",
            b"\\D\\W\\S\\x41(?=b)\nab",
        ),
    ),
    "conditions": Parser(
        conditions,
        (
            b"%{HTTP_HOST} == 'a' && ! (-z %{QUERY_STRING} || %{REQUEST_URI} =~ m#^/(.)#i)",
            b"'%{tolower:%{HTTP_HOST}}' -in { 'a', 'b' }",
            b"a%{REQUEST_METHOD}b%{sub:s/a/b/,%{HTTP_HOST}}",
            b"-R '192.0.2.0/24' and 3 -lt 4",
            b"join({'a','b'}, split(s/,/;/, %{QUERY_STRING}))",
        ),
    ),
    "templates": Parser(
        templates, (b"/x/$1%1%{REQUEST_URI}${m:%{HTTP_HOST}|${n:$1}}\\$2", b"%{ENV:a}%{HTTP:B}%{SSL:C}")
    ),
    "site_files": Parser(
        site_files,
        (*_files(ROOT / "samples", "*.toml"), b"a.b = 1 # c\n[[r]]\nid = 'x'\n# d\n[[r]]\nq = {z = [1,\n2]}\n"),
    ),
    "apache_files": Parser(apache_files, _files(IMPORTS, "*.conf")),
    "htpasswd": Parser(
        htpasswd,
        (
            b"u:$apr1$abcdefgh$0123456789012345678901\n# c\nv:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n",
            b"w:rl.3StKT.4T8M\nx:$1$ab$cd\n:\ny",
        ),
    ),
    "map_files": Parser(
        map_files, (b"# c\nkey value more\r\nk2\tv2\n key no\nkey again\n", b"a b\n\n" + b"x" * 1030 + b" y")
    ),
    "dbm_files": Parser(
        dbm_files,
        (
            b"\0" + struct.pack("<h2h", 2, 1021, 1016) + bytes(1010) + b"value" + b"key",
            b"\1"
            + gdbm._HEADER.pack(gdbm._MAGIC[1], 512, 64, 8, 0, 256, 4, 0)
            + bytes(8)
            + struct.pack("<q", 72)
            + bytes(256),
            b"\1" + gdbm._HEADER.pack(gdbm._MAGIC[1], 512, 64, 8, 0, 1 << 30, 4, 0) + bytes(8) + struct.pack("<q", 72),
            b"\2" + bytes(12) + struct.pack("<III", berkeley._HASH, 9, 512) + bytes(4 + 44) + bytes(600),
        ),
    ),
}
