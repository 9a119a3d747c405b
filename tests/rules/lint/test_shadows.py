"""Copies that go nowhere, or to members that serve requests too, are named where the site says so."""

from __future__ import annotations

from typing import Any

import pytest

from proxy_core.config.model import Balancer, Listener, Redirection, Route, Site
from proxy_core.rules.lint.shadows import lint_shadows

POOLS = {"old": Balancer(), "new": Balancer(), "busy": Balancer()}
OTHER = Route(id="other", path="/other", proxy="balancer://busy/")


def found(**row: Any) -> list[tuple[str, str]]:
    route = Route(id="r", path="/", **({"proxy": "balancer://old/"} | row))
    listeners = {"http": Listener(address="127.0.0.1:8080")}
    site = Site(routes=(route, OTHER), balancers=POOLS, listeners=listeners)
    return [(problem.address[-1], problem.severity) for problem in lint_shadows(site)]


@pytest.mark.parametrize(
    ("row", "problems"),
    [
        ({}, []),
        ({"shadow": "balancer://new"}, []),
        ({"shadow": "http://127.0.0.1:9000"}, []),
        ({"shadow": "balancer://old"}, [("shadow", "warning")]),
        ({"shadow": "http://h:1", "proxy": "http://h:1/app"}, [("shadow", "warning")]),
        ({"shadow": "balancer://busy"}, [("shadow", "warning")]),
        ({"shadow": "balancer://nobody"}, [("shadow", "error")]),
        ({"shadow": "balancer://new/path"}, [("shadow", "error")]),
        ({"shadow": "http://h:1/path"}, [("shadow", "error")]),
        ({"shadow": "nonsense"}, [("shadow", "error")]),
        ({"shadow": "http://127.0.0.1:8080"}, [("shadow", "warning")]),
        ({"shadow": "balancer://new", "shadow_share": 0.0}, [("shadow_share", "warning")]),
        ({"shadow": "balancer://new", "shadow_fields": ("ETag", "a b", "ü")}, [("shadow_fields", "error")] * 2),
        ({"shadow_share": 0.5}, [("shadow_share", "warning")]),
        ({"shadow_fields": ()}, [("shadow_fields", "warning")]),
        ({"shadow": "balancer://new", "proxy": None, "except_": True}, [("shadow", "warning")]),
        ({"shadow": "nonsense", "proxy": None, "redirect": Redirection(to="/x")}, [("shadow", "warning")]),
    ],
)
def test_a_shadow_that_cannot_mean_what_it_says_is_named(row: dict[str, Any], problems: list[tuple[str, str]]) -> None:
    assert found(**row) == problems
