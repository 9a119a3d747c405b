"""What went wrong is kept for longer than what went well, in bounds of its own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from proxy_core.config.model import Site
from proxy_core.control.watching.log_records import record
from proxy_core.http.request_view import RequestView
from proxy_core.runtime import failed_requests, recent_requests
from proxy_core.runtime.compile_site import compile_site
from proxy_core.runtime.exchange import Exchange
from proxy_core.runtime.failed_requests import FailedRequests, KeptRequests
from proxy_core.runtime.recent_requests import Recorder
from proxy_core.runtime.registry import Registry

VIEW = RequestView(b"GET", b"/", b"a", "192.0.2.1")
RULES = {generation: compile_site(Site(), Registry(), generation) for generation in (1, 2, 60)}


def exchange(status: int = 200, took: float = 0.01, generation: int = 1, **more: Any) -> Exchange:
    return Exchange(RULES[generation], VIEW, b"", "1.1", 0.0, 1.0, status=status, finished=1.0 + took, **more)


def finish(recorder: Recorder, *exchanges: Exchange) -> None:
    for each in exchanges:
        recorder.begin(each)
        recorder.finish(each, each.finished)


def numbers(found: Iterable[Exchange]) -> list[int]:
    return [each.number for each in found]


@pytest.mark.parametrize(
    ("kept", "known"),
    [
        (True, {"status": 500}),
        (True, {"status": 599}),
        (True, {"status": 499}),
        (True, {"cut": 502}),
        (True, {"cut": 499}),
        (True, {"took": 0.5}),
        (False, {"took": 0.4999}),
        (False, {"status": 101, "took": 3600.0}),
        (False, {"status": 404}),
        (False, {"status": 301}),
    ],
    ids=str,
)
def test_errors_answers_that_were_cut_and_slow_ones_are_kept_and_nothing_else(
    kept: bool, known: dict[str, Any]
) -> None:
    recorder = Recorder()
    finish(recorder, one := exchange(**known))
    assert bool(recorder.kept_after(0, 9, failed=True)) == kept == record(one).went_wrong


def test_what_failed_outlives_the_ring_and_is_read_with_it_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent_requests, "RING_REQUESTS", 4)
    recorder = Recorder()
    finish(recorder, exchange(500), exchange(), exchange(took=0.7), exchange(), exchange(502))
    finish(recorder, exchange(), exchange(503), exchange(), exchange())
    assert numbers(recorder.ring) == [6, 7, 8, 9]
    assert numbers(recorder.kept_after(0, 99)) == [1, 3, 5, 6, 7, 8, 9]
    assert numbers(recorder.kept_after(1, 3)) == [3, 5, 6]
    assert numbers(recorder.kept_after(6, 2)) == [7, 8]
    assert numbers(recorder.kept_after(0, 99, failed=True)) == [1, 3, 5, 7]
    assert numbers(recorder.kept_before(10, 2)) == [8, 9]
    assert numbers(recorder.kept_before(8, 99)) == [6, 7]
    assert numbers(recorder.kept_before(6, 2)) == [3, 5]
    assert numbers(recorder.kept_before(3, 2)) == [1]
    assert numbers(recorder.kept_before(1, 2)) == []
    assert numbers(recorder.kept_before(7, 2, failed=True)) == [3, 5]
    assert [found.status if (found := recorder.look_at(n)) else None for n in (1, 2, 5, 8)] == [500, None, 502, 200]


def test_what_somebody_has_looked_at_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent_requests, "RING_REQUESTS", 2)
    monkeypatch.setattr(recent_requests, "LOOKED_AT", 2)
    recorder = Recorder()
    finish(recorder, exchange(), exchange())
    seen = recorder.look_at(1)
    finish(recorder, exchange(), exchange())
    assert recorder.look_at(1) is seen is not None
    assert recorder.look_at(2) is None
    for number in (3, 1, 4):  # the last two are kept
        recorder.look_at(number)
    finish(recorder, exchange(), exchange())
    assert [recorder.look_at(n) is not None for n in (3, 1, 4)] == [False, True, True]


def numbered(count: int, **more: Any) -> list[Exchange]:
    return [exchange(500, number=n, weight=100, **more) for n in range(1, count + 1)]


def test_each_ring_is_bounded_in_requests_and_in_bytes() -> None:
    for kept in (KeptRequests(3, 10_000), KeptRequests(1000, 399)):
        for each in numbered(9):
            kept.add(each)
        assert numbers(kept.after(0, 99)) == [7, 8, 9]
    assert failed_requests.ERROR_BYTES + failed_requests.SLOW_BYTES <= 20 << 20


def test_slow_ones_do_not_drive_out_what_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failed_requests, "SLOW_ONES", 2)
    kept = FailedRequests()
    for number, status in enumerate((500, 200, 200, 502, 200), 1):
        kept.add(exchange(status, took=0.9, number=number))
    assert numbers(kept.after(0, 99)) == [1, 3, 4, 5]
    assert numbers(kept.before(5, 2)) == [3, 4]


def test_rule_sets_of_long_ago_are_not_held_for_a_failure() -> None:
    kept = FailedRequests()
    for number, generation in enumerate((1, 2, 60), 1):
        kept.add(exchange(500, generation=generation, number=number))
    assert numbers(kept.after(0, 99)) == [3]
