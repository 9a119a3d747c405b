"""Incident notes of a service, and where they are kept: a folder each, in the state folder of the site, beside its
journal. Nobody else may read there."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from shutil import rmtree
from time import localtime, strftime

from msgspec.structs import replace

from proxy_core.control.editing.ctl_lines import MOST, retold
from proxy_core.control.editing.editor import Editor
from proxy_core.control.editing.history import journal_of
from proxy_core.control.view import Generation, IncidentNote, Snapshot
from proxy_core.control.watching.log_records import record
from proxy_core.runtime.recent_requests import Recorder

MOST_KEPT = 10_000
"""Requests that went wrong or were slow, among which those are looked for that failed."""
MOST_FAILING = 200
"""Failing requests that a note is made of."""


async def written(
    editor: Editor, recorder: Recorder, snapshot: Snapshot, generations: tuple[Generation, ...], since: float
) -> IncidentNote:
    """Write a note of the last ``since`` seconds. Raises OSError."""
    from proxy_core.control.recording.masked_site import GenerationRows
    from proxy_core.control.watching.incident_note import NoteFacts, files

    def shown() -> tuple[tuple[Generation, ...], dict[int, str]]:
        """The generations without their secrets, and the lines that do the same."""
        known = GenerationRows()
        public = [known.entry(each) for each in entries]
        by_number = {each.number: each for each in public}
        kept = ((each, by_number.get(each.number)) for each in generations)
        told = tuple(replace(each, sentence=its.sentence, diff=its.diff) for each, its in kept if its is not None)
        return told, retold(public, at - since)

    at, entries = snapshot.at, editor.history.entries[-MOST - 1 :]
    kept_longer = recorder.kept_after(0, MOST_KEPT, failed=True)
    failing = [each for each in kept_longer if max(each.status, each.cut) >= 500 and at - since <= each.at <= at]
    told, lines = await asyncio.to_thread(shown)
    facts = NoteFacts(
        file=editor.file.name, at=at, since=at - since, troubles=snapshot.troubles, generations=told,
        lines=lines, steps=(*recorder.hour.steps,),
        members=snapshot.members, failing=tuple(map(record, failing[-MOST_FAILING:])),
    )  # fmt: skip
    texts = await asyncio.to_thread(files, facts)
    folder = await asyncio.to_thread(kept, editor.file, at, texts)
    return IncidentNote(folder=str(folder), files=tuple(texts), text=texts["README.md"])


def kept(site_file: Path, at: float, files: Mapping[str, str]) -> Path:
    """Write the files of a note made at an epoch second, all or none; gives their folder. Raises OSError. Blocks."""
    notes = journal_of(site_file).parent / "notes"
    notes.mkdir(parents=True, exist_ok=True, mode=0o700)
    stem = strftime("%Y-%m-%d-%H%M%S", localtime(at))
    for number in count(1):
        folder = notes / (stem if number == 1 else f"{stem}-{number}")
        try:
            folder.mkdir(mode=0o700)
            break
        except FileExistsError:
            continue
    try:
        for name, text in files.items():
            descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as out:
                out.write(text)
    except OSError:
        rmtree(folder, ignore_errors=True)
        raise
    return folder
