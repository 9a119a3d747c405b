"""What rules make of a path or query stands in a request line as one target, whatever a client put into it."""

from __future__ import annotations

import re
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy_core.config.model import RewriteRule, Route, Site
from proxy_core.http.escaping import sendable
from proxy_core.http.request_view import RequestView
from proxy_core.rules.decision import Forward
from proxy_core.rules.facts import Facts
from proxy_core.runtime.compile_site import compile_site
from proxy_core.runtime.registry import Registry
from tests.deciding import decide

SITE = Site(
    rewrites=(
        RewriteRule(id="raw", pattern="^/raw/(.*)$", substitution="http://h/$1", flags=("P", "NE")),
        RewriteRule(id="query", pattern="^/query/(.*)$", substitution="http://h/x?q=$1", flags=("P",)),
        RewriteRule(id="pass", pattern="^/pass/(.*)$", substitution="/to?q=$1", flags=("PT",)),
    ),
    routes=(
        Route(id="exact", path_regex="^/exact/(.*)$", proxy="http://h/a b/$1", mapping="encoded"),
        Route(id="rest", path="/", proxy="http://h/"),
    ),
)
DECIDE = partial(decide, compile_site(SITE, Registry(), 1).program)


@given(st.text(alphabet=[chr(number) for number in range(256)]))
def test_what_is_sendable_is_one_word_of_a_request_line(text: str) -> None:
    assert re.fullmatch(rb"[\x21\x22\x24-\x7e]*", sendable(text))


@pytest.mark.parametrize("start", ["/raw/", "/query/", "/pass/", "/exact/", "/"])
@given(rest=st.binary(max_size=12), query=st.binary(max_size=5))
def test_no_rule_puts_anything_but_a_target_into_the_request_line(start: str, rest: bytes, query: bytes) -> None:
    escaped = b"".join(b"%%%02X" % byte for byte in rest)
    asked = start.encode() + escaped + b"?" + b"".join(b"%%%02x" % byte for byte in query)
    decision = DECIDE(RequestView(b"GET", asked, b"a", "192.0.2.1"), Facts(), None)
    if isinstance(decision, Forward):
        assert re.fullmatch(rb"/[\x21\x22\x24-\x7e]*", decision.target)


@pytest.mark.parametrize(
    ("asked", "target"),
    [
        (b"/raw/a%23b", b"/a%23b"),
        (b"/raw/%e9", b"/%E9"),
        (b"/query/a%23b%e9", b"/x?q=a%23b%E9"),
        (b"/pass/%23", b"/to?q=%23"),
        (b"/exact/%41", b"/a%20b/A"),
    ],
)
def test_what_would_be_read_in_two_ways_stays_an_escape(asked: bytes, target: bytes) -> None:
    decision = DECIDE(RequestView(b"GET", asked, b"a", "192.0.2.1"), Facts(), None)
    assert isinstance(decision, Forward)
    assert decision.target == target
