"""Balancers that cannot do what they say are named where they say it; sound ones are left alone."""

from __future__ import annotations

from typing import Any

import pytest

from proxy_core.config.model import Balancer, Heartbeat, Member, Site, Sticky
from proxy_core.rules.lint.balancers import lint_balance


def balancer(routes: str = "", **settings: Any) -> Site:
    members = {
        f"m{n}": Member(url="http://a", route=route) for n, route in enumerate(routes.split(",") if routes else [])
    }
    return Site(balancers={"b": Balancer(members=members, **settings)})


LIMITED = Site(balancers={"b": Balancer(timeout=1, members={"a": Member(url="http://a", max_connections=5)})})
REDIRECT = {"a": Member(url="http://a", route="a", redirect="b"), "b": Member(url="http://b", route="c")}


@pytest.mark.parametrize(
    ("site", "problems"),
    [
        (balancer("a,b", sticky=Sticky(cookie="ID")), []),
        (balancer(",", sticky=Sticky(cookie="ID", issue=True)), []),
        (balancer("a", method="hash", key="%{HTTP:X-User}"), []),
        (LIMITED, []),
        (Site(heartbeat=Heartbeat(address=":27999"), balancers={"b": Balancer(method="heartbeat")}), []),
        (Site(heartbeat=Heartbeat(address="27999")), [("address", "error")]),
        (balancer(method="heartbeat"), [("method", "warning")]),
        (balancer(key="%{HTTP:X-User}"), [("key", "warning")]),
        (balancer(method="hash", key="all"), [("key", "warning")]),
        (balancer(method="hash", key="%{NO_SUCH}"), [("key", "warning")]),
        (balancer(method="hash", key="${no:%{REMOTE_ADDR}}"), [("key", "error")]),
        (balancer("a", sticky=Sticky()), [("sticky", "error")]),
        (balancer("a", sticky=Sticky(param="p", issue=True)), [("issue", "error")]),
        (balancer("a", sticky=Sticky(cookie="I", issue=True, same_site="None")), [("same_site", "warning")]),
        (balancer(",", sticky=Sticky(cookie="ID")), [("sticky", "warning")]),
        (Site(balancers={"b": Balancer(sticky=Sticky(cookie="I"), members=REDIRECT)}), [("redirect", "warning")]),
        (balancer("a", timeout=1), [("timeout", "warning")]),
        (balancer(failonstatus=("500", "OK")), [("failonstatus", "error")]),
    ],
)
def test_what_cannot_be_meant_is_named(site: Site, problems: list[tuple[str, str]]) -> None:
    assert [(problem.address[-1], problem.severity) for problem in lint_balance(site)] == problems
