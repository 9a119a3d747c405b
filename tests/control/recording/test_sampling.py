"""What stands out is always recorded, the rest is sampled, and the weights add up to what was there."""

from __future__ import annotations

import pytest

from proxy_core.control.recording.sampling import Sampler, stands_out
from tests.control.recording.harness import finished


@pytest.mark.parametrize(
    "changes",
    [{"status": 500}, {"status": 503}, {"status": 499}, {"cut": 502}, {"finished": 50.6}],
    ids=["500", "503", "client left", "cut", "slow"],
)
def test_what_stands_out_is_recorded_however_many_there_are_and_stands_for_itself(changes: dict[str, int]) -> None:
    everything = [finished(n, **(changes if n % 2 else {})) for n in range(100)]
    kept = Sampler(4).chosen(everything, 0.25)
    assert [each.exchange.number for each in kept if each.weight == 1] == list(range(1, 100, 2))
    assert sum(each.weight for each in kept) == 100


@pytest.mark.parametrize(("rate", "count", "seconds", "kept"), [
    (10, 8, 1.0, 8), (10, 10, 1.0, 10), (10, 1_000, 1.0, 10), (10, 1_000, 60.0, 10), (4, 1, 0.0, 1),
])  # fmt: skip
def test_of_what_went_well_as_many_are_recorded_as_the_rate_says(
    rate: float, count: int, seconds: float, kept: int
) -> None:
    found = Sampler(rate).chosen([finished(n, status=404) for n in range(count)], seconds)
    assert len(found) == kept
    assert sum(each.weight for each in found) == count


def test_the_rate_holds_over_many_small_batches_and_every_one_of_them_is_weighed() -> None:
    sampler = Sampler(10)
    found = [kept for _ in range(40) for kept in sampler.chosen([finished(n) for n in range(50)], 0.25)]
    assert 100 <= len(found) <= 115  # ten seconds, and the burst of one at the beginning
    assert sum(each.weight for each in found) == 40 * 50


def test_members_that_take_turns_are_sampled_alike() -> None:
    sampler = Sampler(50)
    found = [kept.exchange.number % 4 for _ in range(20) for kept in sampler.chosen([*map(finished, range(400))], 1.0)]
    assert all(150 < found.count(member) < 350 for member in range(4))


def test_a_tunnel_is_not_slow_however_long_it_was() -> None:
    assert not stands_out(finished(status=101, finished=9_000.0))
    assert stands_out(finished(status=101, finished=9_000.0, cut=502))
