"""Settings for some paths and targets are laid over each other as Apache lays its sections."""

from __future__ import annotations

import pytest

from proxy_core.http.request_view import RequestView
from proxy_core.rules.decision import Forward, Respond, Step
from proxy_core.rules.facts import Facts
from proxy_core.rules.lint.site import lint
from proxy_core.rules.locations import depth
from proxy_core.runtime.compile_site import compile_site
from proxy_core.runtime.registry import Registry
from tests.deciding import decide
from tests.semantics.rewrite_sites import read

ROUTES = """
[[routes]]
path = "/"
proxy = "http://one/"
timeout = 9
"""


def decided(text: str) -> Forward:
    view = RequestView(b"GET", b"/app/x", b"h", "127.0.0.1")
    decision = decide(compile_site(read(text + ROUTES), Registry(), 1).program, view, Facts(), None)
    assert isinstance(decision, Forward)
    return decision


def location(where: str, timeout: int) -> str:
    return f"[[locations]]\n{where}\ntimeout = {timeout}\n"


LAID_OVER = [
    ("", 9),
    (location('path = "/app"', 1), 1),
    (location('path = "/ap"', 1), 9),
    (location("path_regex = 'x$'", 1), 1),
    (location("path_regex = '^x'", 1), 9),
    # Later rows win, and a path wins over a target wherever it stands (proxy_walk comes before ap_location_walk).
    (location('path = "/"', 1) + location('path = "/app"', 2), 2),
    (location('path = "/app"', 2) + location('path = "/"', 1), 1),
    (location('path = "/"', 1) + location('target = "http://one"', 2), 1),
    # Targets: a plain prefix, character by character; with wildcards a pattern for the whole URL.
    (location('target = "http://one/ap"', 1), 1),
    (location('target = "http://two"', 1), 9),
    (location('target = "http://o*/x"', 1), 1),
    (location('target = "http://o*/y"', 1), 9),
    (location('path = "/app"\nenabled = false', 1), 9),
]


@pytest.mark.parametrize(("rows", "timeout"), LAID_OVER)
def test_settings_are_laid_over_those_of_the_route(rows: str, timeout: float) -> None:
    assert decided(rows).route.timeout == timeout


def test_what_a_row_does_not_say_stays_as_it_was() -> None:
    assert (
        decided(location('path = "/"', 1) + '[[locations]]\npath = "/app"\nerror_override = true\n').route.timeout == 1
    )


def test_what_a_server_says_on_a_condition_comes_before_what_its_sections_say_and_what_is_closed_comes_last() -> None:
    whole, inner, closed = (
        location(f'id = "{name}"\npath = "{path}"\nexpr = "{expr}"\n{more}', 1)
        for name, path, expr, more in [
            ("whole", "/", "%{QUERY_STRING} == ''", ""),
            ("inner", "/app", "%{QUERY_STRING} == ''", ""),
            ("closed", "/", "", 'final = true\nrequire = ["all denied"]'),
        ]
    )
    rows = read(closed + inner + whole + ROUTES).locations
    assert [row.id for row in sorted(rows, key=depth)] == ["whole", "inner", "closed"]


REDIRECTS = """
[[locations]]
id = "app"
path = "/app"
require = ["method GET"]
[[routes]]
path = "/app"
redirect = { to = "/outer" }
location = "app"
[[locations]]
id = "cond"
path = "/"
expr = "%{QUERY_STRING} == 'q'"
[[routes]]
path = "/app/x"
redirect = { to = "/inner" }
location = "cond"
[[routes]]
path = "/app/y"
redirect = { status = 410 }
location = "cond"
"""


@pytest.mark.parametrize(
    ("method", "target", "expected"),
    [
        (b"GET", b"/app/x", "Redirect by app-redirect"),
        (b"GET", b"/app/x?q", "Redirect by app-x"),
        (b"GET", b"/app/y?q", "Respond 410 by app-y"),
        (b"GET", b"/app/z?q", "Redirect by app-redirect"),
        (b"POST", b"/app/x", "Respond 403"),
        (b"POST", b"/other", "Forward"),
    ],
)
def test_a_redirect_of_a_location_answers_what_the_location_lets_in(
    method: bytes, target: bytes, expected: str
) -> None:
    text = REDIRECTS.replace('path = "/app"\nred', 'id = "app-redirect"\npath = "/app"\nred')
    text = text.replace('path = "/app/x"\n', 'id = "app-x"\npath = "/app/x"\n')
    text = text.replace('path = "/app/y"\n', 'id = "app-y"\npath = "/app/y"\n')
    program = compile_site(read(text + ROUTES), Registry(), 1).program
    for trace in (None, list[Step]()):
        decision = decide(program, RequestView(method, target, b"h", "127.0.0.1"), Facts(), trace)
        name = type(decision).__name__
        status = f" {decision.status}" if isinstance(decision, Respond) else ""
        route = decision.route.id if not isinstance(decision, Forward) and decision.route is not None else ""
        by = f" by {route}" if route.startswith("app-") else ""
        assert f"{name}{status}{by}" == expected


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ('redirect = { to = "/x" }\nlocation = "staf"', "there is no location"),
        ('proxy = "http://one/"\nlocation = "staff"', "only redirects may be for a location"),
    ],
)
def test_a_route_of_a_location_is_a_redirect_of_one_that_is_there(row: str, told: str) -> None:
    site = read(f'[[locations]]\nid = "staff"\npath = "/"\n[[routes]]\nid = "r"\npath = "/a"\n{row}\n')
    found = [each.what for each in lint(site) if each.address[:2] == ("routes", "r") and each.severity == "error"]
    assert len(found) == 1
    assert told.split()[-1] in found[0]
