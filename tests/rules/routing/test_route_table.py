"""Deciding: the index, the plain way and the explained way agree; exceptions hold in every spelling."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from proxy_core.config.model import Balancer, Member, Options, Route, Site
from proxy_core.http.request_view import RequestView
from proxy_core.http.target import BadTarget, escaped, normalised, split
from proxy_core.rules.decision import Decision, Forward, Respond, Trace
from proxy_core.rules.facts import NOTHING
from proxy_core.rules.host_rules import HostRules
from proxy_core.rules.routing.route_table import RouteTable, compile_routes
from proxy_core.rules.rule_state import RuleState
from tests.semantics.table import site
from tests.steps import steps

SEGMENTS = ["a", "b", "index", "x.y", "with space", "caf\u00e9", ""]
PREFIXES = st.lists(st.sampled_from(SEGMENTS), min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts))
ROUTES = st.builds(
    lambda path, target, enabled: (path, target, enabled),
    PREFIXES,
    st.sampled_from(["!", "http://one", "http://one/", "http://one/t", "balancer://pair/t/"]),
    st.sampled_from([True, True, True, False]),
)
ESCAPED = ["%61", ".", "..", "%2e%2e", "%2f", "%zz", "caf%c3%a9", "with%20space", "a?q=/a", "x y"]
TARGETS = st.lists(st.sampled_from([*SEGMENTS, *ESCAPED]), max_size=6).map(
    lambda parts: ("/" + "/".join(parts)).encode()
)


def sites(rows: list[tuple[str, str, bool]]) -> Site:
    plain = site(*((path, target) for path, target, _ in rows), pair=Balancer(members={"a": Member(url="http://two")}))
    routes = tuple(replace(row, enabled=enabled) for row, (_, _, enabled) in zip(plain.routes, rows, strict=True))
    return replace(plain, routes=routes)


class States(dict[tuple[str, str], RuleState]):
    def __call__(self, rows: str, row: str) -> RuleState:
        return self.setdefault((rows, row), RuleState((rows, row)))


def compiled(given: Site, states: States | None = None, previous: RouteTable | None = None) -> RouteTable:
    return compile_routes(given, given.routes, States() if states is None else states, previous)


def decide(routes: RouteTable, target: bytes, trace: Trace | None = None) -> Decision:
    """What a host decides that has these routes and nothing else."""
    host = HostRules("", Site(), "localhost", 0, lambda name: False, (routes,))
    return host.decide(RequestView(b"GET", target, b"h", "127.0.0.1"), NOTHING, trace)


@given(st.lists(ROUTES, max_size=8), TARGETS)
def test_explaining_a_request_decides_it_as_serving_does(rows: list[tuple[str, str, bool]], target: bytes) -> None:
    routes = compiled(sites(rows))
    trace: Trace = []
    assert decide(routes, target, trace) == decide(routes, target)
    matches = [step for step in trace if step.verdict == "match"]
    assert len(matches) <= 1
    assert len(trace) in (0, len(rows))
    assert all(step.reason and step.address[0] == "routes" for step in trace)


@given(st.lists(ROUTES, max_size=8), TARGETS)
def test_a_plain_target_is_decided_as_its_escaped_spelling(rows: list[tuple[str, str, bool]], target: bytes) -> None:
    """Escaping every letter forces the full way; the decision must not change."""
    routes = compiled(sites(rows))
    try:
        path, query = split(target)
        normal = normalised(path)
    except BadTarget:
        assert isinstance(decide(routes, target), Respond)
        return
    spelled = "".join(c if c == "/" else f"%{ord(c):02x}" for c in normal).encode()
    assert decide(routes, spelled + query) == decide(routes, escaped(normal) + query) == decide(routes, target)


SPELLINGS = {
    "/": ["/", "//", "/./", "/x/../", "/%2e/", "/x/%2E%2e/", "///", "/.//"],
    **{c: [c, c, f"%{ord(c):02x}", f"%{ord(c):02X}"] for c in "servicndx"},
}


@given(st.integers(0, 1 << 32).map(random.Random), st.sampled_from(["", "/", "/deeper", "?query", "//", "/.", "/x/.."]))
def test_no_spelling_of_an_exception_gets_past_it(chance: random.Random, tail: str) -> None:
    routes = compiled(site(("/service/index", "!"), ("/", "http://one/")))
    spelled = "".join(chance.choice(SPELLINGS[c]) for c in "/service/index")
    decision = decide(routes, (spelled + tail).encode())
    assert isinstance(decision, Respond)
    assert (decision.status, decision.route) == (404, routes.bound[0])


@pytest.mark.parametrize(
    ("target", "wanted"), [(b"/a/x", "odd"), (b"/b/x", "plain"), (b"/b", "plain"), (b"/c/x", "last")]
)
def test_the_first_row_that_takes_a_path_wins_whether_it_is_a_prefix_or_an_expression(
    target: bytes, wanted: str
) -> None:
    rows = (
        Route(id="odd", path_regex="^/a/x$", proxy="http://one"),
        Route(id="plain", path="/b", proxy="http://two"),
        Route(id="last", path_regex="x$", proxy="http://three"),
        Route(id="rest", path="/", proxy="http://four"),
    )
    decision = decide(compiled(Site(routes=rows)), target)
    assert isinstance(decision, Forward)
    assert decision.route.id == wanted


def test_a_decision_says_its_cause_in_words() -> None:
    routes = compiled(site(("/service/index", "!"), ("/service", "http://one/service")))
    assert decide(routes, b"/x?y") == Respond(404, None, "no route takes /x", local=True)
    assert decide(routes, b"/service/index/caf%c3%a9") == Respond(
        404, routes.bound[0], "/service/index/caf\u00e9 is excepted by route r0", local=True
    )
    assert decide(routes, b"/%2f") == Respond(404, None, "the path holds an escaped slash (%2f)")


def test_a_trace_says_why_for_each_row() -> None:
    rows = [("/off", "http://one", False)]
    rows += [
        (path, "http://one", True) for path in ("/service", "/Servicefoo", "/servicefoo/", "/x", "/servicefoo", "/")
    ]
    trace: Trace = []
    decide(compiled(sites(rows)), b"/servicefoo", trace)
    assert [(step.verdict, step.reason) for step in trace] == [
        ("skipped", "the row is not enabled"),
        ("no match", '"/service" is not a whole-segment prefix of "/servicefoo"'),
        ("no match", '"/Servicefoo" is not a prefix of "/servicefoo": upper and lower case differ'),
        ("no match", '"/servicefoo/" takes only what is below it, not "/servicefoo" itself'),
        ("no match", '"/x" is not a prefix of "/servicefoo"'),
        ("match", '"/servicefoo" takes "/servicefoo"'),
        ("skipped", "route r5 above has decided"),
    ]


def test_a_slash_at_the_end_of_a_path_does_not_run_into_the_host() -> None:
    """httpd joins "http://one" and "x" and asks for the host "onex"; here the root of the host is meant."""
    routes = compiled(site(("/m/", "http://one"), ("/", "http://two")))
    answers = [decide(routes, target) for target in (b"/m/x", b"/m/", b"/x", b"/")]
    assert [answer.target for answer in answers if isinstance(answer, Forward)] == [b"/x", b"/", b"/x", b"/"]


def test_a_row_takes_its_own_timeout_and_override_before_the_sites() -> None:
    rows = (Route(id="own", path="/a", proxy="http://one", timeout=3, error_override=False), Route(id="b", path="/b"))
    routes = compiled(Site(site=Options(timeout=9, error_override=True), routes=rows))
    assert [(row.timeout, row.error_override) for row in routes.bound] == [(3, False), (9, True)]


def test_rows_that_have_not_changed_are_reused_and_others_are_not() -> None:
    states, old = States(), site(("/a", "http://one"), ("/b", "balancer://pair"), ("/c", "!"))
    before = compiled(old, states)
    assert compiled(site(("/a", "http://one"), ("/b", "balancer://pair"), ("/c", "!")), states, before) is before
    after = compiled(replace(old, routes=(old.routes[2], old.routes[0])), states, before)
    assert after.bound[0] is before.bound[2]
    assert after.bound[1] is before.bound[0]
    changed = replace(old.routes[0], path="/z")
    assert compiled(replace(old, routes=(changed,)), states, before).bound[0].path == "/z"
    slower = compiled(replace(old, site=Options(timeout=1)), states, before)
    assert slower.bound[0].timeout == 1
    members = replace(old, balancers={"pair": Balancer(members={"a": Member(url="http://two")})})
    assert compiled(members, states, before).bound[1].reverse
    elsewhere = compiled(old, States(), before)
    assert elsewhere.bound[0].state is not before.bound[0].state


def test_ten_thousand_routes_cost_what_ten_cost() -> None:
    def spent(count: int) -> list[int]:
        routes = compiled(site(*((f"/app{n}/part", f"http://one/{n}") for n in range(count))))
        targets = [b"/app9/part/" + name for name in (b"new?a=b", b"odd//")]
        return [steps(lambda target=target: decide(routes, target)) for target in targets]

    assert spent(10_000) == spent(10)


@pytest.mark.parametrize(
    ("shadow", "pool", "internal"),
    [("balancer://pair", "pair", "http://two/t"), ("http://three:81", "http://three:81", "http://three:81/t")],
)
def test_a_shadow_names_a_pool_whose_addresses_are_mapped_back_as_those_of_the_route(
    shadow: str, pool: str, internal: str
) -> None:
    given = sites([("/a", "http://one/t", True)])
    row = replace(given.routes[0], shadow=shadow, shadow_fields=("ETag",), shadow_share=0.5)
    found = compiled(replace(given, routes=(row,))).bound[0].shadow
    assert found is not None
    assert (found.pool, found.share, found.fields) == (pool, 0.5, (b"etag",))
    assert (internal, "/a") in [tuple(each) for each in found.reverse]
    assert compiled(replace(given, routes=(replace(row, shadow_share=0.0),))).bound[0].shadow is None
