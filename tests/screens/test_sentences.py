"""What a key means, and what it will do: commands with their sentences, and the blast radius of risky ones."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from proxy_core.config.model import Route
from proxy_core.control.commands import Change, Delete, Insert, Move, Set
from proxy_core.control.view import MemberLoad, Percentiles
from rproxy_tui import sentences as say

MEMBER = ("backend", "a")
ADDRESS = ("balancers", "backend", "members", "a")


def route(id: str, path: str, proxy: str | None = "http://localhost:8000", **more: Any) -> Route:
    return Route(id=id, path=path, proxy=proxy, **more)


def excepting(id: str, path: str) -> Route:
    return Route(id=id, path=path, except_=True)


PLAIN = MemberLoad(
    balancer="backend", member="", url="http://localhost:8000", weight=1.0, status="enabled", health="up",
    retry_in=0.0, last_error="", retired=False, busy=0, oldest=0.0, elected=0, rate=0.0, promised=0.0, share=0.0,
    sent=0, received=0, errors=0, latency=Percentiles(), per_second=(),
)  # fmt: skip


def load(member: str, weight: float = 1.0, **more: Any) -> MemberLoad:
    return replace(PLAIN, member=member, weight=weight, **more)


COMMANDS = [
    (say.set_weight(MEMBER, 5.0), Set((*ADDRESS, "weight"), 5), "set weight of backend/a to 5"),
    (say.set_weight(MEMBER, 0.5), Set((*ADDRESS, "weight"), 0.5), "set weight of backend/a to 0.5"),
    (say.set_status(MEMBER, "draining"), Set((*ADDRESS, "status"), "draining"), "drain backend/a"),
    (say.set_status(MEMBER, "disabled"), Set((*ADDRESS, "status"), "disabled"), "disable backend/a"),
    (say.set_status(MEMBER, "enabled"), Delete((*ADDRESS, "status")), "enable backend/a"),
    (say.remove_member(MEMBER), Delete(ADDRESS), "remove backend/a"),
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
    edit = say.set_weight(MEMBER, 2.0).edits[0]
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


def test_deleting_a_route_in_front_of_an_exception_says_404() -> None:
    rows = (route("a", "/app"), excepting("none", "/"))
    assert say.heir(rows, "a") == "The exception none takes /: its requests will get 404."


def test_shares_follow_the_weights_of_those_that_may_be_elected() -> None:
    members = [load("a", 3), load("b", 1), load("c", 2, status="draining"), load("d", 5, retired=True), load("e", 0)]
    assert say.promised(members) == {"a": 0.75, "b": 0.25, "c": 0.0, "e": 0.0}
    assert say.promised(members, {"a": 1}) == {"a": 0.5, "b": 0.5, "c": 0.0, "e": 0.0}


@given(st.dictionaries(st.text("abc", min_size=1, max_size=3), st.floats(0, 100), max_size=6))
def test_shares_sum_to_one_or_to_nothing(weights: dict[str, float]) -> None:
    shares = say.promised([load(name, weight) for name, weight in weights.items()])
    assert sum(shares.values()) == pytest.approx(1.0 if any(weights.values()) else 0.0)


def test_draining_says_what_is_in_flight_and_what_the_others_will_carry() -> None:
    members = [load("a", 1, busy=14), load("b", 1), load("c", 2)]
    assert say.handover(members, "a") == "14 in flight will finish. The others go: c 50% → 67%, b 25% → 33%."


def test_draining_one_of_two_says_what_the_other_will_carry() -> None:
    assert say.handover([load("a"), load("b")], "a") == "Nothing is in flight. b goes from 50% to 100%."


def test_the_member_that_is_asked_about_stands_first() -> None:
    before, after = {"a": 0.8, "b": 0.15, "c": 0.05}, {"a": 0.2, "b": 0.2, "c": 0.6}
    assert say.shifts(before, after, first="b") == "b 15% → 20%, a 80% → 20%, c 5% → 60%"


def test_draining_the_last_member_says_503() -> None:
    assert "503" in say.handover([load("a"), load("b", status="disabled")], "a")


def test_draining_one_that_gets_nothing_says_that_no_share_changes() -> None:
    assert say.handover([load("a", 0), load("b")], "a").endswith("no share changes.")


def test_only_the_largest_shifts_are_spelled_out() -> None:
    members = [load(name) for name in "abcdefg"]
    assert say.handover(members, "a").endswith("and 2 more.")
