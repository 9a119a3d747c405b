"""A list of rewrite rules ends where its flags say: after [L], after so many rounds of [N], and at last by itself."""

from __future__ import annotations

import re

import pytest

from proxy_core.http.request_view import RequestView
from proxy_core.rules.decision import Decision, Respond
from proxy_core.rules.facts import Facts, Need
from proxy_core.runtime.compile_site import compile_site
from proxy_core.runtime.registry import Registry
from tests.deciding import decide
from tests.semantics.rewrite_sites import cond, read, rule


def decided(rules: str, target: str) -> Decision:
    view = RequestView(b"GET", target.encode(), b"h", "127.0.0.1", head=b"GET / HTTP/1.1\r\n\r\n")
    return decide(compile_site(read(rules), Registry(), 1).program, view, Facts(), None)


def asked(rules: str, target: str) -> str:
    """The path that comes of it, or the status and its cause."""
    decision = decided(rules, target)
    assert isinstance(decision, Respond)
    made = re.match("rewritten to (.*), which is no URL", decision.cause)
    return made[1] if made else f"{decision.status}: {decision.cause}"


def test_the_last_rule_is_the_last() -> None:
    more = rule("^/b$", "/c")
    assert asked(rule("^/a$", "/b", "L") + more, "/a") == "/b"
    assert asked(rule("^/a$", "/b") + more, "/a") == "/c"


@pytest.mark.parametrize(("target", "seen"), [("/x", "/"), ("/xx", "500: [N] went round 2 times")])
def test_rounds_are_counted_as_httpd_counts_them(target: str, seen: str) -> None:
    assert asked(rule("^/x(x*)$", "/$1", "N=3"), target) == seen


def test_rules_that_go_round_are_stopped_long_before_their_rounds_are_over() -> None:
    assert "rules went round: more than" in asked(rule("^/(.*)$", "/$1", "N"), "/a")


def test_rounds_through_many_rules_that_a_text_rules_out_are_stopped_too() -> None:
    many = "".join(rule(rf"\.old{number}$", "/old") for number in range(800))
    again = many + rule("^/x(x*)$", "/$1", "N")
    assert asked(again, "/xxxxx") == "/"
    assert "rules went round: more than" in asked(again, f"/{'x' * 300}")


@pytest.mark.parametrize(
    ("conditions", "made"),
    [
        (cond("%{QUERY_STRING}", "bot"), "/c"),
        (cond("%{QUERY_STRING}", "per.*on"), "/b"),
        (cond("%{QUERY_STRING}", "!bot"), "/b"),
        (cond("%{QUERY_STRING}", "!person"), "/c"),
        (cond("%{QUERY_STRING}", "!PERSON", "NC"), "/c"),
        (cond("%{QUERY_STRING}", "PERSON", "NC"), "/b"),
        (cond("%{QUERY_STRING}", "=person"), "/b"),
        (cond("%{QUERY_STRING}", "!=person"), "/c"),
        (cond("%{QUERY_STRING}", "-gt1"), "/c"),
        (cond("%{QUERY_STRING}", "bot", "OR") + cond("%{REQUEST_METHOD}", "GET"), "/b"),
        (cond("%{QUERY_STRING}", "bot", "OR") + cond("%{REQUEST_METHOD}", "PUT"), "/c"),
        (cond("%{QUERY_STRING}", "bot", "OR") + cond("$1", "a"), "/b"),
        (cond("%{QUERY_STRING}", "bot", "OR"), "/b"),
        (cond("%{QUERY_STRING}", "bot", "OR") + cond("%{HTTPS}", "on", "OR") + cond("%{REQUEST_METHOD}", "GET"), "/b"),
        (cond("%{QUERY_STRING}", "bot", "OR") + cond("%{HTTPS}", "on", "OR") + cond("%{REQUEST_METHOD}", "PUT"), "/c"),
        (cond("%{QUERY_STRING}", "person") + cond("%{REQUEST_METHOD}", "PUT"), "/c"),
        (cond("%{QUERY_STRING}", "(.)erson") + cond("%1", "p"), "/b"),
        (cond("$1", "a") + cond("%{QUERY_STRING}", "person"), "/b"),
        (cond("%{HTTP:X-None}", "^$"), "/b"),
        (cond("%{HTTP:X-None}", "!^$"), "/c"),
    ],
)
def test_a_rule_takes_the_path_where_its_conditions_hold(conditions: str, made: str) -> None:
    assert asked(rule("^/(a)$", "/b", conditions=conditions) + rule("^/a$", "/c"), "/a?person") == made


def test_a_negated_rule_takes_the_paths_that_lack_what_its_pattern_needs() -> None:
    rules = rule(r"!\.html$", "/made", "L") + rule("^/", "/not")
    assert asked(rules, "/a.png") == "/made"
    assert asked(rules, "/a.html/b") == "/made"
    assert asked(rules, "/a.html") == "/not"


def test_nothing_is_asked_for_a_condition_of_a_rule_whose_pattern_is_not_found() -> None:
    rules = rule("^/(b|c)", "/b", conditions=cond("%{ENV:MARK}", "1"))
    assert isinstance(decided(rules, "/b"), Need)
    assert not isinstance(decided(rules, "/a"), Need)


def test_a_query_that_is_discarded_takes_none_from_the_path() -> None:
    assert asked(rule("^/q/(.*)$", "/$1", "QSD"), "/q/a?b=1") == "/a"
    assert asked(rule("^/q/(.*)$", "/$1", "QSD", "UnsafeAllow3F"), "/q/a%3fb?c=1") == "/a?b"
