"""Members that die, stall, lie, flap and come back, as real processes, under load: who notices, and for how long.

The shortest of each belongs to the suite; long ones are marked soak. Bounds are the promises of docs/operations.md.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from time import monotonic

import pytest

from tests.faults.harness import Outcome, accounts, load, steady, world

HEALTH = 'method = "get"\nuri = "/health"\ninterval = 0.5\ntimeout = 0.5'
OPTIONS = "timeout = 1"


def bad(outcomes: list[Outcome]) -> list[Outcome]:
    return [outcome for outcome in outcomes if not outcome.good]


def latency(outcomes: list[Outcome], part: float) -> float:
    return sorted(outcome.seconds for outcome in outcomes)[int(len(outcomes) * part)]


async def test_kill_9_of_a_member_fails_no_get_whose_answer_had_not_begun_and_it_is_back_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with world(tmp_path, dict.fromkeys("abc", "dribbles"), health=HEALTH, options=OPTIONS) as there:
        async with load(there, rate=200) as made:
            await steady(made, 150)
            await there.members["a"].kill()
            await steady(made, 200)
            await there.members["a"].start("dribbles")
            started, before = monotonic(), len(made.outcomes)
            while not any(o.member == "a" and o.good for o in made.outcomes[before:]):
                assert monotonic() - started < 5, "not back within a few intervals"
                await asyncio.sleep(0.02)
            back = monotonic() - started
            await steady(made, 100)
        failed = bad(made.outcomes)
        assert all(outcome.begun and not outcome.whole for outcome in failed), failed
        assert len(failed) <= 20, "more were cut than the killed member can have had"
        with capsys.disabled():
            print(f"\nkill -9: {len(made.outcomes)} GETs, {len(failed)} begun answers cut, back after {back:.2f} s")


async def test_members_that_close_idle_connections_at_random_fail_no_get_and_double_no_post(tmp_path: Path) -> None:
    async with world(tmp_path, dict.fromkeys("ab", "closes_idle"), options=OPTIONS) as there:
        async with load(there, rate=200, posts=0.4) as made:
            await steady(made, 500)
        accounts(made, there.members.values())
        assert not [outcome for outcome in bad(made.outcomes) if outcome.method == "GET"]


VICES = {"": 0.0, "resets": 0.0, "stalls_before_the_head": 1.3, "stalls_in_the_body": 1.3, "answers_garbage": 0.3}
"""How long a request may have to wait for its failure; "" refuses connections."""


@pytest.mark.soak
@pytest.mark.parametrize("vice", VICES, ids=[vice or "refuses" for vice in VICES])
async def test_a_member_with_a_vice_is_out_after_its_first_check_and_costs_its_own_requests_alone(
    tmp_path: Path, vice: str, capsys: pytest.CaptureFixture[str]
) -> None:
    vices = {"a": f"+{vice}" if vice else "good", "b": "good", "c": "good"}
    async with world(tmp_path, vices, health=HEALTH, options=OPTIONS) as there:
        async with load(there, rate=200, posts=0.2) as made:
            await steady(made, 200)
            assert not bad(made.outcomes)
            since = len(made.outcomes)
            if vice:
                there.members["a"].turn()
            else:
                await there.members["a"].kill()
            await asyncio.sleep(2.5)
            settled = len(made.outcomes)
            await steady(made, 400)
            if vice:
                there.members["a"].turn()
            else:
                await there.members["a"].start("good")
            await asyncio.sleep(1.5)
            recovered = len(made.outcomes)
            await steady(made, 300)
        accounts(made, there.members.values())
        during = made.outcomes[since:settled]
        failed = bad(during)
        with capsys.disabled():
            slowest = max((outcome.seconds for outcome in failed), default=0.0)
            print(
                f"\n{vice or 'refuses'}: {len(failed)} of {len(during)} failed in the first 2.5 s "
                f"({sum(o.method == 'GET' for o in failed)} GET), slowest failure {slowest:.2f} s; afterwards "
                f"{len(bad(made.outcomes[settled:recovered]))} of {recovered - settled}"
            )
        if not vice:
            assert not failed
        assert all(outcome.seconds <= VICES[vice] + 0.7 for outcome in failed if outcome.status), failed
        assert not bad(made.outcomes[settled : settled + 350]), "it gets requests although its checks fail"
        assert not bad(made.outcomes[recovered:])
        assert any(outcome.member == "a" for outcome in made.outcomes[recovered:])


@pytest.mark.soak
async def test_a_member_that_flaps_for_a_minute_costs_hardly_any_request(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with world(tmp_path, dict.fromkeys("abc", "good"), health=HEALTH, options=OPTIONS) as there:
        async with load(there, rate=200, posts=0.2) as made:
            for _ in range(30):
                await asyncio.sleep(1)
                await there.members["a"].kill()
                await asyncio.sleep(1)
                await there.members["a"].start("good")
        accounts(made, there.members.values())
        failed = bad(made.outcomes)
        with capsys.disabled():
            print(f"\nflapping: {len(failed)} of {len(made.outcomes)} failed")
        assert len(failed) <= 0.01 * len(made.outcomes)
        assert not [outcome for outcome in failed if outcome.method == "GET" and not outcome.begun]


@pytest.mark.soak
async def test_all_down_is_said_at_once_and_over_within_two_seconds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with world(tmp_path, dict.fromkeys("ab", "good"), health=HEALTH, options=OPTIONS) as there:
        async with load(there, rate=200, posts=0.2) as made:
            await steady(made, 200)
            await asyncio.gather(*(member.kill() for member in there.members.values()))
            down = len(made.outcomes)
            await asyncio.sleep(5)
            up = len(made.outcomes)
            await asyncio.gather(*(member.start("good") for member in there.members.values()))
            started = len(made.outcomes)
            began = monotonic()
            await asyncio.sleep(4)
        accounts(made, there.members.values())
        away = made.outcomes[down:up]
        last = max((outcome.began for outcome in bad(made.outcomes[started:])), default=began)
        with capsys.disabled():
            print(
                f"\nall down: {len(bad(away))} of {len(away)} answered 503, p99 {latency(away, 0.99) * 1000:.0f} ms; "
                f"last failure {max(0.0, last - began):.2f} s after the return"
            )
        assert all(outcome.status in (502, 503) for outcome in bad(away) if outcome.whole)
        assert latency(away, 0.99) < 1
        assert last - began < 2


@pytest.mark.soak
async def test_one_slow_member_of_three_does_not_slow_the_requests_of_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with world(tmp_path, {"a": "slow", "b": "quick", "c": "quick"}) as there:
        async with load(there, rate=150, lanes=60) as made:
            await steady(made, 1000)
        assert not bad(made.outcomes)
        others = [outcome for outcome in made.outcomes if outcome.member != "a"]
        with capsys.disabled():
            print(f"\none of three slow: the others' p50 {latency(others, 0.5) * 1000:.1f} ms, "
                  f"p99 {latency(others, 0.99) * 1000:.1f} ms")  # fmt: skip
        assert latency(others, 0.95) < 0.1
