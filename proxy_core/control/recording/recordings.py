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
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proxy_core.config.model import Recording, Site
from proxy_core.control.editing.history import History
from proxy_core.control.recording.sampling import Sampled, Sampler
from proxy_core.control.watching import figures
from proxy_core.control.watching.events import Event, Sight, Told, events, reached
from proxy_core.control.watching.floods import Spells, thinned
from proxy_core.control.watching.kept_snapshots import KeptSnapshots
from proxy_core.control.watching.log_file import unwritten
from proxy_core.errors import Problem
from proxy_core.runtime.recent_requests import Recorder

if TYPE_CHECKING:
    from proxy_core.control.recording.recording_writer import RecordingWriter

BATCH = 10_000
"""Finished requests that one ``pull`` looks at, about 2 ms of the loop: four a second carry 40,000 requests/s."""
HAND_OVER = 0.5
"""Seconds from one handing over to the next: a transaction each, and what kill -9 may cost."""
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
        self._chosen: list[Sampled] = []
        """What was chosen and not handed over yet."""
        self._pulled_at = self._handed_at = 0.0
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
        """Choose what is recorded of what was finished since the last time, and hand it over twice a second."""
        writer, recorder = self._writer, self._recorder
        if writer is None:
            return
        oldest = recorder.newest - len(recorder.ring)
        if self._cursor < oldest:
            writer.lose("requests", oldest - self._cursor)
            self._cursor = oldest
        finished, now = recorder.after(self._cursor, BATCH), time.monotonic()
        self._cursor += len(finished)
        if finished:
            self._chosen += self._sampler.chosen(finished, now - self._pulled_at)
            self._pulled_at = now
        if self._chosen and now - self._handed_at >= HAND_OVER:
            self._hand({})

    def close_second(self, sight: Sight) -> None:
        """Hand over what a second left behind: its numbers, steps and generations, and the events between two looks."""
        if self._writer is None:
            return
        recorder, entries = self._recorder, self._history.entries
        seconds = [second for second in recorder.seconds if second.at > self._second]
        steps = [step for step in recorder.hour.steps if step.at > self._step]
        self._hand({
            "seconds": [figures.second_of(each) for each in seconds],
            "steps": steps,
            "moments": self._moments.after(self._step) if steps else (),
            "generations": [each for each in entries if (each.number, each.at) not in self._generations],
            "events": [(sight.at, event) for event in self._events(sight)],
        })  # fmt: skip
        self._second = seconds[-1].at if seconds else self._second
        self._step = steps[-1].at if steps else self._step
        self._generations = frozenset((each.number, each.at) for each in entries)

    def _hand(self, more: dict[str, Sequence[Any]]) -> None:
        if self._writer is not None:
            self._writer.hand({"requests": self._chosen, **more})
            self._chosen = []
            self._handed_at = time.monotonic()

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
        self._hand({})
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.end()
            self._before += _lost(self._ended)
            self._ended = writer


def _lost(writer: RecordingWriter | None) -> Counter[str]:
    return writer.lost if writer is not None else Counter()
