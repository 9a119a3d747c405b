"""Files of overrides (.htaccess) as they are when a configuration is imported: what they say stands in a <Directory>.

httpd lays such a file over all <Directory> of its folder (``ap_directory_walk``). Where every server that serves the
folder allows the same, and httpd would take the file, a section with what it says is put behind the others. All other
folders stay as they are, and ``subjects.overrides`` closes those whose files count.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from proxy_core.apache.draft import SiteDraft, below
from proxy_core.apache.lexer import Directive, SourcePlace
from proxy_core.apache.override_classes import kept
from proxy_core.apache.subjects import files
from proxy_core.rules.text.wildcards import is_wild, regex_of

Tree = tuple[Directive, ...]
Read = Callable[[Path], Tree | None]
"""The directives of a file, None where it cannot be read or httpd would not take it."""


class _Server(NamedTuple):
    """The main server, or a virtual host: its own directives, the folders that it serves, and its AllowOverrides with
    the folders that they stand in."""

    own: Sequence[Directive]
    roots: Sequence[str]
    said: Sequence[tuple[str, Directive]]


def included(draft: SiteDraft, directives: Tree, names: Sequence[str], read: Read, known: Sequence[str]) -> Tree:
    """The configuration with what files of overrides say; ``names`` are what they are called, ``known`` the directives
    that there are."""
    hosts = [each for each in directives if each.key == "virtualhost"]
    main = _server(draft, [each for each in directives if each.key != "virtualhost"])
    servers = {None: main} | {host: _server(draft, host.inside or ()) for host in hosts}
    more: dict[Directive | None, list[Directive]] = {}
    for folder in sorted(draft.files.overrides, key=len):
        serving = [each for each, server in servers.items() if any(_meet(folder, root) for root in server.roots)]
        holding = [each for each in servers if each in serving or None in serving]
        allowed = {_allowed(folder, [*main.said, *(servers[each].said if each else ())]) for each in holding}
        words, listed, by = allowed.pop() if len(allowed) == 1 else ((), (), None)
        if by is None or not (words or listed):
            continue
        file = next((each for name in names if os.path.isfile(each := os.path.join(folder, name))), "")
        said = read(Path(file)) if file else None
        inside = kept(said, words, listed, known) if said is not None else None
        if inside is None:
            continue
        place = replace(inside[0].place, line=0) if inside else SourcePlace(file, 0)
        section = Directive("Directory", f'"{folder}"', place, tuple(inside))
        draft.override_files.add(place.file)
        for server in [None] if None in serving else serving:
            more.setdefault(server, []).append(section)
        draft.overridden.setdefault(by, []).append(folder)
    return (*(_with(each, more.get(each, ())) for each in directives), *more.get(None, ()))


def _with(directive: Directive, more: Sequence[Directive]) -> Directive:
    return replace(directive, inside=(*(directive.inside or ()), *more)) if more else directive


def _server(draft: SiteDraft, own: Sequence[Directive]) -> _Server:
    return _Server(own, [root for root, _ in files.served(draft, own)], list(_said(draft, own)))


def _said(draft: SiteDraft, directives: Iterable[Directive]) -> Iterator[tuple[str, Directive]]:
    for each in directives:
        if each.key == "directory" and each.args and each.args[0] != "~":
            folder = each.args[0] if is_wild(each.args[0]) else draft.whole(each.args[0])
            yield from ((folder, one) for one in each.inside or () if one.key in ("allowoverride", "allowoverridelist"))


def _allowed(
    folder: str, said: Iterable[tuple[str, Directive]]
) -> tuple[tuple[str, ...], tuple[str, ...], SourcePlace | None]:
    """The words of AllowOverride and of AllowOverrideList that hold for a folder, and where the first is said."""
    found: dict[str, Directive] = {}
    for _, each in sorted(
        ((place, each) for place, each in said if _around(folder, place)), key=lambda row: len(row[0])
    ):
        found[each.key] = each
    words, listed = (found.get(key) for key in ("allowoverride", "allowoverridelist"))
    by = words or listed
    return _lower(words), _lower(listed), by.place if by is not None else None


def _lower(directive: Directive | None) -> tuple[str, ...]:
    words = tuple(word.lower() for word in directive.args) if directive is not None else ()
    return () if words == ("none",) else words


def _around(folder: str, place: str) -> bool:
    if not is_wild(place):
        return below(folder, place)
    parts = place.rstrip("/").split("/")
    signs = "/".join(regex_of(part, "[^/]") for part in parts)
    return re.fullmatch(signs, "/".join(folder.split("/")[: len(parts)])) is not None


def _meet(folder: str, root: str) -> bool:
    return below(folder, root) or below(root, folder)
