"""The rule of a request is the one that answered it, also where that left nothing else; other rows are no rules."""

from __future__ import annotations

import pytest

from proxy_core.config.model import RewriteRule, Route, Site
from proxy_core.control.watching.log_format import compiled
from proxy_core.control.watching.log_records import record
from proxy_core.http.request_view import RequestView
from proxy_core.rules.decision import Forward, Redirect, Respond
from proxy_core.rules.facts import NOTHING
from proxy_core.runtime.compile_site import compile_site
from proxy_core.runtime.exchange import Exchange
from proxy_core.runtime.last_hour import LastHour
from proxy_core.runtime.registry import Registry


def rule(id: str, pattern: str, substitution: str, *flags: str) -> RewriteRule:
    return RewriteRule(id=id, pattern=pattern, substitution=substitution, flags=tuple(flags))


SITE = Site(
    rewrites=(
        rule("note", "^/both", "-", "E=a:b"),
        rule("gone", "^/(both|gone)", "-", "G"),
        rule("no", "^/no", "-", "F"),
        rule("away", "^/away", "https://x.example/", "R=301"),
        rule("past", "^/past", "http://127.0.0.1:1/", "P"),
        rule("shorter", "^/long(.*)", "/ex$1", "PT"),
    ),
    routes=(
        Route(id="files", path="/ex", except_=True),
        Route(id="all", path="/", proxy="http://127.0.0.1:1/"),
    ),
)


def decided(target: str) -> Exchange:
    rules = compile_site(SITE, Registry(), 1)
    view = RequestView(b"GET", target.encode(), b"x", "192.0.2.1")
    made = rules.program.host_of(view).decide(view, NOTHING)
    assert isinstance(made, Forward | Redirect | Respond)
    seen = Exchange(rules, view, b"", "1.1", 0.0, 0.0, status=403, finished=1.0)
    seen.route, seen.extras = made.route, made.extras
    return seen


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("/gone", "gone"),
        ("/both", "gone"),
        ("/no", "no"),
        ("/away", "away"),
        ("/past", "past"),
        ("/long/x", "shorter"),
        ("/ex/x", ""),
        ("/other", ""),
    ],
)
def test_the_rule_that_answered_is_named_in_records_logs_and_the_last_hour(target: str, name: str) -> None:
    seen = decided(target)
    assert record(seen).rule == name
    assert compiled("%{rule}x")(seen).decode() == f"{name or '-'}\n"
    hour = LastHour()
    hour.add([seen], 1)
    hour.close(1000.0)
    assert [key.rule for key, _ in hour.steps[-1].cells] == [("rewrites", name) if name else None]
