"""The command palette: everything that a key does, of the page it is opened on as well, and what has no key, by name.

The list is made from the site as it is now, so that each listener, route, balancer and member can be found by its
name. Commands go the same way as keys: through the console's ``do``, ``edit`` and ``add``.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple, cast

from textual import on, work
from textual.command import CommandPalette, DiscoveryHit, Hit, Hits, Provider
from textual.fuzzy import Matcher
from textual.screen import Screen
from textual.widgets import Input
from textual.worker import WorkerError

from proxy_core.control.editing.commands import Change, Command, Delete, Keep, Reload, Set
from proxy_core.errors import Address
from rproxy_tui import sentences
from rproxy_tui.console import ConsoleVerbs
from rproxy_tui.content import Content
from rproxy_tui.draft import thing
from rproxy_tui.keys import PAGES
from rproxy_tui.settling import APPLY
from rproxy_tui.theme import THEMES
from rproxy_tui.words import printable


class PaletteEntry(NamedTuple):
    """A line of the palette. ``run`` may ask the person."""

    name: str
    about: str
    run: Callable[[], Coroutine[Any, Any, object]]


def entries(console: ConsoleVerbs) -> Iterator[PaletteEntry]:
    """Every command of the console, the common ones first."""
    engine, site = console.engine, console.engine.site().site
    for key, name in PAGES.items():
        yield action(console, f"page('{key}')", f"go to {name.title()}", f"key {key}")
    undone, redone = engine.can_undo(), engine.can_redo()
    yield action(console, "undo", "undo", undone.sentence if undone else "nothing to take back")
    yield action(console, "redo", "redo", redone.sentence if redone else "nothing to do again")
    if (pending := console.snapshot.pending) is not None:
        yield action(console, "keep", "keep the change that waits", f"{pending.sentence} (key y)")
        yield action(console, "take_back", "take the change back that waits", f"{pending.sentence} (key n)")
    yield action(console, "problems", "problems", "what is wrong, and what to do about it")
    yield action(console, "rule_tests", "rule tests", "what comes of each row of [[tests]] (key f3)")
    yield action(console, "note", "write a note", "what is wrong and what was changed, for a ticket (key !)")
    yield action(console, "explain", "explain a URL", "where a request would go, and why (key W)")
    if console.link is None:
        about = "an upstream for every loopback member that refuses"
        yield PaletteEntry("start demo members", about, console.start_demo)
    if engine.snapshot().saved == "drift":
        yield do(console, Reload(), "take the file on disk", "drop what was not saved")
        yield do(console, Keep(), "keep the running site", "write it over the file on disk")
    else:
        yield do(console, Reload(), "reload the site file", "take it as it stands on disk")
    yield edit(console, ("site",), "timeouts, names, trusted proxies")
    yield edit(console, ("limits",), "sizes, times, rates and numbers")
    left = partial(sentences.about_ban, now=engine.snapshot().at)
    yield from rows(console, "bans", left, {}, "keep an address or network out")
    yield edit(console, ("console",), "theme and keys")
    yield from optional(console, ("access_log",), site.access_log, "a line for each request")
    yield from optional(console, ("recording",), site.recording, "what is kept of the last hours in a file")
    yield edit(console, ("file_types",), "what the names of served files say of them")
    for table, places in (("hosts", site.hosts), ("locations", {row.id: row for row in site.locations})):
        for name, place in places.items():
            yield from own_table(console, (table, name, "file_types"), place.file_types is not None)
    yield edit(console, ("cache",), "how much the shared cache keeps, and for how long")
    yield edit(console, ("compress",), "which answers are coded (zstd, br, gzip), and how")
    placed = [("hosts", name, host.compress) for name, host in site.hosts.items()]
    placed += [("routes", route.id, route.compress) for route in site.routes]
    placed += [("locations", location.id, location.compress) for location in site.locations]
    for table, name, own in placed:
        yield from own_table(console, (table, name, "compress"), own is not None)
    yield edit(console, ("control",), "the socket for rproxy ctl and consoles, and who may read there")
    yield edit(console, ("log",), "what rproxy says where it has no console")
    yield from optional(console, ("metrics",), site.metrics, "where Prometheus reads the numbers")
    yield from optional(console, ("heartbeat",), site.heartbeat, "where members report how much they can take")
    yield add(console, ("listeners",), {"address": "127.0.0.1:"}, "an address that accepts connections")
    for name, listener in site.listeners.items():
        yield edit(console, ("listeners", name), listener.address)
        yield edit(console, ("listeners", name, "limits"), "sizes and times of its own")
        yield remove(console, ("listeners", name), f"{listener.address}: what is open there is drained")
    for kind in ROWS:
        yield from rows(console, *kind)
    yield edit(console, ("upstream_tls",), "how https members are spoken to")
    for name, host in site.hosts.items():
        yield from own_table(console, ("hosts", name, "upstream_tls"), host.upstream_tls is not None)
    yield add(console, ("balancers",), {}, "a group of members")
    for balancer, settings in site.balancers.items():
        yield edit(console, ("balancers", balancer), settings.method)
        yield add(console, ("balancers", balancer, "members"), {"url": "http://127.0.0.1:"}, f"to {balancer}")
        for name, member in settings.members.items():
            yield edit(console, ("balancers", balancer, "members", name), member.url)
            if member.tls is not None or member.url.lower().startswith(("https:", "wss:")):
                yield from own_table(console, ("balancers", balancer, "members", name, "tls"), member.tls is not None)
    for theme in THEMES:
        command = Change(edits=(Set(("console", "theme"), theme.name),), sentence=f"set theme to {theme.name}")
        yield do(console, command, f"theme {theme.name}", "colours of the console")
    if console.ctl:
        yield action(console, "copy_ctl", "copy the ctl line", console.ctl)
    if console.link is not None:
        yield PaletteEntry("stop the service", "drain and stop what this console is attached to", console.stop_service)
    yield action(console, "help", "help", "this page and its keys")
    yield action(console, "leave", "quit", "leave the console" if console.link is None else "detach: it serves on")


ROWS: tuple[tuple[str, Callable[[Any], str], dict[str, Any], str], ...] = (
    ("routes", lambda row: f"{row.taken} → {row.leads}", {"path": "/"}, "where requests go, behind all others"),
    ("rewrites", lambda row: f"{row.pattern} → {row.substitution}", {"pattern": "^/"},
     "a rule that changes requests, behind all others"),
    ("maps", lambda row: row.type, {"type": "txt"}, "what rules look up by a key"),
    ("env", lambda row: row.name, {"from": "%{REMOTE_ADDR}"}, "a variable of each request, for rules to test"),
    ("hosts", lambda row: ", ".join(row.names), {}, "a name-based virtual host"),
    ("locations", lambda row: row.path or row.path_regex or row.target or "", {"path": "/"},
     "settings for some paths or targets"),
    ("auth", lambda row: row.realm, {"realm": "Staff only"}, "who has a password, for locations to ask for"),
    ("access", lambda row: ", ".join(row.require), {"match": "all"}, "conditions that several places require"),
    ("forward_auth", lambda service: service.url, {"url": "http://127.0.0.1:"},
     "a service that locations ask first"),
    ("headers", lambda row: f"{row.on}: {row.action} {row.name}".rstrip(), {"name": "X-"},
     "a change to the fields of requests or answers"),
    ("expires", lambda row: f"{row.type or 'the rest'}: {row.after} s", {"after": 3600},
     "how long answers may be kept"),
    ("reverse", lambda row: f"{row.internal} → {row.public}", {"public": "/"},
     "an address in answers that is told in another way"),
    ("errors", lambda row: ", ".join(row.status), {},
     "what clients get in place of the built-in page of an error"),
    ("tests", lambda row: row.request, {"request": "GET /"},
     "a request, and what the rules are to make of it"),
    ("access_logs", lambda row: f"{row.host or 'the server'}: {row.file}", {"file": "access.log"},
     "one log of requests more, or a host's own"),
)  # fmt: skip
"""Lists and tables of the site: the name, what is said of a row, what a new one begins with, and what it is for."""


def rows(
    console: ConsoleVerbs, name: str, about: Callable[[Any], str], start: dict[str, Any], purpose: str
) -> Iterator[PaletteEntry]:
    """Edit and remove each row or table of a name, and add one."""
    table = getattr(console.engine.site().site, name)
    for id, row in table.items() if isinstance(table, dict) else ((row.id, row) for row in table):
        yield edit(console, (name, id), about(row))
        yield remove(console, (name, id), about(row))
    yield add(console, (name,), start, purpose)


def action(console: ConsoleVerbs, key: str, name: str, about: str) -> PaletteEntry:
    """What a key of the console does."""
    return PaletteEntry(name, about, partial(console.run_action, key))


def do(console: ConsoleVerbs, command: Command, name: str, about: str) -> PaletteEntry:
    return PaletteEntry(name, about, partial(console.do, command))


def edit(console: ConsoleVerbs, address: Address, about: str) -> PaletteEntry:
    return PaletteEntry(f"edit {thing(address)}", about, partial(console.edit, address))


def add(console: ConsoleVerbs, address: Address, start: dict[str, Any], about: str) -> PaletteEntry:
    what = thing((*address, "")).partition(" ")[0]
    name = f"add {what} to {address[1]}" if len(address) > 1 else f"add {what}"
    return PaletteEntry(name, about, partial(console.add, address, start))


def optional(console: ConsoleVerbs, address: Address, table: object, about: str) -> Iterator[PaletteEntry]:
    """Edit a table of the site that may be missing, and remove it."""
    yield edit(console, address, about if table is not None else f"{about}: none yet")
    if table is not None:
        yield remove(console, address, about)


def own_table(console: ConsoleVerbs, address: Address, is_there: bool) -> Iterator[PaletteEntry]:
    """Edit a table that takes the place of a wider one, or has the last word beside it, and give it up."""
    yield edit(console, address, "in place of what the wider table says")
    if is_there:
        name = f"switch off {thing(address)}"
        yield do(console, Change(edits=(Delete(address),), sentence=name), name, "the wider table holds again")


def remove(console: ConsoleVerbs, address: Address, about: str) -> PaletteEntry:
    change = sentences.remove(address)
    return PaletteEntry(change.sentence, about, partial(console.do, change, sentences.question(change)))


def of_page(page: Screen[object]) -> Iterator[PaletteEntry]:
    """What the page's own keys do, by the names that its hints have."""
    shown: set[str] = set()
    for active in page.active_bindings.values():
        binding = active.binding
        if active.node is page and binding.id and binding.description and binding.action not in shown:
            shown.add(binding.action)
            about = f"{binding.tooltip or binding.description} (key {page.app.get_key_display(binding)})"
            yield PaletteEntry(binding.description.lower(), about, partial(page.app.run_action, binding.action, page))


def _plain(text: str) -> str:
    """Text that is no markup, where Textual takes content in spite of its annotation."""
    return cast(str, Content(printable(text)))


def _highlighted(matcher: Matcher, name: str) -> Content:
    """The name with the letters that were found; Textual's own takes a name for markup."""
    content = Content(name)
    for offset in matcher.fuzzy_search.match(matcher.query, name)[1]:
        content = content.stylize(matcher.match_style, offset, offset + 1)
    return content


class Commands(Provider):
    """Textual's palette asks this for what it shows."""

    @property
    def _console(self) -> ConsoleVerbs:
        return cast(ConsoleVerbs, self.app)

    def _entries(self) -> Iterator[PaletteEntry]:
        yield from of_page(self.screen)
        yield from entries(self._console)

    async def discover(self) -> Hits:
        for entry in self._entries():
            yield DiscoveryHit(Content(entry.name), self._runner(entry), help=_plain(entry.about))

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for entry in self._entries():
            name = printable(entry.name)
            score = max(matcher.match(name), 0.5 * matcher.match(entry.about))
            if score > 0:
                yield Hit(score, _highlighted(matcher, name), self._runner(entry), help=_plain(entry.about))

    def _runner(self, entry: PaletteEntry) -> Callable[[], None]:
        return lambda: (self.app.run_worker(entry.run()), None)[1]


class Palette(CommandPalette):
    """Textual's, in which Enter is for what was typed: it waits for what that finds. Textual takes what is shown at
    that moment, which may be what a part of it has found, or nothing."""

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.prevent_default().stop()
        self._choose()

    @work(exclusive=True, name=APPLY)
    async def _choose(self) -> None:
        for search in [each for each in self.workers if each.group == self._GATHER_COMMANDS_GROUP]:
            with suppress(WorkerError):  # one that was given up for a later one
                await search.wait()
        self._select_or_command()
