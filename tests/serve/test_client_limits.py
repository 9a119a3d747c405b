"""Admission's memory of clients: what is past is forgotten, and a crowd costs each of its clients no more than one."""

from __future__ import annotations

from time import monotonic
from types import SimpleNamespace
from typing import Any, cast

import pytest
from msgspec.structs import replace

from proxy_core.config.model import Limits, Options, Site
from proxy_core.http.hop_by_hop import RefusedRequest
from proxy_core.runtime.recent_requests import Recorder
from proxy_core.serve import client_limits
from proxy_core.serve.client_limits import Admission
from proxy_core.serve.client_policy import client_policy
from proxy_core.serve.waiting_lines import ANYTHING, IN_PROXY

SLOW = client_policy(Site(limits=Limits(client_rate=0.1, client_burst=1)))


def test_a_crowd_of_clients_is_not_gone_through_for_each_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_limits, "_MOST", 100)
    this, tables = Admission(Recorder(), _most=100), []
    for number in range(10_000):
        this.admit(f"10.0.{number // 256}.{number % 256}", SLOW, 1.0)
        if not tables or tables[-1] is not this._full_at:
            tables.append(this._full_at)
    assert len(tables) < 10
    with pytest.raises(RefusedRequest):
        this.admit("10.0.0.0", SLOW, 1.0)  # nobody got a fresh bucket by it


def test_clients_whose_bucket_is_full_again_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_limits, "_MOST", 100)
    this = Admission(Recorder(), _most=100)
    for number in range(5_000):
        this.admit(f"10.0.{number // 256}.{number % 256}", SLOW, number * 1.0)
    assert len(this._full_at) <= 101


def test_a_trusted_proxy_may_come_as_often_as_it_likes() -> None:
    policy = client_policy(
        Site(limits=Limits(client_rate=0.1, client_burst=1), site=Options(trusted_proxies=("10.0.0.0/8",)))
    )
    this = Admission(Recorder())
    for _ in range(3):
        this.admit("10.0.0.1", policy, 1.0)
    this.admit("11.0.0.1", policy, 1.0)
    with pytest.raises(RefusedRequest):
        this.admit("11.0.0.1", policy, 1.0)


def waiting(gate: Admission, count: int = 1) -> None:
    """So many requests stand in line for room in the proxy."""
    for number in range(count):
        gate.lines.join(cast(Any, SimpleNamespace(place=IN_PROXY, wants=ANYTHING, in_line=1.0 + number)))


def inside(gate: Admission, count: int) -> None:
    """So many requests are in flight, those that wait included."""
    gate.recorder.live.update(cast(Any, object()) for _ in range(count))


def test_nobody_overtakes_those_who_wait_though_there_is_room() -> None:
    gate = Admission(Recorder())
    inside(gate, 2)
    assert gate.enter(Limits(in_flight=2, queue=5))
    waiting(gate)
    assert not gate.enter(Limits(in_flight=2, queue=5))


def test_a_burst_is_granted_and_a_request_more_is_earned_with_time() -> None:
    policy = client_policy(Site(limits=Limits(client_rate=0.5, client_burst=2)))
    gate = Admission(Recorder())
    for _ in range(2):
        gate.admit("10.0.0.1", policy, 1.0)
    with pytest.raises(RefusedRequest) as refused:
        gate.admit("10.0.0.1", policy, 1.0)
    assert (refused.value.status, refused.value.again) == (429, pytest.approx(2.0))
    gate.admit("10.0.0.1", policy, 3.0)


def test_as_many_connections_as_a_client_may_have_stay_and_no_more() -> None:
    policy = client_policy(Site(limits=Limits(client_connections=2)))
    gate = Admission(Recorder())
    assert [gate.opened("10.0.0.1", policy) for _ in range(3)] == [True, True, False]
    assert gate.opened("10.0.0.2", policy)
    gate.closed("10.0.0.1")
    gate.closed("10.0.0.1")
    assert gate.opened("10.0.0.1", policy)


PROXIED = Options(trusted_proxies=("10.0.0.0/8",))
PEER, NAMED = "10.0.0.1", "192.0.2.1"


def refusal(gate: Admission, site: Site, *clients: str) -> tuple[int, str] | None:
    """The status and the limit that a request of these clients would be answered with."""
    refused = gate.verdict(clients, client_policy(site))
    return refused and (refused.status, refused.limit)


def test_who_only_asks_is_told_of_the_connection_that_would_be_one_too_many() -> None:
    site, gate = Site(limits=Limits(client_connections=1), site=PROXIED), Admission(Recorder())
    assert refusal(gate, site, NAMED) is None
    for client in (NAMED, PEER):
        gate.opened(client, client_policy(site))
    assert refusal(gate, site, NAMED) == (429, "client_connections")
    assert refusal(gate, site, PEER, NAMED) is None  # a trusted proxy may have any number
    assert refusal(gate, site, "192.0.2.2") is None


def test_who_only_asks_is_told_of_all_those_that_it_asks_for() -> None:
    site = Site(site=replace(PROXIED, deny=(NAMED,)))
    assert refusal(Admission(Recorder()), site, PEER, NAMED) == (403, "deny")
    assert refusal(Admission(Recorder()), site, NAMED) == (403, "deny")
    assert refusal(Admission(Recorder()), site, PEER, "192.0.2.2") is None


def test_who_only_asks_is_told_of_the_rate_and_takes_no_turn() -> None:
    site, gate = Site(limits=Limits(client_rate=0.1, client_burst=1)), Admission(Recorder())
    for _ in range(3):
        assert refusal(gate, site, NAMED) is None
    gate.admit(NAMED, client_policy(site), monotonic())
    assert refusal(gate, site, NAMED) == (429, "client_rate")
    assert not gate.reached


@pytest.mark.parametrize(
    ("live", "in_line", "queue", "refused"),
    [
        (0, 0, 0, False),
        (1, 0, 0, False),
        (2, 0, 0, True),
        (2, 0, 1, False),  # it would wait
        (3, 1, 1, True),
        (2, 1, 1, True),  # there is room, which is for who waits
        (3, 1, 2, False),
    ],
)
def test_who_only_asks_is_refused_where_the_line_is_full(live: int, in_line: int, queue: int, refused: bool) -> None:
    gate = Admission(Recorder())
    inside(gate, live)
    waiting(gate, in_line)
    wanted = (503, "in_flight") if refused else None
    assert refusal(gate, Site(limits=Limits(in_flight=2, queue=queue)), NAMED) == wanted
