"""Made-up numbers over a real site: time that stands still until it is advanced, and the traffic that comes with it."""

from __future__ import annotations

import random
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Sequence
from itertools import islice
from operator import attrgetter
from typing import Any

import msgspec

from proxy_core.balance.member_health import Health
from proxy_core.config.model import Member, Route, Site
from proxy_core.control.view import ListenerState, MemberLoad, Percentiles, RouteLoad, Saved, Second, Snapshot
from proxy_core.control.watching.log_records import Record
from proxy_core.control.watching.troubles import Trouble
from tests.screens.traffic import answer, asked_at

START = 1_790_000_000.0
"""Epoch seconds at which its time begins: 2026-09-21 14:13:20 UTC."""
_number = attrgetter("number")
Key = tuple[str, str]
"""Balancer and member."""


class MadeUpNumbers:
    """``ring`` is what was requested, ``past`` what went wrong before it. What a test may set at will: ``rate``
    (requests a second), ``saved``, ``health`` and ``busy`` of members, ``seen`` (other fields of their MemberLoad),
    ``hits`` of routes and rules, ``limited``, and ``turned_away`` of each listener."""

    def __init__(self, site: Site, rate: float) -> None:
        self.rate = rate
        self.generation = 1
        self.saved: Saved = "saved"
        self.health: dict[Key, Health] = {}
        self.busy: dict[Key, int] = {}
        self.seen: dict[Key, dict[str, Any]] = {}
        self.hits: dict[str, tuple[int, float]] = {}
        self.limited: dict[str, int] = {}
        self.turned_away = 0
        self.troubles: tuple[Trouble, ...] = ()
        self.demo = False
        self.now = START
        self.kept: list[Snapshot] = []
        self.ring: deque[Record] = deque(maxlen=10_000)
        self.past: list[Record] = []
        self.seconds: deque[Second] = deque(maxlen=120)
        self._minute: deque[list[Record]] = deque(maxlen=60)
        self._chance = random.Random(1)
        self._owed = 0.0
        self._newest = 0
        self._applied = 0
        self._take(site)

    def applied(self, site: Site, generation: int) -> None:
        """From now on this is the site, and its generation is marked in the second that goes on."""
        self.generation = self._applied = generation
        self._take(site)

    def _take(self, site: Site) -> None:
        self._site = site
        targets = [route.proxy or "" for route in site.routes if route.enabled]
        plain = {origin_of(target): Member(url=origin_of(target)) for target in targets if target.startswith("http")}
        named = {(name, each): row for name, rows in site.balancers.items() for each, row in rows.members.items()}
        self._members: dict[Key, Member] = named | {("", url): member for url, member in plain.items()}

    def advance(self, seconds: float = 1.0) -> None:
        """Let time pass, with its traffic; whole seconds are closed."""
        while seconds > 1e-9:
            step = min(seconds, 1.0 - self.now % 1.0)
            seconds -= step
            self._owed += self.rate * step
            for _ in range(int(self._owed)):
                self._request(self.now + step * self._chance.random())
            self._owed %= 1.0
            self.now += step
            if abs(self.now - round(self.now)) < 1e-6:
                self.now = float(round(self.now))
                self._close_second()

    def _close_second(self) -> None:
        recent = islice(reversed(self.ring), int(self.rate) + 2)
        last = [record for record in recent if self.now - 1.0 <= record.at < self.now]
        self._minute.append(last)
        for key in self._members:
            mine = [record.total for record in last if (record.balancer, record.member) == key]
            self.busy[key] = max(1, round(sum(mine))) if mine else max(0, self.busy.get(key, 0) - 1)
        statuses = [record.status // 100 for record in last]
        p = percentiles(last)
        self.seconds.append(
            Second(self.now - 1.0, len(last), statuses.count(4), statuses.count(5), p.p50, p.p95, p.p99, self._applied)
        )
        self._applied = 0

    def _request(self, at: float) -> None:
        self._newest += 1
        asked = asked_at(at, self._newest, self._site, self._chance)
        answered = answer(asked, self._site, self._elect, self._chance)
        self.hits[asked.route] = (self.hits.get(asked.route, (0, 0.0))[0] + 1, at)
        self.ring.append(msgspec.structs.replace(asked, **answered, generation=self.generation))

    def _elect(self, route: Route) -> Key:
        target = route.proxy or ""
        if not target.startswith("balancer://"):
            return "", origin_of(target)
        name = target.removeprefix("balancer://").partition("/")[0]
        able = {
            member: row.weight
            for (balancer, member), row in self._members.items()
            if balancer == name and row.status == "enabled" and self.health.get((name, member), "up") == "up"
        }
        return name, self._chance.choices(list(able), list(able.values()))[0] if any(able.values()) else ""

    def snapshot(self) -> Snapshot:
        last = self.seconds[-1] if self.seconds else Second(self.now, 0, 0, 0, -1.0, -1.0, -1.0, 0)
        served: dict[Key, list[Record]] = defaultdict(list)
        for record in self.ring:
            served[record.balancer, record.member].append(record)
        gone = [key for key, count in self.busy.items() if count and key not in self._members]
        members = tuple(self._load(key, served[key]) for key in (*self._members, *gone))
        in_flight = sum(member.busy for member in members)
        loads = {each.id: RouteLoad(id=each.id, hits=hits, last_hit_at=at)
                 for each in (*self._site.routes, *self._site.rewrites)
                 for hits, at in [self.hits.get(each.id, (0, 0.0))]}  # fmt: skip
        return Snapshot(
            at=self.now, uptime=self.now - START, generation=self.generation, saved=self.saved,
            requests=self._newest, in_flight=in_flight, connections=in_flight, rate=float(last.requests),
            rate_4xx=float(last.status_4xx), rate_5xx=float(last.status_5xx), lateness=0.0012,
            latency=percentiles([record for second in self._minute for record in second]),
            newest_record=self._newest, members=members,
            routes=tuple(loads[row.id] for row in self._site.routes),
            rewrites=tuple(loads[row.id] for row in self._site.rewrites),
            listeners=tuple(
                ListenerState(name=name, address=row.address, port=int(row.address.rpartition(":")[2]),
                              connections=in_flight, draining=False, turned_away=self.turned_away)
                for name, row in self._site.listeners.items()
            ),
            seconds=tuple(self.seconds), demo=self.demo, limited=dict(self.limited), troubles=self.troubles,
        )  # fmt: skip

    def keep(self) -> None:
        """This moment can be gone back to."""
        self.kept.append(msgspec.structs.replace(self.snapshot(), past=True))

    def snapshot_at(self, at: float) -> Snapshot:
        return min(self.kept, key=lambda each: abs(each.at - at)) if self.kept else self.snapshot()

    def _load(self, key: Key, served: Sequence[Record]) -> MemberLoad:
        member = self._members.get(key)
        status = member.status if member else "draining"
        busy = self.busy.get(key, 0)
        weights = {
            name: row.weight for (balancer, name), row in self._members.items()
            if balancer == key[0] and row.status == "enabled" and row.role == "regular"
        }  # fmt: skip
        minute = [record for second in self._minute for record in second if record.balancer == key[0]]
        mine = [record for record in minute if record.member == key[1]]
        each_second = Counter(int(record.at) for record in mine)
        health = self.health.get(key, "up" if served else "unknown")
        load = MemberLoad(
            balancer=key[0], member=key[1], url=member.url if member else "", weight=member.weight if member else 0.0,
            status=status, health=health, retry_in=60.0 - self.now % 60.0 if health == "error" else 0.0,
            last_error="connection refused" if health == "error" else "", retired=member is None, busy=busy,
            oldest=(0.05 if status == "enabled" else 12.0) * busy, elected=len(served),
            rate=sum(self.now - 5.0 <= record.at for record in mine) / 5.0,
            promised=weights.get(key[1], 0.0) / (sum(weights.values()) or 1.0), share=len(mine) / (len(minute) or 1),
            sent=sum(record.received for record in served), received=sum(record.sent for record in served),
            errors=sum(record.status in (500, 504) for record in served), latency=percentiles(mine),
            per_second=tuple(each_second[int(self.now) - n] for n in range(len(self._minute), 0, -1)),
            role=member.role if member else "regular", lbset=member.lbset if member else 0,
            drained=not busy and status != "enabled",
        )  # fmt: skip
        return msgspec.structs.replace(load, **self.seen.get(key, {}))

    def records(self, after: int, limit: int = 500, failed: bool = False) -> tuple[Record, ...]:
        rows = [*self.past, *self.ring]
        found = (each for each in rows[bisect_right(rows, after, key=_number) :] if each.went_wrong or not failed)
        return tuple(islice(found, limit))

    def earlier(self, before: int, limit: int = 500, failed: bool = False) -> tuple[Record, ...]:
        rows = [*self.past, *self.ring]
        older = rows[: bisect_left(rows, before, key=_number)]
        return tuple([each for each in older if each.went_wrong or not failed][-limit:])


def origin_of(target: str) -> str:
    return "/".join(target.split("/")[:3])


def percentiles(records: Iterable[Record]) -> Percentiles:
    totals = sorted(record.total for record in records)
    return Percentiles(*(totals[int(len(totals) * part)] for part in (0.5, 0.95, 0.99))) if totals else Percentiles()
