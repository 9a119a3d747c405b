"""The recording of the site in force: what the engine's loop does for it, and all that the loop knows of it.

It pulls, as the access logs do: four times a second what was finished from the recorder's ring, once a second what a
second left behind. Of the data path's work it adds nothing. All that takes time (text, masking, the disk) is left to a
thread of its own. It never raises and never waits; what was lost is a Problem, an event and a metric. SQLite is loaded
where a site has a recording.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from proxy_core.config.model import Recording, Site
from proxy_core.control.editing.history import History
from proxy_core.control.recording.sampling import Sampler
from proxy_core.control.watching import figures
from proxy_core.control.watching.events import Event, Sight, Told, events, reached
from proxy_core.control.watching.floods import Spells, thinned
from proxy_core.control.watching.kept_snapshots import KeptSnapshots
from proxy_core.control.watching.log_file import unwritten
from proxy_core.errors import Problem
from proxy_core.runtime.recent_requests import Recorder

if TYPE_CHECKING:
    from proxy_core.control.recording.recording_writer import RecordingWriter

BATCH = 2_500
"""Finished requests that one ``pull`` looks at: four a second carry 10,000 requests/s."""
ADDRESS = ("recording", "file")


class Recordings:
    """Records what ``recorder``, ``history`` and ``moments`` hold of the site in ``file``."""

    def __init__(self, recorder: Recorder, history: History, moments: KeptSnapshots, file: Path) -> None:
        self._recorder, self._history, self._moments, self._file = recorder, history, moments, file
        self._writer: RecordingWriter | None = None
        self._ended: RecordingWriter | None = None
        """The one before it."""
        self._before = Counter[str]()
        """What those before it had lost."""
        self._sampler = Sampler(0.0)
        self._cursor = 0
        self._pulled_at = 0.0
        self._second = self._step = 0.0
        """When the newest second and step that were handed over ended."""
        self._generations: frozenset[tuple[int, float]] = frozenset()
        self._sight = Sight()
        self._told: Told = {}
        self._spells: Spells = {}

    @property
    def wanted(self) -> bool:
        """Whether the site has one."""
        return self._writer is not None

    @property
    def lost(self) -> Mapping[str, int]:
        """What was not recorded since the start, by table."""
        return self._before + _lost(self._ended) + _lost(self._writer)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong now. What was lost is told until the recording is opened anew."""
        writer = self._writer
        if writer is None:
            return ()
        name = writer.settings.file
        if writer.trouble:
            return (unwritten(name, writer.trouble, ADDRESS, "recording"),)
        if lost := writer.lost:
            what = f"recording {name}: {', '.join(f'{count} {table}' for table, count in lost.items())} were lost"
            todo = "the disk did not take them in time; SIGUSR1 opens it anew and clears this"
            return (Problem(what=what, todo=todo, severity="warning", address=ADDRESS),)
        return ()

    def adopt(self, site: Site) -> None:
        """Record as this site says, from now on. The same settings go on where they are."""
        settings = site.recording
        if (self._writer.settings if self._writer is not None else None) != settings:
            self._end()
            if settings is not None:
                self._begin(settings)

    def reopen(self) -> None:
        """Close the file and go on in one of the same name, after it was moved away."""
        if self._writer is not None:
            settings = self._writer.settings
            self._end()
            self._begin(settings)

    def pull(self) -> None:
        """Hand over what was finished since the last time."""
        writer, recorder = self._writer, self._recorder
        if writer is None:
            return
        oldest = recorder.newest - len(recorder.ring)
        if self._cursor < oldest:
            writer.lose("requests", oldest - self._cursor)
            self._cursor = oldest
        finished = recorder.after(self._cursor, BATCH)
        self._cursor += len(finished)
        now = time.monotonic()
        kept = self._sampler.chosen(finished, now - self._pulled_at) if finished else []
        self._pulled_at = now if finished else self._pulled_at
        writer.hand("requests", kept)

    def close_second(self, sight: Sight) -> None:
        """Hand over what a second left behind: its numbers, steps and generations, and the events between two looks."""
        writer, recorder = self._writer, self._recorder
        if writer is None:
            return
        closed = [second for second in recorder.seconds if second.at > self._second]
        writer.hand("seconds", [figures.second_of(each) for each in closed])
        steps = [step for step in recorder.hour.steps if step.at > self._step]
        writer.hand("steps", steps)
        writer.hand("moments", self._moments.after(self._step))
        self._second = closed[-1].at if closed else self._second
        self._step = steps[-1].at if steps else self._step
        entries = self._history.entries
        writer.hand("generations", [each for each in entries if (each.number, each.at) not in self._generations])
        self._generations = frozenset((each.number, each.at) for each in entries)
        writer.hand("events", [(sight.at, event) for event in self._events(sight)])

    async def close(self) -> None:
        """Write what is left, as far as the disk takes it in time, and close the file."""
        self._end()
        if self._ended is not None:
            await asyncio.to_thread(self._ended.join)

    def _events(self, now: Sight) -> list[Event]:
        limits, self._told = reached(self._told, now)
        found, self._spells = thinned(self._spells, (*events(self._sight, now), *limits), now.at)
        self._sight = now
        return found

    def _begin(self, settings: Recording) -> None:
        from proxy_core.control.recording.recording_writer import RecordingWriter

        owner = None
        with suppress(OSError):
            owner = os.stat(self._file)
        recorder, now = self._recorder, time.time()
        self._writer = RecordingWriter(self._file.parent / settings.file, settings, owner, self._ended)
        self._sampler = Sampler(settings.sample)
        self._cursor, self._pulled_at = recorder.newest, time.monotonic()
        self._second = recorder.seconds[-1].at if recorder.seconds else 0.0
        self._step = recorder.hour.steps[-1].at if recorder.hour.steps else 0.0
        old = [each for each in self._history.entries[:-1] if each.at < now - settings.keep]
        self._generations = frozenset((each.number, each.at) for each in old)
        self._sight, self._told, self._spells = Sight(), {}, {}

    def _end(self) -> None:
        """Hand over what is left and have the writer end by itself."""
        self.pull()
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.end()
            self._before += _lost(self._ended)
            self._ended = writer


def _lost(writer: RecordingWriter | None) -> Counter[str]:
    return writer.lost if writer is not None else Counter()
