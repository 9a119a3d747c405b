"""The Editor: the one way from a Command to the rule set in force.

Every command becomes a new text of the site file; the text is parsed, checked, compiled and prepared, and only when
all of that has worked is it *applied*: swapped in between two requests. After the swap nothing can take it back but
another command; bringing it to the disk is the Saver's work. Commands run one after the other. Repeated nudges of one
key within two seconds are one generation and one save.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

from msgspec import UNSET
from msgspec.structs import replace

from proxy_core.config.editing.differences import places_in_words
from proxy_core.config.editing.save import Stamp
from proxy_core.config.editing.site_edits import Delete, Edit, Set, Unusable, edited
from proxy_core.config.model import Site
from proxy_core.config.reading.document import Document, parse, read
from proxy_core.config.reading.text_layout import has_comments
from proxy_core.control.editing import history, map_files
from proxy_core.control.editing.commands import (
    Applied,
    Change,
    Command,
    Considered,
    Keep,
    Merge,
    Preview,
    Redo,
    Refused,
    Reload,
    Replace,
    Restore,
    Result,
    Revert,
    SetEntry,
    Stale,
    Undo,
)
from proxy_core.control.editing.history import HistoryEntry, difference
from proxy_core.control.editing.plan import Plan, inverses, nudge_of
from proxy_core.control.editing.revert import reverting
from proxy_core.control.editing.saver import Saver, backup_of, version
from proxy_core.control.editing.site_problems import check
from proxy_core.errors import Address, Problem, errors
from proxy_core.rules.lint.emptiness import lint_emptiness

NUDGE = 2.0
"""Seconds within which another Set of the same key belongs to the generation before."""
LONG = 64 * 1024
"""Bytes of a site file that take long enough to read (20 ms) for requests to notice."""

Apply = Callable[[Site, int], Awaitable[tuple[Problem, ...]]]
"""Compile, prepare and swap a site in under a generation number; the problems when that cannot be done, in which case
nothing has changed."""


class Editor:
    """Owns the document in force, its history and its saver. ``loaded_at`` is the epoch second at which a site was
    taken last; ``revision`` counts what was applied, ``reloads`` what became of the file when it was read again.
    ``warnings`` are the problems of the document, as ``check`` finds them."""

    def __init__(self, file: Path, document: Document, warnings: tuple[Problem, ...], apply: Apply) -> None:
        self.file = file
        self.document = document
        self.warnings = warnings
        self.history = history.load(history.journal_of(file))
        self.saver = Saver(file, self.history)
        self._apply = apply
        self._lock = asyncio.Lock()
        self._nudged: tuple[tuple[Address, ...], str, int] | None = None
        self.read_only: Problem | None = None
        """Why nothing is written from here; None where it is."""
        self.revision = 1
        self.loaded_at = time.time()
        self.reloads = Counter(applied=0, refused=0)
        last = self.history.entries[-1] if self.history.entries else None
        if last is None:
            self._remember(1, "start", "first start", "")
        elif last.text != document.text:
            self._remember(last.number + 1, "file", "edited while rproxy was away", last.text)

    @property
    def generation(self) -> int:
        return self.history.entries[-1].number

    @property
    def _emptied(self) -> tuple[Problem, ...]:
        """In which ways the site in force is empty already: a file found on disk takes nothing away by them."""
        return tuple(lint_emptiness(self.document.site)) if self.document.site else ()

    def _remember(self, number: int, author: str, sentence: str, before: str) -> None:
        text = self.document.text
        diff = difference(before, text, self.file.name) if before else ""
        entry = HistoryEntry(number=number, at=time.time(), author=author, sentence=sentence, text=text, diff=diff)
        self.history.add(entry)
        self.saver.took(entry, version(self.file))

    def may_write(self, refusal: Problem | None) -> None:
        """Whether this process writes the site file and its journal; where not, ``refusal`` says why. What stands on
        disk is then followed, and every other command refused."""
        self.read_only = refusal
        self.saver.journals = refusal is None

    async def take_over(self) -> None:
        """Whoever wrote the site file has ended: write it from here on, and go on with its history."""
        async with self.saver.disk, self._lock:
            mine = self.generation
            self.history.begin_anew(history.load(history.journal_of(self.file)))
            self.may_write(None)
            last = self.history.entries[-1] if self.history.entries else None
            number = max(mine, last.number if last is not None else 0) + 1
            if self.document.site is not None:
                await self._apply(self.document.site, number)
            self.revision += 1
            self._remember(number, "start", "took over from another process", last.text if last is not None else "")

    async def preview(self, command: Command) -> Preview:
        """What ``command`` would do to the file, and every problem of the outcome; touches nothing."""
        if stale := self._stale(command):
            return Preview(diff="", problems=stale.problems)
        try:
            plan, problems = await self._checked(command)
        except Unusable as unusable:
            return Preview(diff="", problems=(unusable.problem,))
        return Preview(diff=self._difference(self.document.text, plan), problems=problems)

    def _difference(self, before: str, plan: Plan) -> str:
        """The diff of the site file, and of each map file after it."""
        texts = [(before, plan.document.text, self.file.name)]
        texts += [(map_files.for_people(f.old), map_files.for_people(f.new), f.path.name) for f in plan.files]
        return "".join(difference(*text) for text in texts)

    async def submit(self, command: Command, author: str, on: int = 0) -> Result:
        """Apply ``command``. It is in force when this returns Applied; it is on disk a moment later. ``on`` is the
        generation that it was made on, and nothing is done on another; 0: whichever is in force."""
        if not isinstance(command, Reload | Merge | Keep):
            async with self._lock:
                return self._stale(command, on) or await self._submit(command, author, None, amending=not on)
        async with self.saver.disk, self._lock:
            if stale := self._stale(command, on):
                return stale
            result = await self._submit(command, author, version(self.file))
            if isinstance(command, Reload):
                self._reloaded(result)
            return result

    def _reloaded(self, result: Result) -> None:
        """The file on disk was read again, whoever asked for it."""
        self.reloads["refused" if isinstance(result, Refused) else "applied"] += 1
        if isinstance(result, Refused):
            self.saver.drifted(result.problems)

    async def file_changed(self) -> None:
        """The file on disk is somebody else's: take it over when it is sound and nothing of ours is unsaved."""
        async with self.saver.disk, self._lock:
            if self.saver.unsaved() != ():
                what = "somebody else changed the site file while changes here were unsaved"
                todo = "reload theirs, merge, or keep ours"
                self.saver.drifted((Problem(what=what, todo=todo, file=str(self.file)),))
            else:
                self._reloaded(await self._submit(Reload(), "file", version(self.file)))

    def _stale(self, command: Command, on: int = 0) -> Stale | None:
        """Why a command is not to be done: somebody else was here since it was made."""
        seen = command.made_on if isinstance(command, Considered) else 0
        last = self.history.entries[-1]
        if on in (0, last.number) and seen in (0, self.revision):
            return None
        old = self.history.find(on)
        if on > last.number:
            problem = Problem(what=f"there is no generation {on} yet: the last is {last.number}", todo="look again")
            return Stale(problems=(problem,), generation=last.number, diff="")
        diff = last.diff if not on else difference(old.text, last.text, self.file.name) if old is not None else ""
        what = f"the site has changed meanwhile: {last.sentence} (generation {last.number}, by {last.author})"
        return Stale(problems=(Problem(what=what, todo="look at it again first"),), generation=last.number, diff=diff)

    async def _submit(
        self, command: Command, author: str, seen: Stamp | None, *, amending: bool = True
    ) -> Applied | Refused:
        """``seen`` is the version on disk that a Reload, Merge or Keep is about; ``amending`` lets a nudge go on."""
        if self.read_only is not None and not isinstance(command, Reload):
            return Refused(problems=(self.read_only,))
        try:
            plan, problems = await self._checked(command)
        except Unusable as unusable:
            return Refused(problems=(unusable.problem,))
        document = plan.document
        if errors(problems) or document.site is None:
            return Refused(problems=problems)
        if document.text == self.document.text and not plan.files and not isinstance(command, Keep | Merge):
            if isinstance(command, Reload):
                self.saver.took(self.history.entries[-1], seen)
                self.loaded_at = time.time()
            return Applied(generation=self.generation, sentence="nothing changed", diff="", warnings=problems)
        entry, amends = self._next(plan, author, amending)
        if plan.files and (unwritten := await asyncio.to_thread(map_files.write, plan.files)):
            return Refused(problems=unwritten)
        if refusals := await self._apply(document.site, entry.number):
            stuck = await asyncio.to_thread(map_files.set_back, plan.files)
            return Refused(problems=(*map(document.located, refusals), *stuck))
        self.document, self.warnings, self.loaded_at = document, problems, time.time()
        self.revision += 1
        (self.history.amend if amends else self.history.add)(entry)
        if isinstance(command, Reload):
            self.saver.took(entry, seen)
        else:
            if isinstance(command, Keep | Merge):
                self.saver.overwrite(seen)
            self.saver.want(entry, plan.edits, NUDGE if nudge_of(plan) else 0.0, plan.uncommented)
        return Applied(generation=entry.number, sentence=entry.sentence, diff=entry.diff, warnings=problems)

    def _next(self, plan: Plan, author: str, amending: bool) -> tuple[HistoryEntry, bool]:
        """The entry that the plan makes, and whether it takes the place of the one before (a nudge goes on)."""
        last = self.history.entries[-1]
        nudge = nudge_of(plan)
        amends = (
            amending
            and nudge is not None
            and self._nudged == (nudge, author, last.number)
            and time.time() - last.at < NUDGE
            and len(self.history.entries) > 1
        )
        before = self.history.entries[-2] if amends else last
        entry = HistoryEntry(
            number=last.number if amends else last.number + 1,
            at=time.time(),
            author=author,
            sentence=plan.sentence,
            text=plan.document.text,
            diff=self._difference(before.text, plan),
            kind=plan.kind,
            map_edits=plan.map_edits,
        )
        self._nudged = (nudge, author, entry.number) if nudge is not None else None
        return entry, amends

    # ---- what a command comes to

    async def _checked(self, command: Command) -> tuple[Plan, tuple[Problem, ...]]:
        """The plan and every problem of its outcome; a long file is read in a thread, so that traffic goes on."""

        def work() -> tuple[Plan, tuple[Problem, ...]]:
            plan = self._plan(command)
            whole = isinstance(command, Reload | Merge | Replace)
            problems = check(plan.document, self._emptied if whole else None)
            if plan.uncommented is not None:
                what = "the text of the site file cannot carry this edit: it is spelled anew, without its comments"
                todo = f"the text with them is kept in {backup_of(self.file).name}, and undo brings it back"
                problems = (Problem(what=what, todo=todo, severity="warning", file=str(self.file)), *problems)
            return replace(plan, files=map_files.rewritten(plan.map_edits)), problems

        return await asyncio.to_thread(work) if len(self.document.text) > LONG else work()

    def _plan(self, command: Command) -> Plan:
        match command:
            case Change(edits=edits, sentence=sentence):
                return self._edited(self.document, edits, sentence)
            case SetEntry():
                return self._entry(command)
            case Undo():
                found = self.history.undoable()
                if found is None:
                    raise Unusable("nothing to undo", "the first state is in force")
                document, back = self._parsed(found[1].text), inverses(found[:1])
                return Plan(document, f"undo: {found[0].sentence}", "undo", map_edits=back)
            case Redo():
                redone = self.history.redoable()
                if redone is None:
                    raise Unusable("nothing to redo", "nothing was undone since the last change")
                document = self._parsed(redone.text)
                return Plan(document, f"redo: {redone.sentence}", "redo", map_edits=redone.map_edits)
            case Restore(generation=number):
                old = self.history.find(number)
                if old is None:
                    raise Unusable(f"generation {number} is not kept", "choose one that history lists")
                back = inverses([entry for entry in self.history.entries if entry.number > number])
                sentence = f"restore generation {number}: {old.sentence}"
                return Plan(self._parsed(old.text), sentence, map_edits=back)
            case Revert(generation=number):
                return self._reverted(number)
            case Replace(text=text):
                document = self._parsed(text)
                places = places_in_words(self.document.data, document.data)
                return Plan(document, f"site file replaced: {places}")
            case Reload():
                theirs = read(self.file)
                places = places_in_words(self.document.data, theirs.data)
                return Plan(theirs, f"site file edited on disk: {places}")
            case Keep():
                return Plan(self.document, "keep ours over the file on disk")
            case Merge():
                theirs, unsaved = read(self.file), self.saver.unsaved()
                if theirs.site is None:
                    raise Unusable("the file on disk has errors", f"correct it first: {theirs.problems[0]}")
                if unsaved is None:
                    raise Unusable("an undo or restore is unsaved and cannot be merged", "reload theirs or keep ours")
                return self._edited(theirs, unsaved, "merge with the file on disk")

    def _reverted(self, number: int) -> Plan:
        """What one generation did taken back, on top of all that came after it."""
        old = self.history.find(number)
        before = self.history.before(number)
        if old is None or before is None:
            raise Unusable(f"what generation {number} changed is not kept", "choose one that history lists")
        states = (self._parsed(before.text).data, self._parsed(old.text).data, self.document.data)
        edits, back = reverting(*states), inverses([old])
        if not edits and not back:
            raise Unusable(f"nothing of generation {number} is left to take back", "it is as it was before")
        for edit in back:
            map_files.still(edit)
        return replace(
            self._edited(self.document, edits, f"revert generation {number}: {old.sentence}"), map_edits=back
        )

    def _entry(self, command: SetEntry) -> Plan:
        """An entry of a map: an edit of the site where it is written there, else one of the map's file."""
        name, key, value = command.map, command.key, command.value
        site = self.document.site
        settings = map_files.editable(name, site.maps.get(name) if site is not None else None)
        sentence = f"map {name}: {key} = {value}" if value is not None else f"map {name}: take {key} out"
        if settings.file:
            edit = map_files.entry_edit(self.file.parent / settings.file, key, value)
            _as_seen(command, edit.before and map_files.for_people(edit.before.encode("latin-1")))
            return Plan(self.document, sentence, edits=(), map_edits=(edit,))
        address = ("maps", name, "entries", key)
        _as_seen(command, settings.entries.get(key))
        return self._edited(self.document, (Delete(address) if value is None else Set(address, value),), sentence)

    def _edited(self, base: Document, edits: tuple[Edit, ...], sentence: str) -> Plan:
        """``base`` with edits, which its text carries nearly always."""
        text, canonical = edited(base, edits)
        if not (canonical and has_comments(base.text)):
            return Plan(self._parsed(text), sentence, edits=edits)
        sentence = f"{sentence}; the comments are in {backup_of(self.file).name}"
        return Plan(self._parsed(text), sentence, edits=edits, uncommented=base.text)

    def _parsed(self, text: str) -> Document:
        return parse(text, str(self.file))


def _as_seen(command: SetEntry, found: str | None) -> None:
    """Raise Unusable where the entry is not what whoever edits it has seen."""
    if command.was not in (UNSET, found):
        now = "is gone by now" if found is None else f"is {found} by now"
        was = f", and was {command.was}" if command.was is not None else ""
        raise Unusable(f"{command.key} of map {command.map} {now}{was}", "look at it again first")
