"""What a virtual host makes of the main server's rewrite rules: ``config_server_merge`` in mod_rewrite.c.

Where the main server's rules hold as they stand, its rows have no host, and each host says whether they come before
its own, after them, or not at all. Maps of one name that differ are renamed, in the rules too. A map that a server
does not know has nothing for any key there, so rules that ask it get an empty one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain, count

from proxy_core.apache.draft import Block, Draft, Row, Server, block, slug


@dataclass(frozen=True, slots=True)
class Rewriting:
    """Blocks of rules and maps, and what hosts say about the server's rules."""

    blocks: list[Block]
    inherits: dict[Server, str]


def rewriting(draft: Draft, answers: bool) -> Rewriting:
    """``answers`` says that some listener leads to no virtual host, so that the main server has requests of its own."""
    main = draft.main
    ways = {server: way(main, server) for server in draft.hosts}
    inherited = any(each in ("before", "after") for each in ways.values())
    runs = bool(main.said("engine"))
    shared = bool(main.rewrites) and (inherited or (answers and runs))
    copied = shared and (answers and not runs)
    blocks: list[Block] = []
    tables: dict[str, Row] = {}
    maps = name_maps(draft, ways, tables)
    if main.rewrites and shared and not copied:
        blocks += [rule(main, row, maps[main], tables) for row in main.rewrites]
    blocks += [rule(main, row, maps[main], tables) for row in main.inner]
    inherits: dict[Server, str] = {}
    for server, how in ways.items():
        own = server.rewrites if how != "off" else []
        if copied and how == "before":
            own = [*main.rewrites, *own]
        elif copied and how == "after":
            own = [*own, *main.rewrites]
        blocks += [rule(server, row, maps[server], tables) for row in (*own, *server.inner)]
        if main.rewrites and shared and not copied and how != "before":
            inherits[server] = how
    blocks += [Block(("maps", name), row.content, tuple(row.origins)) for name, row in tables.items()]
    return Rewriting(blocks, inherits)


def way(main: Server, server: Server) -> str:
    """What a virtual host makes of the main server's rules: config_server_merge in mod_rewrite.c."""
    engine = server.said("engine")
    engine = main.said("engine") if engine is None else engine
    if not server.rewrites_anything or not engine:
        return "off"
    base = main.said("rewriteoptions") or set()
    said = server.said("rewriteoptions")
    own = base if said is None else said
    ignores = "ignoreinherit" in own
    if "inherit" in own or ("inheritdown" in base and not ignores):
        return "after"
    if "inheritbefore" in own or ("inheritdownbefore" in base and not ignores):
        return "before"
    return "own"


def name_maps(draft: Draft, ways: Mapping[Server, str], tables: dict[str, Row]) -> dict[Server, dict[str, str]]:
    """What each server's rules call a map, as the name that it has in the site; the maps go to ``tables``."""
    named: dict[Server, dict[str, str]] = {}
    refused = {name: name for server in draft.servers() for name in server.refused_maps}
    for server in draft.servers():
        own = {name: table(name, row, tables) for name, row in server.maps.items()}
        base = named[draft.main] if server.name else refused
        how = ways.get(server, "own")
        named[server] = base | own if how == "after" else own | base if how == "before" else refused | own
    return named


def table(name: str, row: Row, tables: dict[str, Row]) -> str:
    """The name of a map in the site: its own, or with a number where another has that; what is equal is one."""
    stem = slug(name)
    for free in chain([stem], (f"{stem}-{number}" for number in count(2))):
        if tables.setdefault(free, row).content == row.content:
            return free
    raise AssertionError("numbers do not end")


_LOOKUP = re.compile(r"\$\{([^:}]+):")


def rule(server: Server, row: Row, maps: Mapping[str, str], tables: dict[str, Row]) -> Block:
    """A rule, with its maps and balancers under the names that they have in the site."""

    def named(found: re.Match[str]) -> str:
        name = maps.get(found[1]) or table(found[1], Row({"type": "txt"}, row.origins[-1:]), tables)
        return f"${{{name}:"

    def filled(text: str) -> str:
        return _LOOKUP.sub(named, text)

    content = dict(row.content)
    content["substitution"] = filled(content["substitution"])
    for key in ("flags", "conditions"):
        if key in content:
            content[key] = [
                filled(each) if isinstance(each, str) else {**each, "test": filled(each["test"])}
                for each in content[key]
            ]
    return block("rewrites", server, Row(content, row.origins))
