"""What the rules of a host decide, and what they say of it: locations, variables, a target of one line."""

from __future__ import annotations

import re
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from proxy_core.config.model import EnvRule, HeaderRule, Location, RewriteRule, Route, Site
from proxy_core.http.request_view import RequestView
from proxy_core.rules.decision import NO_EXTRAS, Decision, Forward, Redirect, Respond
from proxy_core.rules.facts import Facts, Need
from proxy_core.runtime.compile_site import compile_site
from proxy_core.runtime.registry import Registry
from tests.deciding import decide

SITE = Site(
    rewrites=(
        RewriteRule(id="raw", pattern="^/raw/(.*)$", substitution="http://h/$1", flags=("P", "NE")),
        RewriteRule(id="query", pattern="^/query/(.*)$", substitution="http://h/x?q=$1", flags=("P",)),
        RewriteRule(id="pass", pattern="^/pass/(.*)$", substitution="/to?q=$1", flags=("PT",)),
    ),
    routes=(
        Route(id="exact", path_regex="^/exact/(.*)$", proxy="http://h/a b/$1", mapping="encoded"),
        Route(id="rest", path="/", proxy="http://h/"),
    ),
)
DECIDE = partial(decide, compile_site(SITE, Registry(), 1).program)


@pytest.mark.parametrize("start", ["/raw/", "/query/", "/pass/", "/exact/", "/"])
@given(rest=st.binary(max_size=12), query=st.binary(max_size=5))
def test_no_rule_puts_anything_but_a_target_into_the_request_line(start: str, rest: bytes, query: bytes) -> None:
    escaped = b"".join(b"%%%02X" % byte for byte in rest)
    asked = start.encode() + escaped + b"?" + b"".join(b"%%%02x" % byte for byte in query)
    decision = DECIDE(RequestView(b"GET", asked, b"a", "192.0.2.1"), Facts(), None)
    if isinstance(decision, Forward):
        assert re.fullmatch(rb"/[\x21\x22\x24-\x7e]*", decision.target)


@pytest.mark.parametrize(
    ("asked", "target"),
    [
        (b"/raw/a%23b", b"/a%23b"),
        (b"/raw/%e9", b"/%E9"),
        (b"/query/a%23b%e9", b"/x?q=a%23b%E9"),
        (b"/pass/%23", b"/to?q=%23"),
        (b"/exact/%41", b"/a%20b/A"),
    ],
)
def test_what_would_be_read_in_two_ways_stays_an_escape(asked: bytes, target: bytes) -> None:
    decision = DECIDE(RequestView(b"GET", asked, b"a", "192.0.2.1"), Facts(), None)
    assert isinstance(decision, Forward)
    assert decision.target == target


def asked(site: Site, target: bytes) -> Decision:
    return decide(compile_site(site, Registry(), 1).program, RequestView(b"GET", target, b"a", "192.0.2.1"), Facts())


PLACES = (
    Location(id="deep", path="/a/deep", timeout=3.0),
    Location(id="a", path="/a", timeout=7.0),
    Location(id="as-it-came", expr="%{REQUEST_FILENAME} == '/a/x' && %{QUERY_STRING} == 'as=came'"),
    Location(id="closed", path="/a/closed", require=("all denied",)),
)
ANY_PLACE = HeaderRule(id="h", name="X", value="1", location="a")
ELSEWHERE = RewriteRule(id="p", pattern="^.*/far$", substitution="http://far/", flags=("P",), location="a")
LOOKED_UP = RewriteRule(id="again", pattern="^.*/again$", substitution="/b", flags=("CO=n:v:h",), location="a")
ANSWERED = (
    RewriteRule(id="moved", pattern="^/a/x$", substitution="/gone?by=rules"),
    RewriteRule(id="gone", pattern="^/gone$", flags=("G",)),
    RewriteRule(id="away", pattern="^/a/away$", substitution="/there", flags=("R",)),
)
TOLD = Site(
    rewrites=(ELSEWHERE, LOOKED_UP, *ANSWERED),
    routes=(Route(id="kept", path="/a/kept", except_=True), Route(id="rest", path="/", proxy="http://h/")),
    locations=PLACES,
    headers=(ANY_PLACE,),
)


@pytest.mark.parametrize(
    ("target", "kind", "held"),
    [
        (b"/a/y", Forward, ("a",)),
        (b"/a/deep/y", Forward, ("deep", "a")),
        (b"/b", Forward, ()),
        (b"/a/far", Forward, ("a",)),
        (b"/a/again", Forward, ()),  # of the path that was looked up instead
        (b"/a/kept", Respond, ("a",)),
        (b"/a/closed", Respond, ("a", "closed")),
        (b"/a/x?as=came", Respond, ("a", "as-it-came")),
        (b"/a/x", Respond, ("a",)),
        (b"/a/away", Redirect, ("a",)),
    ],
)
def test_a_decision_of_any_kind_says_which_locations_hold(target: bytes, kind: type, held: tuple[str, ...]) -> None:
    decision = asked(TOLD, target)
    assert isinstance(decision, kind)
    assert not isinstance(decision, Need)
    assert decision.sections == held


def test_what_rules_have_answered_says_nothing_of_locations_where_none_has_rows_for_it() -> None:
    decision = asked(replace(TOLD, headers=()), b"/a/away")
    assert isinstance(decision, Redirect)
    assert decision.sections == ()


def test_locations_are_laid_over_what_their_rules_forward_elsewhere() -> None:
    decision = asked(TOLD, b"/a/far")
    assert isinstance(decision, Forward)
    assert (decision.route.pool, decision.route.timeout) == ("http://far", 7.0)


def test_what_rules_left_for_a_request_is_not_lost_when_its_path_is_looked_up_anew() -> None:
    rules = compile_site(TOLD, Registry(), 1)
    decision = decide(rules.program, RequestView(b"GET", b"/a/again", b"a", "192.0.2.1"), Facts())
    assert isinstance(decision, Forward)
    assert decision.extras is not None
    assert [rule.id for rule in rules.program.rewrites if any(rule.state is hit for hit in decision.extras.hits)] == [
        "again"
    ]
    assert [line.partition(b";")[0] for line in decision.extras.fields] == [b"Set-Cookie: n=v"]


@pytest.mark.parametrize(("target", "known"), [(b"/a/y", True), (b"/a/kept", True), (b"/a/closed", False),
                                               (b"/a/away", False)])  # fmt: skip
def test_late_variables_are_set_where_neither_rules_nor_access_answered(target: bytes, known: bool) -> None:
    late = EnvRule(id="late", name="LATE", value="1", late=True)
    decision = asked(replace(TOLD, env=(late,)), target)
    assert not isinstance(decision, Need)
    assert (("LATE", "1") in (decision.extras or NO_EXTRAS).env) is known


def test_the_variable_no_proxy_keeps_a_request_from_the_routes() -> None:
    kept = EnvRule(id="kept", name="no-proxy", value="1", from_="%{REQUEST_URI}", capture="^/a/y")
    assert isinstance(asked(replace(TOLD, env=(kept,)), b"/a/z"), Forward)
    decision = asked(replace(TOLD, env=(kept,)), b"/a/y")
    assert isinstance(decision, Respond)
    assert (decision.status, decision.local, decision.sections) == (404, True, ("a",))
