"""Maps of mod_rewrite, and the database that mod_dbd has for them.

In, maps of one name that differ are renamed, in the rules too; a map that a server does not know has nothing for any
key there, so rules that ask it get an empty one. Out, entries that stand in the site file go into a file of their own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import chain, count
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from msgspec.structs import replace

from proxy_core.apache.draft import DraftRow, DraftSection, DraftServer, SiteDraft, slug, unique
from proxy_core.apache.import_context import ImportContext, Unsupported
from proxy_core.apache.lexer import Directive, Lines, line
from proxy_core.apache.options import by_name
from proxy_core.apache.report import Lose
from proxy_core.config.model import RewriteMap, Site


def rewrite_map(context: ImportContext, directive: Directive) -> None:
    """RewriteMap name type:source"""
    if isinstance(context.rewritten(), DraftSection):
        raise Unsupported("maps are for servers")
    name, source, *_ = directive.args
    kind, colon, place = source.partition(":")
    kind, _, form = kind.lower().partition("=")
    row: dict[str, Any] = {"type": kind}
    if not colon:
        row, kind, place = {"type": "txt"}, "txt", source
    context.server.refused_maps.add(name)
    if kind in ("prg", "dbd", "fastdbd") and not context.draft.allow_programs:
        raise Unsupported("programs and databases, and the rules that ask them, come in with --allow-programs alone")
    match kind:
        case "txt" | "rnd":
            row["file"] = context.draft.path(place)
        case "dbm":
            row["file"] = context.draft.path(place)
            if form in ("sdbm", "gdbm", "db"):
                row["format"] = form
        case "int":
            row["function"] = place.lower()
        case "prg":
            program, *words = place.split()
            row["command"] = [context.draft.path(program), *words]
        case "dbd" | "fastdbd":
            row |= {"dsn": "", "query": place}
        case _:
            raise Unsupported(f"there are no maps of type {kind}")
    context.server.refused_maps.discard(name)
    context.server.maps[name] = DraftRow(row, [directive])


def database(context: ImportContext, directive: Directive) -> None:
    """DBDriver name, DBDParams text"""
    text = directive.args[0]
    context.set(directive, directive.key, text.lower() if directive.key == "dbdriver" else text)


HANDLERS = {"rewritemap": rewrite_map, "dbdriver": database, "dbdparams": database}
IGNORED = by_name({
    "maps and programs lock by themselves": """
        rewritelock dbdmin dbdkeep dbdmax dbdexptime dbdpersist dbdpreparesql""",
})  # fmt: skip
LOST = {"RewriteMap.timeout": "Apache waits for an answer as long as it takes"}


def dsn(driver: str, params: str) -> str:
    """What site files call the database of DBDriver and DBDParams. Raises Unsupported."""
    if driver in ("sqlite3", "sqlite"):
        return f"sqlite:{params}"
    if driver == "pgsql":
        given = dict(re.findall(r"(\w+)\s*=\s*'?([^\s']*)'?", params))
        host, port, user, name = (given.get(key, "") for key in ("host", "port", "user", "dbname"))
        password = f":{given['password']}" if given.get("password") else ""
        return f"postgresql://{user}{password}@{host or 'localhost'}{':' + port if port else ''}/{name}"
    raise Unsupported(f"there is no {driver or 'DBDriver'} here; sqlite3 and pgsql are")


def databases(draft: SiteDraft) -> None:
    """SQL maps get the database of their server."""
    for server in draft.servers():
        driver, params = (server.option(name) or draft.main.option(name) or "" for name in ("dbdriver", "dbdparams"))
        for row in server.maps.values():
            if row.content["type"] in ("dbd", "fastdbd"):
                try:
                    row.content["dsn"] = dsn(driver, params)
                except Unsupported as why:
                    draft.lose(row.origins[-1:], str(why))


def name_maps(
    draft: SiteDraft, ways: Mapping[DraftServer, str], tables: dict[str, DraftRow]
) -> dict[DraftServer, dict[str, str]]:
    """What each server's rules call a map, as the name that it has in the site; the maps go to ``tables``."""
    named: dict[DraftServer, dict[str, str]] = {}
    refused = {name: name for server in draft.servers() for name in server.refused_maps}
    for server in draft.servers():
        own = {name: named_map(name, row, tables) for name, row in server.maps.items()}
        base = named[draft.main] if server.name else refused
        how = ways.get(server, "own")
        named[server] = base | own if how == "after" else own | base if how == "before" else refused | own
    return named


def named_map(name: str, row: DraftRow, tables: dict[str, DraftRow]) -> str:
    """The name of a map in the site: its own, or with a number where another has that; what is equal is one."""
    stem = slug(name)
    for free in chain([stem], (f"{stem}-{number}" for number in count(2))):
        if tables.setdefault(free, row).content == row.content:
            return free
    raise AssertionError("numbers do not end")


def plain(site: Site, folder: Path, beside: Path, lose: Lose) -> tuple[dict[str, RewriteMap], dict[Path, str]]:
    """Maps as Apache can say them, and the files that they need."""
    maps: dict[str, RewriteMap] = {}
    files: dict[Path, str] = {}
    for name, row in site.maps.items():
        made = _plain(name, row, folder, beside, files, lose)
        if made is not None and made.dsn and any(each.dsn not in ("", made.dsn) for each in maps.values()):
            lose(("maps", name), "a server has one database for all its maps")
        elif made is not None:
            maps[name] = made
    return maps, files


def _plain(
    name: str, row: RewriteMap, folder: Path, beside: Path, files: dict[Path, str], lose: Lose
) -> RewriteMap | None:
    """A map as Apache can say it; None where it cannot. Entries go to ``files``."""
    at = ("maps", name)
    if row.entries:
        bad = [
            key for key, value in row.entries.items() if re.search(r"\s|\A#|\A\Z", key) or re.search(r"\s|\A\Z", value)
        ]
        if bad:
            lose((*at, "entries", bad[0]), "a file of a map has one word for a key and one for its value")
        file = beside / unique(f"{name}.txt", [each.name for each in files])
        files[file] = "".join(f"{key} {value}\n" for key, value in row.entries.items() if key not in bad)
        return replace(row, entries={}, file=relative(file, folder))
    if row.type == "prg" and any(re.search(r"[\s\"']|\A\Z", each) for each in row.command):
        lose((*at, "command"), "words of a program cannot hold blanks: put it into a script")
        return None
    if row.dsn.startswith("sqlite:"):
        return replace(row, dsn=f"sqlite:{(folder / row.dsn.removeprefix('sqlite:')).absolute()}")
    return row


def relative(file: Path, folder: Path) -> str:
    """A path as site files write it."""
    whole, root = file.absolute(), folder.absolute()
    return str(whole.relative_to(root)) if whole.is_relative_to(root) else str(whole)


def lines(site: Site) -> Lines:
    """The maps, and their database. Raises Unsayable."""
    found: Lines = []
    dsn = next((row.dsn for row in site.maps.values() if row.dsn), "")
    if dsn:
        driver, params = _database(dsn)
        found += [line("DBDriver", driver), line("DBDParams", params)]
    return found + [_spelled(name, row) for name, row in site.maps.items()]


def _spelled(name: str, row: RewriteMap) -> str:
    """RewriteMap. Raises Unsayable."""
    match row.type:
        case "int":
            source = f"int:{row.function}"
        case "prg":
            source = f"prg:{' '.join(row.command)}"
        case "dbd" | "fastdbd":
            source = f"{row.type}:{row.query}"
        case "dbm" if row.format != "auto":
            source = f"dbm={row.format}:{row.file}"
        case _:
            source = f"{row.type}:{row.file}"
    return line("RewriteMap", name, source)


def _database(dsn: str) -> tuple[str, str]:
    """DBDriver and DBDParams of a database."""
    if dsn.startswith("sqlite:"):
        return "sqlite3", dsn.removeprefix("sqlite:")
    url = urlsplit(dsn)
    values = {
        "host": url.hostname, "port": url.port, "user": url.username,
        "password": unquote(url.password or ""), "dbname": url.path.strip("/"),
    }  # fmt: skip
    return "pgsql", " ".join(f"{key}={value}" for key, value in values.items() if value)
