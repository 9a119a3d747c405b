"""What a command comes to, before anything of it is done. Values and questions about them; pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from proxy_core.config.editing.site_edits import Edit, Set
from proxy_core.config.reading.document import Document
from proxy_core.control.editing.history import HistoryEntry
from proxy_core.control.editing.map_files import MapEdit, Rewritten
from proxy_core.errors import Address


class Plan(Struct, frozen=True):
    """What a command comes to."""

    document: Document
    """The site file as it is to be."""
    sentence: str
    """What history shows."""
    kind: Literal["change", "undo", "redo"] = "change"
    """Which way it walks through history."""
    edits: tuple[Edit, ...] | None = None
    """The edits that it was made of; None when it was made of none."""
    uncommented: str | None = None
    """The text whose comments the command costs; None where they are kept."""
    map_edits: tuple[MapEdit, ...] = ()
    """What the command does to map files."""
    files: tuple[Rewritten, ...] = ()
    """The map files as ``map_edits`` make them."""


def inverses(entries: Sequence[HistoryEntry]) -> tuple[MapEdit, ...]:
    """What takes back all that these generations did to map files, the newest first."""
    return tuple(edit.inverse() for entry in reversed(entries) for edit in reversed(entry.map_edits))


def nudge_of(plan: Plan) -> tuple[Address, ...] | None:
    """The addresses of the one option that a plan sets, if that is all it does: what comes in bursts."""
    addresses = tuple(edit.address for edit in plan.edits or () if isinstance(edit, Set))
    alike = len(addresses) == len(plan.edits or ()) and len({address[-1] for address in addresses}) == 1
    return addresses if alike else None
