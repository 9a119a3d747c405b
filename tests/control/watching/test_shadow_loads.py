"""What copies have shown, for people: the most frequent first, without secrets, and as numbers for Prometheus."""

from __future__ import annotations

from msgspec.structs import replace

from proxy_core.config.model import Balancer, Options, Route, Site
from proxy_core.control.cli.shadow_report import shadow_report
from proxy_core.control.watching.events import Sight
from proxy_core.control.watching.metrics import exposition
from proxy_core.control.watching.shadow_loads import shadow_loads
from proxy_core.runtime.compile_site import compile_site
from proxy_core.runtime.recent_requests import Recorder
from proxy_core.runtime.registry import Registry
from proxy_core.runtime.shadow_comparison import Difference, ShadowTally
from tests.screens.fake import FakeEngine

SITE = Site(
    site=Options(secret_headers=("X-Key",)),
    routes=(
        Route(id="app", path="/app", proxy="balancer://old/", shadow="balancer://new"),
        Route(id="all", path="/", proxy="balancer://old/"),
    ),
    balancers={"old": Balancer(), "new": Balancer()},
)
RULES = compile_site(SITE, Registry(), 1)


APP = ("app", "new")


def tally(*differences: Difference) -> ShadowTally:
    made = ShadowTally()
    for number, difference in enumerate(differences, 1):
        made.compared((difference,), "GET /app", 1.0, number)
    return made


def test_each_route_with_a_shadow_has_a_row_with_the_most_frequent_difference_first() -> None:
    status = Difference("status", "200", "500")
    (load,) = shadow_loads(RULES, {APP: tally(Difference("etag", "a", "b"), status, status)})
    assert (load.route, load.pool, load.share, load.requests, load.same) == ("app", "new", 0.05, 3, 0)
    assert [(group.kind, group.count, group.record) for group in load.groups] == [("status", 2, 3), ("etag", 1, 1)]


def test_numbers_of_another_shadow_are_not_shown() -> None:
    (load,) = shadow_loads(RULES, {("app", "other"): tally(Difference("etag", "a", "b"))})
    assert (load.pool, load.requests, load.groups) == ("new", 0, ())


def test_what_is_secret_is_masked() -> None:
    secret = (Difference("set-cookie", "a=1", "a=2"), Difference("x-key", "1", "2"))
    differing = tally(*secret, Difference("location", "/?token=abc&b=1", "/x"))
    (load,) = shadow_loads(RULES, {APP: differing})
    assert {group.kind: (group.real, group.copy) for group in load.groups} == {
        "set-cookie": ("(masked)", "(masked)"),
        "x-key": ("(masked)", "(masked)"),
        "location": ("/?token=(masked)&b=1", "/x"),
    }


def test_the_metrics_page_counts_copies_and_differences_by_route() -> None:
    differing = tally(Difference("no answer", "200", "refused"), Difference("etag", "a", "b"))
    differing.dropped = 4
    fake = replace(FakeEngine().snapshot(), shadows=shadow_loads(RULES, {APP: differing}))
    text = exposition(fake, Sight(), Recorder(), Registry())
    for line in (
        'rproxy_shadow_requests_total{route="app"} 2',
        'rproxy_shadow_differences_total{route="app",kind="no_answer"} 1',
        'rproxy_shadow_differences_total{route="app",kind="etag"} 1',
        'rproxy_shadow_dropped_total{route="app"} 4',
    ):
        assert line in text


def test_a_shell_is_told_each_route_and_each_difference() -> None:
    status = Difference("status", "200", "500")
    assert shadow_report(shadow_loads(RULES, {APP: tally(status, status)})).splitlines() == [
        "route  copies to  part  copies  same  dropped  in flight  differences",
        "app    new        5 %   2       0     0        0          status 2",
        "",
        "app:",
        "count  path      kind    real → copy, last  request",
        "2      GET /app  status  200 → 500          2",
    ]
    assert shadow_report(()) == "no route has a shadow"
