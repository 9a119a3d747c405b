"""How members stand is counted in one way: who drains or is out of service is neither up nor down."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from proxy_core.control.watching.member_standing import Standing, standing, standings
from tests.screens.test_forecast import PLAIN

UP = replace(PLAIN, balancer="b", status="enabled", health="up", ill="", retired=False)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({}, "up"),
        ({"health": "unknown"}, "up"),
        ({"ill": "5xx"}, "ill"),
        ({"health": "error"}, "down"),
        ({"health": "error", "status": "draining"}, "draining"),
        ({"ill": "5xx", "status": "draining"}, "draining"),
        ({"health": "failing", "status": "stopped"}, "out"),
        ({"status": "disabled"}, "out"),
        ({"status": "draining", "retired": True}, "retired"),
    ],
)
def test_what_was_configured_comes_before_what_was_seen(changes: dict[str, str], word: Standing) -> None:
    assert standing(replace(UP, **changes)) == word


def test_who_is_not_up_is_named_apart_by_how_it_stands() -> None:
    loads = [
        replace(UP, member="a"),
        replace(UP, member="c", status="draining"),
        replace(UP, member="d", status="draining"),
        replace(UP, member="e", health="ejected"),
        replace(UP, member="gone", retired=True),
    ]
    assert standings(loads) == "1 member up; 2 draining: b/c and b/d; 1 down: b/e"
    assert standings([]) == "0 members up"
