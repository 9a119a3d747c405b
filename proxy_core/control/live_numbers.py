"""The numbers of an engine: of now, worked out when somebody looks, and of the last hour, kept as it goes.

What moves once a second is worked out once a second, however often somebody looks. ``second`` closes a second; with
each step of the last hour it looks for what is wrong and keeps how things stand, so that a console can go back to it.
It reads the engine's parts and changes none of them but the recorder's seconds.
"""

from __future__ import annotations

import time

from msgspec import convert
from msgspec.structs import replace

from proxy_core.control.demo.run import Demo
from proxy_core.control.editing.editor import Editor
from proxy_core.control.view import Generation, ListenerState, Snapshot
from proxy_core.control.watching import figures
from proxy_core.control.watching.cache_load import cache_load
from proxy_core.control.watching.details import Details, details
from proxy_core.control.watching.diagnosis import Diagnosis
from proxy_core.control.watching.effects import Effects
from proxy_core.control.watching.kept_snapshots import KeptSnapshots
from proxy_core.control.watching.moment import NOBODY, WINDOW, nearest, who_did
from proxy_core.control.watching.shadow_loads import shadow_loads
from proxy_core.control.watching.troubles import Subject, Trouble
from proxy_core.runtime.last_hour import STEP
from proxy_core.runtime.recent_requests import Recorder
from proxy_core.runtime.registry import Registry
from proxy_core.runtime.rule_set import Current
from proxy_core.serve.server import ProxyServer


class LiveNumbers:
    """Numbers of what is in force (``current``), of what was counted and of who serves. ``lateness`` is how late the
    loop was at worst in the last second, in seconds."""

    def __init__(
        self, current: Current, registry: Registry, recorder: Recorder, server: ProxyServer, editor: Editor, demo: Demo
    ) -> None:
        self.lateness = 0.0
        self._current, self._registry, self._recorder = current, registry, recorder
        self._server, self._editor, self._demo = server, editor, demo
        self._began = time.monotonic()
        self._minute: figures.Minute | None = None
        self._did = NOBODY
        self._diagnosis = Diagnosis()
        self.kept, self._effects = KeptSnapshots(), Effects()

    @property
    def troubles(self) -> tuple[Trouble, ...]:
        """What is wrong now."""
        return self._diagnosis.troubles

    def listeners(self) -> tuple[ListenerState, ...]:
        bound = self._server.listeners
        return tuple(convert(listener, ListenerState, from_attributes=True) for listener in bound)

    def snapshot(self) -> Snapshot:
        rules, recorder, minute = self._current.rules, self._recorder, self._minute
        if minute is None or minute.rules is not rules or minute.closed is not figures.newest(recorder):
            minute = self._minute = figures.minute(rules, recorder, minute, self._did)
        shadows, cache = shadow_loads(rules, self._server.shadows.tallies), self._server.cache
        return replace(self._seen(minute), shadows=shadows, cache=cache_load(cache) if cache.asked_for else None)

    def snapshot_at(self, at: float) -> Snapshot:
        steps = self._recorder.hour.steps
        return self.kept.moment([*steps], at, self._editor.history.times()) if steps else self.snapshot()

    async def details(self, subject: Subject, at: float) -> Details:
        steps = [*self._recorder.hour.steps]
        return await details(steps[: nearest(steps, at) + 1] if at and steps else steps, subject)

    def with_effects(self, generations: tuple[Generation, ...]) -> tuple[Generation, ...]:
        """Each with what it did, where that is known."""
        found = self._effects.found
        return tuple(replace(each, effect=found[each.number]) if each.number in found else each for each in generations)

    async def second(self, lateness: float) -> None:
        """A second is over."""
        recorder = self._recorder
        self.lateness = lateness
        steps = recorder.hour.steps
        newest = steps[-1] if steps else None
        recorder.tick(time.time(), self._registry.members.values(), self._current.rules.generation)
        self._registry.forget(time.monotonic())
        generations = self._editor.history.times()
        await self._diagnosis.look(steps, generations)
        if steps and steps[-1] is not newest:
            self._did = who_did([*steps][-WINDOW:])
            await self._effects.look(steps, generations)
            seconds = figures.last_seconds(recorder, STEP)
            self.kept.keep(steps[-1].at, self._seen(figures.without_rows(self._current.rules)), seconds)

    def _seen(self, minute: figures.Minute) -> Snapshot:
        """How things stand, with what ``minute`` says of the last one."""
        recorder, listeners, now = self._recorder, self.listeners(), time.monotonic()
        resolver = self._server.upstreams.resolver
        return Snapshot(
            at=time.time(),
            uptime=now - self._began,
            generation=self._current.rules.generation,
            revision=self._editor.revision,
            saved=self._editor.saved,
            requests=recorder.newest,
            in_flight=len(recorder.live),
            connections=sum(listener.connections for listener in listeners),
            rate=minute.rate,
            rate_4xx=minute.rate_4xx,
            rate_5xx=minute.rate_5xx,
            latency=minute.latency,
            lateness=self.lateness,
            newest_record=recorder.newest,
            members=figures.members(minute, self._registry, recorder, resolver, now, self.troubles),
            routes=minute.routes,
            rewrites=minute.rewrites,
            listeners=listeners,
            seconds=minute.seconds,
            demo=self._demo.running,
            limited=self._server.reached(),
            troubles=self.troubles,
        )
