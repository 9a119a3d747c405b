"""Rewrite rules and maps for Apache: words go over as they stand, for site files spell rules as Apache does.

A virtual host says itself what it makes of the main server's rules, and one that takes none of them knows none of its
maps either. Entries that stand in the site file go into a file of their own. Rules for a target are lost; where one
refuses requests, the target is closed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence, Set
from pathlib import Path
from urllib.parse import unquote, urlsplit

from msgspec.structs import replace

from proxy_core.apache.draft import unique
from proxy_core.apache.export_lost import Lose
from proxy_core.apache.export_routes import unreached
from proxy_core.apache.export_words import Lines, line, off, rewrite_word
from proxy_core.config.model import Location, RewriteMap, RewriteRule, Site
from proxy_core.rules.rewriting import flags


def plain(site: Site, folder: Path, beside: Path, lose: Lose) -> tuple[Site, dict[Path, str]]:
    """Rules and maps as Apache can say them, and the files that maps need."""
    maps: dict[str, RewriteMap] = {}
    files: dict[Path, str] = {}
    for name, row in site.maps.items():
        made = _map(name, row, folder, beside, files, lose)
        if made is not None and made.dsn and any(each.dsn not in ("", made.dsn) for each in maps.values()):
            lose(("maps", name), "a server has one database for all its maps")
        elif made is not None:
            maps[name] = made
    rows = [row for host in ("", *site.hosts) for row in site.rewrites if row.host == host]
    rows = [row for row in rows if not row.host or row.location or site.hosts[row.host].rewrites != "off"]
    targets = {row.id for row in site.locations if row.path is None and row.path_regex is None and not _is_folder(row)}
    kept = [row for row in rows if _fits(row, targets, lose)]
    lost = [row for row in rows if row not in kept and row.enabled and row.location]
    guards = {row.location for row in lost if flags.parse(row.flags).answers}
    locations = tuple(
        replace(row, require=("all denied",), merging="off") if row.id in guards else row for row in site.locations
    )
    return replace(site, maps=maps, rewrites=tuple(kept), locations=locations), files


def _is_folder(row: Location) -> bool:
    return row.folder is not None and row.files is None


def inherited(site: Site) -> Site:
    """Rules of the main server that nobody has are left out; without any, hosts say nothing of them."""
    shared = any(host.rewrites in ("before", "after") for host in site.hosts.values())
    rows = site.rewrites
    if not shared and site.hosts and not unreached(site):
        rows = tuple(row for row in rows if row.host or row.location)
    if any(not row.host and not row.location and row.enabled for row in rows):
        return replace(site, rewrites=rows)
    return replace(
        site, rewrites=rows, hosts={name: replace(host, rewrites="before") for name, host in site.hosts.items()}
    )


def _fits(row: RewriteRule, targets: Set[str], lose: Lose) -> bool:
    """Whether there is a line for a rule."""
    if row.location in targets:
        closed = "; what it guards is closed until then" if flags.parse(row.flags).answers else ""
        lose(("rewrites", row.id), f"Apache tries no rules in <Proxy> and <Files>: write it for a path{closed}")
    elif any("," in word for words in (row.flags, *(each.flags for each in row.conditions)) for word in words):
        lose(("rewrites", row.id, "flags"), "a comma ends a flag")
    else:
        return True
    return False


def _map(
    name: str, row: RewriteMap, folder: Path, beside: Path, files: dict[Path, str], lose: Lose
) -> RewriteMap | None:
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


def lines(site: Site, host: str) -> Lines:
    """Rules and maps of one server. Raises Unsayable."""
    of_servers = [row for row in site.rewrites if not row.location]
    rows = [row for row in of_servers if row.host == host]
    shared = bool(site.maps) or any(not row.host for row in of_servers)
    if not rows and not shared:
        return []
    if not host:
        down = ["RewriteOptions InheritDownBefore"] * bool(site.hosts)
        return ["RewriteEngine On", *down, *_maps(site), *rules(rows)]
    match site.hosts[host].rewrites:
        case "off":
            return ["RewriteEngine Off"]
        case "own":
            return ["RewriteEngine On", "RewriteOptions IgnoreInherit", *_maps(site), *rules(rows)]
        case "after":
            return ["RewriteEngine On", "RewriteOptions Inherit", *rules(rows)]
        case _:
            return ["RewriteEngine On", *rules(rows)]


def lines_of_section(rows: Iterable[RewriteRule]) -> Lines:
    """Rules of a section. Raises Unsayable."""
    found = rules(rows)
    return ["RewriteEngine On", *found] if found else []


def rules(rows: Iterable[RewriteRule]) -> Lines:
    """Rules with their conditions. Raises Unsayable."""
    found: Lines = []
    for row in rows:
        said = [" ".join(["RewriteCond", *map(rewrite_word, (each.test, each.pattern)), *_flags(each.flags)])
                for each in row.conditions]  # fmt: skip
        words = map(rewrite_word, (row.pattern, row.substitution))
        said.append(" ".join(["RewriteRule", *words, *_flags(row.flags)]))
        found += said if row.enabled else off(said)
    return found


def _flags(said: Sequence[str]) -> list[str]:
    return [rewrite_word(f"[{','.join(said)}]")] if said else []


def _maps(site: Site) -> Lines:
    found: Lines = []
    dsn = next((row.dsn for row in site.maps.values() if row.dsn), "")
    if dsn:
        driver, params = database(dsn)
        found += [line("DBDriver", driver), line("DBDParams", params)]
    return found + [one_map(name, row) for name, row in site.maps.items()]


def one_map(name: str, row: RewriteMap) -> str:
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


def database(dsn: str) -> tuple[str, str]:
    """DBDriver and DBDParams of a database."""
    if dsn.startswith("sqlite:"):
        return "sqlite3", dsn.removeprefix("sqlite:")
    there = urlsplit(dsn)
    said = {
        "host": there.hostname, "port": there.port, "user": there.username,
        "password": unquote(there.password or ""), "dbname": there.path.strip("/"),
    }  # fmt: skip
    return "pgsql", " ".join(f"{key}={value}" for key, value in said.items() if value)
