"""The Editor: the one way from a Command to the rule set in force.

Every command becomes a new text of the site file; the text is parsed, checked, compiled and prepared, and only when
all of that has worked is it *applied*: swapped in between two requests. After the swap nothing can take it back but
another command; bringing it to the disk is the Saver's work. Commands run one after the other. Repeated nudges of one
key within two seconds are one generation and one save.

A change that is to be confirmed is in force, and in the journal as one that waits; the site file keeps the text before
it until it is confirmed, so a crash takes it back as well. Nobody else edits meanwhile: what would be taken back is
then what was seen to be done.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from proxy_core.config.editing.save import Stamp
from proxy_core.config.editing.site_edits import Unusable
from proxy_core.config.model import Site
from proxy_core.config.reading.document import Document
from proxy_core.control.editing import history, map_files
from proxy_core.control.editing.commands import (
    Applied,
    Command,
    Confirm,
    Considered,
    Keep,
    Merge,
    Preview,
    Refused,
    Reload,
    Replace,
    Result,
    Stale,
    Undo,
)
from proxy_core.control.editing.history import HistoryEntry, difference, way_back
from proxy_core.control.editing.map_files import MapEdit
from proxy_core.control.editing.pending import GUARD
from proxy_core.control.editing.plan import Plan, inverses, nudge_of
from proxy_core.control.editing.plan_of_command import NOTHING_WAITS, PlanBasis, planned
from proxy_core.control.editing.saver import Saver, backup_of, version
from proxy_core.control.editing.site_problems import check
from proxy_core.control.view import Saved
from proxy_core.errors import Address, Problem, errors
from proxy_core.rules.lint.emptiness import lint_emptiness

NUDGE = 2.0
"""Seconds within which another Set of the same key belongs to the generation before."""
NOTHING_CHANGED = "nothing changed"
OURS_OR_THEIRS = "reload theirs, merge, or keep ours"
LONG = 64 * 1024
"""Bytes of a site file that take long enough to read (20 ms) for requests to notice."""

Apply = Callable[[Site, int, bool], Awaitable[Refused | None]]
"""Compile, prepare and swap a site in under a generation number, by force or not; Refused when that cannot be done, in
which case nothing has changed."""


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
        self._waiting: Plan | None = None
        """What the change that waits to be confirmed was made of."""
        self.read_only: Problem | None = None
        """Why nothing is written from here; None where it is."""
        self._drifted_meanwhile = False
        self._left_behind: tuple[MapEdit, ...] = ()
        self.revision = 1
        self.loaded_at = time.time()
        self.reloads = Counter(applied=0, refused=0)
        last = self.history.entries[-1] if self.history.entries else None
        if last is None:
            self._remember(1, "start", "first start", "")
        elif last.confirm:
            self._end_of_waiting(last)
        elif last.text != document.text:
            self._remember(last.number + 1, "file", "edited while rproxy was away", last.text)

    @property
    def generation(self) -> int:
        return self.history.entries[-1].number

    @property
    def saved(self) -> Saved:
        """How the file on disk stands to what is in force."""
        return "unsaved" if self.history.unconfirmed and self.saver.state == "saved" else self.saver.state

    @property
    def _emptied(self) -> tuple[Problem, ...]:
        """In which ways the site in force is empty already: a file found on disk takes nothing away by them."""
        return tuple(lint_emptiness(self.document.site)) if self.document.site else ()

    def _remember(self, number: int, author: str, sentence: str, before: str, **more: Any) -> None:
        text = self.document.text
        diff = difference(before, text, self.file.name) if before else ""
        entry = HistoryEntry(
            number=number, at=time.time(), author=author, sentence=sentence, text=text, diff=diff, **more
        )
        self.history.add(entry)
        self.saver.took(entry, version(self.file))

    def _end_of_waiting(self, last: HistoryEntry) -> None:
        """The process before ended while a change waited to be confirmed: the file says whether it was."""
        if last.text == self.document.text and not last.map_edits:
            self.history.amend(replace(last, confirm=0.0))
            self.saver.took(self.history.entries[-1], version(self.file))
            return
        sentence, self._left_behind = f"undo: {last.sentence} (rproxy ended before it was confirmed)", inverses([last])
        before = self.history.before(last.number)
        kind = way_back(last) if before is not None and before.text == self.document.text else "change"
        self._remember(last.number + 1, GUARD, sentence, last.text, kind=kind, map_edits=self._left_behind)

    async def recover(self) -> None:
        """Set the map files back that a change has left behind, which was never confirmed. To be called before maps
        are read, by who may write."""
        left, self._left_behind = self._left_behind, ()
        if left and self.read_only is None:
            try:
                files = map_files.rewritten(left)
            except Unusable as unusable:
                self.saver.problems = (unusable.problem,)
                return
            self.saver.problems = await asyncio.to_thread(map_files.write, files)

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
            self._left_behind = inverses([last]) if last is not None and last.confirm else ()
            await self.recover()
            if self.document.site is not None:
                await self._apply(self.document.site, number, True)
            self.revision += 1
            self._remember(number, "start", "took over from another process", last.text if last is not None else "")

    async def preview(self, command: Command) -> Preview:
        """What ``command`` would do to the file, and every problem of the outcome; touches nothing."""
        if refused := self._stale(command) or self._waits(command):
            return Preview(diff="", problems=refused.problems)
        try:
            plan, problems = await self._checked(command)
        except Unusable as unusable:
            return Preview(diff="", problems=(unusable.problem,))
        return Preview(diff=_difference(self.file.name, self.document.text, plan), problems=problems)

    async def outcome(self, command: Command) -> Plan:
        """What ``command`` comes to, for whoever wants to try it out. Raises ValueError for what would be refused."""
        try:
            plan, problems = await self._checked(command)
        except Unusable as unusable:
            raise ValueError(str(unusable.problem)) from None
        if wrong := errors(problems):
            raise ValueError(str(wrong[0]))
        return plan

    async def submit(self, command: Command, author: str, on: int = 0) -> Result:
        """Apply ``command``. It is in force when this returns Applied; it is on disk a moment later. ``on`` is the
        generation that it was made on, and nothing is done on another; 0: whichever is in force."""
        if not isinstance(command, Reload | Merge | Keep):
            async with self._lock:
                if refused := self._stale(command, on) or self._waits(command):
                    return refused
                if isinstance(command, Confirm):
                    return self._confirmed()
                result = await self._submit(command, author, None, amending=not on)
            await self._after_waiting(command)
            return result
        async with self.saver.disk, self._lock:
            if refused := self._stale(command, on) or self._waits(command):
                return refused
            seen = version(self.file)
            if isinstance(command, Reload) and self.saver.overtakes(seen):
                return Applied(generation=self.generation, sentence=NOTHING_CHANGED, diff="", warnings=self.warnings)
            result = await self._submit(command, author, seen)
            if isinstance(command, Reload):
                self._reloaded(result)
            return result

    async def take_back(self, number: int, why: str) -> Result:
        """Take back the change that waits to be confirmed, if it is that one, and say why."""
        async with self._lock:
            if self.history.unconfirmed is None or self.history.unconfirmed.number != number:
                return Refused(problems=(Unusable(*NOTHING_WAITS).problem,))
            command = Undo(force=True)
            result = await self._submit(command, GUARD, None, why=why)
        await self._after_waiting(command)
        return result

    async def _after_waiting(self, command: Command) -> None:
        """A file that somebody else wrote while a change waited to be confirmed is taken when that is taken back."""
        if isinstance(command, Undo) and self._drifted_meanwhile and self.history.unconfirmed is None:
            self._drifted_meanwhile = False
            await self.file_changed()

    def _waits(self, command: Command) -> Refused | None:
        """Why a command is not to be done while a change waits to be confirmed."""
        entry = self.history.unconfirmed
        if entry is None or isinstance(command, Undo | Confirm):
            return None
        what = f"generation {entry.number} waits to be confirmed: {entry.sentence} ({entry.author})"
        return Refused(problems=(Problem(what=what, todo="confirm it or undo it first"),))

    def _confirmed(self) -> Applied | Refused:
        """Keep the change that waits."""
        entry, plan = self.history.unconfirmed, self._waiting
        if entry is None or plan is None:
            return Refused(problems=(Unusable(*NOTHING_WAITS).problem,))
        self._waiting, self._drifted_meanwhile, kept = None, False, replace(entry, confirm=0.0)
        self.history.amend(kept)
        self.saver.want(kept, plan.edits, backup=plan.uncommented)
        sentence = f"confirmed: {kept.sentence}"
        return Applied(generation=kept.number, sentence=sentence, diff=kept.diff, warnings=self.warnings)

    def _reloaded(self, result: Result) -> None:
        """The file on disk was read again, whoever asked for it."""
        self.reloads["refused" if isinstance(result, Refused) else "applied"] += 1
        if isinstance(result, Refused):
            self.saver.drifted(result.problems)

    async def file_changed(self) -> None:
        """The file on disk is somebody else's: take it over when it is sound and nothing of ours is unsaved."""
        async with self.saver.disk, self._lock:
            if self.history.unconfirmed is not None:
                self._drifted_meanwhile = True
                self._drifted("while a change here waits to be confirmed", "confirm it or undo it")
            elif self.saver.unsaved() != ():
                self._drifted("while changes here were unsaved", "reload theirs, merge, or keep ours")
            else:
                self._reloaded(await self._submit(Reload(), "file", version(self.file)))

    def _drifted(self, when: str, todo: str) -> None:
        what = f"somebody else changed the site file {when}"
        self.saver.drifted((Problem(what=what, todo=todo, file=str(self.file)),))

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
        self, command: Command, author: str, seen: Stamp | None, *, amending: bool = True, why: str = ""
    ) -> Applied | Refused:
        """``seen`` is the version on disk that a Reload, Merge or Keep is about; ``amending`` lets a nudge go on;
        ``why`` is said behind the sentence."""
        if self.read_only is not None and not isinstance(command, Reload):
            return Refused(problems=(self.read_only,))
        try:
            plan, problems = await self._checked(command)
        except Unusable as unusable:
            return Refused(problems=(unusable.problem,))
        plan = replace(plan, sentence=f"{plan.sentence} ({why})") if why else plan
        document, confirm = plan.document, command.confirm if isinstance(command, Considered) else 0.0
        force = isinstance(command, Considered | Reload) and command.force
        if errors(problems) or document.site is None:
            return Refused(problems=problems)
        if document.text == self.document.text and not plan.files and not isinstance(command, Keep | Merge):
            if isinstance(command, Reload):
                self.saver.took(self.history.entries[-1], seen)
                self.loaded_at = time.time()
            return Applied(generation=self.generation, sentence=NOTHING_CHANGED, diff="", warnings=problems)
        entry, amends = self._next(plan, author, amending and not confirm)
        entry, waited = replace(entry, confirm=confirm), self.history.unconfirmed is not None
        if plan.files and (unwritten := await asyncio.to_thread(map_files.write, plan.files)):
            return Refused(problems=unwritten)
        if refused := await self._apply(document.site, entry.number, force):
            stuck = await asyncio.to_thread(map_files.set_back, plan.files)
            return replace(refused, problems=(*map(document.located, refused.problems), *stuck))
        self.document, self.warnings, self.loaded_at = document, problems, time.time()
        self.revision += 1
        (self.history.amend if amends else self.history.add)(entry)
        if isinstance(command, Reload):
            self.saver.took(entry, seen)
        elif confirm or waited:
            self._waiting = plan if confirm else None
            self._nudged = None
            self.saver.note(entry)
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
            diff=_difference(self.file.name, before.text, plan),
            kind=plan.kind,
            map_edits=plan.map_edits,
        )
        self._nudged = (nudge, author, entry.number) if nudge is not None else None
        return entry, amends

    # ---- what a command comes to

    async def _checked(self, command: Command) -> tuple[Plan, tuple[Problem, ...]]:
        """The plan and every problem of its outcome; a long file is read in a thread, so that traffic goes on."""

        def work() -> tuple[Plan, tuple[Problem, ...]]:
            plan = planned(command, PlanBasis(self.file, self.document, self.history, self.saver.unsaved()))
            whole = isinstance(command, Reload | Merge | Replace)
            problems = check(plan.document, self._emptied if whole else None)
            if plan.uncommented is not None:
                what = "the text of the site file cannot carry this edit: it is spelled anew, without its comments"
                todo = f"the text with them is kept in {backup_of(self.file).name}, and undo brings it back"
                problems = (Problem(what=what, todo=todo, severity="warning", file=str(self.file)), *problems)
            return replace(plan, files=map_files.rewritten(plan.map_edits)), problems

        return await asyncio.to_thread(work) if len(self.document.text) > LONG else work()


def _difference(name: str, before: str, plan: Plan) -> str:
    """The diff of the site file of that name, and of each map file after it."""
    texts = [(before, plan.document.text, name)]
    texts += [(map_files.for_people(f.old), map_files.for_people(f.new), f.path.name) for f in plan.files]
    return "".join(difference(*text) for text in texts)
