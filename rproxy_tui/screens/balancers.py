"""Balancers: shift weight between members, drain one, take it out, put it back.

The upper table lists the balancers, the lower one the members of the balancer that is marked; beneath it stands what
the next keys would do to the shares. A risky key asks first, and says what is in flight and who will carry the rest.
Draining is watched to its end: ``drained: safe to stop``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Static

from proxy_core.config.model import MemberStatus, Site
from proxy_core.control.commands import Change, Set
from proxy_core.control.view import MemberLoad, Snapshot
from rproxy_tui import sentences, words
from rproxy_tui.page import Page
from rproxy_tui.sentences import MemberName
from rproxy_tui.widgets.balancer_table import BalancerTable
from rproxy_tui.widgets.member_table import MemberTable
from rproxy_tui.widgets.prompt import Prompt

NO_BALANCER = "No balancer yet: press b to add one. A route uses it as balancer://name."
NO_MEMBER = "No member yet: requests are answered 503. Press a to add one."
STYLES = {"good": "$text-success", "warning": "$text-warning", "error": "$text-error"}


class Balancers(Page):
    heading = "Balancers"
    key = "4"
    hertz = 5.0
    VERTICAL_BREAKPOINTS = [(0, "-short"), (20, "-tall")]
    help_text = """
A member gets requests in proportion to its **weight** among the members that are enabled. `promised` is that share;
`share` is what it was given over the last minute.

**Drain** sends a member no new requests and lets those in flight finish: wait for `drained: safe to stop`.
**Disable** takes it out in the same way, for longer. Both ask first and say who will carry its requests; `e` puts the
member back. A member that was removed stays listed until its last request has ended.
"""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("plus,equals_sign", "nudge(1)", "More", id="balancers.more", key_display="+", tooltip="weight up by 1"),
        Binding("minus", "nudge(-1)", "Less", id="balancers.less", key_display="-", tooltip="weight down by 1"),
        Binding("w", "weigh", "Weight", id="balancers.weight", tooltip="type a weight"),
        Binding("D", "status('draining')", "Drain", id="balancers.drain", tooltip="no new requests, finish the rest"),
        Binding("e", "status('enabled')", "Enable", id="balancers.enable", tooltip="put the member into service"),
        Binding("x", "status('disabled')", "Disable", id="balancers.disable", tooltip="take it out of service"),
        Binding("a", "add", "Add", id="balancers.add", tooltip="add a member to the marked balancer"),
        Binding("d,delete", "remove", "Remove", id="balancers.remove", tooltip="remove the member (or empty balancer)"),
        Binding("b", "add_balancer", "New balancer", id="balancers.new", tooltip="add a balancer"),
        Binding("m", "edit_balancer", "Method", id="balancers.method", tooltip="edit the marked balancer in a form"),
        Binding("left,h", "mark(-1)", "Previous", show=False, id="balancers.previous", tooltip="the balancer above"),
        Binding("right,l", "mark(1)", "Next", show=False, id="balancers.next", tooltip="the balancer below"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._loads: dict[str, list[MemberLoad]] = {}
        self._site = Site()
        self._marked = ""
        self._busy: dict[MemberName, int] = {}
        self._one_at_a_time = asyncio.Lock()

    def body(self) -> ComposeResult:
        yield BalancerTable()
        yield Static(id="hint")
        yield MemberTable(qualified=False)
        yield Static(id="about")

    @property
    def table(self) -> MemberTable:
        return self.query_one(MemberTable)

    def pull(self, snapshot: Snapshot) -> None:
        site = self.engine.site().site
        self._site = site
        loads: dict[str, list[MemberLoad]] = {name: [] for name in self._site.balancers}
        for load in snapshot.members:
            if load.balancer:
                loads.setdefault(load.balancer, []).append(load)
        self._loads = loads
        if self._marked not in loads:
            self._marked = next(iter(loads), "")
        self.query_one(BalancerTable).show_site(site, loads, self._marked)
        self.table.show(snapshot, self._marked)
        members = loads.get(self._marked)
        self.query_one("#hint", Static).update(NO_MEMBER if loads else NO_BALANCER)
        self.query_one("#hint", Static).display = not members
        self.table.display = bool(members)
        self._watch_drains()
        self._describe()

    def _watch_drains(self) -> None:
        """Tell when the last request of a draining member has ended."""
        busy = {
            (load.balancer, load.member): load.busy
            for loads in self._loads.values()
            for load in loads
            if load.status == "draining" and not load.retired
        }
        for member, count in busy.items():
            if not count and self._busy.get(member):
                self.console.say(f"{'/'.join(member)} is drained: safe to stop", "success")
        self._busy = busy

    # What the next keys would do

    def on_row_table_moved(self) -> None:
        self._marked = self.query_one(BalancerTable).cursor

    def on_member_table_highlighted(self) -> None:
        self._describe()

    def on_member_table_selected(self) -> None:
        self.action_edit()

    def _describe(self) -> None:
        load = self._here(quiet=True)
        self.query_one("#about", Static).update(self._about(load) if load else Content(""))

    def _about(self, load: MemberLoad) -> Content:
        glyph, state, style = words.member_state(load)
        lines = [
            Content.assemble(
                (f"{load.balancer}/{load.member}", "bold"),
                f"  {load.url}  ",
                (f"{glyph} {state}", STYLES.get(style, "$secondary")),
                (f"  {load.last_error}" if load.last_error and load.health == "error" else "", "$secondary"),
            )
        ]
        if load.retired:
            lines.append(Content("It is removed, and stays listed until its last request has ended."))
        elif load.status == "enabled":
            for step, key in ((1, "+"), (-1, "-")):
                weight = sentences.nudged(load.weight, step)
                if weight != load.weight:
                    lines.append(self._would(load, key, f"weight {words.weight(weight)}", {load.member: weight}))
        else:
            lines.append(self._would(load, "e", "enable", {load.member: load.weight}))
        return Content("\n").join(lines)

    def _would(self, load: MemberLoad, key: str, what: str, weights: Mapping[str, float]) -> Content:
        """``+ weight 2: a 33% → 50%, b 67% → 50%``."""
        members = self._loads[load.balancer]
        after = sentences.promised(members, weights)
        effect = sentences.shifts(sentences.promised(members), after, load.member) or "no share changes"
        if not any(after.values()):
            effect = "no member is left, requests get 503"
        return Content.assemble((key, "bold $text-accent"), (f" {what}: ", "$secondary"), effect)

    # Keys

    def action_mark(self, step: int) -> None:
        names = list(self._loads)
        if names:
            self._marked = names[(names.index(self._marked) + step) % len(names)]
            self.pull(self.console.snapshot)

    @work
    async def action_nudge(self, step: int) -> None:
        if not (load := self._here()):
            return
        async with self._one_at_a_time:  # each nudge starts from what the one before it has made
            member = self.engine.site().site.balancers[load.balancer].members.get(load.member)
            if member is None:
                return
            weight = sentences.nudged(member.weight, step)
            if weight == member.weight:
                return self.console.say(f"A weight is between {sentences.LIGHTEST:g} and {sentences.HEAVIEST:g}.")
            await self._weigh(load, sentences.set_weight((load.balancer, load.member), weight))

    @work
    async def action_weigh(self) -> None:
        if not (load := self._here()):
            return
        member, members = (load.balancer, load.member), self._loads[load.balancer]

        def command(text: str) -> Change | str:
            weight = sentences.weight_of(text)
            return weight if isinstance(weight, str) else sentences.set_weight(member, weight)

        def effect(text: str) -> str:
            weights = {load.member: float(text) if load.status == "enabled" else 0.0}
            return sentences.shifts(sentences.promised(members), sentences.promised(members, weights), load.member)

        question = f"Weight of {load.balancer}/{load.member}, 0 to 100?"
        prompt = Prompt(self.engine, question, words.weight(load.weight), command, effect, over=True)
        if change := await self.console.push_screen_wait(prompt):
            await self._weigh(load, change)

    async def _weigh(self, load: MemberLoad, change: Change) -> None:
        """Apply a weight; ask first where it leaves nobody to take requests."""
        (edit,) = change.edits
        members = self._loads[load.balancer]
        after = sentences.promised(members, {load.member: edit.value}) if isinstance(edit, Set) else {}
        last = load.status == "enabled" and any(sentences.promised(members).values()) and not any(after.values())
        detail = f"No other member of {load.balancer} can take its requests: they will get 503."
        await self.console.do(change, sentences.question(change) if last else "", detail, "Set")

    @work
    async def action_status(self, status: MemberStatus) -> None:
        if not (load := self._here()):
            return
        if load.status == status:
            return self.console.say(f"{load.balancer}/{load.member} is {status} already.")
        change, verb = sentences.set_status((load.balancer, load.member), status), sentences.VERBS[status].title()
        detail = sentences.handover(self._loads[load.balancer], load.member)
        await self.console.do(change, sentences.question(change) if status != "enabled" else "", detail, verb)

    @work
    async def action_edit(self) -> None:
        if load := self._here():
            await self.console.edit(("balancers", load.balancer, "members", load.member))

    @work
    async def action_add(self) -> None:
        if not self._marked:
            return self.console.say(NO_BALANCER)
        address = ("balancers", self._marked, "members")
        known = {load.member for load in self._loads[self._marked]}
        await self.console.add(address, {"url": "http://"}, named=True)
        for new in self._site.balancers[self._marked].members.keys() - known:
            self.table.go_to(self._marked, new)

    @work
    async def action_remove(self) -> None:
        if self._marked and not self._loads[self._marked]:
            change = sentences.remove_balancer(self._marked)
            await self.console.do(change, sentences.question(change), "It has no member.", "Remove")
        elif load := self._here():
            change = sentences.remove_member((load.balancer, load.member))
            detail = sentences.handover(self._loads[load.balancer], load.member)
            stays = " It stays listed until they have ended." if load.busy else ""
            await self.console.do(change, sentences.question(change), detail + stays, "Remove")

    @work
    async def action_add_balancer(self) -> None:
        known = set(self._loads)
        await self.console.add(("balancers",), {}, named=True)
        for new in self.engine.site().site.balancers.keys() - known:
            self._marked = new

    @work
    async def action_edit_balancer(self) -> None:
        if self._marked in self._site.balancers:
            await self.console.edit(("balancers", self._marked))

    def _here(self, quiet: bool = False) -> MemberLoad | None:
        """The member under the cursor, to be changed; says why there is none."""
        load = self.table.cursor_load if self._loads.get(self._marked) else None
        if quiet:
            return load
        if load is None:
            self.console.say(NO_MEMBER if self._loads else NO_BALANCER)
        elif load.retired:
            self.console.say(f"{load.balancer}/{load.member} is removed: undo (u) brings it back.")
            return None
        return load
