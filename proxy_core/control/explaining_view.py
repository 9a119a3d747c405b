"""The part of an EngineView that tells of single requests: those that came, and those that might come.

An Engine is one: it has the parts that are asked here. Nothing here changes any of them.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from proxy_core.control.editing.commands import Command
from proxy_core.control.editing.editor import Editor
from proxy_core.control.editing.retold import retold
from proxy_core.control.foreseen import Foreseen
from proxy_core.control.question import Explanation, Inspection, Question, TestOutcome
from proxy_core.control.view import IncidentNote, Snapshot
from proxy_core.control.watching.log_records import Record, record
from proxy_core.runtime.fact_lookups import Outside
from proxy_core.runtime.maps.store import MapStore
from proxy_core.runtime.recent_requests import Recorder
from proxy_core.runtime.registry import Registry
from proxy_core.runtime.rule_set import Current
from proxy_core.serve.server import ProxyServer

MOST_FAILING = 200
"""Failing requests that a note is made of."""


class ExplainingView:
    """Answers of an engine about requests."""

    file: Path
    """The site file."""
    _current: Current
    """Holds the rules in force."""
    _recorder: Recorder
    """Holds the requests that came."""
    _maps: MapStore
    """The maps in force."""
    _registry: Registry
    """The states of members."""
    _editor: Editor
    """Says what a command comes to."""
    _foreseeing: asyncio.Lock
    """One change is tried out at a time."""
    _server: ProxyServer
    """Knows who is kept out."""

    def snapshot(self) -> Snapshot:
        raise NotImplementedError

    def records(self, after: int, limit: int = 500) -> tuple[Record, ...]:
        return tuple(map(record, self._recorder.after(after, limit)))

    def earlier(self, before: int, limit: int = 500) -> tuple[Record, ...]:
        return tuple(each for each in self.records(max(0, before - 1 - limit), limit) if each.number < before)

    async def inspect(self, number: int) -> Inspection | None:
        from proxy_core.control.explaining.explain import inspection

        exchange = self._recorder.find(number)
        return inspection(exchange) if exchange else None

    async def explain(self, question: Question) -> Explanation:
        from proxy_core.control.explaining.explain import explain

        outside = Outside(self._maps.uncounted(), self.file.parent)
        outside.services = self._server.services if question.ask else None
        return await explain(self._current.rules, outside, question, self._server.admission)

    async def what_if(self, command: Command) -> Foreseen:
        from proxy_core.control.explaining.trying_out import try_out

        plan = await self._editor.outcome(command)
        async with self._foreseeing:
            return await try_out(plan, self._current.rules, self._maps, self._recorder, self._registry)

    async def note(self, since: float) -> IncidentNote:
        from proxy_core.control.note_folder import kept
        from proxy_core.control.watching.incident_note import NoteFacts, files

        at, entries = time.time(), (*self._editor.history.entries,)
        snapshot = self.snapshot()
        failing = [each for each in self._recorder.ring if max(each.status, each.cut) >= 500 and each.at >= at - since]
        facts = NoteFacts(
            file=self.file.name, at=at, since=at - since, troubles=snapshot.troubles,
            generations=self._editor.history.generations(), lines=await asyncio.to_thread(retold, entries, at - since),
            steps=(*self._recorder.hour.steps,), members=snapshot.members,
            failing=tuple(map(record, failing[-MOST_FAILING:])),
        )  # fmt: skip
        texts = await asyncio.to_thread(files, facts)
        folder = await asyncio.to_thread(kept, self.file, at, texts)
        return IncidentNote(folder=str(folder), files=tuple(texts), text=texts["README.md"])

    async def tests(self) -> tuple[TestOutcome, ...]:
        from proxy_core.control.explaining.rule_tests import tested

        return await tested(self._current.rules, Outside(self._maps.uncounted(), self.file.parent))
