"""From a Command to what it comes to: the new text of the site file, and what it does to map files.

Nothing is done here: files are read and nothing is written. Raises Unusable for what cannot be.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from msgspec import UNSET
from msgspec.structs import replace

from proxy_core.config.editing.differences import places_in_words
from proxy_core.config.editing.site_edits import Delete, Edit, Set, Unusable, edited
from proxy_core.config.reading.document import Document, parse, read
from proxy_core.config.reading.text_layout import has_comments
from proxy_core.control.editing import map_files
from proxy_core.control.editing.commands import (
    Change,
    Command,
    Confirm,
    Keep,
    Merge,
    Redo,
    Reload,
    Replace,
    Restore,
    Revert,
    SetEntry,
    Undo,
)
from proxy_core.control.editing.history import History, way_back
from proxy_core.control.editing.plan import Plan, inverses
from proxy_core.control.editing.revert import reverting
from proxy_core.control.editing.saver import backup_of

NOTHING_WAITS = ("nothing waits to be confirmed", "rproxy ctl history says what was done")


class PlanBasis(NamedTuple):
    """What a command is done to. ``unsaved`` are the edits that are not on disk, None where it is more than edits."""

    file: Path
    document: Document
    history: History
    unsaved: tuple[Edit, ...] | None


def planned(command: Command, basis: PlanBasis) -> Plan:
    document, history = basis.document, basis.history
    match command:
        case Change(edits=edits, sentence=sentence):
            return _edited(basis, document, edits, sentence)
        case SetEntry():
            return _entry(basis, command)
        case Undo():
            found = history.undoable()
            if found is None:
                raise Unusable("nothing to undo", "the first state is in force")
            before, back = _parsed(basis, found[1].text), inverses(found[:1])
            return Plan(before, f"undo: {found[0].sentence}", way_back(found[0]), map_edits=back)
        case Confirm():
            if history.unconfirmed is None:
                raise Unusable(*NOTHING_WAITS)
            return Plan(document, f"confirm: {history.unconfirmed.sentence}")
        case Redo():
            redone = history.redoable()
            if redone is None:
                raise Unusable("nothing to redo", "nothing was undone since the last change")
            again = _parsed(basis, redone.text)
            return Plan(again, f"redo: {redone.sentence}", "redo", map_edits=redone.map_edits)
        case Restore(generation=number):
            old = history.find(number)
            if old is None:
                raise Unusable(f"generation {number} is not kept", "choose one that history lists")
            back = inverses([entry for entry in history.entries if entry.number > number])
            sentence = f"restore generation {number}: {old.sentence}"
            return Plan(_parsed(basis, old.text), sentence, map_edits=back)
        case Revert(generation=number):
            return _reverted(basis, number)
        case Replace(text=text):
            whole = _parsed(basis, text)
            places = places_in_words(document.data, whole.data)
            return Plan(whole, f"site file replaced: {places}")
        case Reload():
            theirs = read(basis.file)
            places = places_in_words(document.data, theirs.data)
            return Plan(theirs, f"site file edited on disk: {places}")
        case Keep():
            return Plan(document, "keep ours over the file on disk")
        case Merge():
            theirs, unsaved = read(basis.file), basis.unsaved
            if theirs.site is None:
                raise Unusable("the file on disk has errors", f"correct it first: {theirs.problems[0]}")
            if unsaved is None:
                raise Unusable("an undo or restore is unsaved and cannot be merged", "reload theirs or keep ours")
            return _edited(basis, theirs, unsaved, "merge with the file on disk")


def _reverted(basis: PlanBasis, number: int) -> Plan:
    """What one generation did, taken back, on top of all that came after it."""
    document, history = basis.document, basis.history
    old, before = history.find(number), history.before(number)
    if old is None or before is None:
        raise Unusable(f"what generation {number} changed is not kept", "choose one that history lists")
    states = (_parsed(basis, before.text).data, _parsed(basis, old.text).data, document.data)
    edits, back = reverting(*states), inverses([old])
    if not edits and not back:
        raise Unusable(f"nothing of generation {number} is left to take back", "it is as it was before")
    for edit in back:
        map_files.still(edit)
    return replace(_edited(basis, document, edits, f"revert generation {number}: {old.sentence}"), map_edits=back)


def _entry(basis: PlanBasis, command: SetEntry) -> Plan:
    """An entry of a map: an edit of the site where it is written there, else one of the map's file."""
    name, key, value = command.map, command.key, command.value
    document, site = basis.document, basis.document.site
    settings = map_files.editable(name, site.maps.get(name) if site is not None else None)
    sentence = f"map {name}: {key} = {value}" if value is not None else f"map {name}: take {key} out"
    if settings.file:
        edit = map_files.entry_edit(basis.file.parent / settings.file, key, value)
        _as_seen(command, edit.before and map_files.for_people(edit.before.encode("latin-1")))
        return Plan(document, sentence, edits=(), map_edits=(edit,))
    address = ("maps", name, "entries", key)
    _as_seen(command, settings.entries.get(key))
    return _edited(basis, document, (Delete(address) if value is None else Set(address, value),), sentence)


def _edited(basis: PlanBasis, base: Document, edits: tuple[Edit, ...], sentence: str) -> Plan:
    """``base`` with edits, which its text carries nearly always."""
    text, canonical = edited(base, edits)
    if not (canonical and has_comments(base.text)):
        return Plan(_parsed(basis, text), sentence, edits=edits)
    sentence = f"{sentence}; the comments are in {backup_of(basis.file).name}"
    return Plan(_parsed(basis, text), sentence, edits=edits, uncommented=base.text)


def _parsed(basis: PlanBasis, text: str) -> Document:
    return parse(text, str(basis.file))


def _as_seen(command: SetEntry, found: str | None) -> None:
    """Raise Unusable where the entry is not what whoever edits it has seen."""
    if command.was not in (UNSET, found):
        now = "is gone by now" if found is None else f"is {found} by now"
        was = f", and was {command.was}" if command.was is not None else ""
        raise Unusable(f"{command.key} of map {command.map} {now}{was}", "look at it again first")
