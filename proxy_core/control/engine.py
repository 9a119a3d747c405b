"""The engine: everything that serves put together, and the view that a console has of it. It only wires.

It owns the rule set in force, the server, the editor and the clocks, and it outlives any console: a console pulls
numbers and submits commands (EngineView) and may come, stall, crash or go as it likes. What fails at the start (a
taken port, a member that is away) is a problem to show and to try again, not a reason to serve nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from msgspec.structs import replace

from proxy_core.config.model import Site
from proxy_core.config.reading.document import Document, read
from proxy_core.control.demo.run import Demo
from proxy_core.control.door.site_lock import SiteLock
from proxy_core.control.editing.commands import Command, Preview, Refused, Reload, Result
from proxy_core.control.editing.editor import Editor
from proxy_core.control.editing.guard import ChangeGuard
from proxy_core.control.editing.history import journal_of
from proxy_core.control.editing.last_changes import LastChanges
from proxy_core.control.editing.site_problems import check
from proxy_core.control.explainer import Explainer
from proxy_core.control.foreseen import Foreseen
from proxy_core.control.live_numbers import LiveNumbers
from proxy_core.control.named_things import with_named_things
from proxy_core.control.note_folder import written
from proxy_core.control.question import Explanation, Inspection, Question, TestOutcome
from proxy_core.control.recording.recordings import Recordings
from proxy_core.control.site_swap import SiteSwap
from proxy_core.control.upgrading.handed_state import Inheritance
from proxy_core.control.upgrading.handing_over import HandingOver
from proxy_core.control.view import Generation, IncidentNote, LastChange, SiteState, Snapshot
from proxy_core.control.watching import figures
from proxy_core.control.watching.access_log import AccessLogs
from proxy_core.control.watching.cache_load import purge
from proxy_core.control.watching.details import Details
from proxy_core.control.watching.events import Sight
from proxy_core.control.watching.log_records import Record, record
from proxy_core.control.watching.member_heartbeats import MemberHeartbeats
from proxy_core.control.watching.metrics import MetricsText, exposition
from proxy_core.control.watching.problems import RecentProblems, look_for_members, member_problems
from proxy_core.control.watching.troubles import Subject
from proxy_core.errors import Problem, errors
from proxy_core.runtime.compile_site import adopt, compile_site
from proxy_core.runtime.fact_lookups import Outside
from proxy_core.runtime.health_checks import Checks
from proxy_core.runtime.maps.source import MapState
from proxy_core.runtime.maps.store import MapStore
from proxy_core.runtime.maps.text_file import MapRow
from proxy_core.runtime.rule_set import Current
from proxy_core.serve.server import ProxyServer

TICK = 0.25
"""Seconds between two looks at the clock: for the loop's lateness and the access log."""
STOOD_STILL = 1.0
"""Seconds of lateness that are told of; the sweep moves its deadlines along from the same length on."""
BIND_AGAIN = 5.0
"""Seconds after which a listener that could not be bound is tried again."""


NEWEST = 50
"""Generations that a sight has: more than can come to be in a second."""


class BadSite(Exception):
    """A site file that cannot be served; ``problems`` say why, among what else is wrong with it."""

    def __init__(self, document: Document, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.document = document
        self.problems = problems


class Engine:
    """A proxy that serves the site in ``file``. Raises BadSite when the file has errors, which it is to be without a
    listener or anything that answers, unless ``allow_empty``. ``console`` says that standard output belongs to one.
    ``kept`` is what another process leaves to this one."""

    def __init__(
        self, file: Path, *, console: bool = False, allow_empty: bool = False, kept: Inheritance | None = None
    ) -> None:
        if console:  # what a console alone asks for is loaded before anybody is served
            import proxy_core.control.explaining.explain  # noqa: F401
        document = read(file)
        problems = check(document, None if allow_empty else ())
        if document.site is None or errors(problems):
            raise BadSite(document, problems)
        self.file = file
        self.recent_problems = RecentProblems()
        self.watch: Callable[[Sight], None] | None = None
        """Is shown what events are made of, once a second."""
        self.door_problem: Callable[[], Problem | None] = lambda: None
        self._editor = Editor(file, document, problems, self._apply)
        kept = kept or Inheritance()
        self._pen = SiteLock(journal_of(file).with_name("writer"), kept.lock)
        self._registry, self._recorder = kept.registry, kept.recorder
        self._current = Current(compile_site(document.site, self._registry, self._editor.generation))
        adopt(self._current.rules, self._registry, time.monotonic())
        self._maps = MapStore(self.recent_problems.add)
        self._outside = Outside(self._maps, file.parent)
        self._server = ProxyServer(
            self._current, self._recorder, self._registry, self.recent_problems.add, self._outside,
            folder=file.parent, private=(file, journal_of(file)),
        )  # fmt: skip
        self._checks = Checks(self._server.upstreams)
        self._beats = MemberHeartbeats(self._current, self._server.upstreams.resolver)
        self.purge = partial(purge, self._server.cache)
        self.metrics = MetricsText(self.metrics_text, self._server.unready)
        self._server.inherited = self._beats.inherited = self.metrics.inherited = kept.sockets
        parts = (self._registry, self._recorder, self._server, self.metrics, self._beats, self._checks)
        self.handing_over = HandingOver(*parts, self._editor, self._pen)
        self._swap = SiteSwap(
            file.parent, self._current, self._registry, self._maps, self._outside.pages, self._server, self.metrics
        )
        self._explainer = Explainer(
            self._current, self._editor, self._recorder, self._maps, self._server, self._registry
        )
        self._access_logs = AccessLogs(self._recorder, file.parent, console)
        self._demo = Demo()
        self._guard = ChangeGuard(self._editor, self._recorder)
        self._numbers = LiveNumbers(
            self._current, self._registry, self._recorder, self._server, self._editor, self._demo
        )
        self._recordings = Recordings(self._recorder, self._editor.history, self._numbers.kept, file)
        self._changes = LastChanges(self._editor)
        self._tasks: list[asyncio.Task[None]] = []
        self._lateness = 0.0

    # ---- life

    async def told_by_check(self) -> tuple[Problem, ...]:
        """What ``rproxy check`` says of the site in force and of what it names, but for names that have no address:
        these are looked up while serving."""
        return await with_named_things(self._editor.document, self._editor.warnings)

    async def start(self) -> None:
        """Bind and serve. A listener whose port is taken becomes a problem and is tried again, a map that cannot be
        read one that its rules do without; the rest serves."""
        asyncio.get_running_loop().set_exception_handler(self.recent_problems.from_loop)
        self._editor.may_write(self._pen.take())
        await self._editor.recover()
        await self._swap.begin(self._editor.document)
        site = self._current.rules.site
        self._access_logs.adopt(site)
        self._recordings.adopt(site)
        self._checks.adopt(self._current.rules)
        await self._beats.adopt(site)
        running = (self._editor.saver.run(), self._clock(), look_for_members(self._current.rules.pools, site))
        self._tasks = [asyncio.create_task(each) for each in running]

    async def stop(self, seconds: float | None = None) -> int:
        """Save, stop accepting, let what is in flight finish for ``seconds`` (default: the site's drain_timeout), cut
        the rest. Returns how many requests were cut."""
        if seconds is None:
            seconds = self._current.rules.site.site.drain_timeout
        await self._editor.saver.flush()
        cut = await self._server.drain(seconds)
        for task in self._tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await self._checks.close()
        await self._beats.close()
        await self.metrics.close()
        await self._server.close()
        await self._maps.close()
        self._outside.close()
        await self._demo.close()
        self._access_logs.close()
        await self._recordings.close()
        self._pen.drop()
        return cut

    async def reload(self) -> Result:
        """Take the site file as it stands on disk (SIGHUP)."""
        return await self.submit(Reload(), "signal")

    def reopen_logs(self) -> None:
        """Open the access logs and the recording anew, after they were moved away (SIGUSR1)."""
        self._access_logs.reopen()
        self._recordings.reopen()

    def metrics_text(self) -> str:
        """The numbers as Prometheus reads them."""
        return exposition(self.snapshot(), self.sight(), self._recorder, self._registry)

    # ---- EngineView

    def snapshot(self) -> Snapshot:
        return replace(self._numbers.snapshot(), pending=self._guard.pending)

    def snapshot_at(self, at: float) -> Snapshot:
        return self._numbers.snapshot_at(at)

    def records(self, after: int, limit: int = 500, failed: bool = False) -> tuple[Record, ...]:
        return tuple(map(record, self._recorder.kept_after(after, limit, failed)))

    def earlier(self, before: int, limit: int = 500, failed: bool = False) -> tuple[Record, ...]:
        return tuple(map(record, self._recorder.kept_before(before, limit, failed)))

    async def details(self, subject: Subject, at: float = 0.0) -> Details:
        return await self._numbers.details(subject, at)

    async def inspect(self, number: int) -> Inspection | None:
        return await self._explainer.inspect(number)

    async def explain(self, question: Question) -> Explanation:
        return await self._explainer.explain(question)

    async def what_if(self, command: Command) -> Foreseen:
        return await self._explainer.what_if(command)

    async def note(self, since: float, at: float = 0.0) -> IncidentNote:
        moment = self.snapshot_at(at) if at else self.snapshot()
        return await written(self._editor, self._recorder, moment, self.history(), since)

    async def tests(self) -> tuple[TestOutcome, ...]:
        return await self._explainer.tests()

    def site(self) -> SiteState:
        editor, rules = self._editor, self._current.rules
        return SiteState(
            generation=rules.generation, revision=editor.revision, site=rules.site, text=editor.document.text,
            file=str(self.file),
        )  # fmt: skip

    def problems(self) -> tuple[Problem, ...]:
        return (
            *self._editor.saver.problems,
            *self._faults(),
            *self.recent_problems.current(),
            *member_problems(self._current.rules.pools, self._server.upstreams.resolver),
            *self._editor.warnings,
            *map(self._editor.document.located, self._swap.failing),
        )

    def _faults(self) -> tuple[Problem, ...]:
        """What does not work now, but for the site file and members."""
        editor = self._editor
        alone = [editor.saver.journal_problem, editor.read_only, self.door_problem(), self._guard.problem]
        alone += [self.metrics.problem, self._beats.problem]
        return (
            *self._swap.unbound,
            *self._server.problems(),
            *self._maps.problems(),
            *self._server.services.problems(self._current.rules.site),
            *(problem for problem in alone if problem),
            *self._unopened(),
        )

    def sight(self) -> Sight:
        """What events are made of; cheaper than a snapshot, since nobody may be there to look at one."""
        editor, rules, resolver = self._editor, self._current.rules, self._server.upstreams.resolver
        loads = figures.members(figures.nothing(rules), self._registry, self._recorder, resolver, time.monotonic())
        return Sight(
            at=time.time(),
            settings=rules.site.log,
            saved=editor.saved,
            generations=tuple(editor.history.entries[-NEWEST:]),
            loaded_at=editor.loaded_at,
            reloads=dict(editor.reloads),
            refused=editor.saver.problems,
            faults=self._faults(),
            remarks=(*self.recent_problems.current(), *editor.warnings),
            members=loads,
            listeners=self._numbers.listeners(),
            maps=self._maps.states(),
            services=self._server.services.states(rules.site),
            limited=self._server.reached(),
            troubles=self._numbers.troubles,
            unwritten=self._access_logs.unwritten,
            pending=self._guard.pending,
            unrecorded=self._recordings.lost,
        )

    def _unopened(self) -> tuple[Problem, ...]:
        """Files that the site names and that cannot be opened: pages for errors, access logs, the recording."""
        return (*self._outside.pages.problems, *self._access_logs.problems, *self._recordings.problems)

    def history(self) -> tuple[Generation, ...]:
        return self._numbers.with_effects(self._editor.history.generations())

    def last_changes(self) -> tuple[LastChange, ...]:
        return self._changes.now()

    def can_undo(self) -> Generation | None:
        found = self._editor.history.undoable()
        return found[0].shown if found else None

    def can_redo(self) -> Generation | None:
        found = self._editor.history.redoable()
        return found.shown if found else None

    def maps(self) -> tuple[MapState, ...]:
        return self._maps.states()

    async def map_rows(self, name: str) -> tuple[MapRow, ...]:
        return await self._maps.rows(name)

    async def look_up(self, name: str, key: str) -> str | None:
        return await self._maps.look(name, key)

    async def preview(self, command: Command) -> Preview:
        return await self._editor.preview(command)

    async def submit(self, command: Command, author: str = "console", on: int = 0) -> Result:
        result = await self._guard.submit(command, author, on)
        if isinstance(result, Refused):
            return result
        return replace(result, warnings=(*result.warnings, *self._unopened()))

    async def start_demo(self) -> str:
        return await self._demo.stand_in(self._current.rules.site)

    def start_demo_traffic(self, rate: float) -> None:
        """Send gentle, varied traffic to the first listener until the engine stops."""
        for listener in self._server.listeners[:1]:
            self._demo.visit(listener.port, self._current.rules.site, rate)

    async def _apply(self, site: Site, generation: int, force: bool) -> Refused | None:
        """The Editor's way to bring a site into force; Refused when that cannot be done."""
        if refused := await self._swap.bring(site, generation, force):
            return refused
        self._checks.adopt(self._current.rules)
        self._access_logs.adopt(site)
        self._recordings.adopt(site)
        return None

    async def _clock(self) -> None:
        """Every quarter of a second: how late is the loop, drain the access logs, record; every second: close it."""
        loop, ticks = asyncio.get_running_loop(), 0
        due = loop.time()
        while True:
            due = max(due + TICK, loop.time())
            await asyncio.sleep(due - loop.time())
            self._lateness = max(self._lateness, loop.time() - due)
            ticks += 1
            try:
                await self._tick(ticks)
            except Exception as error:  # a mistake in one tick must not stop the clock
                self.recent_problems.crashed("a tick of the engine's clock", error, "serving goes on")

    async def _tick(self, ticks: int) -> None:
        self._access_logs.write()
        await self._guard.look()
        self._recordings.pull()
        if self._server.retired:
            return  # what is in force is another process's business
        if ticks % round(1 / TICK) == 0:
            await self._second()
        if ticks % round(BIND_AGAIN / TICK) == 0 and (self._swap.unbound or self.metrics.problem):
            await self._swap.bind_what_can(self._editor.document)

    async def _second(self) -> None:
        lateness, self._lateness = self._lateness, 0.0
        if lateness > STOOD_STILL:
            self.recent_problems.add(_stood_still(lateness))
        await self._numbers.second(lateness)
        await self._beats.adopt(self._current.rules.site)
        self._recorder.forget(self._registry.rules)
        self._server.refresh_names(time.monotonic())
        self._outside.pages.look_again(self._current.rules.site)
        if self._editor.read_only is not None and self._pen.take() is None:
            await self._editor.take_over()
        if self._editor.saver.changed():
            await self._editor.file_changed()
        if self.watch is not None or self._recordings.wanted:
            sight = self.sight()
            self._recordings.close_second(sight)
            if self.watch is not None:
                self.watch(sight)


def _stood_still(seconds: float) -> Problem:
    what = f"the event loop stood still for {seconds:.1f} s, and served nobody meanwhile"
    todo = "look whether this machine was stopped or has too much to do; deadlines stood still with it"
    return Problem(what=what, todo=todo, severity="warning")
