"""A proxy without a network: the real Editor over a site file of its own, with made-up numbers beside it.

Commands do in earnest what they do everywhere: the text is edited and checked, and there is history, undo and redo.
Only traffic is made up, seeded and plausible: slow and failing requests, a member that refuses and one that drains.
Time stands still until ``advance`` is called, so a test says itself when something happens.
"""

from __future__ import annotations

import shutil
import string
import tempfile
import weakref
from pathlib import Path
from urllib.parse import quote

from msgspec.structs import replace

from proxy_core.config.model import Site
from proxy_core.config.reading.document import read
from proxy_core.control.editing.commands import (
    Command,
    Preview,
    Refused,
    Result,
)
from proxy_core.control.editing.editor import Editor
from proxy_core.control.editing.guard import ChangeGuard
from proxy_core.control.editing.last_changes import LastChanges
from proxy_core.control.editing.site_problems import check
from proxy_core.control.explaining.explain import explain
from proxy_core.control.explaining.past_rules import PastRules
from proxy_core.control.explaining.rule_tests import tested
from proxy_core.control.foreseen import Foreseen, MemberShift, WayShift
from proxy_core.control.question import Explanation, Inspection, Question, TestOutcome
from proxy_core.control.view import EngineView, Generation, IncidentNote, LastChange, SiteState, Snapshot
from proxy_core.control.watching.details import Details, details
from proxy_core.control.watching.effects import GenerationEffect
from proxy_core.control.watching.troubles import Subject
from proxy_core.errors import Problem
from proxy_core.rules.facts import FactKey
from proxy_core.runtime.compile_site import compile_site
from proxy_core.runtime.fact_lookups import Outside
from proxy_core.runtime.last_hour import TenSeconds
from proxy_core.runtime.maps.source import MapState
from proxy_core.runtime.maps.text_file import MapRow, rows
from proxy_core.runtime.recent_requests import Recorder
from proxy_core.runtime.registry import Registry
from tests.screens.numbers import MadeUpNumbers
from tests.screens.sites import FILES, SITE

REFUSES = Problem(
    what="member backend/c refuses connections on 127.0.0.1:8002",
    todo="start it, or take it out of service",
    severity="warning",
    address=("balancers", "backend", "members", "c"),
)


class FakeEngine(MadeUpNumbers, EngineView):
    """``commands`` lists what was submitted, ``looked_up`` what maps were asked. A test may set ``trouble`` (problems
    beside those of the site), ``faults`` of maps and ``effects`` of generations, besides all numbers."""

    def __init__(self, text: str = SITE, *, rate: float = 40.0) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="fake-site-"))
        weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
        for name, content in {**FILES, "site.toml": text}.items():
            (self.folder / name).write_text(content)
        document = read(self.folder / "site.toml")
        assert document.site is not None, f"not a site: {document.problems}"
        super().__init__(document.site, rate)
        self.editor = Editor(self.folder / "site.toml", document, check(document), self._apply)
        self.guard = ChangeGuard(self.editor, Recorder())
        self.changes = LastChanges(self.editor)
        self.commands: list[Command] = []
        self.looked_up: list[tuple[str, str]] = []
        self.purged = ""
        self.faults: dict[str, str] = {}
        self.trouble: list[Problem] = []
        self.hour: list[TenSeconds] = []
        self.effects: dict[int, GenerationEffect] = {}
        if text.startswith(SITE):
            self.trouble.append(REFUSES)
            self.health["backend", "c"] = "error"
            self.busy["api", "canary"] = 3

    async def _apply(self, site: Site, generation: int, force: bool) -> Refused | None:
        """The Editor's way to bring a site into force."""
        self.applied(site, generation)
        return None

    def snapshot(self) -> Snapshot:
        return replace(super().snapshot(), saved=self.editor.saved if self.guard.pending else self.saved,
                       pending=self.guard.pending)  # fmt: skip

    # Requests

    async def details(self, subject: Subject, at: float = 0.0) -> Details:
        return await details(self.hour, subject)

    async def inspect(self, number: int) -> Inspection | None:
        record = next((record for record in self.ring if record.number == number), None)
        if record is None:
            return None
        fields = f"User-Agent: {record.user_agent}\r\nAuthorization: (4 bytes, masked)\r\nAccept: */*\r\n"
        line = f"{record.method} {record.target} HTTP/1.1\r\n"
        member = self._members.get((record.balancer, record.member))
        forwarded = f"{line}Host: {member.url}\r\n{fields}X-Forwarded-For: {record.client}\r\n\r\n" if member else ""
        question = Question(
            url=f"http://{record.host}{quote(record.target, safe=string.punctuation)}",
            method=record.method if record.method.isalpha() else "GET",
            client=record.client,
        )
        return Inspection(
            record=record,
            request_head=f"{line}Host: {record.host}\r\n{fields}\r\n",
            forwarded_head=forwarded,
            answer_head=f"HTTP/1.1 {record.status} X\r\nContent-Type: text/html\r\n\r\n" if record.first >= 0 else "",
            explanation=await self.explain(question),
        )

    async def explain(self, question: Question) -> Explanation:
        """The real rules decide; maps are asked as ``look_up`` says."""
        if question.generation:
            rules = await PastRules(self.editor.history.find).of(question.generation)
        else:
            rules = compile_site(self._site, Registry(), self.editor.generation)
        return await explain(rules, AtHand(self), question)

    async def what_if(self, command: Command) -> Foreseen:
        """As if every second request would go elsewhere."""
        way = WayShift(before="backend", after="api", requests=5, samples=("GET localhost/x → /x",))
        load = MemberShift(balancer="backend", member="a", before=10, after=5)
        return Foreseen(judged=10, elsewhere=5, unjudged=2, since=self.now, ways=(way,), more=0, members=(load,),
                        sessions=(), by_load=())  # fmt: skip

    async def note(self, since: float, at: float = 0.0) -> IncidentNote:
        return IncidentNote(folder=f"/state/notes/{since:.0f}", files=("README.md",), text="# note")

    async def purge(self, url: str = "", prefix: str = "", tag: str = "") -> int:
        self.purged = url or prefix or tag
        return 2

    async def tests(self) -> tuple[TestOutcome, ...]:
        return await tested(compile_site(self._site, Registry(), self.editor.generation), AtHand(self))

    # Maps

    def maps(self) -> tuple[MapState, ...]:
        return tuple(
            MapState(
                name=name, type=each.type, reads=each.file or each.function or "entries", hits=120 + n, misses=n,
                errors=int(name in self.faults), entries=-1 if each.type == "int" else len(self._rows(name)),
                changed_at=self.now - 3600 + self.editor.generation if each.file else 0.0,
                fault=self.faults.get(name, ""), last_error=self.faults.get(name, ""), error_at=self.now,
            )
            for n, (name, each) in enumerate(self._site.maps.items())
        )  # fmt: skip

    def _rows(self, name: str) -> tuple[MapRow, ...]:
        each = self._site.maps[name]
        if each.file:
            return rows((self.folder / each.file).read_text())
        return tuple(MapRow(key, value, 0) for key, value in each.entries.items())

    async def map_rows(self, name: str) -> tuple[MapRow, ...]:
        return self._rows(name)

    async def look_up(self, name: str, key: str) -> str | None:
        self.looked_up.append((name, key))
        return await self.answer(name, key)

    def ask(self, name: str, key: str) -> tuple[bool, str | None]:
        if self._site.maps[name].type == "int":
            return True, key.lower()
        return True, next((row.value for row in self._rows(name) if row.key == key), None)

    async def answer(self, name: str, key: str) -> str | None:
        return self.ask(name, key)[1]

    # The site and its history

    def site(self) -> SiteState:
        editor = self.editor
        return SiteState(
            generation=editor.generation,
            revision=editor.revision,
            site=self._site,
            text=editor.document.text,
            file=str(editor.file),
        )

    def problems(self) -> tuple[Problem, ...]:
        return (*self.editor.warnings, *self.trouble)

    def history(self) -> tuple[Generation, ...]:
        found = self.effects
        return tuple(replace(each, effect=found.get(each.number)) for each in self.editor.history.generations())

    def last_changes(self) -> tuple[LastChange, ...]:
        return self.changes.now()

    def can_undo(self) -> Generation | None:
        found = self.editor.history.undoable()
        return found[0].shown if found else None

    def can_redo(self) -> Generation | None:
        found = self.editor.history.redoable()
        return found.shown if found else None

    async def preview(self, command: Command) -> Preview:
        return await self.editor.preview(command)

    async def submit(self, command: Command, author: str = "console", on: int = 0) -> Result:
        self.commands.append(command)
        return await self.guard.submit(command, author, on)

    async def start_demo(self) -> str:
        self.demo = True
        self.health.clear()
        return "started demo members on 127.0.0.1:8002"


class AtHand(Outside):
    """Knows what is known at once; of all else, such as what is in folders, it says that there is nothing."""

    def ask(self, fact: FactKey) -> tuple[bool, str | None]:
        known, answer = super().ask(fact)
        return True, answer if known else None
