"""Each directive of a format shows what mod_log_config's shows, and what cannot be read says where and what to do."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy_core.balance.member_state import MemberKey
from proxy_core.config.log_directives import BadFormat
from proxy_core.config.model import AccessLog, Host, Options, Site
from proxy_core.control.watching.log_format import Line, clf_time, compiled
from proxy_core.http.request_view import Connection, RequestView
from proxy_core.rules.decision import Extras
from proxy_core.rules.lint.site import lint
from proxy_core.runtime.compile_site import compile_site
from proxy_core.runtime.exchange import Exchange
from proxy_core.runtime.registry import Registry
from tests import bound
from tests.e2e.harness import HELLO, answers, get, serving, site, upstream

HEAD = (
    b"GET /a%20b/./c?q=1 HTTP/1.1\r\nHost: Shop.Test:8080\r\nX-A: one\r\nx-a:  two \r\n"
    b'X-Quote: a"b\\\r\nCookie: a=1; Seen = yes ; b=2\r\nConnection: close\r\n\r\n'
)
KEY = MemberKey("shop", "m1")
SITE = Site(site=Options(server_name="own.test"), hosts={"shop": Host(names=("shop.test",))})


@pytest.fixture(autouse=True)
def _zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "XXX7")
    time.tzset()
    clf_time.cache_clear()
    yield
    monkeypatch.undo()
    time.tzset()
    clf_time.cache_clear()


def exchange(**changes: Any) -> Exchange:
    connection = Connection("http", "192.0.2.1", 8081, 50123, peer="192.0.2.7")
    made = Exchange(
        compile_site(SITE, Registry(), 7),
        RequestView(b"GET", b"/a%20b/./c?q=1", b"Shop.Test:8080", "198.51.100.9", connection=connection),
        HEAD, "1.1", at=971211336.25, started=100.0, status=502, sent=23, received=4, attempts=2, retries=1,
        queued=0.125, connected=100.25, answered=101.0, finished=102.5, cause="it broke",
        answer=b"HTTP/1.1 502 Bad\r\nX-B: b\r\n\r\n", extras=Extras(env=(("Color", "blue"),), user="anna"),
        notes={"who": "eve"}, member=bound.member(KEY),
        route=bound.route("all"),
    )  # fmt: skip
    for name, value in changes.items():
        setattr(made, name, value)
    return made


SHOWN = [
    ("%%", "%"), ("100%%!", "100%!"), (r"a\tb%%", "a\tb%"),
    ("%a %{c}a %h %A", "198.51.100.9 192.0.2.7 198.51.100.9 192.0.2.1"),
    ("%b %B", "23 23"), ("%D %T %{s}T %{ms}T %{us}T", "2500000 2 2 2500 2500000"), ("%f %k %l", "- - -"),
    ("%H %m", "HTTP/1.1 GET"), ("%I", str(len(HEAD) + 4)), ("%O", "51"), ("%P", str(os.getpid())),
    ("%p %{canonical}p %{local}p %{remote}p", "8080 8080 8081 50123"), ("%q", "?q=1"),
    ("%r", "GET /a%20b/./c?q=1 HTTP/1.1"), ("%s %>s %<s", "502 502 502"), ("%u", "anna"), ("%U", "/a b/c"),
    ("%v %V", "shop.test shop.test"), ("%X", "-"),
    ("%t", "[10/Oct/2000:13:55:36 -0700]"), ("%{sec}t %{msec}t %{usec}t", "971211336 971211336250 971211336250000"),
    ("%{%Y-%m-%d %H:%M}t.%{msec_frac}t", "2000-10-10 13:55.250"), ("%{end:sec}t %{begin:sec}t", "971211338 971211336"),
    ("%{X-A}i", "one, two"), ("%{X-Quote}i", r"a\"b\\"), ("%{X-None}i", "-"), ("%{x-b}o %{X-None}o", "b -"),
    ("%{COLOR}e %{None}e", "blue -"), ("%{who}n %{None}n", "eve -"), ("%{seen}C %{None}C", "yes -"),
    ("%502{X-A}i %200,304{X-A}i %!200,304{X-A}i %!502m", "one, two - one, two -"), ("%200>s", "-"),
    ("%{route}x %{balancer}x %{member}x %{attempts}x %{retries}x %{generation}x", "all shop m1 2 1 7"),
    ("%{queued}x %{waited}x %{first}x %{total}x %{cause}x", "125.000 250.000 1000.000 2500.000 it broke"),
]  # fmt: skip


@pytest.mark.parametrize(("form", "text"), SHOWN, ids=[form for form, _ in SHOWN])
def test_a_directive_shows_what_httpd_shows(form: str, text: str) -> None:
    assert compiled(form)(exchange()) == text.encode() + b"\n"


MISSING: list[tuple[str, dict[str, Any], str]] = [
    ("%b %B", {"sent": 0}, "- 0"), ("%r %s", {"head": b"", "status": 0}, "- -"), ("%u %{V}e", {"extras": None}, "- -"),
    ("%{x-b}o", {"replaced": 502}, "-"), ("%{member}x %{route}x", {"member": None, "route": None}, "- -"),
    ("%{waited}x %{first}x %{cause}x", {"connected": 0.0, "answered": 0.0, "cause": ""}, "- - -"),
    ("%{SSL_CIPHER}x %{ssl_no_such}x %{cipher}c %{errstr}c", {}, "- - - -"),
    ("%X", {"status": 499}, "X"), ("%X", {"head": b"GET / HTTP/1.1\r\n\r\n"}, "+"),
    ("%X", {"head": b"GET / HTTP/1.0\r\n\r\n", "version": "1.0"}, "-"), ("%{who}n", {"notes": None}, "-"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("target", "text"), [(b"*", "*"), (b"\x16\x03", "\\x16\\x03"), (b"", "-"), (b"/a\x01?b", "/a\\x01"), (b"?q", "-")]
)
def test_a_target_that_is_no_path_is_shown_as_it_came(target: bytes, text: str) -> None:
    assert compiled("%U")(exchange(view=RequestView(b"", target, b"", "192.0.2.1"))) == text.encode() + b"\n"


@pytest.mark.parametrize(("form", "changes", "text"), MISSING)
def test_what_never_came_about_is_a_dash(form: str, changes: dict[str, Any], text: str) -> None:
    assert compiled(form)(exchange(**changes)) == text.encode() + b"\n"


async def test_what_mod_ssl_looks_up_is_that_of_the_request() -> None:
    async with upstream(answers(HELLO)) as member, serving(site(member.port)) as proxy:
        await get(proxy.port, "/a?b")
        seen = await proxy.finished(1)
    form = "%{REQUEST_METHOD}x %{REQUEST_URI}x %{QUERY_STRING}x %{HTTPS}x %{SSL_PROTOCOL}x %{NO_SUCH}x"
    assert compiled(form)(seen) == b"GET /a b off - -\n"


BAD = [
    ("%{foo}c", "%{foo}c at character 1", "%{version}c"),
    ("%h %Z", "%Z at character 4", "known are"), ("%", "character 1 has no end", "%%"), ("%{X-A", "no end", "%%"),
    ("%{}i", "names nothing", "%{NAME}i"), ("%h %i", "names nothing", "%{NAME}i"), ("%{x}h", "%{x}h", "write %h"),
    ("%{memer}x", "%{memer}x at character 1", "did you mean %{member}x?"), ("%{min}T", "%{min}T", "%{ms}T"),
    ("combind", 'no log format "combind"', "combined"), ("%h\x1b", "control character", "leave it out"),
]  # fmt: skip


@pytest.mark.parametrize(("form", "what", "todo"), BAD)
def test_what_cannot_be_read_is_an_error_with_its_place_and_what_to_do(form: str, what: str, todo: str) -> None:
    problems = [each for each in lint(Site(access_log=AccessLog(file="l", format=form))) if each.severity == "error"]
    assert [each.address for each in problems] == [("access_log", "format")]
    assert what in problems[0].what
    assert todo in problems[0].todo


@given(st.text(st.sampled_from('%{}!<>,20hrsitxXa-\\"n\n'), max_size=12))
def test_any_text_is_read_or_refused_and_what_is_read_can_be_written(form: str) -> None:
    line: Line | None = None
    with suppress(BadFormat):
        line = compiled(form)
    assert line is None or line(exchange()).endswith(b"\n")
