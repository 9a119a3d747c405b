"""``Options`` FollowSymLinks and SymLinksIfOwnerMatch: which symbolic links are followed, by folder.

httpd asks the options of the folder that a link is in (``ap_directory_walk``), as those of the server and of all
<Directory> round it leave them (``set_options`` and ``merge_core_dir_configs`` in server/core.c). Rules of sections ask
them as well, of all kinds of sections (``section_rules``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence, Set
from typing import Any, TypeVar

from msgspec.structs import replace

from proxy_core.apache.draft import DraftRow, DraftSection, DraftServer, SiteDraft, below, holds, located
from proxy_core.apache.lexer import Lines
from proxy_core.apache.report import Lose
from proxy_core.config.folders import serves_files
from proxy_core.config.model import Host, Location, Options, Site
from proxy_core.config.model.types import FollowLinks
from proxy_core.errors import Address
from proxy_core.rules.text.wildcards import regex_of

_T = TypeVar("_T", Options, Host, Location)
_FOLLOW, _OWNER = "followsymlinks", "symlinksifownermatch"
_NAMED = {_FOLLOW: {_FOLLOW}, _OWNER: {_OWNER}, "all": {_FOLLOW}}


def says(words: Sequence[str]) -> bool:
    """Whether the words of Options say anything of links; words without a sign say what is not there, too."""
    return any(word[:1] not in "+-" or word[1:].lower() in _NAMED for word in words)


def allowed(words: Iterable[str], before: Set[str]) -> Set[str]:
    """Which links may be followed behind these words of Options (``set_options``)."""
    for number, word in enumerate(each.lower() for each in words):
        named = _NAMED.get(word.lstrip("+-"), set())
        before = set() if word[:1] not in "+-" and number == 0 else before
        before = before - named if word[0] == "-" else before | named
    return before


Said = Sequence[tuple[str, DraftSection | None, Sequence[Sequence[str]]]]
"""What Options says: the folder, the section (None for a server), and the words of each."""


def said(draft: SiteDraft, servers: Iterable[DraftServer]) -> Said:
    """What Options says of servers and in sections, those for wider folders first."""
    servers = list(dict.fromkeys(servers))
    sections = [each for server in servers for each in server.within if each.allows]
    found = [(folder_of(draft, each), each, [each.args for each in each.allows]) for each in sections]
    of_servers = [("", None, [words.args for words in each.option("options") or ()]) for each in servers]
    return [*of_servers, *sorted(found, key=lambda each: len(each[0]))]


def folder_of(draft: SiteDraft, section: DraftSection) -> str:
    """The folder that a section is for, whole; "" where it is for others than files of one."""
    outer = section.kind if section.outer is None else section.outer.kind
    return draft.whole(section.argument) if outer in ("directory", "files") and section.argument else ""


def followed(draft: SiteDraft, section: DraftSection, options: Said) -> Set[str]:
    """Which links may be followed where a section holds."""
    folder = folder_of(draft, section)
    held: Set[str] = {_FOLLOW}
    for place, outer, each in options:
        if outer is None or outer is section or (below(folder, place) if folder and place else holds(outer, section)):
            for words in each:
                held = allowed(words, held)
    return held


Conditions = list[dict[str, Any]]
_LAID = ("proxy", "proxymatch", "directory", "directorymatch", "files", "location", "locationmatch", "if")
"""Kinds of sections in the order in which they are laid over each other."""


def taken_away(draft: SiteDraft, section: DraftSection, options: Said) -> list[Conditions]:
    """Where a section holds together with others that leave no link to be followed: the conditions of rules for each.
    Those that are round it, or for all that it is for, count in ``followed``."""
    words = [word for _, outer, each in options if outer is section for word in each]
    others = [
        (outer, each)
        for _, outer, each in options
        if outer not in (None, section) and not outer.kind.startswith("proxy") and not holds(outer, section)
    ]
    found = []
    for outer, each in others:
        held = followed(draft, outer, options) if outer.kind == "directory" else _after(each, {_FOLLOW})
        later = _LAID.index(outer.kind) > _LAID.index(section.kind)
        if _after([] if later else words, held) or (outer.kind == section.kind == "directory"):
            continue
        gives = [other for other, said in others if _after(said, set()) and _over(other, outer)]
        nots = [there for other in gives if len(there := _conditions(draft, other)) == 1]
        denied = [{**row, "pattern": f"!{row['pattern']}"} for (row,) in nots]
        found.append([*_conditions(draft, outer), *denied])
    return found


def _after(each: Iterable[Sequence[str]], held: Set[str]) -> Set[str]:
    for words in each:
        held = allowed(words, held)
    return held


def _over(other: DraftSection, outer: DraftSection) -> bool:
    """Whether one is laid over the other where both hold."""
    if other.kind == outer.kind == "directory":
        return other is not outer and below(other.argument, outer.argument)
    return _LAID.index(other.kind) > _LAID.index(outer.kind)


def _conditions(draft: SiteDraft, section: DraftSection) -> Conditions:
    """What has to hold for a request, in rules of sections, where a section holds."""
    file, path = "%{REQUEST_FILENAME}", "%{REQUEST_URI}"
    outer = _conditions(draft, section.outer) if section.outer is not None else []
    match section.kind:
        case "directory":
            parts = [regex_of(part, "[^/]") for part in draft.whole(section.argument).rstrip("/").split("/")]
            return [{"test": file, "pattern": f"^{'/'.join(parts)}(?:/|$)"}]
        case "directorymatch":
            return [{"test": file, "pattern": section.argument}, {"test": file, "pattern": "!^proxy:"}]
        case "files":
            whole = draft.whole(section.argument) if section.argument else ""
            names = f"/{section.names[1:]}" if section.names.startswith("^") else section.names
            folder = [{"test": file, "pattern": f"^{re.escape(whole)}/"}] if whole else []
            return [*outer, *folder, {"test": file, "pattern": names}, {"test": file, "pattern": "!^proxy:"}]
        case "location":
            where = located(section.argument)
            path_of = f"^{re.escape(where['path'].rstrip('/'))}(?:/|$)" if "path" in where else where["path_regex"]
            return [{"test": path, "pattern": path_of}]
        case "locationmatch":
            return [{"test": path, "pattern": section.argument}]
    return [*outer, {"test": "expr", "pattern": f"({section.expression})"}]


def settled(draft: SiteDraft) -> None:
    """What each server and each <Directory> comes to. The main server's hold in hosts as well, which may have Options
    of their own: these get rows of their own then."""
    words = {server: _words(draft, server) for server in draft.servers()}
    if not draft.served or all(word == "all" for found in words.values() for word in found.values()):
        return
    of_main = words[draft.main]
    for server, found in words.items():
        general, sections = found[None], [each for each in found if each is not None]
        if general != "all" or server.option("options"):
            server.options["follow_links"] = general, (server.option("options") or draft.main.option("options"))[-1]
        own = []
        for section in sections:
            word = found[section]
            if server is draft.main or section not in of_main:
                row = section.row
            elif word != of_main[section]:
                row = DraftRow({"id": draft.location_id("links"), "folder": draft.path(section.argument)}, [])
                own.append(row)
            else:
                continue
            assert row is not None
            row.content["follow_links"] = word
            row.origins += section.allows
        server.locations[:0] = own


def _words(draft: SiteDraft, server: DraftServer) -> dict[DraftSection | None, FollowLinks]:
    """What holds in a server by its sections for folders, and in general (None)."""
    options = said(draft, (draft.main, server))
    general: Set[str] = {_FOLLOW}
    for _, section, each in options:
        for words in each if section is None else ():
            general = allowed(words, general)
    found: dict[DraftSection | None, FollowLinks] = {None: _word(general)}
    for _, section, _ in options:
        if section is not None and section.kind == "directory":
            found[section] = _word(followed(draft, section, options))
    return found


def _word(held: Set[str]) -> FollowLinks:
    return "owner" if _OWNER in held else "all" if held else "none"


def plain(site: Site, lose: Lose) -> Site:
    """What is said of links, where files are served. Apache forbids rules of sections where none is followed."""
    if serves_files(site) and not any(rule.enabled and rule.location for rule in site.rewrites):
        return site

    def changed(table: _T, at: Address) -> _T:
        if not serves_files(site):
            return replace(table, follow_links="all" if isinstance(table, Options) else None)
        if table.follow_links != "none":
            return table
        lose((*at, "follow_links"), "Apache has no rules in sections where no link is followed: the owner's are")
        return replace(table, follow_links="owner")

    hosts = {name: changed(host, ("hosts", name)) for name, host in site.hosts.items()}
    rows = tuple(changed(row, ("locations", row.id)) for row in site.locations)
    return replace(site, site=changed(site.site, ("site",)), hosts=hosts, locations=rows)


def lines(word: FollowLinks | None) -> Lines:
    """The option of a place as words of Options."""
    signs = {None: "", "all": "+-", "owner": "-+", "none": "--"}[word]
    return [f"{sign}{name}" for sign, name in zip(signs, ("FollowSymLinks", "SymLinksIfOwnerMatch"), strict=False)]
