"""What is between two looks at the engine, as events: a table of before, after and what is told."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from msgspec.structs import replace

from proxy_core.control.editing.guard import bounds
from proxy_core.control.editing.pending import Pending
from proxy_core.control.view import Check, Generation, ListenerState, Name
from proxy_core.control.watching.events import EVERY, Event, Sight, Told, events, reached
from proxy_core.control.watching.troubles import Sign, Subject, Trouble
from proxy_core.errors import Problem
from proxy_core.runtime.maps.source import MapState
from tests.screens.fake import FakeEngine

MEMBER = replace(FakeEngine().snapshot().members[0], balancer="b", member="a", health="up", drained=False, check=None)


def member(**values: Any) -> Sight:
    return Sight(members=(replace(MEMBER, **values),))


def check(passed: bool, result: str) -> Check:
    return Check(at=1.0, passed=passed, result=result, streak=1, next_in=1.0)


def generation(number: int, sentence: str, at: float = 0.0) -> Generation:
    return Generation(number=number, at=at, author="console", sentence=sentence, diff="")


def listener(**values: Any) -> Sight:
    state = ListenerState(name="web", address=":8443", port=8443, connections=3, draining=False, tls=True)
    return Sight(listeners=(replace(state, **values),))


def mapped(changed_at: float) -> Sight:
    state = MapState(name="m", type="txt", reads="m.txt", hits=0, misses=0, errors=0, entries=7,
                     changed_at=changed_at, fault="", last_error="", error_at=0.0)  # fmt: skip
    return Sight(maps=(state,))


SIGN = Sign(measure="5xx", part=0.021, expected=0.0, per_second=0.8, since=1000.0, found=1030.0)
ILL = Trouble(
    subject=Subject("member", "shop", "c"), signs=(SIGN,), p95=0.2, p95_expected=0.02, peers=3, generation=1
)  # fmt: skip
BEGAN = f"{datetime.fromtimestamp(1000):%H:%M:%S}"
ONE = (generation(1, "first start"),)
TWO = (*ONE, generation(2, "drain b/a"))
WAITING = Pending(generation=2, sentence="drain b/a", author="ann", at=100.0, until=160.0, bounds=bounds(()),
                  words="5xx above 5.0 %")  # fmt: skip
BROKEN = Problem(what="no value", todo="give one", file="site.toml", line=3, column=9)
FULL = Problem(what="access log a.log: No space left on device", address=("access_log",))
LOST = Problem(what="access log a.log: 5 requests were not written", severity="warning", address=("access_log",))
NO_ROUTE = Problem(what="route x never matches", severity="warning", file="site.toml", line=4, column=1)
TAKEN = "the site file on disk is not taken; the running site stays (generation 1)"

TABLE: list[tuple[str, Sight, Sight, list[tuple[str, str, str]]]] = [
    ("nothing", member(), member(), []),
    (
        "a change waits to be confirmed",
        Sight(generations=TWO),
        Sight(generations=TWO, pending=WAITING),
        [("info", "config_pending", "generation 2 takes itself back in 60 s unless it is confirmed, and at once where "
          "5xx above 5.0 %")],
    ),
    (
        "a change is confirmed",
        Sight(generations=TWO, pending=WAITING),
        Sight(generations=TWO),
        [("info", "config_confirmed", "generation 2 is confirmed: drain b/a")],
    ),
    (
        "a change is taken back",
        Sight(generations=TWO, pending=WAITING),
        Sight(generations=(*TWO, replace(generation(3, "undo: drain b/a"), author="guard"))),
        [("warning", "config_applied", "generation 3 is in force: undo: drain b/a (guard)")],
    ),
    (
        "the first look tells what is in force and what is wrong",
        Sight(),
        Sight(generations=(*ONE, generation(2, "edited while rproxy was away")), faults=(FULL,), remarks=(NO_ROUTE,)),
        [
            ("info", "config_applied", "generation 2 is in force: edited while rproxy was away (console)"),
            ("error", "problem", "access log a.log: No space left on device"),
            ("warning", "problem", "site.toml:4:1: route x never matches"),
        ],
    ),
    (
        "a trouble begins",
        Sight(generations=ONE),
        Sight(generations=ONE, troubles=(ILL,)),
        [("warning", "trouble", f"shop/c: 5xx 2.1 % (peers 0 %), since {BEGAN}, just after g1 (first start; console)")],
    ),
    ("a trouble lasts", Sight(troubles=(ILL,)), Sight(troubles=(replace(ILL, p95=0.3),)), []),
    (
        "a trouble ends",
        Sight(troubles=(ILL,)),
        Sight(at=1900.0),
        [("info", "trouble_over", "shop/c is as usual again, after 15 min")],
    ),
    (
        "every edit since",
        Sight(generations=ONE),
        Sight(generations=(*ONE, generation(2, "one"), generation(3, "two"))),
        [
            ("info", "config_applied", "generation 2 is in force: one (console)"),
            ("info", "config_applied", "generation 3 is in force: two (console)"),
        ],
    ),
    (
        "a nudge that amends",
        Sight(generations=(generation(2, "set weight to 2", 5.0),)),
        Sight(generations=(generation(2, "set weight to 3", 6.0),)),
        [("info", "config_applied", "generation 2 is in force: set weight to 3 (console)")],
    ),
    (
        "a refused file with every place",
        Sight(generations=ONE),
        Sight(generations=ONE, saved="drift", refused=(BROKEN, NO_ROUTE)),
        [
            ("error", "config_refused", TAKEN),
            ("error", "config_refused_why", "site.toml:3:9: no value, give one"),
            ("warning", "config_refused_why", "site.toml:4:1: route x never matches"),
        ],
    ),
    (
        "the same refusal",
        Sight(generations=ONE, saved="drift", refused=(BROKEN,)),
        Sight(generations=ONE, saved="drift", refused=(BROKEN,)),
        [],
    ),
    (
        "the file is back",
        Sight(generations=ONE, saved="drift", refused=(BROKEN,)),
        Sight(generations=ONE),
        [("info", "config_settled", "the site file on disk is again the one in force (generation 1)")],
    ),
    (
        "a mended file",
        Sight(generations=ONE, saved="drift", refused=(BROKEN,)),
        Sight(generations=(*ONE, generation(2, "mended"))),
        [("info", "config_applied", "generation 2 is in force: mended (console)")],
    ),
    (
        "a disk that is full",
        Sight(generations=ONE),
        Sight(generations=ONE, saved="failed", refused=(BROKEN,)),
        [("error", "config_unsaved", "site.toml:3:9: no value, give one")],
    ),
    (
        "and has room again",
        Sight(generations=ONE, saved="failed", refused=(BROKEN,)),
        Sight(generations=ONE),
        [("info", "config_settled", "the site file is saved again")],
    ),
    (
        "a fault that is over",
        Sight(faults=(FULL,)),
        Sight(),
        [("info", "problem_over", "no longer: access log a.log: No space left on device")],
    ),
    (
        "a fault whose numbers move",
        Sight(faults=(LOST,)),
        Sight(faults=(replace(LOST, what=LOST.what.replace("5", "6000")),)),
        [],
    ),
    ("a remark that is gone", Sight(remarks=(NO_ROUTE,)), Sight(), []),
    (
        "a fault that is noticed too",
        Sight(),
        Sight(faults=(FULL,), remarks=(FULL,)),
        [("error", "problem", FULL.what)],
    ),
    (
        "a listener that is bound",
        Sight(),
        listener(),
        [("info", "listener_opened", "listener web accepts on https://*:8443")],
    ),
    (
        "one that drains",
        listener(),
        listener(draining=True),
        [("info", "listener_draining", "listener web on https://*:8443 drains: 3 connections left")],
    ),
    (
        "one that is gone",
        listener(),
        Sight(),
        [("info", "listener_closed", "listener web on https://*:8443 is closed")],
    ),
    (
        "renewed certificates",
        listener(),
        listener(renewed=1, expires=86400.0),
        [
            (
                "info",
                "certificates_renewed",
                "listener web took its changed certificates; the first ends on 02 January 1970, 00:00 UTC",
            )
        ],
    ),
    (
        "a member that refuses",
        member(),
        member(health="error", last_error="10.0.0.1:80 refused the connection", retry_in=59.6),
        [
            (
                "warning",
                "member_down",
                "member b/a is down: 10.0.0.1:80 refused the connection; it is left alone for 60 s",
            )
        ],
    ),
    ("a member that still refuses", member(health="error"), member(health="error", retry_in=3.0), []),
    ("a member that is back", member(health="error"), member(), [("info", "member_up", "member b/a is up again")]),
    ("a first answer", member(health="unknown"), member(), []),
    (
        "a server without a balancer",
        Sight(),
        member(balancer="", member="http://a:1", health="error", last_error="x", retry_in=0.0),
        [("warning", "member_down", "upstream http://a:1 is down: x")],
    ),
    (
        "checks that fail",
        member(check=check(True, "200")),
        member(check=check(False, "refused"), health="failing"),
        [("warning", "member_down", "member b/a is down, its checks fail: refused")],
    ),
    (
        "a check that fails and changes nothing yet",
        member(check=check(True, "200")),
        member(check=check(False, "refused")),
        [("info", "member_checked", "member b/a failed a check: refused")],
    ),
    (
        "the first check",
        member(check=replace(check(False, ""), at=0.0)),
        member(check=check(True, "200")),
        [("info", "member_checked", "member b/a was checked first: 200")],
    ),
    (
        "an ejection",
        member(),
        member(health="ejected", ejections=1, retry_in=30.0),
        [("warning", "member_ejected", "member b/a is ejected for 30 s: too many of its answers were bad")],
    ),
    (
        "an ejection that is over already",
        member(),
        member(ejections=1),
        [("warning", "member_ejected", "member b/a is ejected: too many of its answers were bad")],
    ),
    (
        "a name without an address",
        member(),
        member(health="unresolved", name=Name(addresses=(), age=0.0, trouble="no such host")),
        [("warning", "member_down", "member b/a is down: no such host")],
    ),
    (
        "a name that is not found any more",
        member(name=Name(addresses=("10.0.0.1",), age=0.0, trouble="")),
        member(name=Name(addresses=("10.0.0.1",), age=9.0, trouble="timed out")),
        [("warning", "member_name_failed", "member b/a cannot be looked up: timed out")],
    ),
    (
        "a member that is drained",
        member(status="draining"),
        member(status="draining", drained=True),
        [("info", "member_drained", "member b/a is drained: it is safe to stop")],
    ),
    (
        "a fault that was told before the start",
        Sight(remarks=(FULL,)),
        Sight(faults=(FULL,)),
        [],
    ),
    (
        "a map that changed",
        mapped(1.0),
        mapped(2.0),
        [("info", "map_changed", "map m has changed and was read anew: 7 entries")],
    ),
    ("a map that was never read", mapped(0.0), mapped(2.0), []),
]  # fmt: skip


@pytest.mark.parametrize(("before", "now", "told"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_what_is_between_two_looks_is_told(before: Sight, now: Sight, told: list[tuple[str, str, str]]) -> None:
    assert [(each.level, each.kind, each.text) for each in events(before, now)] == told


def test_programs_get_what_an_event_is_about() -> None:
    (applied,) = events(Sight(), Sight(generations=ONE))
    assert applied.facts == {"generation": 1, "author": "console", "sentence": "first start"}
    (_, why) = events(Sight(generations=ONE), Sight(generations=ONE, saved="drift", refused=(BROKEN,)))
    assert why.facts == {"file": "site.toml", "line": 3, "column": 9}


def limits_told(*looks: tuple[float, dict[str, int]]) -> list[tuple[float, str]]:
    told: Told = {}
    found: list[tuple[float, str]] = []
    for at, counts in looks:
        new, told = reached(told, Sight(at=at, limited=counts))
        found += [(at, each.text) for each in new]
    return found


def test_what_a_limit_does_is_told_at_once_and_then_summed_however_fast_it_goes() -> None:
    looks = [(1000.0 + n, {"client_rate": 100 * (n + 1)}) for n in range(25)]
    assert limits_told(*looks) == [
        (1000.0, "limit client_rate turned away 100, 100 since the start"),
        (1000.0 + EVERY, "limit client_rate turned away 1000 in 10 s, 1100 since the start"),
        (1000.0 + 2 * EVERY, "limit client_rate turned away 1000 in 10 s, 2100 since the start"),
    ]


def test_a_limit_that_rests_is_not_told_again() -> None:
    assert len(limits_told((1.0, {"head": 1}), (20.0, {"head": 1}), (40.0, {"head": 1}))) == 1


def test_connections_turned_away_are_told_by_listener_and_a_new_one_of_that_name_begins_anew() -> None:
    told: Told = {}
    found: list[Event] = []
    for at, count in ((100.0, 5), (200.0, 0), (300.0, 2)):
        new, told = reached(told, replace(listener(turned_away=count), at=at))
        found += new
    assert [each.facts["count"] for each in found] == [5, 2]
    assert found[0].facts["listener"] == "web"


def test_who_is_denied_is_no_trouble() -> None:
    (event,) = reached({}, Sight(at=1000.0, limited={"deny": 3}))[0]
    assert event.level == "info"
