"""Reverse rows: what an upstream calls itself, and what the client calls it. The mapping's table is in semantics."""

from __future__ import annotations

import pytest

from proxy_core.config.model import Options, Site
from proxy_core.rules.decision import CookieRow, ReverseRow
from proxy_core.rules.routing.reverse import mapped, mapped_cookie, reverse_rows
from tests.semantics.table import members, site

BASE = "http://shop.example"


def rows_of(given: Site) -> tuple[ReverseRow, ...]:
    return reverse_rows(given, given.routes[0])


def test_a_plain_url_gives_its_own_row() -> None:
    assert rows_of(site(("/a", "http://one:81/t"))) == (ReverseRow("http://one:81/t", "/a"),)


def test_every_member_of_a_balancer_gives_a_row_with_its_own_path() -> None:
    given = site(("/a", "balancer://p/t"), p=members(a="http://one:81", b="http://two:82/deep", c="http://one:81"))
    assert rows_of(given) == (ReverseRow("http://one:81/t", "/a"), ReverseRow("http://two:82/deep/t", "/a"))


def test_the_lone_slash_of_a_balancer_is_no_path_of_its_members() -> None:
    rows = rows_of(site(("/pool", "balancer://p/"), p=members(a="http://one:81")))
    assert mapped("http://one:81/there", rows, BASE) == f"{BASE}/pool/there"


def test_the_schemes_own_port_is_understood_written_or_not() -> None:
    for url in ("http://one/t", "http://one:80/t", "HTTP://One:80/t"):
        rows = rows_of(site(("/a", url)))
        assert mapped("http://one/t/x", rows, BASE) == f"{BASE}/a/x"
        assert mapped("http://one:80/t/x", rows, BASE) == f"{BASE}/a/x"
    assert mapped("http://one:80/x", rows_of(site(("/a", "http://one"))), BASE) == f"{BASE}/a/x"


def test_rows_are_spelled_as_urls_are() -> None:
    rows = rows_of(site(("/my app", "http://one:81/caf\u00e9")))
    assert mapped("http://one:81/caf%C3%A9/x", rows, BASE) == f"{BASE}/my%20app/x"


def test_the_root_keeps_a_single_slash() -> None:
    rows = rows_of(site(("/", "http://one:81")))
    assert mapped("http://one:81/x", rows, BASE) == f"{BASE}/x"


def test_exceptions_and_sites_with_reverse_off_have_no_rows() -> None:
    off = site(("/a", "http://one"))
    assert rows_of(site(("/a", "!"))) == ()
    assert rows_of(Site(site=Options(reverse="off"), routes=off.routes)) == ()
    assert rows_of(site(("/a", "balancer://gone"))) == ()


@pytest.mark.parametrize("value", ["", "/a", "x", "//one:81/a", "https://one:81/a", "http://one:8", "mailto:a@one"])
def test_what_no_row_takes_stays_as_it_is(value: str) -> None:
    assert mapped(value, (ReverseRow("http://one:81/", "/"),), BASE) == value


def test_the_first_row_that_fits_counts() -> None:
    rows = (ReverseRow("http://one:81/a", "/first"), ReverseRow("http://one:81/a/b", "/second"))
    assert mapped("http://one:81/a/b", rows, BASE) == f"{BASE}/first/b"


@pytest.mark.parametrize("internal", ["http://one:81/A", "HTTP://ONE:81/a"])
def test_an_address_is_known_in_every_case_and_what_is_behind_it_stays_as_it_is(internal: str) -> None:
    for value in ("http://one:81/a/X", "Http://One:81/A/X"):
        assert mapped(value, (ReverseRow(internal, "/b"),), BASE) == f"{BASE}/b/X"
    assert mapped("http://two/A/X", (ReverseRow("/a", "/b"),), BASE) == f"{BASE}/b/X"


def test_of_two_paths_of_a_cookie_the_last_counts_and_is_mapped() -> None:
    rows = (CookieRow("path", "/in", "/out"),)
    assert mapped_cookie("a=1; Path=/in; Path=/in/x", rows) == "a=1; Path=/in; Path=/out"
    assert mapped_cookie("a=1; Path=/in; Path=/else", rows) == "a=1; Path=/in; Path=/else"
