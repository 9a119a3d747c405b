"""Settings for some paths and targets are laid over each other as Apache lays its sections."""

from __future__ import annotations

import pytest

from proxy_core.http.request_view import RequestView
from proxy_core.rules.decision import Forward
from proxy_core.rules.facts import Facts
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
