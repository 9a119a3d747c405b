"""The way of a request from the head that was read to the head that goes upstream: what decides, what is edited, when.

No flight, no socket: a reader, an Exchange and the rules of a site.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest

from proxy_core.config.model import (
    Balancer,
    EnvRule,
    HeaderRule,
    Limits,
    Location,
    Member,
    RewriteCond,
    RewriteRule,
    Route,
    Site,
)
from proxy_core.rules.decision import Forward, Respond
from proxy_core.rules.facts import FactKey, Facts, Need
from proxy_core.runtime.compile_site import compile_site
from proxy_core.runtime.exchange import Exchange
from proxy_core.runtime.registry import Registry
from proxy_core.runtime.rule_set import RuleSet
from proxy_core.serve.client_policy import client_policy
from proxy_core.serve.request_head import RequestReader
from proxy_core.serve.way import Way, outgoing, way


class Asked(NamedTuple):
    """What became of a request, and the rules that it went through."""

    rules: RuleSet
    found: Way | Need


def ask(site: Site, *fields: str, method: str = "GET", received: int = 0, internal: bool = False) -> Asked:
    """``received`` bytes of its body have come; nothing that a rule asks for is known yet."""
    rules = compile_site(site, Registry(), 1)
    head = "\r\n".join([f"{method} /a/x HTTP/1.1", "Host: asked.test", *fields, "", ""]).encode()
    reader = RequestReader("192.0.2.1")
    view, given = reader.read(head, client_policy(site))
    exchange = Exchange(rules, view, head, "1.1", 0.0, 0.0, received=received, facts=Facts(ask=unknown))
    return Asked(rules, way(exchange, reader, given, internal=internal))


def unknown(fact: FactKey) -> tuple[bool, str | None]:
    return False, None


def gone(site: Site, *fields: str, method: str = "GET", received: int = 0, internal: bool = False) -> Way:
    found = ask(site, *fields, method=method, received=received, internal=internal).found
    assert isinstance(found, Way)
    return found


def site(*headers: HeaderRule, route: Route | None = None, **more: object) -> Site:
    return Site(
        routes=(route or Route(id="all", path="/", proxy="balancer://pool/"),),
        balancers={"pool": Balancer(members={"m": Member(url="http://m:80", upgrade=("chat",))})},
        headers=headers,
        **more,  # type: ignore[arg-type]
    )


def edit(name: str, value: str, on: str = "request", early: bool = False, **more: str) -> HeaderRule:
    return HeaderRule(id=name.lower(), on=on, action="set", name=name, value=value, early=early, **more)  # type: ignore[arg-type]


EARLY = site(
    edit("X-In", "early", early=True),
    rewrites=(
        RewriteRule(
            id="r",
            pattern="^/",
            substitution="/seen",
            flags=("PT",),
            conditions=(RewriteCond(test="%{HTTP:X-In}", pattern="=early"),),
        ),
    ),
)


def test_rules_see_what_early_edits_made_of_a_request() -> None:
    found = gone(EARLY)
    assert isinstance(found.decision, Forward)
    assert found.decision.target == b"/seen"
    assert b"X-In: early\r\n" in found.view.head
    assert b"X-In: early\r\n" in found.fields.lines


def test_what_is_made_of_another_request_has_had_its_early_edits() -> None:
    found = gone(EARLY, internal=True)
    assert isinstance(found.decision, Forward)
    assert found.decision.target == b"/a/x"
    assert b"X-In" not in found.fields.lines


def test_a_request_that_is_answered_here_is_not_edited_and_no_bound_of_bodies_holds_for_it() -> None:
    what = site(edit("X-A", "1"), limits=Limits(body=9), rewrites=(RewriteRule(id="r", pattern="^", flags=("G",)),))
    found = gone(what, "Content-Length: 10", method="POST")
    assert isinstance(found.decision, Respond)
    assert (found.decision.status, found.limit) == (410, "")
    assert b"X-A" not in found.fields.lines


IN_A = Location(id="a", path="/a")


@pytest.mark.parametrize(
    ("field", "received", "too_long"),
    [
        ("Content-Length: 9", 0, False),
        ("Content-Length: 10", 0, True),
        ("Transfer-Encoding: chunked", 9, False),
        ("Transfer-Encoding: chunked", 10, True),
    ],
)
def test_a_body_that_is_too_long_as_far_as_it_is_known_is_a_413_by_its_limit(
    field: str, received: int, too_long: bool
) -> None:
    what = site(limits=Limits(body=9), locations=(IN_A,))
    found = gone(what, field, method="POST", received=received)
    assert found.decision.sections == ("a",)
    if not too_long:
        assert isinstance(found.decision, Forward)
        assert found.limit == ""
        return
    assert isinstance(found.decision, Respond)
    assert found.decision.route is not None
    assert (found.decision.status, found.decision.route.id, found.limit) == (413, "all", "body")


def test_where_edits_make_a_request_that_is_refused_its_row_and_locations_hold_for_the_answer() -> None:
    found = gone(site(edit("Content-Length", "x"), locations=(IN_A,)))
    assert isinstance(found.decision, Respond)
    assert found.decision.route is not None
    assert (found.decision.status, found.decision.route.id, found.decision.sections) == (500, "all", ("a",))


def test_where_early_edits_make_a_request_that_is_refused_nothing_is_decided() -> None:
    found = gone(site(edit("Content-Length", "x", early=True), locations=(IN_A,)))
    assert isinstance(found.decision, Respond)
    assert (found.decision.status, found.decision.route, found.settings) == (500, None, None)


@pytest.mark.parametrize("on", ["request", "response"])
def test_what_an_edit_will_ask_is_asked_before_anything_is_sent(on: str) -> None:
    assert ask(site(edit("X-A", "1", on=on, expr="-f '/tmp/x'"))).found == Need(("file", "-f", "/tmp/x"))


def test_edits_know_what_rules_and_edits_before_them_left() -> None:
    rows = (
        HeaderRule(id="note", on="request", action="note", name="Host", value="who"),
        edit("X-A", "%{V}e"),
        edit("X-B", "expr=%{note:who}"),
    )
    found = gone(site(*rows, env=(EnvRule(id="v", name="V", value="left", from_="a", capture="a"),)))
    assert found.notes == {"who": "asked.test"}
    assert b"X-A: left\r\n" in found.fields.lines
    assert b"X-B: asked.test\r\n" in found.fields.lines


def test_what_early_edits_noted_is_known_to_the_later_ones() -> None:
    found = gone(
        site(
            HeaderRule(id="note", on="request", action="note", name="X-Who", value="who", early=True),
            HeaderRule(id="out", on="request", action="unset", name="X-Who", early=True),
            edit("X-B", "expr=%{note:who}"),
        ),
        "X-Who: anna",
    )
    assert b"X-B: anna\r\n" in found.fields.lines
    assert found.notes == {"who": "anna"}


UPGRADE = ("Connection: Upgrade", "Upgrade: chat")


@pytest.mark.parametrize(
    ("route", "fields", "host", "protocol"),
    [
        ({}, (), b"m", b""),
        ({"preserve_host": True}, (), b"asked.test", b""),
        ({}, UPGRADE, b"m", b"chat"),
        ({}, ("Connection: Upgrade", "Upgrade: other"), b"m", b""),
        ({"upgrade": ("other",)}, ("Connection: Upgrade", "Upgrade: other"), b"m", b"other"),
    ],
)
def test_the_head_for_a_member_has_the_host_that_it_wants_and_asks_for_protocols_that_are_granted(
    route: dict[str, object], fields: tuple[str, ...], host: bytes, protocol: bytes
) -> None:
    given = Route(id="all", path="/", proxy="balancer://pool/in/", **route)  # type: ignore[arg-type]
    rules, found = ask(site(route=given), *fields)
    assert isinstance(found, Way)
    assert isinstance(found.decision, Forward)
    head, asked, _ = outgoing(found.view, found.decision, found.fields, rules.pools["pool"].members[0])
    assert head.startswith(b"GET /in/a/x HTTP/1.1\r\nHost: %b\r\n" % host)
    assert asked == protocol
    assert (b"Upgrade: %b\r\n" % protocol in head) is bool(protocol)
    assert (b"Connection: Upgrade\r\n" in head) is bool(protocol)
