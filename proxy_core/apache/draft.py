"""A site while it is being put together from directives: rows as plain data, each with the directive it came from.

Handlers put rows into the Server that a directive stands in; ``assembly`` then lays the servers over each other, as
httpd merges its main server into the virtual hosts. Names that must be unique in a site (locations, balancers, maps)
are given here or there, never by a handler of its own.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from msgspec.structs import replace

from proxy_core.apache.lexer import Directive, Place
from proxy_core.apache.report import Entry, Outcome


class Unsupported(Exception):
    """What a directive says is lost, because …"""


class Ignored(Exception):
    """What a directive says makes no difference here, because …"""


@dataclass(eq=False)
class Row:
    """One row or table of the site, in the spelling of site files. ``balanced`` names those of its keys that may name
    a balancer."""

    content: dict[str, Any]
    origins: list[Directive]


Kind = Literal["location", "locationmatch", "proxy", "proxymatch", "directory", "files", "if"]


@dataclass(eq=False)
class Group:
    """Conditions of access, and groups of them within; one that holds is enough, or all must, or none may."""

    match: Literal["any", "all", "none"]
    conditions: list[str | Group]
    origins: list[Directive] = field(default_factory=list)


@dataclass(eq=False)
class Compat:
    """What Order, Allow and Deny say, for these methods (empty: for all of them)."""

    method: str = ""
    order: Literal["deny,allow", "allow,deny"] = "deny,allow"
    allow: list[str | Group] = field(default_factory=list)
    deny: list[str | Group] = field(default_factory=list)
    origins: list[Directive] = field(default_factory=list)


@dataclass(eq=False)
class Section:
    """A <Location>, <Proxy> or <Directory>; its row of [[locations]] is made when something needs it. ``limits`` are
    the methods of the <Limit>s in it that say Require; ``rewriting`` says whether it says anything of rewriting;
    ``closed`` that something is lost without which nobody may be let in. ``names`` are those of <Files>; ``expression``
    is that of an <If>, in the section ``outer`` or in none. ``needs`` are conditions beside all others."""

    kind: Kind
    argument: str
    directive: Directive
    row: Row | None = None
    access: Group | None = None
    engine: bool | None = None
    base: str = ""
    inherits: str = ""
    rules: list[Row] = field(default_factory=list)
    rewriting: bool = False
    conditions: list[tuple[dict[str, Any], Directive]] = field(default_factory=list)
    limits: list[str] = field(default_factory=list)
    compat: list[Compat] = field(default_factory=list)
    satisfies_any: bool = False
    closed: bool = False
    interpolates: bool | None = None
    names: str = ""
    outer: Section | None = None
    expression: str = ""
    merging: str = "off"
    needs: list[str] = field(default_factory=list)
    auth: dict[str, str] = field(default_factory=dict)


@dataclass(eq=False)
class Balancer:
    """A balancer: its parameters, and its members by the order in which they stand."""

    origins: list[Directive]
    settings: dict[str, Any] = field(default_factory=dict)
    members: list[Row] = field(default_factory=list)


@dataclass(eq=False)
class Server:
    """The main server (``directive`` is None) or a virtual host. ``options`` are what directives with one value for a
    whole server say, by the directive's name. Rules that ask ``refused_maps`` do not come in."""

    directive: Directive | None = None
    names: list[str] = field(default_factory=list)
    server_name: str = ""
    options: dict[str, tuple[Any, Directive]] = field(default_factory=dict)
    env: list[Row] = field(default_factory=list)
    maps: dict[str, Row] = field(default_factory=dict)
    refused_maps: set[str] = field(default_factory=set)
    rewrites: list[Row] = field(default_factory=list)
    conditions: list[tuple[dict[str, Any], Directive]] = field(default_factory=list)
    routes: list[Row] = field(default_factory=list)
    located: list[Row] = field(default_factory=list)
    redirects: list[Row] = field(default_factory=list)
    located_aliases: list[Row] = field(default_factory=list)
    aliases: list[Row] = field(default_factory=list)
    locations: list[Row] = field(default_factory=list)
    headers: list[Row] = field(default_factory=list)
    reverse: list[Row] = field(default_factory=list)
    errors: list[Row] = field(default_factory=list)
    balancers: dict[str, Balancer] = field(default_factory=dict)
    limits: Row = field(default_factory=lambda: Row({}, []))
    inner: list[Row] = field(default_factory=list)
    guarded: list[Section] = field(default_factory=list)
    within: list[Section] = field(default_factory=list)
    asking: list[Section] = field(default_factory=list)
    rewrites_anything: bool = False
    name: str = ""

    def said(self, name: str) -> Any:
        """The value of an option, None where it is not said."""
        return self.options[name][0] if name in self.options else None


@dataclass(eq=False)
class Draft:
    """The whole of it."""

    allow_programs: bool = False
    root: Path = Path()
    folder: Path = Path()
    main: Server = field(default_factory=Server)
    hosts: list[Server] = field(default_factory=list)
    listeners: list[Row] = field(default_factory=list)
    access_log: Row | None = None
    entries: list[Entry] = field(default_factory=list)
    accesses: dict[str, Row] = field(default_factory=dict)
    auths: dict[str, Row] = field(default_factory=dict)
    served: dict[str, str] = field(default_factory=dict)
    location_ids: set[str] = field(default_factory=set)
    templates: dict[str, dict[str, str]] = field(default_factory=dict)
    formats: dict[str, str] = field(default_factory=dict)
    providers: dict[str, str] = field(default_factory=dict)
    connects: list[tuple[float, Directive]] = field(default_factory=list)
    heartbeat: Row | None = None
    expressions: dict[str, str] = field(default_factory=dict)

    def lose(self, places: Collection[Place], why: str) -> None:
        """What stands at these places is lost after all."""
        self.entries = [
            replace(entry, outcome="unsupported", why=why) if Place(entry.file, entry.line) in places else entry
            for entry in self.entries
        ]

    def close(self, server: Server, where: dict[str, str], said: Directive, name: str = "closed") -> None:
        """Nobody is let in there, for what it was to be is lost."""
        name = unique(name, self.location_ids)
        self.location_ids.add(name)
        server.locations.append(Row({"id": name, **where, "require": ["all denied"]}, [said]))

    def path(self, text: str) -> str:
        """A path of httpd's (relative to its ServerRoot) as site files write it: relative to their own folder where it
        lies below it."""
        roots = [self.root, self.folder]
        whole = next((root / text for root in roots if (root / text).exists()), self.root / text).absolute()
        return str(whole.relative_to(self.folder)) if whole.is_relative_to(self.folder) else str(whole)

    def whole(self, text: str) -> str:
        """A path of httpd's as an absolute one."""
        return posixpath.normpath(self.folder / self.path(text))

    def servers(self) -> list[Server]:
        return [self.main, *self.hosts]

    def note(self, said: Directive, outcome: Outcome, why: str = "") -> None:
        file, line = said.place.file, said.place.line
        self.entries.append(Entry(outcome=outcome, directive=said.name, text=str(said), file=file, line=line, why=why))


@dataclass(eq=False)
class Here:
    """Where a directive stands: its server and the section round it; ``method`` is the condition that a <Limit> is,
    ``conditions`` are the expressions of the <If> and <ElseIf> before."""

    draft: Draft
    server: Server
    section: Section | None = None
    group: Group | None = None
    method: str = ""
    losses: list[str] = field(default_factory=list)
    conditions: list[str] = field(default_factory=list)

    def lose(self, why: str) -> None:
        """A part of the directive at hand is lost."""
        self.losses.append(why)

    def unconditional(self) -> None:
        """Raises Unsupported inside <If>."""
        if self.section is not None and self.section.kind == "if":
            raise Unsupported("it stands inside <If>, where it cannot be told apart; move it out")

    def server_only(self) -> None:
        """Raises Unsupported inside a section."""
        if self.section is not None:
            raise Unsupported(f"it stands inside {self.section.directive}; move it out of the section")

    def location(self, said: Directive) -> Row:
        """The row of [[locations]] for the section round ``said``."""
        section = self.section
        assert section is not None
        if section.row is None:
            where = self._where(section)
            stem = re.sub(r"[^A-Za-z0-9]+", "-", section.names or section.argument)
            stem = stem.strip("-").lower() or "root"
            name = unique(stem, self.draft.location_ids)
            self.draft.location_ids.add(name)
            section.row = Row({"id": name, **where}, [section.directive])
            self.server.locations.append(section.row)
        return section.row

    def _where(self, section: Section) -> dict[str, str]:
        """What the section's row is for."""
        match section.kind:
            case "location":
                return located(section.argument)
            case "locationmatch":
                return {"path_regex": section.argument}
            case "proxy":
                target = section.argument.removesuffix("*") or "*"
                return {"target": section.argument if set("*?[") & set(target) else target}
            case "proxymatch":
                return {"target_regex": section.argument}
            case "directory":
                return {"folder": self.draft.path(section.argument)}
            case "files":
                folder = {"folder": self.draft.path(section.argument)} if section.argument else {}
                return folder | {"files": section.names}
        where = self._where(section.outer) if section.outer is not None else {"path": "/"}
        return where | {"expr": section.expression}


def located(path: str) -> dict[str, str]:
    """What a <Location> with this path says in [[locations]]: a prefix, or where it has wildcards an expression
    (``*`` and ``?`` never take a slash)."""
    if not set("*?[") & set(path):
        return {"path": path if path.startswith("/") else "/" + path}
    spelled = re.sub(r"\\\*", "[^/]*", re.escape(path)).replace(r"\?", "[^/]").replace(r"\[", "[").replace(r"\]", "]")
    return {"path_regex": f"^{spelled}$"}


def unique(stem: str, taken: Collection[str]) -> str:
    """A name that is not taken: the stem, or the stem with a number."""
    name, number = stem, 2
    while name in taken:
        name, number = f"{stem}-{number}", number + 1
    return name


def slug(text: str) -> str:
    """A text as a name that site files take."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text).strip("-.") or "x"


@dataclass(frozen=True, slots=True)
class Block:
    """A table or a row of the site file, with the directives that it stands for."""

    path: tuple[str, ...]
    content: Mapping[str, Any]
    origins: tuple[Directive, ...] = ()
    row: bool = False


def block(table: str, server: Server, row: Row) -> Block:
    where = {"host": server.name} if server.name else {}
    named = {"id": row.content["id"]} if "id" in row.content else {}
    return Block((table,), named | where | row.content, tuple(row.origins), row=True)
