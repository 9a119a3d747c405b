"""A list of rewrite rules ends where its flags say: after [L], after so many rounds of [N], and at last by itself."""

from __future__ import annotations

import re

import pytest

from proxy_core.http.request_view import RequestView
from proxy_core.rules.decision import Respond
from proxy_core.rules.facts import Facts
from proxy_core.runtime.compile_site import compile_site
from proxy_core.runtime.registry import Registry
from tests.deciding import decide
from tests.semantics.rewrite_sites import read, rule


def asked(rules: str, target: str) -> str:
    """The path that comes of it, or the status and its cause."""
    view = RequestView(b"GET", target.encode(), b"h", "127.0.0.1", head=b"GET / HTTP/1.1\r\n\r\n")
    decision = decide(compile_site(read(rules), Registry(), 1).program, view, Facts(), None)
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


def test_a_query_that_is_discarded_takes_none_from_the_path() -> None:
    assert asked(rule("^/q/(.*)$", "/$1", "QSD"), "/q/a?b=1") == "/a"
    assert asked(rule("^/q/(.*)$", "/$1", "QSD", "UnsafeAllow3F"), "/q/a%3fb?c=1") == "/a?b"
