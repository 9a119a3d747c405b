"""What diagnosis says of made-up nights: who is ill is named within a minute, and nobody else is.

One seed of each, short; ``python -m tests.sim.nights`` prints the table of many.
"""

from __future__ import annotations

import pytest

from tests.sim.nights import NIGHTS, judge

SLOWLY = {"a member rots slowly": 220.0}
"""Seconds for what nobody could see within a minute."""


@pytest.mark.parametrize("name", NIGHTS)
async def test_who_is_ill_is_named_in_time_and_nobody_else(name: str) -> None:
    night = NIGHTS[name]
    verdict = await judge(night._replace(hours=0.2, rate=min(night.rate, 100)), seed=1)
    assert not verdict.false, "nobody else"
    assert all(delay <= SLOWLY.get(name, 60.0) for delay in verdict.delays), "in time"
    assert name in SLOWLY or all(abs(off) <= 10 for off in verdict.onsets), "since when, to a step"
    assert all(verdict.generations), "what came just before"
