"""What the data path leaves behind: how much of it is kept, and what a second holds when it is closed."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy_core.balance.latency_histogram import bucket_of
from proxy_core.balance.member_state import MemberKey, MemberState
from proxy_core.balance.pool import BoundMember
from proxy_core.config.model import Balancer, Member, Route, Site
from proxy_core.http.request_view import RequestView
from proxy_core.runtime import recent_requests as module
from proxy_core.runtime.compile_site import compile_site
from proxy_core.runtime.exchange import Exchange
from proxy_core.runtime.recent_requests import SECONDS, MemberSecond, Recorder
from proxy_core.runtime.registry import Registry

RULES = compile_site(
    Site(
        routes=(Route(id="r", path="/", proxy="balancer://p/"),),
        balancers={"p": Balancer(members={"a": Member(url="http://a")})},
    ),
    Registry(),
    1,
)
VIEW = RequestView(b"GET", b"/", b"a", "192.0.2.1")
TWO = Site(
    routes=tuple(Route(id=name, path=f"/{name}", proxy="balancer://p/") for name in "ab"),
    balancers={"p": Balancer(members={"a": Member(url="http://a")})},
)
KEY = ("routes", "r")
A, B = MemberKey("p", "a"), MemberKey("p", "b")


def finish(recorder: Recorder, count: int = 1, took: float = 0.01, head: bytes = b"", **more: Any) -> list[Exchange]:
    made = [Exchange(RULES, VIEW, head, "1.1", 0.0, 0.0, **more) for _ in range(count)]
    for each in made:
        recorder.begin(each)
        recorder.finish(each, took)
    return made


def numbers(recorder: Recorder) -> list[int]:
    return [each.number for each in recorder.ring]


def test_the_ring_is_bounded_in_requests_and_the_oldest_leave_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RING_REQUESTS", 3)
    recorder = Recorder()
    finish(recorder, 5)
    assert numbers(recorder) == [3, 4, 5]
    assert recorder.newest == 5
    recorder.settle()
    assert sum(recorder.classes) == 5


def test_the_ring_is_bounded_in_bytes_by_all_three_heads(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder()
    (plain,) = finish(recorder)
    monkeypatch.setattr(module, "RING_BYTES", 10 * plain.weight)
    finish(recorder, 9)
    assert numbers(recorder) == list(range(1, 11))
    finish(recorder)
    assert numbers(recorder) == list(range(2, 12))
    for part in ("head", "forwarded", "answer"):
        before = len(recorder.ring)
        finish(recorder, **{part: b"x" * 2 * plain.weight})  # it takes the place of three
        assert len(recorder.ring) == before - 2
    assert recorder.weight == sum(each.weight for each in recorder.ring) <= module.RING_BYTES
    finish(recorder, head=b"x" * 20 * plain.weight)
    assert numbers(recorder) == []
    finish(recorder)
    assert numbers(recorder) == [recorder.newest]


def test_a_full_ring_holds_64_megabytes() -> None:
    recorder = Recorder()
    finish(recorder, 80, head=b"x" * (1024 * 1024 - 600))
    assert len(recorder.ring) == 64


def test_who_reads_on_gets_what_is_still_there_and_misses_what_has_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RING_REQUESTS", 4)
    recorder = Recorder()
    assert recorder.after(0, 10) == []
    finish(recorder, 6)
    assert [each.number for each in recorder.after(0, 2)] == [3, 4]
    assert [each.number for each in recorder.after(4, 10)] == [5, 6]
    assert recorder.after(6, 10) == []
    assert [found.number if (found := recorder.look_at(number)) else None for number in (2, 3, 6, 7)] == [
        None,
        3,
        6,
        None,
    ]


def test_an_exchange_is_live_until_it_is_finished() -> None:
    recorder = Recorder()
    exchange = Exchange(RULES, VIEW, b"", "1.1", 0.0, 5.0, status=200)
    recorder.begin(exchange)
    assert recorder.live == {exchange}
    recorder.finish(exchange, 7.5)
    recorder.settle()
    assert recorder.live == set()
    assert (exchange.finished, recorder.spent) == (7.5, 2.5)


def test_totals_are_kept_for_all_and_for_the_member_and_the_route_that_had_it() -> None:
    recorder = Recorder()
    member, route = RULES.pools["p"].members[0], RULES.program.routes[0]
    finish(recorder, 2, took=0.5, status=404, member=member, route=route, sent=7, received=3)
    finish(recorder, took=0.25, status=499)
    recorder.settle()
    bucket, tally = bucket_of(0.5), recorder.routes[KEY]
    assert (recorder.classes[4], recorder.spent, recorder.histogram[bucket]) == (3, 1.25, 2)
    assert (member.state.classes[4], member.state.seconds, member.state.histogram[bucket]) == (2, 1.0, 2)
    assert (tally.requests, tally.sent, tally.received, tally.seconds) == (2, 14, 6, 1.0)
    assert (tally.classes[4], tally.histogram) == (2, {bucket: 2})
    recorder.forget({KEY})
    assert set(recorder.routes) == {KEY}
    recorder.forget(())
    assert recorder.routes == {}


def totals(recorder: Recorder, member: BoundMember) -> object:
    return deepcopy((recorder.classes, recorder.histogram, recorder.spent, recorder.routes, member.state))


@given(
    st.lists(
        st.tuples(st.sampled_from([0, 200, 404, 502]), st.integers(0, 99), st.booleans(), st.sampled_from("ab")),
        max_size=50,
    ),
    st.integers(1, 9),
    st.sampled_from([2, 1000]),
)
def test_totals_in_batches_are_those_of_one_by_one_at_every_look(
    requests: list[tuple[int, int, bool, str]], batch: int, most: int
) -> None:
    rules = compile_site(TWO, Registry(), 1), compile_site(TWO, Registry(), 1)
    recorders = Recorder(), Recorder()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BATCH", batch)
        patch.setattr(module, "RING_REQUESTS", most)
        for status, took, look, name in requests:
            for recorder, each in zip(recorders, rules, strict=True):
                member = each.pools["p"].members[0] if status else None
                route = next((route for route in each.program.routes if route.id == name), None)
                finish(recorder, took=took / 64, status=status, member=member, route=route, sent=took, received=1)
            recorders[1].settle()
            assert len(recorders[0]._fresh) <= min(batch, len(recorders[0].ring))
            if look:
                recorders[0].settle()
                seen = [totals(each, rule.pools["p"].members[0]) for each, rule in zip(recorders, rules, strict=True)]
                assert seen[0] == seen[1]


def test_what_is_finished_is_counted_once_and_in_the_second_that_it_ended_in() -> None:
    recorder = Recorder()
    finish(recorder, 3, route=RULES.program.routes[0])
    for _ in range(2):
        recorder.tick(1.0, [], 1)
    assert [second.requests for second in recorder.seconds] == [3, 0]


def test_a_route_that_is_forgotten_stays_forgotten() -> None:
    recorder = Recorder()
    finish(recorder, route=RULES.program.routes[0])
    recorder.forget(())
    recorder.settle()
    assert recorder.routes == {}


def test_a_closed_second_holds_what_came_since_the_last_one() -> None:
    recorder, a, b = Recorder(), MemberState(A), MemberState(B)
    route = RULES.program.routes[0]
    finish(recorder, 2, status=200, route=route)
    a.elected, a.answered, a.histogram[5] = 3, 2, 2
    recorder.tick(100.0, [a, b], 1)
    finish(recorder, took=1.0, status=502, route=route)
    a.elected, a.histogram[9] = 4, 1
    recorder.tick(101.0, [a, b], 1)
    a.answered = 3
    recorder.tick(102.0, [a, b], 1)
    first, second, _ = recorder.seconds
    fast, slow = bucket_of(0.01), bucket_of(1.0)
    assert [each.at for each in recorder.seconds] == [100.0, 101.0, 102.0]
    assert [each.requests for each in recorder.seconds] == [2, 1, 0]
    assert (first.classes[2], second.classes[2], second.classes[5]) == (2, 0, 1)
    assert [each.histogram for each in recorder.seconds] == [{fast: 2}, {slow: 1}, {}]
    assert [each.routes for each in recorder.seconds] == [{KEY: {fast: 2}}, {KEY: {slow: 1}}, {}]
    mine = [each.members.get(A) for each in recorder.seconds]
    assert mine == [MemberSecond(3, 2, {5: 2}), MemberSecond(1, 0, {9: 1}), MemberSecond(0, 1, {})]
    assert B not in first.members


def test_the_second_in_which_a_generation_came_into_force_is_marked_and_no_other() -> None:
    recorder = Recorder()
    for at, generation in enumerate((1, 1, 2, 2, 4, 4)):
        recorder.tick(at, [], generation)
    assert [second.generation for second in recorder.seconds] == [1, 0, 2, 0, 4, 0]


def test_no_more_seconds_are_kept_than_there_is_room_for() -> None:
    recorder = Recorder()
    for at in range(SECONDS + 5):
        recorder.tick(at, [], 1)
    assert [recorder.seconds[0].at, len(recorder.seconds)] == [5, SECONDS]
