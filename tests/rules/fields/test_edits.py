"""Edits of fields by themselves: what a value may be, and what may be sent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy_core.config.model import HeaderRule, Options, Site
from proxy_core.http.request_view import RequestView
from proxy_core.rules.decision import Trace
from proxy_core.rules.facts import Facts
from proxy_core.rules.fields.apply_edits import edited, without_twins
from proxy_core.rules.fields.edit_scope import HeaderScope, Moment, varying
from proxy_core.rules.fields.edits import compile_edit, compile_value
from proxy_core.rules.settings import compile_scopes
from proxy_core.runtime.compile_site import compile_site
from proxy_core.runtime.registry import Registry


def moment(**env: str) -> Moment:
    view = RequestView(
        b"GET", b"/x?q", b"a.test", "10.0.0.1", head=b"GET /x?q HTTP/1.1\r\nHost: a.test\r\nX-In: in\r\n\r\n"
    )
    scope = HeaderScope(view, Facts(), "/x", "q", env={name.lower(): (name, value) for name, value in env.items()})
    return Moment(scope, at=5, taken=7, new_id=lambda: "made")


VALUES = [
    # value, what it says, whether it always says so; docs: mod_headers, "Format specifiers"
    ("plain", "plain", True),
    ("100%%", "100%", True),
    (r"a\\b", r"a\b", True),
    ("%t %D", "t=5 D=7", False),
    ("%{who}e", "me", False),
    ("%{WHO}e!", "me!", False),
    ("%{nobody}e", "(null)", False),
    ("expr=%{REQUEST_METHOD}", "GET", False),
    ("expr=fixed", "fixed", True),
    ("caf\u00e9", "caf\xc3\xa9", True),
]


@pytest.mark.parametrize(("value", "said", "steady"), VALUES)
def test_a_value_is_a_format_or_an_expression(value: str, said: str, steady: bool) -> None:
    made, always = compile_value(value)
    assert (made(moment(who="me")), always) == (said, steady)


@pytest.mark.parametrize("value", ["%", "50% off", "%{x}", "%{x}q", "%x"])
def test_a_percent_sign_that_begins_no_format_is_told(value: str) -> None:
    with pytest.raises(ValueError, match="begins no format"):
        compile_value(value)


def row(action: str, value: str = "", name: str = "X-A", **more: str) -> HeaderRule:
    return HeaderRule(id="h", action=action, name=name, value=value, **more)  # type: ignore[arg-type]


EDITS = [
    (row("set", "new"), (b"x-a: 1", b"Y: y", b"X-A: 2"), (b"X-A: new", b"Y: y")),
    (row("set", "new"), (b"Y: y",), (b"Y: y", b"X-A: new")),
    (row("setifempty", "new"), (b"x-a: 1",), (b"x-a: 1",)),
    (row("setifempty", "new"), (b"Y: y",), (b"Y: y", b"X-A: new")),
    (row("add", "new"), (b"X-A: 1",), (b"X-A: 1", b"X-A: new")),
    (row("append", "1"), (b"X-A: 1",), (b"X-A: 1, 1",)),
    (row("append", "1"), (), (b"X-A: 1",)),
    (row("merge", "b"), (b"X-A: a, b",), (b"X-A: a, b",)),
    (row("merge", "c"), (b"X-A: a, b",), (b"X-A: a, b, c",)),
    (row("merge", "b"), (b'X-A: "a, b"',), (b'X-A: "a, b", b',)),
    (row("merge", "b"), (), (b"X-A: b",)),
    (row("unset"), (b"x-a: 1", b"Y: y", b"X-A: 2"), (b"Y: y",)),
    (row("edit", "o", pattern="a"), (b"X-A: banana", b"Y: a"), (b"Y: a", b"X-A: bonana")),
    (row("edit*", "o", pattern="a"), (b"X-A: banana", b"Y: a"), (b"Y: a", b"X-A: bonono")),
    (row("edit", "<$1>", pattern="(n.)"), (b"X-A: banana", b"x-a: nun"), (b"X-A: ba<na>na", b"x-a: <nu>n")),
    (row("set", "new", env="who"), (), (b"X-A: new",)),
    (row("set", "new", env="!who"), (), ()),
    (row("set", "new", env="nobody"), (), ()),
    (row("set", "new", expr="%{REQUEST_METHOD} == 'GET'"), (), (b"X-A: new",)),
    (row("set", "new", expr="%{REQUEST_METHOD} == 'PUT'"), (), ()),
    (row("echo", name="", pattern="^X-"), (), (b"X-In: in",)),
]


@pytest.mark.parametrize(("edit", "before", "after"), EDITS)
def test_an_edit_makes_of_the_lines_what_apache_does(
    edit: HeaderRule, before: tuple[bytes, ...], after: tuple[bytes, ...]
) -> None:
    assert tuple(edited([compile_edit(edit)], list(before), moment(who="me"))) == after


ANYTHING = st.text(max_size=12) | st.sampled_from(["a\r\nX: y", "\n", "\r", "\0", "a\x7f", "\u2028", "\ud800", "\xe9"])
ACTIONS = st.sampled_from(["set", "append", "add", "merge", "setifempty", "edit", "edit*"])


@given(ACTIONS, ANYTHING, ANYTHING, st.sampled_from([b"X-A: old", b"X-B: b", b"x-a:"]))
def test_no_value_ends_its_line_or_begins_another(action: str, one: str, other: str, there: bytes) -> None:
    """Whatever variables, maps and rewriting left in the environment: RFC 9110 5.5, field values have no controls."""
    pattern = "^.?" if action.startswith("edit") else ""
    edit = compile_edit(HeaderRule(id="h", action=action, name="X-A", value="%{one}e%{two}e", pattern=pattern))
    lines = edited([edit], [there], moment(one=one, two=other))
    for line in lines:
        assert not {*line} & {*range(9), *range(10, 32), 127}, lines
    assert len(lines) <= 2


def test_a_request_id_is_made_and_believed_only_from_the_trusted() -> None:
    scopes = compile_site(Site(site=Options(request_id="X-Id")), Registry(), 1).program.scopes
    assert scopes is not None
    edits = scopes.find("", "").edits.request
    now = moment()
    assert edited(edits, [], now) == [b"X-Id: made"]
    assert edited(edits, [b"x-id: theirs"], now) == [b"X-Id: made"]
    now.trusted = True
    assert edited(edits, [b"x-id: theirs"], now) == [b"x-id: theirs"]
    assert edited(edits, [b"x-id: one", b"x-id: two"], now) == [b"X-Id: made"]


def test_a_twin_that_is_dropped_is_told_with_the_row_that_drops_it() -> None:
    scopes = compile_scopes(Site(headers=(HeaderRule(id="key", on="request", name="X-Api-Key", action="unset"),)))
    assert scopes is not None
    trace: Trace = []
    lines = [b"X_Api_Key: a", b"X-Api-Key: b", b"X_Other: c"]
    assert without_twins(lines, scopes.find("", "").edits, trace) == lines[1:]
    (step,) = trace
    assert (step.address, step.reason) == (("headers", "key"), "drop X_Api_Key: members may take it for X-Api-Key")


def test_what_answers_vary_with_is_said_once_and_never_of_host() -> None:
    assert varying([b"A: b", b"Vary: X-A, Cookie", b"vary: x-b"], ["x-a", "Host", "X-C"]) == [
        b"A: b",
        b"Vary: X-A, Cookie, x-b, X-C",
    ]
    assert varying([b"Vary: *"], ["X-A"]) == [b"Vary: *"]
    assert varying([], ["host"]) == []
