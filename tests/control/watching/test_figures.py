"""Figures are exact whenever somebody looks, also of requests that were finished a moment ago."""

from __future__ import annotations

from time import monotonic

from proxy_core.config.model import Balancer, Member, Route, Site
from proxy_core.control.watching import figures
from proxy_core.control.watching.events import Sight
from proxy_core.control.watching.metrics import exposition
from proxy_core.http.request_view import RequestView
from proxy_core.runtime.compile_site import adopt, compile_site
from proxy_core.runtime.exchange import Exchange
from proxy_core.runtime.recent_requests import Recorder
from proxy_core.runtime.registry import Registry
from proxy_core.runtime.upstreams.resolver import Resolver
from tests.screens.fake import FakeEngine

SITE = Site(
    routes=(Route(id="r", path="/", proxy="balancer://p/"),),
    balancers={"p": Balancer(members={"a": Member(url="http://a")})},
)


def test_what_was_finished_a_moment_ago_is_in_the_figures_of_its_route_and_its_member() -> None:
    registry, recorder = Registry(), Recorder()
    rules = compile_site(SITE, registry, 1)
    adopt(rules, registry, monotonic())

    def finished() -> None:
        view = RequestView(b"GET", b"/", b"a", "192.0.2.1")
        member, route = rules.pools["p"].members[0], rules.program.routes[0]
        exchange = Exchange(rules, view, b"", "1.1", 0.0, 0.0, status=200, member=member, route=route)
        recorder.begin(exchange)
        recorder.finish(exchange, 0.5)

    finished()
    minute = figures.minute(rules, recorder, None)
    assert minute.routes[0].requests == 1
    finished()
    assert figures.members(minute, registry, recorder, Resolver(), 1.0)[0].classes[1] == 2
    finished()
    assert 'requests_total{class="2xx"} 3' in exposition(FakeEngine().snapshot(), Sight(), recorder, registry)
