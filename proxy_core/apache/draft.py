"""A site while it is being put together from directives: rows as plain data, each with the directive it came from.

Handlers put rows into the server that a directive stands in; ``assembly`` then lays the servers over each other, as
httpd merges its main server into the virtual hosts. Names that must be unique in a site (locations, balancers, maps)
are given here or there, never by a handler of its own. Names and paths are made unique and compared here too.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from msgspec.structs import replace

from proxy_core.apache.lexer import Directive, SourcePlace
from proxy_core.apache.report import Outcome, ReportLine
from proxy_core.apache.served_files import ServedFiles
from proxy_core.rules.text.wildcards import is_wild, regex_of


def below(path: str, folder: str) -> bool:
    """Whether a path is that of the folder, or lies below it."""
    return (path.rstrip("/") + "/").startswith(folder.rstrip("/") + "/")


def overlap(one: str | None, other: str | None) -> bool:
    """Whether there may be paths that are below both; None stands for any path."""
    return below(one or "/", other or "/") or below(other or "/", one or "/")


def located(path: str) -> dict[str, str]:
    """What a <Location> with this path says in [[locations]]: a prefix, or where it has wildcards an expression
    (``*`` and ``?`` never take a slash)."""
    if not is_wild(path):
        return {"path": path if path.startswith("/") else "/" + path}
    return {"path_regex": f"^{regex_of(path, '[^/]')}$"}


def unique(stem: str, taken: Collection[str]) -> str:
    """A name that is not taken: the stem, or the stem with a number."""
    name, number = stem, 2
    while name in taken:
        name, number = f"{stem}-{number}", number + 1
    return name


def slug(text: str) -> str:
    """A text as a name that site files take."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text).strip("-.") or "x"


PLACES = {"id", "path", "path_regex", "target", "target_regex", "folder", "folder_regex", "files", "expr"}
"""The keys of [[locations]] that say what a row is for."""
OPEN = "all granted"
CLOSED = "all denied"
UNANSWERED = {"redirect": {"status": 503}}
"""What a route says that answered itself, by something that is lost."""
NOBODY = "not-taken-over"
"""The balancer without members that routes name whose targets are lost."""


def refusing(content: Mapping[str, Any]) -> dict[str, Any]:
    """A rule that answers 503 where it did something that is lost."""
    return {key: value for key, value in content.items() if key != "folder"} | {"substitution": "-", "flags": ["R=503"]}


@dataclass(eq=False)
class DraftRow:
    """One row or table of the site, in the spelling of site files."""

    content: dict[str, Any]
    origins: list[Directive]


Kind = Literal["location", "locationmatch", "proxy", "proxymatch", "directory", "directorymatch", "files", "if"]


@dataclass(eq=False)
class AccessGroup:
    """Conditions of access, and groups of them within; one that holds is enough, or all must, or none may."""

    match: Literal["any", "all", "none"]
    conditions: list[str | AccessGroup]
    origins: list[Directive] = field(default_factory=list)


@dataclass(eq=False)
class OldAccess:
    """What Order, Allow and Deny say, for these methods (empty: for all of them)."""

    method: str = ""
    order: Literal["deny,allow", "allow,deny"] = "deny,allow"
    allow: list[str | AccessGroup] = field(default_factory=list)
    deny: list[str | AccessGroup] = field(default_factory=list)
    origins: list[Directive] = field(default_factory=list)


@dataclass(eq=False)
class DraftSection:
    """A <Location>, <Proxy>, <Directory>, <Files> or <If>."""

    kind: Kind
    """The section's name, in lower case."""
    argument: str
    """The path, URL, folder or regular expression that it is for."""
    directive: Directive
    """The section itself."""
    row: DraftRow | None = None
    """Its row of [[locations]], made when something needs it."""
    access: AccessGroup | None = None
    """What its Requires say."""
    engine: bool | None = None
    """RewriteEngine, None where it is not said."""
    base: str = ""
    """RewriteBase: the path that relative substitutions belong to."""
    options: set[str] | None = None
    """RewriteOptions, None where they are not said."""
    allows: list[Directive] = field(default_factory=list)
    """Each Options that says anything of links."""
    rules: list[DraftRow] = field(default_factory=list)
    """Its rewrite rules."""
    rewriting: bool = False
    """Whether it says anything of rewriting."""
    conditions: list[tuple[dict[str, Any], Directive]] = field(default_factory=list)
    """RewriteConds that wait for their rule."""
    limits: list[str] = field(default_factory=list)
    """The methods of the <Limit>s in it that say Require."""
    compat: list[OldAccess] = field(default_factory=list)
    """What Order, Allow and Deny say, by methods."""
    satisfies_any: bool = False
    """Satisfy Any."""
    closed: bool = False
    """Whether something is lost without which nobody may be let in."""
    redirected: DraftRow | None = None
    """A Redirect for all that it is for."""
    interpolates: bool | None = None
    """ProxyPassInterpolateEnv, None where it is not said."""
    names: str = ""
    """The file names of <Files>, as a regular expression."""
    outer: DraftSection | None = None
    """The section that an <If> stands in, or <Files> in a <DirectoryMatch>; None for a server."""
    expression: str = ""
    """The expression of an <If>, with those before it denied."""
    merging: str = "off"
    """AuthMerging: off, and, or."""
    said: list[Directive] = field(default_factory=list)
    """All that it says of access."""
    verify: Directive | None = None
    """SSLVerifyClient."""
    shut: DraftRow | None = None
    """The row that keeps out who shows no certificate."""
    auth: dict[str, str] = field(default_factory=dict)
    """AuthType ("type"), AuthName ("name") and AuthUserFile ("file")."""


@dataclass(eq=False)
class DraftBalancer:
    """A balancer: its parameters, and its members by the order in which they stand."""

    origins: list[Directive]
    settings: dict[str, Any] = field(default_factory=dict)
    members: list[DraftRow] = field(default_factory=list)


@dataclass(eq=False)
class PooledUrl:
    """A plain URL with what it says of its connections, by the keys of a member, and ``acquire`` in seconds."""

    bounds: dict[str, Any]
    origins: list[Directive]


@dataclass(eq=False)
class DraftServer:
    """The main server or a virtual host."""

    directive: Directive | None = None
    """Its <VirtualHost>, None for the main server."""
    names: list[str] = field(default_factory=list)
    """ServerAlias."""
    server_name: str = ""
    """ServerName without its scheme, with its port."""
    options: dict[str, tuple[Any, Directive]] = field(default_factory=dict)
    """What directives with one value for a whole server say, by the key of the site or a name of the handler's."""
    env: list[DraftRow] = field(default_factory=list)
    """Rows of [[env]]."""
    maps: dict[str, DraftRow] = field(default_factory=dict)
    """Tables of [maps], by the name that the server gives them."""
    refused_maps: set[str] = field(default_factory=set)
    """Maps that do not come in; rules that ask them do not either."""
    rewrites: list[DraftRow] = field(default_factory=list)
    """Rewrite rules of the server itself."""
    conditions: list[tuple[dict[str, Any], Directive]] = field(default_factory=list)
    """RewriteConds that wait for their rule."""
    routes: list[DraftRow] = field(default_factory=list)
    """ProxyPass outside of sections."""
    located: list[DraftRow] = field(default_factory=list)
    """ProxyPass in sections."""
    sent: list[DraftRow] = field(default_factory=list)
    """Redirect in sections."""
    redirecting: list[DraftSection] = field(default_factory=list)
    """Sections that have any of these."""
    redirects: list[DraftRow] = field(default_factory=list)
    """Redirect outside of sections."""
    located_aliases: list[DraftRow] = field(default_factory=list)
    """Alias in sections."""
    aliases: list[DraftRow] = field(default_factory=list)
    """Alias outside of sections."""
    locations: list[DraftRow] = field(default_factory=list)
    """Rows of [[locations]]."""
    closed: list[DraftRow] = field(default_factory=list)
    """Rows of [[locations]] for what nobody may have; they stand behind the others, which cannot open them."""
    headers: list[DraftRow] = field(default_factory=list)
    """Rows of [[headers]]."""
    expires: list[DraftRow] = field(default_factory=list)
    """Rows of [[expires]]."""
    logs: list[DraftRow] = field(default_factory=list)
    """Logs of requests."""
    reverse: list[DraftRow] = field(default_factory=list)
    """Rows of [[reverse]]."""
    errors: list[DraftRow] = field(default_factory=list)
    """Rows of [[errors]]."""
    balancers: dict[str, DraftBalancer] = field(default_factory=dict)
    """Balancers by name, in lower case."""
    overrides: list[tuple[str, bool, Directive]] = field(default_factory=list)
    """AllowOverride in <Directory>: the folder, whole, and whether it allows any."""
    secured: dict[DraftSection, dict[str, tuple[Any, Directive]]] = field(default_factory=dict)
    """What <Proxy> sections say of TLS, as ``options`` are."""
    urls: dict[str, PooledUrl] = field(default_factory=dict)
    """Plain URLs that routes and sections name, in that order, without a slash at their end."""
    limits: DraftRow = field(default_factory=lambda: DraftRow({}, []))
    """Bounds: [limits], or those of its listener."""
    file_types: DraftRow = field(default_factory=lambda: DraftRow({}, []))
    """[file_types], or the host's."""
    compress: DraftRow = field(default_factory=lambda: DraftRow({}, []))
    """[compress], or the host's."""
    filters: dict[DraftSection | None, list[DraftRow]] = field(default_factory=dict)
    """What is coded, by the section that says so; None stands for the server."""
    inner: list[DraftRow] = field(default_factory=list)
    """Rewrite rules of sections."""
    guarded: list[DraftSection] = field(default_factory=list)
    """Sections that say who may."""
    within: list[DraftSection] = field(default_factory=list)
    """Sections that say anything of rewriting, or of links, without which rules of sections are forbidden."""
    asking: list[DraftSection] = field(default_factory=list)
    """Sections that ask for a password."""
    fenced: list[DraftSection] = field(default_factory=list)
    """Sections that keep people out beside Require: SSLRequireSSL, SSLVerifyClient, AllowMethods."""
    rewrites_anything: bool = False
    """Whether the server itself says anything of rewriting."""
    name: str = ""
    """The host's name in the site, "" for the main server."""

    def option(self, name: str) -> Any:
        """The value of an option, None where it is not said."""
        return self.options[name][0] if name in self.options else None


@dataclass(eq=False)
class SiteDraft:
    """The whole of it."""

    allow_programs: bool = False
    """Whether maps that run programs or ask databases come in."""
    root: Path = Path()
    """httpd's ServerRoot."""
    folder: Path = Path()
    """The folder of the site file, absolute."""
    whole_names: bool = False
    """Whether files are named as httpd knows them, for some section finds its own by that."""
    main: DraftServer = field(default_factory=DraftServer)
    """The main server."""
    hosts: list[DraftServer] = field(default_factory=list)
    """Virtual hosts in order; ``assembly`` leaves out those that no listener leads to."""
    listeners: list[DraftRow] = field(default_factory=list)
    """[listeners], each with its name as a key."""
    doubts: dict[DraftServer, dict[str, str]] = field(default_factory=dict)
    """What is in doubt in a server, for something is lost that it goes by: words (see ``doubts``), and why."""
    report: list[ReportLine] = field(default_factory=list)
    """What became of each directive so far."""
    reported: dict[SourcePlace, list[int]] = field(default_factory=dict)
    """Where the directives of a place are in the report."""
    accesses: dict[str, DraftRow] = field(default_factory=dict)
    """[access] by name."""
    auths: dict[str, DraftRow] = field(default_factory=dict)
    """[auth] by name."""
    programs: frozenset[str] = frozenset()
    """Handlers and types that Action has programs for, in lower case."""
    lists: bool = False
    """Whether some folder that is served may be listed."""
    resets: list[DraftServer | DraftRow] = field(default_factory=list)
    """Where IndexIgnoreReset takes back what listings leave out."""
    asked: frozenset[str] = frozenset()
    """Variables of mod_ssl that something takes for variables of the request."""
    files: ServedFiles = field(default_factory=ServedFiles)
    """What stands in folders that are served."""
    overridden: dict[SourcePlace, list[str]] = field(default_factory=dict)
    """Folders whose files of overrides have come in, by the AllowOverride that lets them."""
    override_files: set[str] = field(default_factory=set)
    """The names of these files, as places have them."""
    asked_urls: set[str] = field(default_factory=set)
    """Which of SCRIPT_URL, SCRIPT_URI, REDIRECT_URL and REDIRECT_QUERY_STRING something takes for variables."""
    asked_names: frozenset[str] = frozenset()
    """Variables that httpd itself goes by, in lower case, which the configuration asks for as well."""
    served: dict[str, str] = field(default_factory=dict)
    """Folders whose files are served (absolute), each with its path."""
    cache: DraftRow = field(default_factory=lambda: DraftRow({}, []))
    """[cache]."""
    location_ids: dict[str, int] = field(default_factory=dict)
    """Ids of [[locations]] that are taken, each with the last number that was put behind it."""
    templates: dict[str, dict[str, str]] = field(default_factory=dict)
    """ProxyHCTemplate: parameters by the template's name in lower case."""
    formats: dict[str, str] = field(default_factory=dict)
    """LogFormat: formats by name."""
    providers: dict[str, str] = field(default_factory=dict)
    """<AuthzProviderAlias>: conditions by name in lower case."""
    connects: list[tuple[float, Directive]] = field(default_factory=list)
    """Seconds that plain targets say connecting may take."""
    heartbeat: DraftRow | None = None
    """[heartbeat]."""
    expressions: dict[str, str] = field(default_factory=dict)
    """ProxyHCExpr: expressions by name in lower case."""

    def doubt(self, server: DraftServer, words: str, directive: Directive) -> None:
        """What goes by these words there is in doubt, for a directive is lost."""
        why = f"it goes by what {directive.place}, {directive}, said and is lost"
        self.doubts.setdefault(server, {}).setdefault(words, why)

    def lose(self, directives: Iterable[Directive], why: str) -> None:
        """What these directives say is lost after all."""
        for directive in dict.fromkeys(directives):
            for number in self.reported.get(directive.place, ()):
                self.report[number] = replace(self.report[number], outcome="unsupported", why=directive.unsaid(why))

    def location_id(self, stem: str) -> str:
        """An id of [[locations]] that is not taken, taken."""
        name = stem
        while name in self.location_ids:
            self.location_ids[stem] += 1
            name = f"{stem}-{self.location_ids[stem]}"
        self.location_ids[name] = 1
        return name

    def close(self, server: DraftServer, where: dict[str, str], directive: Directive, name: str = "closed") -> None:
        """Nobody is let in there, whatever sections say, for what it was to be is lost."""
        content = {**where, "final": True, "require": [CLOSED]}
        if any(row.content == {"id": row.content["id"], **content} for row in server.closed[-1:]):
            server.closed[-1].origins.append(directive)
        else:
            server.closed.append(DraftRow({"id": self.location_id(name), **content}, [directive]))

    def path(self, text: str) -> str:
        """A path of httpd's (relative to its ServerRoot) as site files write it: relative to their own folder where it
        lies below it."""
        roots = [self.root, self.folder]
        whole = next((root / text for root in roots if os.path.exists(root / text)), self.root / text).absolute()
        relative = whole.is_relative_to(self.folder) and not self.whole_names
        return str(whole.relative_to(self.folder)) if relative else str(whole)

    def whole(self, text: str) -> str:
        """A path of httpd's as an absolute one."""
        return posixpath.normpath(self.folder / self.path(text))

    @property
    def override_folders(self) -> set[str]:
        """Folders whose files of overrides have come in."""
        return {folder for folders in self.overridden.values() for folder in folders}

    def servers(self) -> list[DraftServer]:
        """The main server, then the virtual hosts."""
        return [self.main, *self.hosts]

    def note(self, directive: Directive, outcome: Outcome, why: str = "") -> None:
        """Report what became of a directive."""
        if directive.place in self.reported and directive.place.file in self.override_files:
            return  # several hosts serve the folder
        file, line, name, why = directive.place.file, directive.place.line, directive.name, directive.unsaid(why)
        self.reported.setdefault(directive.place, []).append(len(self.report))
        self.report.append(
            ReportLine(outcome=outcome, directive=name, text=str(directive), file=file, line=line, why=why)
        )


def holds(outer: DraftSection, inner: DraftSection) -> bool:
    """Whether paths of the inner section are in the outer one, as far as their arguments tell."""
    kind = inner.kind
    if kind == "if":
        kind = inner.outer.kind if inner.outer is not None else "location"
    apart = ("locationmatch", "directorymatch", "proxymatch")
    return outer.kind == kind not in apart and below(inner.argument, outer.argument)
