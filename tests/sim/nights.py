"""Nights made up by chance, with what went wrong in them known: what diagnosis is judged by.

A night is a site's traffic (shapes of paths on routes, members, a wave over the day) and incidents that change it for a
while. It makes the steps that a recorder would have made, without a request being sent. All is drawn from one seed.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from functools import lru_cache
from math import exp, pi, sin, sqrt
from typing import NamedTuple

from proxy_core.balance.latency_histogram import bucket_of
from proxy_core.balance.member_state import MemberKey
from proxy_core.control.watching.diagnosis import Applied, Diagnosis, Subject, Trouble
from proxy_core.runtime.last_hour import STEP, Cell, CellKey, LastHour, TenSeconds

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
    """From ``begin`` to ``end`` (seconds of the night) what ``hits`` fails more, is refused more, takes longer, or comes
    more often. ``blames`` says who is rightly named for it; none where nothing is to be told."""

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
    """It comes gradually: whole at half of its time."""


class Night(NamedTuple):
    """All of it."""

    rate: float
    """Requests a second, on the mean."""
    members: tuple[str, ...]
    paths: tuple[Path, ...]
    incidents: tuple[Incident, ...] = ()
    wave: float = 0.0
    """How far the rate rises and falls in a day, 0 to 1."""
    generations: tuple[Applied, ...] = ()
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
    from statistics import NormalDist

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
                cell = Cell(
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


def judge(night: Night, seed: int) -> Verdict:
    diagnosis, hour = Diagnosis(), LastHour()
    false: dict[Subject, Trouble] = {}
    told: list[float] = [float("inf")] * len(night.incidents)
    last: list[Trouble | None] = [None] * len(night.incidents)
    for step in steps(night, seed):
        hour.steps.append(step)
        now = step.at - START
        applied = [Applied(each.number, START + each.at) for each in night.generations if each.at <= now]
        for trouble in diagnosis.look(hour.steps, applied):
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


def member(name: str) -> Subject:
    return Subject("member", "shop", name)


def nights() -> dict[str, Night]:
    """The named ones."""
    old = Subject("rule", "rewrites", "old-pages")
    return {
        "a member fails 2 % of checkout and slows": Night(
            150,
            FOUR,
            SHOP,
            (
                Incident(
                    2000,
                    3400,
                    lambda m, p: m == "c" and "checkout" in p.shape,
                    error=0.4,
                    slower=10,
                    blames=frozenset({member("c")}),
                ),
            ),
        ),
        "a member is ten times slower": Night(
            150, FOUR, SHOP, (Incident(1500, 3000, lambda m, p: m == "b", slower=10, blames=frozenset({member("b")})),)
        ),
        "a member fails 2 % of all": Night(
            150, FOUR, SHOP, (Incident(1500, 3000, lambda m, p: m == "b", error=0.02, blames=frozenset({member("b")})),)
        ),
        "one of two members is ill": Night(
            60,
            ("a", "b"),
            SHOP,
            (Incident(1500, 3000, lambda m, p: m == "b", error=0.05, slower=3, blames=frozenset({member("b")})),),
        ),
        "two of four members are ill": Night(
            150,
            FOUR,
            SHOP,
            (Incident(1500, 3000, lambda m, p: m in "ab", error=0.1, blames=frozenset({member("a"), member("b")})),),
        ),
        "a rule sends to the wrong place": Night(
            150,
            FOUR,
            SHOP,
            (Incident(1800, 3500, lambda m, p: bool(p.rule), refused=1.0, blames=frozenset({old}), generation=2),),
            generations=(Applied(1, 0), Applied(2, 1795)),
        ),
        "all members are slow": Night(
            150,
            FOUR,
            SHOP,
            (Incident(1500, 3000, lambda m, p: True, slower=6, blames=frozenset({Subject("site", "", "")})),),
        ),
        "a service behind one route fails": Night(
            150,
            FOUR,
            SHOP,
            (
                Incident(
                    1500,
                    3000,
                    lambda m, p: p.route == "api",
                    error=0.3,
                    blames=frozenset({Subject("route", "routes", "api")}),
                ),
            ),
        ),
        "an edit makes a route slow": Night(
            150,
            FOUR,
            SHOP,
            (
                Incident(
                    1500,
                    3000,
                    lambda m, p: p.route == "images",
                    slower=8,
                    blames=frozenset({Subject("route", "routes", "images")}),
                    generation=3,
                ),
            ),
            generations=(Applied(1, 0), Applied(2, 900), Applied(3, 1490)),
        ),
        "quiet": Night(150, FOUR, SHOP),
        "too few requests": Night(0.3, FOUR, SHOP, noisy=0.5),
        "a deploy by turns": Night(
            150,
            FOUR,
            SHOP,
            tuple(
                Incident(1000 + 60 * n, 1010 + 60 * n, lambda m, p, who=who: m == who, error=0.3)
                for n, who in enumerate(FOUR)
            )
            + tuple(
                Incident(1010 + 60 * n, 1030 + 60 * n, lambda m, p, who=who: m == who, slower=3)
                for n, who in enumerate(FOUR)
            ),
        ),
        "daily waves": Night(100, FOUR, SHOP, wave=0.8, hours=24),
        "one hot path": Night(
            100, FOUR, SHOP, (Incident(1500, 3000, lambda m, p: p.shape == "GET /search", traffic=12),)
        ),
        "errors come in bursts": Night(100, FOUR, tuple(p._replace(error=0.01) for p in SHOP), noisy=0.7, hours=3),
        "an older machine": Night(150, FOUR, SHOP, (Incident(0, 4000, lambda m, p: m == "d", slower=2.5),)),
    }
