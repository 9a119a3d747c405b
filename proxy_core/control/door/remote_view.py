"""The EngineView of a service in another process: a console on it shows and does the same as one inside.

What is read is answered from memory, at once, and fetched anew by a task of its own; no key and no picture waits for
the line. Snapshots come a few times a second, seldom on a slow line, with those seconds alone that are not here yet;
the site, its history and its problems only after something has happened, which ``/v1/watch`` and the revision in each
snapshot tell; maps and records while a page asks for them. What is published together belongs together: a snapshot is
shown with the site that it is of. Changes, and what nobody can hold, are awaited.

A service that does not answer leaves the last picture, with a problem above all others that says so; it is asked
again until it does, or until another one that took its place is there, of which all is fetched anew.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import cast

from msgspec.json import encode
from msgspec.structs import replace

from proxy_core.control.door.async_client import DoorLine, ended
from proxy_core.control.door.client import Denied, NobodyThere
from proxy_core.control.door.endpoints import (
    PROTOCOL,
    HistoryQuery,
    Past,
    SnapshotQuery,
)
from proxy_core.control.door.far_answers import FarAnswers, unanswered
from proxy_core.control.door.link import Link
from proxy_core.control.door.moment_feed import MomentFeed
from proxy_core.control.door.record_feed import RecordFeed
from proxy_core.control.editing.commands import Applied, Command, Refused, Result
from proxy_core.control.editing.history import KEPT
from proxy_core.control.view import Generation, LastChange, SiteState, Snapshot
from proxy_core.control.watching.effects import SETTLES
from proxy_core.control.watching.log_records import Record
from proxy_core.errors import Problem
from proxy_core.runtime.last_hour import STEP
from proxy_core.runtime.maps.source import MapState
from proxy_core.runtime.recent_requests import SECONDS

PACE, PACE_OF_SLOW = 0.2, 0.5
"""Seconds from one look at the service to the next, on a line that is quick, and on one that is slow."""
AT_LEAST = 0.05
"""Seconds between two looks, whatever happens."""
AGAIN = 1.0
"""Seconds after which a service that does not answer is asked again."""
GIVEN_UP = 4.0
"""Seconds of silence after which it is said that nobody answers, though the line may still be there."""
PROBLEMS_AGAIN = 10.0
"""Seconds after which problems are asked for though nothing has happened: some end by themselves."""
LOOKED_AT = 3.0
"""Seconds for which what a page has asked for is kept fresh."""
MAPS_AGAIN = 1.0
"""Seconds between two looks at the maps, while a page shows them."""


class OtherProtocol(Exception):
    """The service and this program do not understand each other; the words say which is older."""


class RemoteView(FarAnswers):
    """An EngineView of the service behind ``line``; ``open`` before it is used, ``close`` in the end. ``you`` and
    ``may_write`` say who the service takes one for."""

    def __init__(self, line: DoorLine) -> None:
        super().__init__(line)
        self.you = ""
        self.may_write = False
        self._pid = 0
        self._started = 0.0
        self._met = False
        """It is known who answers."""
        self._lost = ""
        self._snapshot: Snapshot
        self._site: SiteState
        self._past: Past
        self._whole = False
        """All of the past is here."""
        self._problems: tuple[Problem, ...] = ()
        self._maps: tuple[MapState, ...] = ()
        self._maps_of = -1
        """The revision of the site that they are of."""
        self._feed = RecordFeed(line, 0)
        self._moments = MomentFeed(line)
        self._newest = 0
        """Number of the newest record that there is."""
        self._problems_due = self._maps_due = self._past_due = 0.0
        self._looked: dict[str, float] = {}
        """When a page asked for it last."""
        self._asked = self._shown = 0
        """Number of the newest look, and of the newest that is to be seen."""
        self._news = asyncio.Event()
        self._published = asyncio.Condition()
        self._tasks: tuple[asyncio.Task[None], ...] = ()

    async def open(self) -> None:
        """Fetch what a console needs to begin. Raises NobodyThere, Denied and OtherProtocol."""
        await self._greet()
        await self._look()
        self._tasks = (asyncio.create_task(self._run()), asyncio.create_task(self._watch()))

    async def close(self) -> None:
        await ended(*self._tasks)
        await self._moments.close()
        await self.line.close()

    def link(self) -> Link:
        return Link(delay=self.line.delay, lost=self._trouble(), pid=self._pid)

    async def stop_service(self) -> str:
        """Have the service drained and stopped; gives what it says, or why it does not."""
        try:
            return cast(str, (await self.line.ask("stop", body=b"")).sentence)
        except (NobodyThere, Denied) as error:
            return str(error)

    # ---- EngineView: what is here

    def snapshot(self) -> Snapshot:
        return self._snapshot

    def snapshot_at(self, at: float) -> Snapshot | None:
        return self._snapshot if self._moments.refused else self._moments.at(at)

    def site(self) -> SiteState:
        return self._site

    def records(self, after: int, limit: int = 500, failed: bool = False) -> tuple[Record, ...]:
        self._wanted("records")
        return self._feed.after(after, limit, failed)

    def earlier(self, before: int, limit: int = 500, failed: bool = False) -> tuple[Record, ...] | None:
        return self._feed.earlier(before, limit, failed)

    def problems(self) -> tuple[Problem, ...]:
        if not (trouble := self._trouble()):
            return self._problems
        when = time.strftime("%H:%M:%S", time.localtime(self._snapshot.at))
        todo = f"what is shown is of {when}; it is asked again until it answers"
        return (Problem(what=trouble, todo=todo), *self._problems)

    def maps(self) -> tuple[MapState, ...]:
        self._wanted("maps")
        return self._maps

    def history(self) -> tuple[Generation, ...]:
        self._wanted("history")
        return self._past.generations

    def can_undo(self) -> Generation | None:
        return self._past.undo

    def can_redo(self) -> Generation | None:
        return self._past.redo

    def last_changes(self) -> tuple[LastChange, ...]:
        return self._past.changes

    async def submit(self, command: Command, author: str = "console", on: int = 0) -> Result:
        """The author is who the kernel says. When this returns, what was changed is here as well."""
        try:
            done = cast(Applied, await self.line.ask("submit", body=encode(command), on=on))
        except (Denied, NobodyThere) as error:
            self._news.set()
            return error.refused if isinstance(error, Denied) else Refused(problems=unanswered(error))
        await self._arrival()
        return done

    async def start_demo(self) -> str:
        return "demo members run where the service does: start it with rproxy-tui --demo"

    async def _arrival(self) -> None:
        """Wait until what is asked from now on is here, or nobody answers."""
        wanted, self._problems_due = self._asked + 1, 0.0
        self._news.set()
        async with self._published:
            await self._published.wait_for(lambda: self._shown >= wanted or self._lost)

    # ---- fetching

    async def _run(self) -> None:
        while True:
            began = time.monotonic()
            try:
                if not self._met:
                    await self._greet()
                await self._look()
                self._lost = ""
            except (NobodyThere, OtherProtocol) as error:
                self._met, self._lost = False, str(error)
            except Denied as refusal:  # who asked too much lately asks again; who may no longer ask is told
                self._lost = "" if refusal.status == 429 else str(refusal)
            if self._lost:
                await self._publish()
            took = time.monotonic() - began
            pace = PACE_OF_SLOW if self.line.slow else PACE
            pause = AGAIN if self._lost else max(took / 2, pace - took)  # a third of the line's time is for others
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._news.wait()
            self._news.clear()
            await asyncio.sleep(AT_LEAST)

    async def _watch(self) -> None:
        """Whatever happens is worth a look. The end of it may be that of the service, with another in its place."""
        while True:
            with suppress(NobodyThere, Denied):
                async for line in self.line.watch():
                    if line.kind != "alive":
                        self._problems_due = 0.0
                        self._news.set()
            self._met = False
            self._news.set()
            await asyncio.sleep(AGAIN)

    async def _greet(self) -> None:
        """Learn who is there."""
        hello = await self.line.ask("hello")
        if hello.protocol != PROTOCOL:
            older, todo = (
                ("service", "upgrade it") if hello.protocol < PROTOCOL else ("console", "upgrade this program")
            )
            raise OtherProtocol(
                f"the service is rproxy {hello.version} and speaks protocol {hello.protocol}, this console speaks "
                f"{PROTOCOL}: the {older} is older, {todo}"
            )
        self.you, self.may_write = hello.you.name, hello.you.may_write
        if (hello.pid, hello.started) != (self._pid, self._started):
            await self._begin()
        self._pid, self._started, self._met = hello.pid, hello.started, True

    async def _begin(self) -> None:
        """Fetch all of a service that was not there before."""
        snapshot: Snapshot = await self.line.ask("snapshot")
        site: SiteState = await self.line.ask("site")
        past: Past = await self.line.ask("history", query=HistoryQuery(after=site.generation - 1))
        self._feed = RecordFeed(self.line, snapshot.newest_record)
        await self._moments.close()
        self._moments = MomentFeed(self.line)
        self._problems_due, self._maps_of, self._whole = 0.0, -1, False
        self._snapshot, self._site, self._past = snapshot, site, past

    async def _look(self) -> None:
        self._asked += 1
        asked = self._asked
        snapshot = await self._newer_snapshot()
        if snapshot.uptime < self._snapshot.uptime:
            await self._begin()
            snapshot = self._snapshot
        site, past, whole = self._site, self._past, self._whole
        if snapshot.revision != site.revision:
            site = await self.line.ask("site")
            snapshot = snapshot if snapshot.revision == site.revision else await self._newer_snapshot()
        now = time.monotonic()
        looked_at = self._is_looked_at("history", now)
        wanted = looked_at and now >= self._past_due if whole else looked_at or not self.line.slow
        if site is not self._site or wanted:
            past, whole, self._past_due = await self._newer_past(), True, now + STEP
        self._newest = snapshot.newest_record
        self._snapshot, self._site, self._past, self._whole = self._with_held(snapshot), site, past, whole
        self._shown = asked
        await self._publish()
        await self._look_further(now)

    async def _look_further(self, now: float) -> None:
        """What is not needed for every picture."""
        if now >= self._problems_due:
            self._problems_due = now + PROBLEMS_AGAIN
            self._problems = await self.line.ask("problems")
        revision = self._site.revision
        if revision != self._maps_of or (self._is_looked_at("maps", now) and now >= self._maps_due):
            self._maps = await self.line.ask("maps")
            self._maps_of, self._maps_due = revision, now + MAPS_AGAIN
        if self._is_looked_at("records", now):
            await self._feed.read_on(self._newest)
            self._snapshot = self._with_held(self._snapshot)
        await self._feed.read_back(now)

    async def _newer_snapshot(self) -> Snapshot:
        """The numbers of now; only those seconds come that are not here."""
        known = self._snapshot.seconds
        after = known[-1].at if known else 0.0
        snapshot: Snapshot = await self.line.ask("snapshot", query=SnapshotQuery(after=after))
        if snapshot.at < after:  # the clock was put back
            known = ()
            snapshot = await self.line.ask("snapshot")
        return replace(snapshot, seconds=(*known, *snapshot.seconds)[-SECONDS:])

    async def _newer_past(self) -> Past:
        settled = self._snapshot.at - SETTLES  # of those that came later more may be found; the newest may be amended
        known = tuple(each for each in self._past.generations[:-1] if each.at < settled) if self._whole else ()
        past: Past = await self.line.ask("history", query=HistoryQuery(after=known[-1].number if known else 0))
        return replace(past, generations=(*known, *past.generations)[-KEPT:])

    def _with_held(self, snapshot: Snapshot) -> Snapshot:
        """With one request more than are here, where there are more: who reads on asks for them."""
        return replace(snapshot, newest_record=min(self._newest, self._feed.high + 1))

    async def _publish(self) -> None:
        async with self._published:
            self._published.notify_all()

    def _wanted(self, what: str) -> None:
        self._looked[what] = time.monotonic()

    def _is_looked_at(self, what: str, now: float) -> bool:
        return now - self._looked.get(what, -LOOKED_AT) < LOOKED_AT

    def _trouble(self) -> str:
        """Why nobody answers; "" while somebody does."""
        if self._lost:
            return self._lost
        silent = time.monotonic() - self.line.heard
        return f"no answer for {silent:.0f} s from {self.line.path}" if self.line.waiting and silent > GIVEN_UP else ""
