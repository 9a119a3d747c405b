"""What a key means, and what it will do: commands with their sentences, and the blast radius of risky ones."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from proxy_core.config.model import Route
from proxy_core.control.editing.commands import Change, Delete, Insert, Move, Set
from rproxy_tui import sentences as say

MEMBER = ("backend", "a")
ADDRESS = ("balancers", "backend", "members", "a")


def route(id: str, path: str, proxy: str | None = "http://localhost:8000", **more: Any) -> Route:
    return Route(id=id, path=path, proxy=proxy, **more)


def excepting(id: str, path: str) -> Route:
    return Route(id=id, path=path, except_=True)


COMMANDS = [
    (say.set_weights("backend", {"a": 5.0}), Set((*ADDRESS, "weight"), 5), "set weight of backend/a to 5"),
    (say.set_weights("backend", {"a": 0.5}), Set((*ADDRESS, "weight"), 0.5), "set weight of backend/a to 0.5"),
    (say.set_status("draining", *MEMBER), Set((*ADDRESS, "status"), "draining"), "drain backend/a"),
    (say.set_status("disabled", *MEMBER), Set((*ADDRESS, "status"), "disabled"), "disable backend/a"),
    (say.set_status("enabled", *MEMBER), Delete((*ADDRESS, "status")), "enable backend/a"),
    (say.remove_members(*MEMBER), Delete(ADDRESS), "remove backend/a"),
    (say.set_role("standby", *MEMBER), Set((*ADDRESS, "role"), "standby"), "make backend/a a standby"),
    (say.set_role("regular", *MEMBER), Delete((*ADDRESS, "role")), "make backend/a a regular member"),
    (
        say.except_path("/service/index", route("service", "/service")),
        Insert(("routes",), {"path": "/service/index", "except": True}, before="service"),
        "except /service/index from service",
    ),
    (say.move_row("routes", "a", "b"), Move(("routes", "a"), "b"), "move route a above b"),
    (say.move_row("routes", "a", ""), Move(("routes", "a")), "move route a to the end"),
    (say.toggle_row("routes", route("a", "/")), Set(("routes", "a", "enabled"), False), "disable route a"),
    (say.toggle_row("routes", route("a", "/", enabled=False)), Delete(("routes", "a", "enabled")), "enable route a"),
    (say.remove(("routes", "a")), Delete(("routes", "a")), "remove route a"),
]


@pytest.mark.parametrize(("change", "edit", "sentence"), COMMANDS, ids=[row[2] for row in COMMANDS])
def test_a_command_is_one_edit_and_a_sentence(change: Change, edit: object, sentence: str) -> None:
    assert change.edits == (edit,)
    assert change.sentence == sentence


def test_a_whole_weight_is_spelled_without_a_fraction() -> None:
    edit = say.set_weights("backend", {"a": 2.0}).edits[0]
    assert isinstance(edit, Set)
    assert type(edit.value) is int


@pytest.mark.parametrize(
    ("weight", "step", "expected"),
    [(1, 1, 2), (1, -1, 0), (0, -1, 0), (100, 1, 100), (0.5, 1, 1), (0.5, -1, 0), (1.5, -1, 1), (99.5, 1, 100)],
)
def test_a_nudge_goes_to_the_next_whole_weight_within_bounds(weight: float, step: int, expected: float) -> None:
    assert say.nudged(weight, step) == expected


@given(st.integers(1, 8), st.data())
def test_moving_a_row_down_and_up_again_is_where_it_was(count: int, data: st.DataObject) -> None:
    ids = [f"r{n}" for n in range(count)]
    rows = [route(name, "/") for name in ids]
    moved = data.draw(st.sampled_from(ids))
    for step in (1, -1):
        change = say.shift_row("routes", rows, moved, step)
        at = ids.index(moved)
        if change is None:
            assert not 0 <= at + step < count
            continue
        after = after_move(ids, change)
        assert after.index(moved) == at + step
        assert [name for name in after if name != moved] == [name for name in ids if name != moved]
        back = say.shift_row("routes", [route(name, "/") for name in after], moved, -step)
        assert back is not None
        assert after_move(after, back) == ids


def after_move(ids: list[str], change: Change) -> list[str]:
    (edit,) = change.edits
    assert isinstance(edit, Move)
    rest = [name for name in ids if name != edit.address[1]]
    at = rest.index(edit.before) if edit.before else len(rest)
    return [*rest[:at], edit.address[1], *rest[at:]]


@pytest.mark.parametrize(
    ("prefix", "path", "expected"),
    [
        ("/app", "/app", True),
        ("/app", "/app/x", True),
        ("/app", "/app/", True),
        ("/app", "/apple", False),
        ("/app", "/app.html", False),
        ("/app/", "/app/x", True),
        ("/app/", "/app", False),
        ("/", "/", True),
        ("/", "/x", True),
        ("/app", "/APP", False),
    ],
)
def test_a_path_is_taken_by_whole_segments(prefix: str, path: str, expected: bool) -> None:
    assert say.covers(Route(path=prefix, except_=True), path) is expected


ROUTES = (
    excepting("no-index", "/service/index"),
    route("service", "/service"),
    excepting("late", "/service/late"),
    route("off", "/off", enabled=False),
    route("images", "/images"),
    route("root", "/", "balancer://backend/"),
)


def test_a_row_is_shadowed_by_the_first_enabled_row_above_that_takes_all_of_it() -> None:
    shadows = {row.id: found.id for row in ROUTES if (found := say.shadow(ROUTES, row.id))}
    assert shadows == {"late": "service"}


@pytest.mark.parametrize(
    ("gone", "sentence"),
    [
        ("no-index", "Its requests will go to route service (http://localhost:8000)."),
        ("images", "Its requests will go to route root (balancer://backend/)."),
        ("late", "Route service above it takes its requests already: none changes its way."),
        ("off", "It is disabled: no request changes its way."),
        ("root", "No other route takes /: its requests will get 404."),
    ],
)
def test_deleting_a_route_says_who_takes_its_requests(gone: str, sentence: str) -> None:
    assert say.heir(ROUTES, gone) == sentence


def test_a_redirect_of_a_location_stands_in_no_other_rows_way() -> None:
    inside = structs.replace(route("inside", "/app"), location="staff")
    said = say.heir((inside, route("a", "/app")), "inside")
    assert said == "Its requests will go where all others of location staff go."
    assert say.shadow((inside, route("a", "/app")), "a") is None


def test_deleting_a_route_in_front_of_an_exception_says_404() -> None:
    rows = (route("a", "/app"), excepting("none", "/"))
    assert say.heir(rows, "a") == "The exception none takes /: its requests will get 404."


def test_many_members_are_one_change_with_one_sentence() -> None:
    change = say.set_status("draining", "backend", "a", "b", "c")
    assert change.edits == tuple(Set(("balancers", "backend", "members", n, "status"), "draining") for n in "abc")
    assert change.sentence == "drain backend/a, b and c"
    assert say.set_status("disabled", "backend", *"abcdef").sentence == "disable backend/a, b, c and 3 more"
    assert say.set_role("spare", "backend", "a", "b").sentence == "make backend/a and b spares"
    assert say.remove_members("backend", "a", "b").sentence == "remove backend/a and b"
