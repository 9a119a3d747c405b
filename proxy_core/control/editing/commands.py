"""Commands: the one way to change anything.

A key, a form, the palette, a script and a file changed on disk all end in a Command that the Editor takes. A Change
is a list of Edits on the site file's plain data, addressed by keys and row ids, never by positions, so the same
command can be previewed, journalled, sent over a wire and applied to the text without losing a comment. Commands are
values: they do nothing by themselves.
"""

from __future__ import annotations

from typing import Annotated, TypeVar

from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import replace

from proxy_core.config.editing.site_edits import Delete, Edit, Insert, Move, Set
from proxy_core.control.editing.pending import LONGEST, USUAL, Pending
from proxy_core.errors import Problem

__all__ = [
    "Applied", "Change", "Command", "Confirm", "Considered", "Delete", "Edit", "Insert", "Keep", "Merge", "Move",
    "Preview", "Redo", "Refused", "Reload", "Replace", "Restore", "Result", "Revert", "Set", "SetEntry", "Stale",
    "Undo", "by_force", "for_a_while", "made_on",
]  # fmt: skip


class Considered(Struct, frozen=True, kw_only=True):
    """What somebody decides by what they see, so that it must not be done to something else."""

    made_on: int = 0
    """The revision of the site that it was made on: where another is in force by then, nothing is done. 0: whichever
    is."""
    confirm: Annotated[float, Meta(ge=0, le=LONGEST)] = 0.0
    """Seconds within which it is to be confirmed, or it takes itself back; 0: it stays."""
    force: bool = False
    """Do it though a row of [[tests]] that held fails by it."""


C = TypeVar("C")


def made_on(command: C, revision: int) -> C:
    """The command as one that was made on a revision of the site, unless it says already on which."""
    if isinstance(command, Considered) and not command.made_on:
        return replace(command, made_on=revision)
    return command


def for_a_while(command: C) -> C:
    """The command as one that is to be confirmed within the usual time."""
    return replace(command, confirm=USUAL) if isinstance(command, Considered) else command


def by_force(command: C) -> C:
    """The command as one that is done though rows of [[tests]] fail by it."""
    return replace(command, force=True) if isinstance(command, Considered | Reload) else command


class Change(Considered, frozen=True, kw_only=True, tag=True):
    """Edits that are applied together or not at all. ``sentence`` is what history shows ("set weight of …")."""

    edits: tuple[Edit, ...]
    sentence: str


class SetEntry(Considered, frozen=True, kw_only=True, tag=True):
    """Give ``key`` of the txt or rnd map ``map`` a value; None takes the key out. The entry may be in the site or in
    the map's file; either way it is one change, and Undo takes it back. ``was`` is the value that was seen, None for
    no entry: where it is another one by then, nothing is done."""

    map: str
    key: str
    value: str | None
    was: str | UnsetType | None = UNSET


class Confirm(Considered, frozen=True, tag=True):
    """Keep the change that waits for it."""


class Undo(Considered, frozen=True, tag=True):
    """Take the last change back (as a new generation)."""


class Redo(Considered, frozen=True, tag=True):
    """Do again what was undone last."""


class Restore(Considered, frozen=True, tag=True):
    """Bring the text of an old generation back, as a new generation."""

    generation: int


class Revert(Considered, frozen=True, tag=True):
    """Take back what one generation did, and nothing that came after it."""

    generation: int


class Replace(Considered, frozen=True, kw_only=True, tag=True):
    """Take a whole text as the site file."""

    text: str


class Reload(Struct, frozen=True, tag=True):
    """Take the site file as it now stands on disk (its text wins over unsaved changes)."""

    force: bool = False
    """As in other commands."""


class Keep(Struct, frozen=True, tag=True):
    """Keep the running site: write it over what somebody else wrote to the file meanwhile."""


class Merge(Struct, frozen=True, tag=True):
    """Take what somebody else wrote to the file and make the changes that are not saved yet again on top of it."""


Command = Change | SetEntry | Confirm | Undo | Redo | Restore | Revert | Replace | Reload | Keep | Merge


class Applied(Struct, frozen=True, kw_only=True, tag=True):
    """The command is in force: the next request is served by ``generation``. ``warnings`` are worth a look. ``pending``
    says until when it is to be confirmed, and what takes it back before; None for what stays."""

    generation: int
    sentence: str
    diff: str
    warnings: tuple[Problem, ...] = ()
    pending: Pending | None = None


class Refused(Struct, frozen=True, kw_only=True, tag=True):
    """Nothing has changed; ``problems`` say why and what to do. What is ``forcible`` is done where the command says
    ``force``."""

    problems: tuple[Problem, ...]
    forcible: bool = False


class Stale(Refused, frozen=True, kw_only=True, tag=True):
    """Refused because somebody else has changed the site since it was looked at."""

    generation: int
    """The one in force."""
    diff: str
    """What they changed; "" where what was looked at is not kept any more."""


Result = Applied | Refused | Stale


class Preview(Struct, frozen=True, kw_only=True, tag=True):
    """What a command would do: the unified diff of the site file, and every problem of the outcome.

    It would be refused exactly when ``problems`` holds an error, or when a row of [[tests]] fails by it.
    """

    diff: str
    problems: tuple[Problem, ...] = ()
