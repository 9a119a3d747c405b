"""The command palette: everything that a key does, and what has no key, by name.

The list is made from the site as it is now, so that each listener, route, balancer and member can be found by its
name. Commands go the same way as keys: through the console's ``do``, ``edit`` and ``add``.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from typing import Any, NamedTuple, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider

from proxy_core.control.editing.commands import Change, Delete, Keep, Reload, Set
from proxy_core.errors import Address
from rproxy_tui.bans import about
from rproxy_tui.console import ConsoleVerbs
from rproxy_tui.draft import thing
from rproxy_tui.keys import PAGES
from rproxy_tui.theme import THEMES

ROWS = frozenset(("bans", "env", "locations", "headers", "reverse", "errors"))
"""Lists whose rows the palette adds; what it adds besides is named."""


class PaletteEntry(NamedTuple):
    """A line of the palette. ``run`` returns a coroutine where the person may be asked."""

    name: str
    about: str
    run: Callable[[], Coroutine[Any, Any, object] | object]


def entries(app: ConsoleVerbs) -> Iterator[PaletteEntry]:
    """Every command of the console, the common ones first."""
    site = app.engine.site().site
    for key, name in PAGES.items():
        yield PaletteEntry(f"go to {name.title()}", f"key {key}", partial(app.run_action, f"page('{key}')"))
    undo, redo = app.engine.can_undo(), app.engine.can_redo()
    yield PaletteEntry("undo", undo or "nothing to take back", partial(app.run_action, "undo"))
    yield PaletteEntry("redo", redo or "nothing to do again", partial(app.run_action, "redo"))
    yield PaletteEntry("problems", "what is wrong, and what to do about it", partial(app.run_action, "problems"))
    yield PaletteEntry("explain a URL", "where a request would go, and why (key W)", partial(app.run_action, "explain"))
    yield PaletteEntry("start demo members", "an upstream for every loopback member that refuses", app.start_demo)
    if app.engine.snapshot().saved == "drift":
        yield PaletteEntry("take the file on disk", "drop what was not saved", partial(app.do, Reload()))
        yield PaletteEntry("keep the running site", "write it over the file on disk", partial(app.do, Keep()))
    else:
        yield PaletteEntry("reload the site file", "take it as it stands on disk", partial(app.do, Reload()))
    yield edit(app, ("site",), "timeouts, names, trusted proxies")
    yield edit(app, ("limits",), "sizes, times, rates and numbers")
    for ban in site.bans:
        yield from both(app, ("bans", ban.id), about(ban, app.snapshot.at))
    yield add(app, ("bans",), {}, "keep an address or network out")
    yield edit(app, ("console",), "theme and keys")
    yield edit(app, ("access_log",), "a line for each request" if site.access_log else "none yet: give it a file")
    if site.access_log is not None:
        yield remove(app, ("access_log",), "write no access log any more")
    yield add(app, ("listeners",), {"address": "127.0.0.1:"}, "an address that accepts connections")
    for name, listener in site.listeners.items():
        yield edit(app, ("listeners", name), listener.address)
        yield edit(app, ("listeners", name, "limits"), "sizes and times of its own")
        yield remove(app, ("listeners", name), f"{listener.address}: what is open there is drained")
    for route in site.routes:
        yield edit(app, ("routes", route.id), f"{route.taken} → {route.leads}")
    for rule in site.rewrites:
        yield edit(app, ("rewrites", rule.id), f"{rule.pattern} → {rule.substitution}")
    for name, table in site.maps.items():
        yield edit(app, ("maps", name), table.type)
    for variable in site.env:
        yield from both(app, ("env", variable.id), variable.name)
    yield add(app, ("env",), {"from": "%{REMOTE_ADDR}"}, "a variable of each request, for rules to test")
    for name, host in site.hosts.items():
        yield from both(app, ("hosts", name), ", ".join(host.names))
    yield add(app, ("hosts",), {}, "a name-based virtual host")
    for location in site.locations:
        yield edit(app, ("locations", location.id), location.path or location.path_regex or location.target or "")
        yield remove(app, ("locations", location.id), "its settings hold no more")
    yield add(app, ("locations",), {"path": "/"}, "settings for some paths or targets")
    for header in site.headers:
        yield from both(app, ("headers", header.id), f"{header.on}: {header.action} {header.name}".rstrip())
    yield add(app, ("headers",), {"name": "X-"}, "a change to the fields of requests or answers")
    for back in site.reverse:
        yield from both(app, ("reverse", back.id), f"{back.internal} → {back.public}")
    yield add(app, ("reverse",), {"public": "/"}, "an address in answers that is told in another way")
    for page in site.errors:
        yield from both(app, ("errors", page.id), ", ".join(page.status))
    yield add(app, ("errors",), {}, "what clients get in place of the built-in page of an error")
    yield add(app, ("balancers",), {}, "a group of members")
    for balancer, settings in site.balancers.items():
        yield edit(app, ("balancers", balancer), settings.method)
        yield add(app, ("balancers", balancer, "members"), {"url": "http://127.0.0.1:"}, f"to {balancer}")
        for name, member in settings.members.items():
            yield edit(app, ("balancers", balancer, "members", name), member.url)
    for theme in THEMES:
        command = Change(edits=(Set(("console", "theme"), theme.name),), sentence=f"set theme to {theme.name}")
        yield PaletteEntry(f"theme {theme.name}", "colours of the console", partial(app.do, command))
    yield PaletteEntry("help", "this page and its keys", partial(app.run_action, "help"))
    yield PaletteEntry("quit", "leave the console", partial(app.run_action, "leave"))


def edit(app: ConsoleVerbs, address: Address, about: str) -> PaletteEntry:
    return PaletteEntry(f"edit {thing(address)}", about, partial(app.edit, address))


def add(app: ConsoleVerbs, address: Address, row: dict[str, Any], about: str) -> PaletteEntry:
    what = thing((*address, "")).partition(" ")[0]
    return PaletteEntry(f"add {what} {'to ' + address[1] if len(address) > 1 else ''}".rstrip(), about,
                 partial(app.add, address, row, named=address[-1] not in ROWS))  # fmt: skip


def both(app: ConsoleVerbs, address: Address, about: str) -> Iterator[PaletteEntry]:
    yield edit(app, address, about)
    yield remove(app, address, about)


def remove(app: ConsoleVerbs, address: Address, about: str) -> PaletteEntry:
    command = Change(edits=(Delete(address),), sentence=f"remove {thing(address)}")
    return PaletteEntry(f"remove {thing(address)}", about, partial(app.do, command, f"Remove {thing(address)}?"))


class Commands(Provider):
    """Textual's palette asks this for what it shows."""

    @property
    def _console(self) -> ConsoleVerbs:
        return cast(ConsoleVerbs, self.app)

    async def discover(self) -> Hits:
        for entry in entries(self._console):
            yield DiscoveryHit(entry.name, self._runner(entry), help=entry.about)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for entry in entries(self._console):
            score = max(matcher.match(entry.name), 0.5 * matcher.match(entry.about))
            if score > 0:
                yield Hit(score, matcher.highlight(entry.name), self._runner(entry), help=entry.about)

    def _runner(self, entry: PaletteEntry) -> Callable[[], None]:
        async def run() -> None:
            outcome = entry.run()
            if isinstance(outcome, Coroutine):
                await outcome

        return lambda: (self.app.run_worker(run()), None)[1]
