"""Balancers: shift weight between members, drain one, take it out, put it back.

The upper table lists the balancers, the lower one the members of the balancer that is chosen; beneath it stands what
the next keys would do to the shares. A risky key asks first, and says what is in flight and who will carry the rest.
Draining is watched to its end: ``drained: safe to stop``. Keys that change a weight, status or role act on the members
that are marked, in one command, or else on the one under the cursor.

What can be set of a balancer besides its members is chosen from a list that says how each of it stands. Method and
limits are its own options; stickiness, checks and ejection are tables of theirs, which may not be there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import ClassVar, NamedTuple

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Static

from proxy_core.config.model import Balancer, Ejection, HealthCheck, MemberRole, MemberStatus, Site, Sticky, UpstreamTls
from proxy_core.control.editing.commands import Change, Delete, Set
from proxy_core.control.view import MemberLoad, Snapshot
from proxy_core.control.watching.troubles import Subject
from rproxy_tui import forecast, sentences, words
from rproxy_tui.console import ConsoleVerbs
from rproxy_tui.content import Content
from rproxy_tui.draft import thing
from rproxy_tui.member_facts import about, stands
from rproxy_tui.page import Page
from rproxy_tui.screens.compare import ComparePage
from rproxy_tui.screens.details import DetailsPage
from rproxy_tui.sentences import MemberName
from rproxy_tui.widgets.dialogs import Choice, Prompt
from rproxy_tui.widgets.member_tables import BalancerTable, MemberTable, key


class BalancerSetting(NamedTuple):
    """``table`` is the name of the table under the balancer, "" for the balancer itself."""

    key: str
    name: str
    says: str
    table: str

    @property
    def label(self) -> str:
        return f"{self.name}: {self.says}"


def settings(balancer: Balancer) -> tuple[BalancerSetting, ...]:
    """In the order in which they matter for a request."""
    slow = f", slow start {words.span(balancer.slow_start)}" if balancer.slow_start else ""
    keyed = f" of {balancer.key}" if balancer.method == "hash" else ""
    sticky, health, ejection = balancer.sticky, balancer.health, balancer.ejection
    return (
        BalancerSetting("m", "Method and limits", f"{balancer.method}{keyed}{slow}", ""),
        BalancerSetting("s", "Stickiness", _sticky(sticky) if sticky else "none", "sticky"),
        BalancerSetting("c", "Health checks", _health(health) if health else "none", "health"),
        BalancerSetting("e", "Ejection", _ejection(ejection) if ejection else "none", "ejection"),
        BalancerSetting(
            "t", "TLS with members", _tls(balancer.tls) if balancer.tls else "as the host or the site", "tls"
        ),
    )


async def choose_setting(console: ConsoleVerbs, name: str, balancer: Balancer) -> None:
    """Ask which, and edit it; what has a table of its own can be switched off as well."""
    by_key = {each.key: each for each in settings(balancer)}
    answers = tuple((key, each.label) for key, each in by_key.items())
    key = await console.ask(Choice(f"Settings of {name}", "", (*answers, ("n", "Close"))))
    if (chosen := by_key.get(key or "")) is None:
        return
    address = ("balancers", name, chosen.table) if chosen.table else ("balancers", name)
    if chosen.table and getattr(balancer, chosen.table) is not None:
        what = (("e", "Edit"), ("o", "Switch off"), ("n", "Close"))
        key = await console.ask(Choice(chosen.label, "", what))
        if key == "o":
            await console.do(Change(edits=(Delete(address),), sentence=f"switch off {thing(address)}"))
        if key != "e":
            return
    await console.edit(address)


def _sticky(sticky: Sticky) -> str:
    by = [f"cookie {sticky.cookie}"] if sticky.cookie else []
    by += [f"parameter {sticky.param}"] if sticky.param else []
    return " and ".join(by) + (", issued here" if sticky.issue else "")


def _health(health: HealthCheck) -> str:
    what = f"{health.method} {health.uri}" if health.method not in ("tcp", "none") else health.method
    return f"{what} every {health.interval:g} s"


def _ejection(ejection: Ejection) -> str:
    bounds = [f"{ejection.consecutive} failures in a row"] if ejection.consecutive else []
    bounds += [f"{words.percent(ejection.ratio)} failing"] if ejection.ratio else []
    return f"after {' or '.join(bounds) or 'nothing'}, for {ejection.seconds:g} s"


def _tls(tls: UpstreamTls) -> str:
    who = f"trusted by {tls.ca or 'the authorities of the system'}" if tls.verify else "not verified"
    return who + (f", shown {tls.cert}" if tls.cert else "")


NO_BALANCER = "No balancer yet: press b to add one. A route uses it as balancer://name."
NO_MEMBER = "No member yet: requests are answered 503. Press a to add one."


class BalancersPage(Page):
    heading = "Balancers"
    key = "4"
    hertz = 5.0
    VERTICAL_BREAKPOINTS = [(0, "-short"), (20, "-tall")]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("plus,equals_sign", "nudge(1)", "More", id="balancers.more", key_display="+", tooltip="weight up by 1"),
        Binding("minus", "nudge(-1)", "Less", id="balancers.less", key_display="-", tooltip="weight down by 1"),
        Binding("w", "weigh", "Weight", id="balancers.weight", tooltip="type a weight"),
        Binding("D", "status('draining')", "Drain", id="balancers.drain", tooltip="no new requests, finish the rest"),
        Binding("e", "status('enabled')", "Enable", id="balancers.enable", tooltip="put the member into service"),
        Binding("x", "status('disabled')", "Disable", id="balancers.disable", tooltip="take it out of service"),
        Binding("space", "mark", "Mark", id="balancers.mark", tooltip="mark it; + - w D x e s S d act on all marked"),
        Binding("c", "compare", "Compare", id="balancers.compare", tooltip="two members side by side"),
        Binding("m", "settings", "Method", id="balancers.method", tooltip="method, stickiness, checks, ejection, TLS"),
        Binding("E", "edit", "Edit", id="balancers.edit", tooltip="edit the member in a form"),
        Binding("a", "add", "Add", id="balancers.add", tooltip="add a member to the chosen balancer"),
        Binding("d,delete", "remove", "Remove", id="balancers.remove", tooltip="remove the member (or empty balancer)"),
        Binding("b", "add_balancer", "New balancer", id="balancers.new", tooltip="add a balancer"),
        Binding("s", "role('standby')", "Standby", id="balancers.standby", tooltip="a standby, or regular again"),
        Binding("S", "role('spare')", "Spare", id="balancers.spare", tooltip="a spare, or regular again"),
        Binding("escape", "unmark", "Unmark", show=False, id="balancers.unmark", tooltip="forget the marks"),
        Binding("left,h", "choose(-1)", "Previous", show=False, id="balancers.previous", tooltip="the balancer above"),
        Binding("right,l", "choose(1)", "Next", show=False, id="balancers.next", tooltip="the balancer below"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._loads: dict[str, list[MemberLoad]] = {}
        self._site = Site()
        self._chosen = ""
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
        if self._chosen not in loads:
            self._chosen = next(iter(loads), "")
        self.query_one(BalancerTable).show_site(site, loads, self._chosen)
        self.table.show_members(snapshot, self._chosen)
        members = loads.get(self._chosen)
        self.query_one("#hint", Static).update(NO_MEMBER if loads else NO_BALANCER)
        self.query_one("#hint", Static).display = not members
        self.table.display = bool(members)
        if not snapshot.past:
            self._watch_drains()
        self._describe()

    def go_to(self, name: str) -> None:
        """Choose a balancer; ``balancer/member`` puts the cursor on that member too."""
        self._chosen = name.partition("/")[0]
        self.pull(self.console.snapshot)
        self.table.go_to(name)

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

    def on_line_table_moved(self) -> None:
        self._describe()

    def on_line_table_chosen(self) -> None:
        if (load := self._here(quiet=True)) is not None:
            address = ("balancers", load.balancer, "members", load.member)
            self.app.push_screen(DetailsPage(self.key, Subject("member", load.balancer, load.member), address))

    def _describe(self) -> None:
        load = self._here(quiet=True)
        members = self._loads.get(self._chosen, [])
        marked = [each.member for each in self._marked()]
        now = self.console.snapshot
        stood = stands(load, now.at) if load else Content("")
        text = about(load, marked, members, now.at) if load and not now.past else stood
        self.query_one("#about", Static).update(text)

    # Keys

    def action_choose(self, step: int) -> None:
        names = list(self._loads)
        if names:
            self._chosen = names[(names.index(self._chosen) + step) % len(names)]
            self.pull(self.console.snapshot)

    @work
    async def action_nudge(self, step: int) -> None:
        balancer, names = self._chosen, [load.member for load in self._aimed_at()]
        async with self._one_at_a_time:  # each nudge starts from what the one before it has made
            members = self.engine.site().site.balancers[balancer].members if names else {}
            now = {name: members[name].weight for name in names if name in members}
            weights = {name: sentences.nudged(weight, step) for name, weight in now.items()}
            weights = {name: weight for name, weight in weights.items() if weight != now[name]}
            if weights:
                await self._weigh(sentences.set_weights(balancer, weights))
            elif now:
                self.console.say(f"A weight is between {sentences.LIGHTEST:g} and {sentences.HEAVIEST:g}.")

    @work
    async def action_weigh(self) -> None:
        if not (aimed_at := self._aimed_at()):
            return
        balancer, names, members = self._chosen, [load.member for load in aimed_at], self._loads[self._chosen]

        def weights() -> dict[str, float]:
            now = self.engine.site().site.balancers.get(balancer)
            return {name: member.weight for name, member in now.members.items() if name in names} if now else {}

        before = {load.member: load.weight for load in aimed_at}

        def command(text: str) -> Change | str:
            if (now := weights()) != before:
                return sentences.other_weights(before, now)
            weight = sentences.weight_of(text)
            return weight if isinstance(weight, str) else sentences.set_weights(balancer, dict.fromkeys(names, weight))

        def effect(text: str) -> str:
            after = forecast.supposing(members, names, weight=float(text))
            return forecast.shifts(forecast.promised(members), forecast.promised(after), names)

        question = f"Weight of {balancer}/{forecast.listed(names)}, 0 to 100?"
        prompt = Prompt(self.engine, question, words.weight(aimed_at[0].weight), command, effect, over=True)
        if change := await self.console.ask(prompt):
            await self._weigh(change)

    async def _weigh(self, change: Change) -> None:
        """Apply weights; ask first where they leave nobody to take requests."""
        members = after = self._loads[self._chosen]
        for edit in change.edits:
            if isinstance(edit, Set):
                after = forecast.supposing(after, [edit.address[3]], weight=edit.value)
        last = any(forecast.promised(members).values()) and not any(forecast.promised(after).values())
        detail = f"No other member of {self._chosen} can take its requests: they will get 503."
        await self.console.do(change, sentences.question(change) if last else "", detail, "Set")

    @work
    async def action_status(self, status: MemberStatus) -> None:
        sticky = self._chosen in self._site.balancers and self._site.balancers[self._chosen].sticky is not None
        more = " Requests of sessions still come." if sticky and status == "draining" else ""
        await self._set("status", status, partial(sentences.set_status, status), sentences.VERBS[status].title(), more)

    @work
    async def action_role(self, role: MemberRole) -> None:
        """Give members a role, or where all of them have it, make them regular again."""
        wanted: MemberRole = "regular" if all(load.role == role for load in self._aimed_at()) else role
        await self._set("role", wanted, partial(sentences.set_role, wanted), "Yes")

    async def _set(self, option: str, value: str, change: Callable[..., Change], yes: str, more: str = "") -> None:
        """Set an option of all members that a key acts on; ask first unless that brings them into service."""
        aimed_at = [load.member for load in self._aimed_at()]
        names = [load.member for load in self._aimed_at() if getattr(load, option) != value]
        if names:
            made = change(self._chosen, *names)
            question = "" if value in ("enabled", "regular") else sentences.question(made)
            detail = forecast.handover(self._loads[self._chosen], names, **{option: value})
            await self._change_many(made, question, detail + more, yes)
        elif aimed_at:
            are = "is" if len(aimed_at) == 1 else "are"
            self.console.say(f"{self._chosen}/{forecast.listed(aimed_at)} {are} {value} already.")

    async def _change_many(self, change: Change, question: str, detail: str, yes: str) -> None:
        if await self.console.do(change, question, detail, yes):
            self.action_unmark()

    def action_mark(self) -> None:
        if load := self._here():
            self.table.mark(self.table.marks ^ {key(load)})
            self.table.action_move(1)
            self._describe()

    def action_unmark(self) -> None:
        self.table.mark(frozenset())
        self._describe()

    def action_compare(self) -> None:
        """The two that are marked, or the one that is and the one under the cursor."""
        load = self._here(quiet=True)
        pair = [*self._marked(), *([load] if load is not None else [])]
        pair = list({each.member: each for each in pair}.values())
        if len(self._marked()) > 2 or len(pair) < 2:
            return self.console.say("Mark two members with space, or one and go to the other.")
        one, other = ((each.balancer, each.member) for each in pair[:2])
        self.action_unmark()  # else the next key, after the comparison, would change them both
        self.app.push_screen(ComparePage(one, other))

    @work
    async def action_edit(self) -> None:
        if load := self._here():
            await self.console.edit(("balancers", load.balancer, "members", load.member))

    @work
    async def action_add(self) -> None:
        if not self._chosen:
            return self.console.say(NO_BALANCER)
        address = ("balancers", self._chosen, "members")
        if new := await self.console.add(address, {"url": "http://"}):
            self.table.go_to(f"{self._chosen}/{new}")

    @work
    async def action_remove(self) -> None:
        if self._chosen and not self._loads[self._chosen]:
            change = sentences.remove(("balancers", self._chosen))
            await self.console.do(change, sentences.question(change), "It has no member.", "Remove")
        elif aimed_at := self._aimed_at():
            names = [load.member for load in aimed_at]
            change = sentences.remove_members(self._chosen, *names)
            detail = forecast.handover(self._loads[self._chosen], names, retired=True)
            stay = f" {'It stays' if len(names) == 1 else 'They stay'} listed until they have ended."
            busy = any(load.busy for load in aimed_at)
            await self._change_many(change, sentences.question(change), detail + (stay if busy else ""), "Remove")

    @work
    async def action_add_balancer(self) -> None:
        if new := await self.console.add(("balancers",), {}):
            self._chosen = new

    @work
    async def action_settings(self) -> None:
        if self._chosen in self._site.balancers:
            await choose_setting(self.console, self._chosen, self._site.balancers[self._chosen])

    def _marked(self) -> list[MemberLoad]:
        return [load for load in self._loads.get(self._chosen, ()) if key(load) in self.table.marks]

    def _aimed_at(self) -> list[MemberLoad]:
        """The members that a key acts on: those that are marked, or else the one under the cursor."""
        if not self.console.changeable():
            return []
        load = None if self.table.marks else self._here()
        return self._marked() or ([load] if load is not None else [])

    def _here(self, quiet: bool = False) -> MemberLoad | None:
        """The member under the cursor, to be changed; says why there is none."""
        load = self.table.cursor_load if self._loads.get(self._chosen) else None
        if quiet:
            return load
        if load is None:
            self.console.say(NO_MEMBER if self._loads else NO_BALANCER)
        elif load.retired:
            self.console.say(f"{load.balancer}/{load.member} is removed: undo (u) brings it back.")
            return None
        return load
