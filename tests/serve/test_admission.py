"""Admission's memory of clients: what is past is forgotten, and a crowd costs each of its clients no more than one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from proxy_core.config.model import Limits, Options, Site
from proxy_core.http.hop_by_hop import RefusedRequest
from proxy_core.runtime.recorder import Recorder
from proxy_core.serve import admission
from proxy_core.serve.admission import Admission
from proxy_core.serve.client_policy import client_policy
from proxy_core.serve.lines import ANYTHING, IN_PROXY

SLOW = client_policy(Site(limits=Limits(client_rate=0.1, client_burst=1)))


def test_a_crowd_of_clients_is_not_gone_through_for_each_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "_MOST", 100)
    this, tables = Admission(Recorder(), _most=100), []
    for number in range(10_000):
        this.admit(f"10.0.{number // 256}.{number % 256}", SLOW, 1.0)
        if not tables or tables[-1] is not this._full_at:
            tables.append(this._full_at)
    assert len(tables) < 10
    with pytest.raises(RefusedRequest):
        this.admit("10.0.0.0", SLOW, 1.0)  # nobody got a fresh bucket by it


def test_clients_whose_bucket_is_full_again_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "_MOST", 100)
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


def test_nobody_overtakes_those_who_wait_though_there_is_room() -> None:
    first = cast(Any, SimpleNamespace(place=IN_PROXY, wants=ANYTHING))
    this = Admission(Recorder(live={cast(Any, "first"), cast(Any, "second")}))
    this.lines.join(first)
    assert not this.enter(Limits(in_flight=1, queue=5))
    this.lines.leave(first)
    assert this.enter(Limits(in_flight=2, queue=5))
