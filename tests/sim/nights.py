"""Nights made up by chance, with what went wrong in them known: what diagnosis is judged by.

A night is a site's traffic (shapes of paths on routes, members, a wave over the day) and incidents that change it for a
while. It makes the steps that a recorder would have made, without a request being sent. All is drawn from one seed.
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from math import exp, pi, sin, sqrt
from statistics import NormalDist
from typing import Any, NamedTuple

from proxy_core.balance.latency_histogram import bucket_of
from proxy_core.balance.member_state import MemberKey
from proxy_core.control.watching.diagnosis import Diagnosis
from proxy_core.control.watching.troubles import AppliedAt, Subject, Trouble
from proxy_core.runtime.last_hour import STEP, CellCounts, CellKey, LastHour, TenSeconds

START = 1_750_000_000.0


class Path(NamedTuple):
    """Requests of one kind: part of all, usual time in seconds, how far it varies, parts that fail and are refused."""

    shape: str
    route: str
    weight: float
    median: float = 0.02
    sigma: float = 0.6
    error: float = 0.0002
    refused: float = 0.005
    rule: str = ""


class Incident(NamedTuple):
    """From ``begin`` to ``end`` (seconds of the night) what ``hits`` fails more, is refused more, takes longer, or
    comes more often. ``blames`` says who is rightly named for it; none where nothing is to be told."""

    begin: float
    end: float
    hits: Callable[[str, Path], bool]
    error: float = 0.0
    refused: float = 0.0
    slower: float = 1.0
    traffic: float = 1.0
    blames: frozenset[Subject] = frozenset()
    generation: int = 0
    grows: bool = False
    """It comes gradually: whole after ten minutes."""

    def grown(self, at: float) -> float:
        return min(1.0, (at - self.begin) / 600) if self.grows else 1.0


class Night(NamedTuple):
    """All of it."""

    rate: float
    """Requests a second, on the mean."""
    members: tuple[str, ...]
    paths: tuple[Path, ...]
    incidents: tuple[Incident, ...] = ()
    wave: float = 0.0
    """How far the rate rises and falls in a day, 0 to 1."""
    generations: tuple[AppliedAt, ...] = ()
    hours: float = 1.0
    noisy: float = 0.0
    """How far rates of errors vary by themselves from minute to minute."""


SHOP = (
    Path("GET /", "shop", 0.20, 0.008),
    Path("GET /item/{n}", "shop", 0.35, 0.015),
    Path("GET /search", "shop", 0.10, 0.12, 0.8),
    Path("POST /api/cart", "api", 0.10, 0.03),
    Path("POST /api/checkout", "api", 0.05, 0.20, 0.5, 0.001),
    Path("GET /img/{n}.jpg", "images", 0.15, 0.004, 0.4, 0.0, 0.02),
    Path("GET /old/{n}", "shop", 0.05, 0.012, rule="old-pages"),
)


@lru_cache(maxsize=4096)
def _quantiles(median: float, sigma: float) -> list[int]:
    """Buckets at which a log-normal time lies, 200 of them equally likely."""
    normal = NormalDist()
    return [bucket_of(median * exp(sigma * normal.inv_cdf((n + 0.5) / 200))) for n in range(200)]


def _poisson(rng: random.Random, mean: float) -> int:
    if mean > 40:
        return max(0, round(rng.gauss(mean, sqrt(mean))))
    limit, n, product = exp(-mean), 0, rng.random()
    while product > limit:
        n += 1
        product *= rng.random()
    return n


def steps(night: Night, seed: int) -> Iterator[TenSeconds]:
    rng = random.Random(seed)
    for n in range(int(night.hours * 3600 / STEP)):
        at = n * STEP
        rate = night.rate * (1 + night.wave * sin(2 * pi * at / 86400))
        noise = exp(rng.gauss(0, night.noisy)) if night.noisy else 1.0
        cells = []
        for path in night.paths:
            for member in night.members:
                mean = rate * STEP * path.weight / len(night.members)
                error, refused, slower = path.error * noise, path.refused * noise, 1.0
                for incident in night.incidents:
                    if incident.begin <= at < incident.end and incident.hits(member, path):
                        whole = (
                            min(1.0, 2 * (at - incident.begin) / (incident.end - incident.begin))
                            if incident.grows
                            else 1.0
                        )
                        error += incident.error * whole
                        refused += incident.refused * whole
                        slower *= 1 + (incident.slower - 1) * whole
                        mean *= incident.traffic
                requests = _poisson(rng, mean)
                if not requests:
                    continue
                failed = min(requests, _poisson(rng, requests * min(1.0, error)))
                median = round(path.median * slower, 4)
                key = CellKey(
                    MemberKey("shop", member), ("routes", path.route), ("rewrites", path.rule) if path.rule else None,
                    path.shape,
                )  # fmt: skip
                cell = CellCounts(
                    requests, failed, 0, min(requests - failed, _poisson(rng, requests * min(1.0, refused))),
                    dict(Counter(rng.choices(_quantiles(median, path.sigma), k=requests))),
                )  # fmt: skip
                cells.append((key, cell))
        yield TenSeconds(START + at + STEP, tuple(cells))


class Verdict(NamedTuple):
    """What diagnosis made of a night."""

    false: tuple[Trouble, ...]
    """Lines about nobody who was ill."""
    delays: tuple[float, ...]
    """For each incident, seconds until it was told; inf where it never was."""
    onsets: tuple[float, ...]
    """How far the moment it is said to have begun is off, in seconds."""
    generations: tuple[bool, ...]
    """Of each incident that a generation brought, whether it was named."""


async def judge(night: Night, seed: int) -> Verdict:
    diagnosis, hour = Diagnosis(), LastHour()
    false: dict[Subject, Trouble] = {}
    told: list[float] = [float("inf")] * len(night.incidents)
    last: list[Trouble | None] = [None] * len(night.incidents)
    for step in steps(night, seed):
        hour.steps.append(step)
        now = step.at - START
        applied = [AppliedAt(each.number, START + each.at) for each in night.generations if each.at <= now]
        await diagnosis.look(hour.steps, applied)
        for trouble in diagnosis.troubles:
            for n, incident in enumerate(night.incidents):
                if incident.begin <= now <= incident.end + 120 and trouble.subject in incident.blames:
                    told[n] = min(told[n], now - incident.begin)
                    last[n] = trouble
                    break
            else:
                false.setdefault(trouble.subject, trouble)
    named = [n for n, incident in enumerate(night.incidents) if incident.blames]
    return Verdict(
        tuple(false.values()),
        tuple(told[n] for n in named),
        tuple(each.since - START - night.incidents[n].begin for n in named if (each := last[n]) is not None),
        tuple(
            (each := last[n]) is not None and each.generation == night.incidents[n].generation
            for n in named
            if night.incidents[n].generation
        ),
    )


FOUR = ("a", "b", "c", "d")
BEGIN = 500.0
"""Seconds before anything happens."""


def _member(name: str) -> Subject:
    return Subject("member", "shop", name)


def _ill(*subjects: Subject, begin: float = BEGIN, lasts: float = 1500.0, **how: Any) -> Incident:
    return Incident(begin, begin + lasts, blames=frozenset(subjects), **how)


def _deploy() -> tuple[Incident, ...]:
    """Each member restarts in its turn: it fails for ten seconds, and is slow for twenty."""
    found = []
    for n, name in enumerate(FOUR):

        def hits(member: str, _: Path, name: str = name) -> bool:
            return member == name

        begin = BEGIN + 60 * n
        found += [_ill(begin=begin, lasts=10, hits=hits, error=0.3)]
        found += [_ill(begin=begin + 10, lasts=20, hits=hits, slower=3)]
    return tuple(found)


def _route(name: str) -> Subject:
    return Subject("route", "routes", name)


NIGHTS = {
    "a member fails at checkout and slows": Night(
        150, FOUR, SHOP,
        (_ill(_member("c"), hits=lambda m, p: m == "c" and "checkout" in p.shape, error=0.4, slower=10),),
    ),
    "a member gets ten times slower": Night(
        150, FOUR, SHOP, (_ill(_member("b"), hits=lambda m, p: m == "b", slower=10),)
    ),
    "a member fails 2 % of all": Night(150, FOUR, SHOP, (_ill(_member("b"), hits=lambda m, p: m == "b", error=0.02),)),
    "a member rots slowly": Night(
        150, FOUR, SHOP, (_ill(_member("b"), hits=lambda m, p: m == "b", slower=12, grows=True),)
    ),
    "a member misses a page after its deploy": Night(
        150, FOUR, SHOP, (_ill(_member("d"), hits=lambda m, p: m == "d" and p.shape == "GET /search", refused=1.0),)
    ),
    "one of two members is ill": Night(
        60, ("a", "b"), SHOP, (_ill(_member("b"), hits=lambda m, p: m == "b", error=0.05, slower=3),)
    ),
    "two of four members are ill": Night(
        150, FOUR, SHOP, (_ill(_member("a"), _member("b"), hits=lambda m, p: m in "ab", error=0.1),)
    ),
    "a rule sends to the wrong place": Night(
        150, FOUR, SHOP,
        (_ill(Subject("rule", "rewrites", "old-pages"), hits=lambda m, p: bool(p.rule), refused=1.0, generation=2),),
        generations=(AppliedAt(1, 0), AppliedAt(2, BEGIN - 5)),
    ),
    "a member is drained as a rule is mended": Night(
        150, FOUR, tuple(p._replace(weight=0.1) if p.rule else p for p in SHOP),
        (
            _ill(
                Subject("rule", "rewrites", "old-pages"), hits=lambda m, p: bool(p.rule), refused=1.0, generation=2,
                lasts=120.0,
            ),
            # ... in the middle of a step
            Incident(BEGIN + 120, BEGIN + 130, hits=lambda m, p: bool(p.rule), refused=0.5),
            Incident(BEGIN + 120, BEGIN + 130, hits=lambda m, p: m == "c" and bool(p.rule), refused=0.5),
            Incident(BEGIN + 120, BEGIN + 130, hits=lambda m, p: m == "c", traffic=0.5),
            Incident(BEGIN + 130, 1e6, hits=lambda m, p: m == "c", traffic=0.0),
        ),
        generations=(AppliedAt(1, 0), AppliedAt(2, BEGIN - 5)),
    ),
    "an edit makes a route slow": Night(
        150, FOUR, SHOP, (_ill(_route("images"), hits=lambda m, p: p.route == "images", slower=8, generation=3),),
        generations=(AppliedAt(1, 0), AppliedAt(2, BEGIN / 2), AppliedAt(3, BEGIN - 10)),
    ),
    "a service behind one route fails": Night(
        150, FOUR, SHOP, (_ill(_route("api"), hits=lambda m, p: p.route == "api", error=0.3),)
    ),
    "all members are slow": Night(
        150, FOUR, SHOP, (_ill(Subject("site", "", ""), hits=lambda m, p: True, slower=6),)
    ),
    "nothing happens": Night(150, FOUR, SHOP),
    "too few requests": Night(0.3, FOUR, SHOP, noisy=0.5),
    "a deploy by turns": Night(150, FOUR, SHOP, _deploy()),
    "daily waves": Night(100, FOUR, SHOP, wave=0.8),
    "one hot path": Night(100, FOUR, SHOP, (_ill(hits=lambda m, p: p.shape == "GET /search", traffic=12),)),
    "errors come in bursts": Night(100, FOUR, tuple(p._replace(error=0.01) for p in SHOP), noisy=0.7),
    "an older machine": Night(150, FOUR, SHOP, (_ill(begin=0, lasts=1e6, hits=lambda m, p: m == "d", slower=2.5),)),
}  # fmt: skip
"""The named ones."""


def main() -> None:
    """``python -m tests.sim.nights [SEEDS [HOURS]]``: what diagnosis makes of each night, as a table."""
    seeds, hours = (int(each) for each in (*sys.argv[1:], "5", "1")[:2])
    print(f"{'night':42} {'false a day':>11} {'told in 60 s':>12} {'onset ±10 s':>12} {'generation':>10}")
    for name, night in NIGHTS.items():
        seen = [asyncio.run(judge(night._replace(hours=hours), seed)) for seed in range(seeds)]
        days = seeds * hours / 24
        delays = [delay for verdict in seen for delay in verdict.delays]
        onsets = [off for verdict in seen for off in verdict.onsets]
        named = [right for verdict in seen for right in verdict.generations]
        print(
            f"{name:42} {sum(len(verdict.false) for verdict in seen) / days:11.1f}"
            f" {_of(sum(delay <= 60 for delay in delays), delays):>12}"
            f" {_of(sum(abs(off) <= 10 for off in onsets), onsets):>12} {_of(sum(named), named):>10}",
            flush=True,
        )


def _of(part: int, whole: Sequence[object]) -> str:
    return f"{part} of {len(whole)}" if whole else "-"


if __name__ == "__main__":
    main()
