"""Maps: what rules look keys up in, how that goes, and the entries that can be edited here.

The upper table lists the maps, the lower one the entries of the one that is marked; the line at the bottom asks a map
for a key, as rules do. An entry of a map's file is changed like anything else: one command, checked and shown before,
saved at once, taken back with ``u``. Lines that are never reached, because a line above has the same key, stay in
sight: they are what puzzles whoever edited the file by hand. What only a program or a database knows is asked when
Enter says so, never letter by letter.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Input, Label, Static

from proxy_core.control.editing.commands import SetEntry
from proxy_core.control.view import Snapshot
from proxy_core.runtime.maps.source import MapState
from rproxy_tui import rule_words, sentences, words
from rproxy_tui.content import Content
from rproxy_tui.page import Page
from rproxy_tui.widgets.dialogs import Prompt
from rproxy_tui.widgets.find_line import FindLine
from rproxy_tui.widgets.map_tables import ENTRIES, MAPS, ShownEntry, ShownMap, entries
from rproxy_tui.widgets.row_table import RowTable
from rproxy_tui.widgets.text_input import PageInput

NO_ENTRY = """\
No entry yet: every lookup misses, and rules take their defaults.
Press a to add one."""
ELSEWHERE: dict[str, str] = {
    "int": "A function: it has no entries. L shows what it makes of a key.",
    "prg": "A program: only it knows its entries. L asks it.",
    "dbm": "Entries of a dbm file are not listed: change its source and run httxt2dbm. L looks a key up.",
    "dbd": "A database: only it knows its entries. L asks it.",
    "fastdbd": "A database: only it knows its entries. L asks it; its answers are remembered.",
}
"""What stands in place of entries that are not listed, by the map's type."""


NO_MAP = """\
No map yet: press n to add one. Rules ask it as ${NAME:key|default}."""
EDITABLE = ("txt", "rnd")
DEAR = ("prg", "dbd", "fastdbd")
"""Types that are asked only when Enter says so."""
PAUSE = 0.1
LONGEST_LIST = 100_000
"""Entries of which the screen lists at most so many; a lookup finds the others as well."""


class MapsPage(Page):
    heading = "Maps"
    key = "6"
    hertz = 2.0
    VERTICAL_BREAKPOINTS = [(0, "-short"), (20, "-tall")]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "find", "Find", key_display="/", id="maps.find", tooltip="entries that hold what is typed"),
        Binding("L", "look_up", "Look up", id="maps.look_up", tooltip="ask the map for a key"),
        Binding("e", "edit", "Edit", id="maps.edit", tooltip="edit the value of the entry (also enter)"),
        Binding("a", "add", "Add", id="maps.add", tooltip="add an entry to the marked map"),
        Binding("d,delete", "delete", "Delete", id="maps.delete", tooltip="remove the entry"),
        Binding("m", "settings", "Settings", id="maps.settings", tooltip="edit the marked map in a form"),
        Binding("n", "new", "New map", id="maps.new", tooltip="add a map"),
        Binding("x", "remove", "Remove map", show=False, id="maps.remove", tooltip="remove the marked map"),
        Binding("left,h", "mark(-1)", "Previous", show=False, id="maps.previous", tooltip="the map above"),
        Binding("right,l", "mark(1)", "Next", show=False, id="maps.next", tooltip="the map below"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._states: dict[str, MapState] = {}
        self._marked = ""
        self._entries: dict[str, ShownEntry] = {}
        self._read: tuple[object, ...] = ()
        self._now = 0.0

    def body(self) -> ComposeResult:
        yield RowTable[ShownMap](MAPS, NO_MAP, id="maps")
        yield RowTable[ShownEntry](ENTRIES, NO_ENTRY, id="entries")
        yield FindLine(self._show_entries, self._leave_input)
        yield Static(id="about", markup=False)
        with Horizontal(id="ask"):
            yield Label("look up ")
            yield PageInput(self._leave_input, placeholder="a key", select_on_focus=True)
        yield Static(id="answer", markup=False)

    @property
    def maps(self) -> RowTable[ShownMap]:
        return self.query_one("#maps", RowTable)

    @property
    def entries(self) -> RowTable[ShownEntry]:
        return self.query_one("#entries", RowTable)

    @property
    def asked(self) -> Input:
        """The line in which a key is typed that the marked map is asked for."""
        return self.query_one("#ask Input", Input)

    @property
    def state(self) -> MapState | None:
        """The marked map."""
        return self._states.get(self._marked)

    def on_mount(self) -> None:
        self.set_focus(self.entries)

    def pull(self, snapshot: Snapshot) -> None:
        self._now = snapshot.at
        self._states = {state.name: state for state in self.engine.maps()}
        if self._marked not in self._states:
            self._marked = next(iter(self._states), "")
        self.maps.show(tuple(self._states), self._shown)
        self._take_entries()
        self._describe()

    def _shown(self, name: str) -> ShownMap:
        state = self._states[name]
        changed = sentences.ago(self._now - state.changed_at) if state.changed_at else ""
        made = next((each for each in self.engine.last_changes() if each.address == ("maps", name)), None)
        if made is not None and made.at >= state.changed_at:
            changed = sentences.changed(made, self._now)
        return ShownMap(state, name == self._marked, changed)

    # The entries of the marked map

    def _take_entries(self) -> None:
        """Read the entries anew where another map is marked, or what it reads has changed."""
        state, text = self.state, self.console.state.text
        wanted = (self._marked, text, state and (state.changed_at, state.entries, state.fault))
        if wanted != self._read:
            other = self._read[:1] != wanted[:1]
            self._read = wanted
            self._read_entries(other)

    @work(exclusive=True, group="entries")
    async def _read_entries(self, other: bool) -> None:
        none, table = NO_ENTRY, self.entries
        try:
            rows = await self.engine.map_rows(self._marked) if self._marked else ()
        except OSError as error:
            rows, none = (), error.strerror or str(error)
        self._entries = entries(rows[:LONGEST_LIST])
        table.empty = "\n" + ELSEWHERE.get(self.state.type, none) if self.state else ""
        if other:
            table.window.cursor = table.window.top = 0
        self._show_entries()
        self._describe()

    def _show_entries(self) -> None:
        """Those that are looked for."""
        line = self.query_one(FindLine)
        found = tuple(key for key, each in self._entries.items() if line.holds(f"{each.row.key} {each.row.value}"))
        line.say(len(found), len(self._entries))
        self.entries.show(found, self._entries.__getitem__)

    def action_find(self) -> None:
        self.query_one(FindLine).open()

    def on_line_table_moved(self) -> None:
        if self.maps.has_focus and self.maps.cursor and self.maps.cursor != self._marked:
            self._mark(self.maps.cursor)
        self._describe()

    def on_line_table_chosen(self) -> None:
        (self.action_settings if self.maps.has_focus else self.action_edit)()

    def _mark(self, name: str) -> None:
        self._marked = name
        self.query_one("#answer", Static).update("")
        self.pull(self.console.snapshot)
        self.maps.go_to(name)
        if self.asked.value and self._states[name].type not in DEAR:
            self._look_up()

    def _describe(self) -> None:
        self.query_one("#about", Static).update(self._about(self.state) if self.state else Content(""))

    def _about(self, state: MapState) -> Content:
        users = rule_words.users(self.console.state.site, state.name)
        used = f"used by {', '.join(users)}" if users else "no rule uses it"
        lines = [Content.assemble((state.name, "bold"), f"  {words.printable(state.reads)}  ", (used, "$text-muted"))]
        if state.fault:
            what = Content(f": {words.printable(state.fault)}: rules take their defaults")
            lines.append(Content.assemble(("▲ fault", "$text-error"), what))
        elif state.last_error:
            when = sentences.ago(self._now - state.error_at)
            lines.append(Content.styled(f"last error {when}: {words.printable(state.last_error)}", "$text-muted"))
        if entry := self._entries.get(self.entries.cursor):
            if entry.above:
                lines.append(Content(f"▲ never reached: line {entry.above} has the same key, and the first line wins"))
            else:
                lines.append(Content(f"{words.printable(entry.row.key)} → {words.printable(entry.row.value)}"))
        return Content("\n").join(lines)

    # Looking up

    def action_look_up(self) -> None:
        self.set_focus(self.asked)

    def on_input_changed(self) -> None:
        if self.state is not None and self.state.type in DEAR:
            self._answer(Content.styled("enter asks", "$text-muted") if self.asked.value else Content(""))
        else:
            self._look_up(PAUSE)

    def on_input_submitted(self) -> None:
        self._look_up()
        if self.state is not None and self.state.type in EDITABLE:
            self.set_focus(self.entries)

    @work(exclusive=True, group="look up")
    async def _look_up(self, pause: float = 0.0) -> None:
        await asyncio.sleep(pause)
        name, key = self._marked, self.asked.value
        if not name or not key:
            self._answer(Content(""))
            return
        try:
            value = await self.engine.look_up(name, key)
        except OSError as error:
            self._answer(Content.styled(words.printable(error.strerror or str(error)), "$text-error"))
            return
        if (name, key) != (self._marked, self.asked.value):
            return
        self.entries.go_to(key)
        if value is None:
            self._answer(Content.assemble(("○ miss", "bold $text-warning"), "  rules take their default"))
        else:
            found = words.printable(value) or "(empty)"
            self._answer(Content.assemble(("● hit ", "bold $text-success"), f" {found}"))

    def _answer(self, answer: Content) -> None:
        self.query_one("#answer", Static).update(answer)

    # Keys

    def _leave_input(self) -> None:
        self.set_focus(self.entries)

    def action_mark(self, step: int) -> None:
        names = list(self._states)
        if names:
            self._mark(names[(names.index(self._marked) + step) % len(names)])

    @work
    async def action_edit(self) -> None:
        if not (entry := self._here()):
            return
        name, key = self._marked, entry.row.key
        question = f"Value of {key} in map {name}?"
        was = self._found(key)

        def command(text: str) -> SetEntry:
            return SetEntry(map=name, key=key, value=text, was=was)

        await self._ask(question, entry.row.value, command, over=True)

    @work
    async def action_add(self) -> None:
        if not self._editable():
            return
        name, start = self._marked, self.asked.value
        new = ""

        def command(text: str) -> SetEntry | str:
            nonlocal new
            key, _, value = text.strip().partition(" ")
            if not key or not value.strip():
                return "An entry is a key, a blank and a value."
            if key in self._entries:
                return f"There is an entry {key} already: e on it changes its value."
            new = key
            return SetEntry(map=name, key=key, value=value.strip(), was=None)

        text = f"{start} " if start and start not in self._entries else ""
        if await self._ask(f"Key and value for map {name}?", text, command):
            await self._read_entries(False).wait()
            self.entries.go_to(new)

    async def _ask(
        self, question: str, text: str, command: Callable[[str], SetEntry | str], over: bool = False
    ) -> bool:
        entry = await self.console.ask(Prompt(self.engine, question, text, command, over=over))
        return entry is not None and await self.console.do(entry)

    @work
    async def action_delete(self) -> None:
        if not (entry := self._here()):
            return
        name, key = self._marked, entry.row.key
        lines = sum(each.row.key == key for each in self._entries.values())
        detail = "Rules that ask for it take their default." + (f" All {lines} lines of it go." if lines > 1 else "")
        command = SetEntry(map=name, key=key, value=None, was=self._found(key))
        await self.console.do(command, f"Take {key} out of map {name}?", detail, "Take out")

    @work
    async def action_settings(self) -> None:
        if self._marked:
            await self.console.edit(("maps", self._marked))

    @work
    async def action_new(self) -> None:
        if new := await self.console.add(("maps",), {"type": "txt"}):
            self.go_to(new)

    @work
    async def action_remove(self) -> None:
        if not self._marked:
            return
        change = sentences.remove(("maps", self._marked))
        users = rule_words.users(self.console.state.site, self._marked)
        detail = f"Used by {', '.join(users)}: the site is refused without it." if users else "No rule uses it."
        kept = " Its file stays." if self.console.state.site.maps[self._marked].file else ""
        await self.console.do(change, sentences.question(change), detail + kept, "Remove")

    def _found(self, key: str) -> str:
        """What a lookup of a key that is listed finds: the value of its first line."""
        return next(each.row.value for each in self._entries.values() if each.row.key == key)

    def _editable(self) -> bool:
        """Whether the marked map's entries can be edited; says why not."""
        if not self.console.changeable():
            return False
        if self.state is not None and self.state.type in EDITABLE:
            return True
        if self.state is None:
            self.console.say("No map yet: press n to add one.")
        else:
            self.console.say(f"entries of a map of type {self.state.type} are not edited here: change what it reads")
        return False

    def _here(self) -> ShownEntry | None:
        if not self._editable():
            return None
        entry = self._entries.get(self.entries.cursor)
        if entry is None:
            self.console.say("No entry here yet: press a to add one.")
        return entry

    def go_to(self, name: str) -> None:
        self.pull(self.console.snapshot)
        if name in self._states:
            self._mark(name)
