"""Header rules by themselves: what a value may be, what may be sent, and which rows hold for which request."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy_core.config.model import ErrorPage, HeaderRule, Host, Location, Options, Route, Site
from proxy_core.http.request_view import RequestView
from proxy_core.http.statuses import error_statuses
from proxy_core.rules.facts import NOTHING, Facts
from proxy_core.rules.fields.apply_edits import edited
from proxy_core.rules.fields.edit_scope import HeaderScope, Moment
from proxy_core.rules.fields.edits import compile_edit, compile_value
from proxy_core.rules.lint.site import lint
from proxy_core.runtime.compile_site import compile_site
from proxy_core.runtime.registry import Registry
from tests.deciding import decide


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


def header(name: str, **where: str) -> HeaderRule:
    return HeaderRule(id=name, action="append", name="X", value=name, **where)


SCOPED = Site(
    hosts={"shop": Host(names=("shop.test",)), "other": Host(names=("other.test",))},
    routes=(
        Route(id="a", path="/a", proxy="http://127.0.0.1:1"),
        Route(id="b", path="/b", proxy="http://127.0.0.1:1"),
    ),
    locations=(
        Location(id="deep", path="/a/deep"),
        Location(id="target", target="http://127.0.0.1:1/"),
        Location(id="any", path_regex="/deep"),
    ),
    headers=(
        header("deep", location="deep"),
        header("any", location="any"),
        header("target", location="target"),
        header("route", route="a"),
        header("shop", host="shop"),
        header("all"),
        header("other", host="other"),
    ),
)
WANTED = [
    ("shop.test", "/a/x", "all, shop, route, target"),
    ("shop.test", "/b/x", "all, shop, target"),
    ("other.test", "/b/x", "all, other, target"),
    ("other.test", "/a/deep", "all, other, route, target, deep, any"),
    ("other.test", "/none", "all, other"),
    ("other.test", "/none/deep", "all, other, any"),
]


@pytest.mark.parametrize(("host", "path", "wanted"), WANTED)
def test_rows_are_laid_over_each_other_as_apache_merges_them(host: str, path: str, wanted: str) -> None:
    """Server, host, route (a Location of its own), then <Proxy> sections, then <Location> sections in file order."""
    program = compile_site(SCOPED, Registry(), 1).program
    view = RequestView(b"GET", path.encode(), host.encode(), "127.0.0.1")
    decision = decide(program, view, NOTHING, None)
    settings = program.settings(program.host_of(view), decision)
    assert edited(settings.edits.response, [], moment()) == [f"X: {wanted}".encode()]


def test_a_site_without_such_rows_has_nothing_to_look_up() -> None:
    program = compile_site(Site(routes=SCOPED.routes), Registry(), 1).program
    assert program.scopes is None
    view = RequestView(b"GET", b"/a", b"", "127.0.0.1")
    assert program.settings(program.host_of(view), decide(program, view, NOTHING, None)) is None


LINTED = [
    (HeaderRule(id="h", name="Content-Length", value="1"), "name", "the proxy writes it itself"),
    (HeaderRule(id="h", name="Connection", action="unset"), "name", "the proxy writes it itself"),
    (HeaderRule(id="h", on="request", name="Host", action="unset"), "name", "exactly one Host"),
    (HeaderRule(id="h", value="x"), "", "does not name a field"),
    (HeaderRule(id="h", name="X", action="edit"), "pattern", "needs a pattern"),
    (HeaderRule(id="h", name="X", action="edit", pattern="("), "pattern", "at character"),
    (HeaderRule(id="h", name="X", value="a\nb"), "value", "control character"),
    (HeaderRule(id="h", name="X", value="50%"), "value", "begins no format"),
    (HeaderRule(id="h", name="X", value="expr=%{"), "value", ""),
    (HeaderRule(id="h", name="X", value="a", expr="1 =="), "expr", ""),
    (HeaderRule(id="h", name="X", value="n", action="note", on="request"), "action", "for answers"),
    (HeaderRule(id="h", name="X", action="note"), "value", "no name"),
    (HeaderRule(id="h", name="X", value="a", early=True), "early", "not there before the rules"),
    (HeaderRule(id="h", name="Host", value="a", early=True, on="request"), "early", "told apart by Host"),
    (HeaderRule(id="h", name="X", value="a", early=True, on="request", env="v"), "env", "nothing is known of env"),
    (HeaderRule(id="h", name="X", value="a", route="none"), "route", 'no route "none"'),
    (HeaderRule(id="h", name="X", value="a", host="none"), "host", 'no host "none"'),
    (HeaderRule(id="h", name="X", value="a", location="none"), "location", 'no location "none"'),
]


@pytest.mark.parametrize(("row", "key", "what"), LINTED)
def test_a_row_that_cannot_be_is_told_with_its_place(row: HeaderRule, key: str, what: str) -> None:
    found = [each for each in lint(Site(headers=(row,))) if each.severity == "error"]
    assert [each.address for each in found] == [("headers", "h", key) if key else ("headers", "h")]
    assert what in found[0].what


@pytest.mark.parametrize(("said", "meant"), [(("404",), [404]), (("5xx", "404"), [*range(500, 600), 404])])
def test_statuses_are_numbers_or_classes(said: tuple[str, ...], meant: list[int]) -> None:
    assert error_statuses(said) == meant


@pytest.mark.parametrize("said", ["200", "6xx", "x", "", "40", "4040"])
def test_other_statuses_are_told(said: str) -> None:
    page = ErrorPage(id="e", status=(said,), text="x")
    assert [each.address for each in lint(Site(errors=(page,))) if each.severity == "error"] == [
        ("errors", "e", "status")
    ]
