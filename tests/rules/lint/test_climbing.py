"""A pattern may not make a path that climbs: past the guards of one path it would reach another. httpd sends it on."""

from __future__ import annotations

import pytest

from proxy_core.config.reading.document import parse
from proxy_core.http.request_view import RequestView
from proxy_core.http.target import climbs
from proxy_core.rules.decision import Decision, Forward, Respond
from proxy_core.rules.facts import Facts
from proxy_core.rules.lint.site import lint
from proxy_core.runtime.compile_site import compile_site
from proxy_core.runtime.registry import Registry
from tests.deciding import decide

BASE = 'version = 1\n[listeners.http]\naddress = "127.0.0.1:0"\n'
REWRITE = """
[[rewrites]]
id = "pub"
pattern = '{pattern}'
substitution = '{made}'
flags = [{flags}]
[[routes]]
path = "/app"
proxy = "http://127.0.0.1:1/app"
"""
ROUTE = """
[[routes]]
id = "pub"
path_regex = '{pattern}'
proxy = "http://127.0.0.1:1{made}"
{more}
"""
WAYS = {
    "PT": REWRITE.format(pattern="^/pub(.*)", made="/app/public/$1", flags='"PT"'),
    "P": REWRITE.format(pattern="^/pub(.*)", made="http://127.0.0.1:1/app/public/$1", flags='"P"'),
    "P, NE": REWRITE.format(pattern="^/pub(.*)", made="http://127.0.0.1:1/app/public/$1", flags='"P", "NE"'),
    "path_regex": ROUTE.format(pattern="^/pub(.*)", made="/app/public/$1", more=""),
    "nocanon": ROUTE.format(pattern="^/pub(.*)", made="/app/public/$1", more="nocanon = true"),
    "encoded": ROUTE.format(pattern="^/pub(.*)", made="/app/public/$1", more='mapping = "encoded"'),
}


def decided(
    text: str, target: str, *fields: str, known: dict[tuple[str, str, str], str | None] | None = None
) -> Decision:
    document = parse(BASE + text)
    assert document.site is not None, document.problems
    program = compile_site(document.site, Registry(), 1).program
    head = "\r\n".join([f"GET {target} HTTP/1.1", "Host: h", *fields, "", ""]).encode()
    return decide(program, RequestView(b"GET", target.encode(), b"h", "127.0.0.1", head=head), Facts(known or {}), None)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("target", ["/pub../admin", "/pub../secret?x", "/pub%2e%2e/admin", "/pub..", "/pub./admin"])
def test_a_made_path_that_climbs_is_refused(way: str, target: str) -> None:
    decision = decided(WAYS[way], target)
    assert isinstance(decision, Respond)
    assert decision.status == 400
    assert "segment . or .." in decision.cause


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("target", ["/pub/a", "/pub..a/b", "/pub/a..b", "/pub.x", "/pub/...", "/pub/a?x=/../"])
def test_other_made_paths_are_forwarded(way: str, target: str) -> None:
    assert isinstance(decided(WAYS[way], target), Forward)


def test_a_capture_that_was_decoded_twice_does_not_climb() -> None:
    maps = '[maps.un]\ntype = "int"\nfunction = "unescape"\n'
    text = REWRITE.format(pattern="^/pub/(.*)", made="/app/${un:$1}", flags='"PT"') + maps
    twice = {("map", "un", "%2e%2e/admin"): "../admin", ("map", "un", "a%20b"): "a b"}
    assert isinstance(decided(text, "/pub/%252e%252e/admin", known=twice), Respond)
    assert isinstance(decided(text, "/pub/a%2520b", known=twice), Forward)


def test_a_field_that_goes_into_a_path_does_not_climb() -> None:
    text = REWRITE.format(pattern="^/x", made="http://127.0.0.1:1/t/%{HTTP:X-Tenant}/y", flags='"P"')
    assert isinstance(decided(text, "/x", "X-Tenant: a/../b"), Respond)
    assert isinstance(decided(text, "/x", "X-Tenant: a"), Forward)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/a/b", False), ("/a/..", True), ("/./a", True), ("/a/..b/c", False), ("/a/%2e%2E/b", True),
        ("/a/%252e./b", True), ("/a\\..\\b", True), ("/a%5c../b", True), ("/a/..;x/b", False), ("/a/...", False),
    ],
)  # fmt: skip
def test_what_climbs(path: str, found: bool) -> None:
    assert climbs(path) is found


def warned(text: str) -> bool:
    document = parse(BASE + text)
    assert document.site is not None, document.problems
    return any("begin with dots" in problem.what for problem in lint(document.site))


@pytest.mark.parametrize(
    ("pattern", "made", "risky"),
    [
        ("^/pub(.*)", "/app/$1", True), ("^/pub/(.*)", "/app/$1", False), ("^/pub(/.*)?$", "/app$1", False),
        ("^/pub(.*)", "/app$1", False), ("^/(a|b)(.*)", "/$1/$2", True), ("^/pub([^/]*)", "/app/$1", True),
        ("^/pub([a-z]+)", "/app/$1", False), (r"^/pub\.(.*)", "/app/$1", True), ("^(.*)$", "/app/$1", False),
        ("^/(.*)$", "/app/$1", False), (r"^/pub(\d+)", "/app/$1", False), ("^/pub(.*)", "/app/x$1", False),
    ],
)  # fmt: skip
def test_the_check_warns_of_patterns_that_may_make_such_paths(pattern: str, made: str, risky: bool) -> None:
    assert warned(REWRITE.format(pattern=pattern, made=made, flags='"PT"')) is risky
    assert warned(ROUTE.format(pattern=pattern, made=made, more="")) is risky
