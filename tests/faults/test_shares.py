"""Who gets how many requests on the wire: by weight, after a recovery, and while drained."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from time import monotonic

import pytest

from tests.e2e.harness import answers, client, upstream
from tests.faults.harness import load, steady, world

WEIGHTS = (3, 1, 2)


@pytest.mark.parametrize("count", [1200, pytest.param(10_000, marks=pytest.mark.soak)])
@pytest.mark.parametrize("method", ["byrequests", "bytraffic"])
async def test_three_members_at_3_1_2_get_their_shares(
    tmp_path: Path, method: str, count: int, capsys: pytest.CaptureFixture[str]
) -> None:
    says = [b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % number for number in range(3)]
    async with upstream(answers(says[0])) as a, upstream(answers(says[1])) as b, upstream(answers(says[2])) as c:
        where = (a.port, b.port, c.port)
        async with world(tmp_path, {}, ports=where, balancer=f'method = "{method}"') as there:
            for name, weight in zip(("p0", "p1", "p2"), WEIGHTS, strict=True):
                row = f"[balancers.b.members.{name}]\n"
                if weight != 1:
                    await there.edit(row, f"{row}weight = {weight}\n")
            seen: Counter[str] = Counter()
            async with client(there.port) as one:
                for _ in range(count // 50):
                    one.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 50)
                    for _ in range(50):
                        seen[(await one.answer())[1].decode()] += 1
        got = [seen[name] for name in "012"]
        with capsys.disabled():
            print(f"\n{method} at 3:1:2 over {count} requests: {got}")
        for share, weight in zip(got, WEIGHTS, strict=True):
            assert abs(share - count * weight / 6) <= (1 if method == "byrequests" else count / 100)


@pytest.mark.soak
async def test_a_recovered_member_gets_its_share_bit_by_bit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    health = 'method = "get"\nuri = "/health"\ninterval = 0.5\ntimeout = 2'
    async with world(tmp_path, dict.fromkeys("abc", "good"), health=health, balancer="slow_start = 10") as there:
        async with load(there, rate=150) as made:
            await steady(made, 100)
            await there.members["a"].kill()
            await asyncio.sleep(3)
            await there.members["a"].start("good")
            began = monotonic()
            await asyncio.sleep(15)
        since = next(each.began for each in made.outcomes if each.began > began and each.member == "a")
        shares = []
        for second in range(13):
            then = [each for each in made.outcomes if second <= each.began - since < second + 1]
            shares.append(sum(each.member == "a" for each in then) / len(then))
        with capsys.disabled():
            print(f"\nramp over 10 s, share by second: {' '.join(f'{share:.0%}' for share in shares)}")
        assert sum(shares[:2]) / 2 < 0.15
        assert sum(shares[:5]) < sum(shares[5:10])
        assert sum(shares[11:]) / 2 == pytest.approx(1 / 3, abs=0.06)
        assert all(each.good for each in made.outcomes if not each.begun or each.whole)


async def test_a_member_drained_under_load_gets_nothing_new_and_is_empty_soon(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with world(tmp_path, {"a": "slow", "b": "quick", "c": "quick"}) as there:
        async with load(there, rate=100, lanes=40) as made:
            await steady(made, 100)
            await there.edit("[balancers.b.members.a]\n", '[balancers.b.members.a]\nstatus = "draining"\n')
            drained = monotonic()
            name = 'rproxy_member_in_flight{balancer="b",member="a"}'
            async with asyncio.timeout(10):
                while (await there.numbers())[name]:
                    await asyncio.sleep(0.02)
            empty = monotonic() - drained
            await steady(made, 200)
        late = [each for each in made.outcomes if each.member == "a" and each.began > drained]
        with capsys.disabled():
            print(
                f"\ndrain: empty after {empty:.2f} s, {len(made.outcomes)} requests, none failed, {len(late)} new ones"
            )
        assert not late
        assert all(each.good for each in made.outcomes)
