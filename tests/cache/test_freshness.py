"""What may be kept, and for how long, by tables: a row says what an answer says and what comes of it."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from proxy_core.cache.directives import directives
from proxy_core.cache.freshness import AskedBy, Lifetime, judged, merged
from proxy_core.cache.reuse import Use, rescues, use
from proxy_core.cache.wishes import ANY, selected, wishes_of
from proxy_core.config.model import Cache

AT = 784111777.0
DATE = "Date: Sun, 06 Nov 1994 08:49:37 GMT"
DAY_AGO = "Last-Modified: Sat, 05 Nov 1994 08:49:37 GMT"
IN_AN_HOUR = "Expires: Sun, 06 Nov 1994 09:49:37 GMT"


def kept(*lines: str, status: int = 200, asked: AskedBy | None = None, **cache: Any) -> Lifetime | str:
    raw = [line.encode("latin-1") for line in (DATE, *lines)]
    return judged(Cache(**cache), asked or AskedBy(), status, raw, AT, 0.0)


LIFETIMES: list[tuple[tuple[str, ...], float, float]] = [
    (("Cache-Control: max-age=3600",), 0, 3600),
    (("Cache-Control: MaX-aGe=003600",), 0, 3600),
    (("Cache-Control: max-age=99999999999",), 0, 1 << 31),
    (("Cache-Control: max-age=1, s-maxage=60",), 0, 60),
    (("Cache-Control: s-maxage=1", "Cache-Control: max-age=60", 'ETag: "x"'), 0, 1),
    (("Cache-Control: max-age=60, max-age=5",), 0, 5),
    (('Cache-Control: max-age="60"',), 0, 60),
    (('Cache-Control: ext="max-age=60", max-age=5',), 0, 5),
    (("Cache-Control: max-age=60", IN_AN_HOUR), 0, 60),
    (("Cache-Control: max-age=60", "Expires: 0"), 0, 60),
    (("Cache-Control: max-age=60", "Age: 20"), 20, 60),
    (("Cache-Control: max-age=60", "Age: 20, 3"), 20, 60),
    (("Cache-Control: max-age=60", "Age: nonsense"), 0, 60),
    (("Cache-Control: max-age=60", "Age: 20.5"), 0, 60),
    (("Cache-Control: max-age=60", "Age: -20"), 0, 60),
    ((IN_AN_HOUR,), 0, 3600),
    (("Expires: Sunday, 06-Nov-94 09:49:37 GMT",), 0, 3600),
    (("Expires: Sun Nov  6 09:49:37 1994",), 0, 3600),
    ((DAY_AGO,), 0, 8640),
    (('ETag: "x"',), 0, 0),
    (("Cache-Control: no-cache, max-age=60", 'ETag: "x"'), 0, 0),
    (("Pragma: no-cache", DAY_AGO), 0, 0),
]


@pytest.mark.parametrize(("lines", "initial", "fresh"), LIFETIMES)
def test_an_answer_is_fresh_for_as_long_as_its_fields_say(lines: tuple[str, ...], initial: float, fresh: float) -> None:
    found = kept(*lines)
    assert isinstance(found, Lifetime)
    assert (found.initial, found.fresh) == (initial, fresh)


def test_the_age_of_an_answer_counts_from_its_date_and_its_way() -> None:
    found = judged(Cache(), AskedBy(), 200, [DATE.encode(), b"Cache-Control: max-age=60", b"Age: 5"], AT + 30, 2.0)
    assert isinstance(found, Lifetime)
    assert found.initial == 30
    late = judged(Cache(), AskedBy(), 200, [DATE.encode(), b"Cache-Control: max-age=60", b"Age: 5"], AT, 2.0)
    assert isinstance(late, Lifetime)
    assert late.initial == 7


REFUSED: list[tuple[tuple[str, ...], dict[str, Any], str]] = [
    (("Cache-Control: nO-StOrE, max-age=60",), {}, "no-store"),
    (("Cache-Control: private, max-age=60",), {}, "private"),
    (('Cache-Control: private="set-cookie", max-age=60',), {}, "private"),
    (("Cache-Control: max-age=60", "Vary: Accept, *"), {}, "Vary: *"),
    (("Cache-Control: max-age=60", "Vary: , *"), {}, "Vary: *"),
    (("Cache-Control: max-age=60", "Set-Cookie: a=1"), {}, "sets a cookie"),
    (("Cache-Control: public, max-age=60", "Set-Cookie: a=1"), {}, "sets a cookie"),
    (("Cache-Control: max-age=0",), {}, "stale when it comes"),
    (("Cache-Control: max-age=-5",), {}, "stale when it comes"),
    (("Cache-Control: max-age='60'",), {}, "stale when it comes"),
    (("Cache-Control: max-age=60", "Age: 61"), {}, "stale when it comes"),
    (("Expires: Sun, 06 Nov 1994 09:49:37 UTC",), {}, "stale when it comes"),
    (("Expires: 0", IN_AN_HOUR), {}, "stale when it comes"),
    (("Cache-Control: max-age=60",), {"status": 206}, "status 206"),
    (("Cache-Control: max-age=60",), {"status": 304}, "status 304"),
    ((), {}, "does not say for how long"),
    ((DAY_AGO,), {"status": 403}, "does not say for how long"),
    (("Cache-Control: no-store, must-understand, max-age=60",), {"status": 599}, "must-understand"),
    (("Cache-Control: max-age=60",), {"asked": AskedBy(no_store=True)}, "the request says no-store"),
    (("Cache-Control: max-age=60",), {"asked": AskedBy("the request has Authorization")}, "Authorization"),
]


@pytest.mark.parametrize(("lines", "more", "why"), REFUSED)
def test_an_answer_is_not_kept_where_it_says_so_and_the_reason_is_told(
    lines: tuple[str, ...], more: dict[str, Any], why: str
) -> None:
    found = kept(*lines, **more)
    assert isinstance(found, str)
    assert why in found


ALLOWED: list[tuple[tuple[str, ...], dict[str, Any]]] = [
    (("Cache-Control: no-store, max-age=60",), {"store_no_store": True}),
    (("Cache-Control: private, max-age=60",), {"store_private": True}),
    (("Cache-Control: max-age=0",), {"store_expired": True}),
    (("Cache-Control: max-age=60", "Set-Cookie: a=1"), {"cookies": True}),
    (("Cache-Control: max-age=60", "Set-Cookie: a=1"), {"ignore_fields": ("Set-Cookie",)}),
    ((), {"ignore_no_last_mod": True, "default_expire": 60.0}),
    (("Cache-Control: no-store, must-understand, max-age=60",), {}),
    (("Cache-Control: max-age=60",), {"status": 503}),
    (("Cache-Control: public, max-age=60",), {"asked": AskedBy("a user has shown a password")}),
    (("Cache-Control: s-maxage=60",), {"asked": AskedBy("a user has shown a password")}),
    (("Cache-Control: must-revalidate, max-age=60",), {"asked": AskedBy("a user has shown a password")}),
    (("Cache-Control: max-age=0, stale-while-revalidate=9",), {}),
]


@pytest.mark.parametrize(("lines", "more"), ALLOWED)
def test_an_answer_is_kept_where_it_or_the_site_says_that_it_may_be(
    lines: tuple[str, ...], more: dict[str, Any]
) -> None:
    assert isinstance(kept(*lines, **more), Lifetime)


def test_what_the_cache_reckons_itself_stays_between_the_bounds_of_the_site() -> None:
    for bounds, fresh in (
        ({"max_expire": 60.0}, 60),
        ({"min_expire": 9000.0}, 9000),
        ({"modified_factor": 0.5}, 43200),
    ):
        found = kept(DAY_AGO, **bounds)
        assert isinstance(found, Lifetime)
        assert found.fresh == fresh
    told = kept("Cache-Control: max-age=100000", max_expire=60.0)
    assert isinstance(told, Lifetime)
    assert told.fresh == 100000


LIFE = Lifetime(0.0, 60.0)
USES: list[tuple[Lifetime, float, str, Use]] = [
    (LIFE, 59, "", Use.FRESH),
    (LIFE, 60, "", Use.VALIDATE),
    (LIFE, 5, "no-cache", Use.VALIDATE),
    (LIFE, 5, "max-age=4", Use.VALIDATE),
    (LIFE, 5, "max-age=6", Use.FRESH),
    (LIFE, 5, "min-fresh=56", Use.VALIDATE),
    (LIFE, 5, "min-fresh=54", Use.FRESH),
    (LIFE, 70, "max-stale", Use.STALE),
    (LIFE, 70, "max-stale=9", Use.VALIDATE),
    (replace(LIFE, strict=True), 70, "max-stale", Use.VALIDATE),
    (replace(LIFE, stale=30.0), 89, "", Use.REFRESH),
    (replace(LIFE, stale=30.0), 91, "", Use.VALIDATE),
    (replace(LIFE, stale=30.0), 70, "no-cache", Use.VALIDATE),
]


@pytest.mark.parametrize(("lifetime", "age", "said", "expected"), USES)
def test_what_is_kept_serves_as_its_age_and_the_client_allow(
    lifetime: Lifetime, age: float, said: str, expected: Use
) -> None:
    wishes = wishes_of(f"Cache-Control: {said}\r\n\r\n".encode() if said else b"\r\n")
    assert use(lifetime, age, wishes) is expected


def test_a_client_that_is_not_listened_to_gets_what_is_fresh() -> None:
    assert use(LIFE, 5, wishes_of(b"Cache-Control: no-cache\r\n\r\n"), ignore_client=True) is Use.FRESH


def test_what_is_stale_stands_in_for_errors_unless_it_forbids_that() -> None:
    strict, said = replace(LIFE, strict=True), replace(LIFE, strict=True, rescue=30.0)
    for lifetime, age, status, on, expected in (
        (LIFE, 90, 503, True, True), (LIFE, 90, 503, False, False), (LIFE, 90, 404, True, False),
        (strict, 90, 503, True, False), (said, 89, 500, False, True), (said, 91, 500, True, False),
    ):  # fmt: skip
        assert rescues(Cache(stale_on_error=on), lifetime, age, status) is expected, (lifetime, age, status)


def test_a_directive_is_read_wherever_it_stands_and_never_out_of_a_quoted_text() -> None:
    assert directives(b' , no-store,x="a, max-age=9" , max-age=5') == {
        b"no-store": b"",
        b"x": b"a, max-age=9",
        b"max-age": b"5",
    }
    assert directives(b'"unterminated, max-age=9') == {}


def test_a_304_brings_new_fields_but_not_those_of_bytes_that_are_kept() -> None:
    stored = [b'ETag: "x"', b"X: old", b"Content-Encoding: br", b"Y: 1"]
    assert merged(stored, [b"x: new", b"Content-Length: 0", b"Content-Encoding: gzip", b"Z: 2"]) == [
        b'ETag: "x"', b"Content-Encoding: br", b"Y: 1", b"x: new", b"Z: 2",
    ]  # fmt: skip


def test_the_fields_of_a_request_are_read_once_whatever_their_case() -> None:
    found = wishes_of(b"cache-control: max-stale\r\nRANGE: bytes=0-1\r\nAuthorization: Basic x\r\n\r\n")
    assert (found.plain, found.max_stale, found.range, found.authorization) == (False, ANY, b"bytes=0-1", True)
    assert wishes_of(b"Accept: */*\r\n\r\n").plain
    assert wishes_of(b"Pragma: no-cache\r\n\r\n").no_cache
    assert not wishes_of(b"Pragma: no-cache\r\nCache-Control: max-age=9\r\n\r\n").no_cache


PAST = ["X-HTTP-Method-Override: DELETE", "X-Original-URL: /admin", "X-Rewrite-URL: /admin", "If-Match: *"]


@pytest.mark.parametrize("line", PAST)
def test_what_makes_another_request_of_it_leads_past_the_cache(line: str) -> None:
    assert wishes_of(f"{line}\r\n\r\n".encode()).past


def test_what_says_where_the_client_came_by_is_in_the_key_but_who_it_is_is_not() -> None:
    def key(lines: bytes) -> bytes:
        return wishes_of(lines + b"\r\n\r\n").keyed

    for one in (
        b"X-Forwarded-Host: a",
        b"X-Forwarded-Proto: https",
        b"X-Forwarded-Prefix: /x",
        b"Forwarded: for=1;host=a",
    ):
        assert key(one) != key(b"Accept: */*")
    assert key(b"X-Forwarded-For: 1") == key(b"X-Forwarded-For: 2") == b""
    assert key(b"Forwarded: for=1;proto=http") == key(b"Forwarded: for=2;proto=http")
    given = frozenset((b"x-user",))
    assert wishes_of(b"X-User: a\r\n\r\n", given).keyed != wishes_of(b"X-User: b\r\n\r\n", given).keyed


def test_what_is_selected_by_is_alike_where_only_spaces_and_lines_differ() -> None:
    names = (b"foo",)
    assert selected(b"Foo: 1,  2\r\nA: b\r\n\r\n", names) == selected(b"foo: 1\r\nFOO: 2\r\n\r\n", names)
    assert selected(b"Foo:\r\n\r\n", names) != selected(b"\r\n", names)
    assert selected(b"Accept-Language: en, de\r\n\r\n", (b"accept-language",)) == selected(
        b"accept-language: DE,EN\r\n\r\n", (b"accept-language",)
    )
