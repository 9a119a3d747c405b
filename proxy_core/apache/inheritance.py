"""What a virtual host makes of the main server's rewrite rules: ``config_server_merge`` in mod_rewrite.c.

Where the main server's rules hold as they stand, its rows have no host, and each host says whether they come before
its own, after them, or not at all. Maps of one name that differ are renamed, in the rules too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from proxy_core.apache.draft import Block, Draft, Row, Server, block, slug, unique


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
    maps = name_maps(draft, ways)
    written: set[str] = set()
    for server in draft.servers():
        named = [(maps[server][name], row) for name, row in server.maps.items()]
        blocks += [Block(("maps", name), row.content, tuple(row.origins)) for name, row in named if name not in written]
        written |= {name for name, _ in named}
    if main.rewrites and shared and not copied:
        blocks += [rule(main, row, maps[main]) for row in main.rewrites]
    blocks += [rule(main, row, maps[main]) for row in main.inner]
    inherits: dict[Server, str] = {}
    for server, how in ways.items():
        own = server.rewrites if how != "off" else []
        if copied and how == "before":
            own = [*main.rewrites, *own]
        elif copied and how == "after":
            own = [*own, *main.rewrites]
        blocks += [rule(server, row, maps[server]) for row in (*own, *server.inner)]
        if main.rewrites and shared and not copied and how != "before":
            inherits[server] = how
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


def name_maps(draft: Draft, ways: Mapping[Server, str]) -> dict[Server, dict[str, str]]:
    """What each server's rules call a map, as the name that it has in the site; what is the same has one name."""
    taken: dict[str, Mapping[str, Any]] = {}
    named: dict[Server, dict[str, str]] = {}
    for server in draft.servers():
        own = {}
        for name in server.maps:
            content = server.maps[name].content
            stem = slug(name)
            own[name] = stem if taken.get(stem) == content else unique(stem, taken)
            taken[own[name]] = content
        base = named[draft.main] if server.name else {}
        how = ways.get(server, "own")
        named[server] = base | own if how == "after" else own | base if how == "before" else own
    return named


def rule(server: Server, row: Row, maps: Mapping[str, str]) -> Block:
    """A rule, with its maps and balancers under the names that they have in the site."""
    content = dict(row.content)
    renamed = {name: new for name, new in maps.items() if name != new}
    texts = [("substitution", content)] + [("test", each) for each in content.get("conditions", [])]
    if renamed:
        content["conditions"] = [dict(each) for each in content.get("conditions", [])]
        if not content["conditions"]:
            del content["conditions"]
        texts = [("substitution", content)] + [("test", each) for each in content.get("conditions", [])]
        for key, holder in texts:
            holder[key] = re.sub(
                r"\$\{([^:}]+):", lambda found: "${" + renamed.get(found[1], found[1]) + ":", holder[key]
            )
    return block("rewrites", server, Row(content, row.origins))
