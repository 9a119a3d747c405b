"""The incident note of a recording: as a service writes it, of a moment that is past, from what was recorded.

Texts of generations are masked in the recording already. The folder is in the state folder of who looks at it, beside
what a site of the recording's name would keep.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from proxy_core.control.editing.ctl_lines import retold
from proxy_core.control.editing.history import HistoryEntry
from proxy_core.control.note_folder import MOST_FAILING, kept
from proxy_core.control.view import Generation, IncidentNote, Snapshot
from proxy_core.control.watching.incident_note import NoteFacts, files
from proxy_core.control.watching.log_records import Record
from proxy_core.runtime.last_hour import TenSeconds


def written(
    path: Path,
    snapshot: Snapshot,
    since: float,
    entries: Sequence[HistoryEntry],
    generations: Sequence[Generation],
    steps: Sequence[TenSeconds],
    wrong: Sequence[Record],
) -> IncidentNote:
    """Write a note of the ``since`` seconds before a moment. ``wrong`` are the requests of that time that went wrong or
    were slow. Raises OSError."""
    at = snapshot.at
    before = [each for each in entries if each.at <= at]
    texts = files(
        NoteFacts(
            file=path.name, at=at, since=at - since, troubles=snapshot.troubles,
            generations=tuple(each for each in generations if each.at <= at), lines=retold(before, at - since),
            steps=steps, members=snapshot.members,
            failing=[each for each in wrong if max(each.status, each.cut) >= 500][-MOST_FAILING:],
        )
    )  # fmt: skip
    folder = kept(path, at, texts)
    return IncidentNote(folder=str(folder), files=tuple(texts), text=texts["README.md"])
