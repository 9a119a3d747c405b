"""Balancers that cannot do what they say are named where they say it; sound ones are left alone."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from proxy_core.config.model import (
    Balancer,
    ForwardAuth,
    Heartbeat,
    Listener,
    ListenerTls,
    Member,
    RewriteRule,
    Site,
    Sticky,
)
from proxy_core.rules.lint.balancers import lint_balance, lint_members


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


SECURE, PLAIN = Listener(address=":443", tls=ListenerTls()), Listener(address=":80")


@pytest.mark.parametrize(
    ("listeners", "secure", "told"),
    [
        ({"https": SECURE}, False, True),
        ({"https": SECURE}, True, False),
        ({"https": SECURE, "http": PLAIN}, False, False),
        ({}, False, False),
    ],
)
def test_a_cookie_that_need_not_leave_tls_is_to_be_secure(
    listeners: dict[str, Listener], secure: bool, told: bool
) -> None:
    site = replace(balancer(",", sticky=Sticky(cookie="ID", issue=True, secure=secure)), listeners=listeners)
    assert [each.address for each in lint_balance(site)] == [("balancers", "b", "sticky", "secure")] * told


@pytest.mark.parametrize(
    ("made", "used"),
    [
        ("balancer://b%{REQUEST_URI}", True),
        ("balancer://b/x", True),
        ("balancer://b", True),
        ("balancer://b$1", True),
        ("balancer://${m:$1}/x", True),
        ("${m:$1}/x", True),
        ("balancer://bb%{REQUEST_URI}", False),
        ("balancer://a/$1", False),
        ("http://b/", False),
    ],
)
def test_a_balancer_is_used_where_a_rule_may_name_it(made: str, used: bool) -> None:
    rules = (RewriteRule(id="r", pattern="^/(.*)", substitution=made, flags=("P",)),)
    told = [each.what for each in lint_members(replace(balancer("a"), rewrites=rules))]
    assert ("no route uses balancer b" not in told) is used


@pytest.mark.parametrize(("url", "used"), [("balancer://b/verify?rd=x", True), ("http://b/", False)])
def test_a_balancer_is_used_where_a_service_is_asked_through_it(url: str, used: bool) -> None:
    services = {"sso": ForwardAuth(url=url)}
    told = [each.what for each in lint_members(replace(balancer("a"), forward_auth=services))]
    assert ("no route uses balancer b" not in told) is used
