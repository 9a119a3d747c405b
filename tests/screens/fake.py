"""A proxy without a network: the real Editor over a site file of its own, with made-up numbers beside it.

Commands do in earnest what they do everywhere: the text is edited and checked, and there is history, undo and redo.
Only traffic is made up, seeded and plausible: slow and failing requests, a member that refuses and one that drains.
Time stands still until ``advance`` is called, so a test says itself when something happens; ``live=True`` lets it
follow the real clock, for looking at a screen by hand.
"""

from __future__ import annotations

import random
import shutil
import string
import tempfile
import time
import weakref
from collections import Counter, defaultdict, deque
from collections.abc import Coroutine, Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

from proxy_core.config.model import Member, Route, Site
from proxy_core.config.reading.document import read
from proxy_core.control.editing.commands import Command, Preview, Result
from proxy_core.control.editing.editor import Editor
from proxy_core.control.explaining.explain import explain
from proxy_core.control.view import (
    EngineView,
    Explanation,
    Generation,
    Health,
    Inspection,
    ListenerState,
    MemberLoad,
    Percentiles,
    Question,
    Record,
    RouteLoad,
    Saved,
    Second,
    SiteState,
    Snapshot,
)  # fmt: skip
from proxy_core.errors import Problem
from proxy_core.runtime.compile_site import compile_site
from proxy_core.runtime.fact_sources import Outside
from proxy_core.runtime.maps.source import MapState
from proxy_core.runtime.maps.text_file import MapRow, rows
from proxy_core.runtime.registry import Registry
from tests.screens.sites import FILES, SITE
from tests.screens.traffic import answer, asked_at

START = 1_790_000_000.0
"""Epoch seconds at which a fake that does not follow the real clock begins: 2026-09-21 14:13:20 UTC."""
REFUSES = Problem(
    what="member backend/c refuses connections on 127.0.0.1:8002",
    todo="start it, or take it out of service",
    severity="warning",
    address=("balancers", "backend", "members", "c"),
)
Key = tuple[str, str]
"""Balancer and member."""


class FakeEngine(EngineView):
    """``commands`` lists what was submitted, ``looked_up`` what maps were asked, ``ring`` what was requested. What a
    test may set at will: ``rate`` (requests a second), ``saved``, ``trouble`` (problems beside those of the site),
    ``health`` and ``busy`` of members, ``seen`` (other fields of their MemberLoad), ``hits`` of routes and rules,
    ``limited``, ``turned_away`` of each listener, ``faults`` of maps."""

    def __init__(self, text: str = SITE, *, rate: float = 40.0, seed: int = 1, live: bool = False) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="fake-site-"))
        weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
        for name, content in {**FILES, "site.toml": text}.items():
            (self.folder / name).write_text(content)
        document = read(self.folder / "site.toml")
        assert document.site is not None, f"not a site: {document.problems}"
        self.editor = Editor(self.folder / "site.toml", document, self._apply)
        shop = text.startswith(SITE)
        self.rate = rate
        self.saved: Saved = "saved"
        self.trouble: list[Problem] = [REFUSES] if shop else []
        self.health: dict[Key, Health] = {("backend", "c"): "error"} if shop else {}
        self.busy: dict[Key, int] = {("api", "canary"): 3} if shop else {}
        self.seen: dict[Key, dict[str, Any]] = {}
        self.hits: dict[str, tuple[int, float]] = {}
        self.limited: dict[str, int] = {}
        self.turned_away = 0
        self.faults: dict[str, str] = {}
        self.commands: list[Command] = []
        self.looked_up: list[tuple[str, str]] = []
        self.demo = False
        self.ring: deque[Record] = deque(maxlen=10_000)
        self.seconds: deque[Second] = deque(maxlen=120)
        self._minute: deque[list[Record]] = deque(maxlen=60)
        self._chance = random.Random(seed)
        self._live = live
        self._started = self.now = time.time() if live else START
        self._owed = 0.0
        self._newest = 0
        self._applied = 0
        self._take(document.site)

    async def _apply(self, site: Site, generation: int) -> tuple[Problem, ...]:
        """The Editor's way to bring a site into force."""
        self._applied = generation
        self._take(site)
        return ()

    def _take(self, site: Site) -> None:
        self._site = site
        targets = [route.proxy or "" for route in site.routes if route.enabled]
        plain = {origin_of(target): Member(url=origin_of(target)) for target in targets if target.startswith("http")}
        named = {(name, each): row for name, rows in site.balancers.items() for each, row in rows.members.items()}
        self._members: dict[Key, Member] = named | {("", url): member for url, member in plain.items()}

    # Time and traffic

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
        self.ring.append(msgspec.structs.replace(asked, **answered, generation=self.editor.generation))

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

    # EngineView: numbers

    def snapshot(self) -> Snapshot:
        if self._live:
            self.advance(time.time() - self.now)
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
            at=self.now, uptime=self.now - self._started, generation=self.editor.generation, saved=self.saved,
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
            seconds=tuple(self.seconds), demo=self.demo, limited=dict(self.limited),
        )  # fmt: skip

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

    def records(self, after: int, limit: int = 500) -> tuple[Record, ...]:
        skip = max(0, after - (self._newest - len(self.ring)))
        return tuple(islice(self.ring, skip, skip + limit))

    def inspect(self, number: int) -> Inspection | None:
        record = next((record for record in self.ring if record.number == number), None)
        if record is None:
            return None
        fields = f"User-Agent: {record.user_agent}\r\nAuthorization: ****\r\nAccept: */*\r\n"
        line = f"{record.method} {record.target} HTTP/1.1\r\n"
        member = self._members.get((record.balancer, record.member))
        forwarded = f"{line}Host: {member.url}\r\n{fields}X-Forwarded-For: {record.client}\r\n\r\n" if member else ""
        question = Question(
            url=f"http://{record.host}{quote(record.target, safe=string.punctuation)}",
            method=record.method if record.method.isalpha() else "GET",
            client=record.client,
        )
        return Inspection(
            record=record,
            request_head=f"{line}Host: {record.host}\r\n{fields}\r\n",
            forwarded_head=forwarded,
            answer_head=f"HTTP/1.1 {record.status} X\r\nContent-Type: text/html\r\n\r\n" if record.first >= 0 else "",
            explanation=at_once(self.explain(question)),
        )

    async def explain(self, question: Question) -> Explanation:
        """The real rules decide; maps are asked as ``look_up`` says."""
        rules = compile_site(self._site, Registry(), self.editor.generation)
        return await explain(rules, Outside(self), question)

    # EngineView: maps

    def maps(self) -> tuple[MapState, ...]:
        return tuple(
            MapState(
                name=name, type=each.type, reads=each.file or each.function or "entries", hits=120 + n, misses=n,
                errors=int(name in self.faults), entries=-1 if each.type == "int" else len(self._rows(name)),
                changed_at=self.now - 3600 + self.editor.generation if each.file else 0.0,
                fault=self.faults.get(name, ""), last_error=self.faults.get(name, ""), error_at=self.now,
            )
            for n, (name, each) in enumerate(self._site.maps.items())
        )  # fmt: skip

    def _rows(self, name: str) -> tuple[MapRow, ...]:
        each = self._site.maps[name]
        if each.file:
            return rows((self.folder / each.file).read_text())
        return tuple(MapRow(key, value, 0) for key, value in each.entries.items())

    async def map_rows(self, name: str) -> tuple[MapRow, ...]:
        return self._rows(name)

    async def look_up(self, name: str, key: str) -> str | None:
        self.looked_up.append((name, key))
        return await self.answer(name, key)

    def ask(self, name: str, key: str) -> tuple[bool, str | None]:
        if self._site.maps[name].type == "int":
            return True, key.lower()
        return True, next((row.value for row in self._rows(name) if row.key == key), None)

    async def answer(self, name: str, key: str) -> str | None:
        return self.ask(name, key)[1]

    # EngineView: the site and its history

    def site(self) -> SiteState:
        text, file = self.editor.document.text, str(self.editor.file)
        return SiteState(generation=self.editor.generation, site=self._site, text=text, file=file)

    def problems(self) -> tuple[Problem, ...]:
        return (*self.editor.warnings, *self.trouble)

    def history(self) -> tuple[Generation, ...]:
        return self.editor.history.generations()

    def can_undo(self) -> str:
        found = self.editor.history.undoable()
        return found[0].sentence if found else ""

    def can_redo(self) -> str:
        found = self.editor.history.redoable()
        return found.sentence if found else ""

    async def preview(self, command: Command) -> Preview:
        return await self.editor.preview(command)

    async def submit(self, command: Command, author: str = "console") -> Result:
        self.commands.append(command)
        return await self.editor.submit(command, author)

    async def start_demo(self) -> str:
        self.demo = True
        self.health.clear()
        return "started demo members on 127.0.0.1:8002"


def origin_of(target: str) -> str:
    return "/".join(target.split("/")[:3])


def percentiles(records: Iterable[Record]) -> Percentiles:
    totals = sorted(record.total for record in records)
    return Percentiles(*(totals[int(len(totals) * part)] for part in (0.5, 0.95, 0.99))) if totals else Percentiles()


def at_once(answer: Coroutine[Any, Any, Explanation]) -> Explanation:
    """The result of a coroutine that waits for nothing."""
    try:
        answer.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("it waits for something")
