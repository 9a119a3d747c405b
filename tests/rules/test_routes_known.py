"""What the route table remembers of targets is bounded and never differs from deciding afresh."""

from __future__ import annotations

from proxy_core.config.model import Route, Site
from proxy_core.http.request_view import RequestView
from proxy_core.rules.decision import RuleState
from proxy_core.rules.facts import NOTHING
from proxy_core.rules.routing.route_table import compile_routes


def test_what_is_remembered_of_a_target_is_bounded_and_changes_nothing() -> None:
    site = Site(routes=(Route(id="x", path="/x", except_=True), Route(id="a", path="/a", proxy="http://b/")))
    routes = compile_routes(site, site.routes, lambda rows, row: RuleState())
    targets = [b"/a/%d" % n for n in range(2500)] + [b"/x", b"/%zz", b"/a/%2e%2e/x", b"/" + b"y" * 1000]
    for _ in range(2):
        for target in targets:
            view = RequestView(b"GET", target, b"", "")
            assert routes.decide(view, NOTHING) == routes.decide(view, NOTHING, [])
    assert 100 < len(routes.known) <= 2048
    assert max(map(len, routes.known)) <= 512
