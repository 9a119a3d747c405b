"""Sections for paths, targets and expressions: <Location>, <Proxy>, <If> and their like, and rows of [[locations]]."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from msgspec.structs import replace

from proxy_core.apache.draft import PLACES, DraftRow, DraftSection, Kind, unique
from proxy_core.apache.import_context import Ignored, ImportContext, Unsupported
from proxy_core.apache.lexer import Directive, Lines, word
from proxy_core.apache.report import Lose
from proxy_core.apache.subjects import access, error_pages
from proxy_core.apache.subjects.hosts import by_host
from proxy_core.apache.subjects.listeners import whole_seconds
from proxy_core.config.model import Location, Site


def section_of(kind: Kind, regex: Kind = "location") -> Callable[[ImportContext, Directive], ImportContext]:
    """<Location> and its like; ``~`` before the argument makes it an expression."""

    def handler(context: ImportContext, directive: Directive) -> ImportContext:
        args, found = directive.args, kind
        if args[:1] == ("~",):
            found, args = regex, args[1:]
        if not args:
            raise Unsupported("it does not say what it is for")
        if found == "location" and "//" in args[0]:
            _for_no_path(context, directive, args[0])
        if found == "locationmatch":
            context.server.env += named_groups(args[0], directive)
        return dataclasses.replace(context, section=DraftSection(found, args[0], directive))

    return handler


def _for_no_path(context: ImportContext, directive: Directive, path: str) -> NoReturn:
    """A <Location> with doubled slashes is held against paths that have none, whatever MergeSlashes says
    (``ap_location_walk``); what it forwards is forwarded all the same. Raises Ignored and Unsupported."""
    why = "httpd holds it against paths whose doubled slashes are one, so it is for none"
    if any(each.key == "proxypass" for each in directive.inside or ()):
        context.unanswered(directive, {"path": path})
        raise Unsupported(f"{why} but that of its ProxyPass, and 503 answers for that one; write it outside")
    raise Ignored(why)


_GROUP = re.compile(r"\\.|\[(?:\\.|[^]\\])+\]|\((?!\?)|\(\?P?(?:<|')(\w+)(?:>|')", re.DOTALL)


def named_groups(regex: str, directive: Directive) -> list[DraftRow]:
    """What the groups of a <LocationMatch> with a name of their own found, as MATCH_NAME (``ap_location_walk``)."""
    groups = [group[1] for group in _GROUP.finditer(regex) if group[0].startswith("(")]
    return [
        DraftRow(
            {"name": f"MATCH_{name.upper()}", "from": "%{REQUEST_URI}", "capture": regex, "value": f"${number}"},
            [directive],
        )
        for number, name in enumerate(groups, 1)
        if name
    ]


_MOST_DENIED = 4000
"""Characters of the conditions before an <ElseIf> or <Else>: each of them says all of these again."""


def conditional(context: ImportContext, directive: Directive) -> ImportContext:
    """<If>, <ElseIf> and <Else>: what is inside holds where the expression does."""
    conditions = context.conditions
    if directive.key == "if":
        conditions.clear()
    expression = directive.raw.strip()
    if len(expression) > 1 and expression[0] in "\"'" and expression[-1] == expression[0]:
        expression = expression[1:-1].replace("\\" + directive.raw.strip()[0], directive.raw.strip()[0])
    if sum(map(len, conditions)) > _MOST_DENIED:
        if context.section is None:
            context.draft.close(context.server, {"path": "/"}, directive)
        else:
            context.section.closed = True
        raise Unsupported(f"what is denied before it has more than {_MOST_DENIED} characters: nobody is let in there")
    before = [f"!({each})" for each in conditions]
    if directive.key != "else":
        conditions.append(expression)
        before.append(f"({expression})")
    outer = context.section
    if outer is not None and outer.kind == "if":
        before.insert(0, f"({outer.expression})")
        outer = outer.outer
    whole = before[0][1:-1] if len(before) == 1 and directive.key == "if" else " && ".join(before)
    argument = outer.argument if outer is not None else "/"
    section = DraftSection("if", argument, directive, outer=outer, expression=whole)
    return dataclasses.replace(context, section=section, conditions=[])


SECTIONS = {
    "location": section_of("location", "locationmatch"),
    "locationmatch": section_of("locationmatch"),
    "proxy": section_of("proxy", "proxymatch"),
    "proxymatch": section_of("proxymatch"),
    **dict.fromkeys(("if", "elseif", "else"), conditional),
}


def plain(site: Site, lose: Lose) -> Site:
    """Locations in service, as Apache can say them."""
    return replace(
        site, locations=tuple(_location(_ignoring(site, row, lose), lose) for row in site.locations if row.enabled)
    )


def _ignoring(site: Site, row: Location, lose: Lose) -> Location:
    """What listings leave out, with what the server says of it, which Apache's sections add to."""
    host = site.hosts[row.host].index_ignore if row.host in site.hosts else None
    more = [name for name in (site.site.index_ignore if host is None else host) if name not in (row.index_ignore or ())]
    if row.index_ignore is None or not more:
        return row
    lose(("locations", row.id, "index_ignore"), f"Apache leaves out what the server says as well: {', '.join(more)}")
    return replace(row, index_ignore=(*more, *row.index_ignore))


def _location(row: Location, lose: Lose) -> Location:
    at = ("locations", row.id, "timeout")
    if row.path is not None and "//" in row.path:  # which would be for no path
        row = replace(row, path=re.sub("/{2,}", "/", row.path))
    if row.path is not None and set("*?[") & set(row.path):
        row = replace(row, path=None, path_regex=f"^{re.escape(row.path.rstrip('/'))}(?:/|$)")
    row = replace(row, override_codes=error_pages.codes(row.override_codes) if row.error_override else ())
    if row.timeout is not None and not re.match(r"(?!balancer:)[^*?[]+\Z", row.target or ""):
        lose(at, "Apache has a time for the URL of a target alone, not for paths, patterns or balancers")
        return replace(row, timeout=None)
    if row.timeout is not None and not float(row.timeout).is_integer():
        lose(at, "Apache counts whole seconds here")
        return replace(row, timeout=whole_seconds(row.timeout))
    return row


def useful(site: Site) -> Site:
    """The site without locations that say nothing, and without the rows in them, which are all off."""
    tables = {name: getattr(site, name) for name in IN_LOCATIONS}
    used = {row.location for rows in tables.values() for row in rows if row.enabled}
    locations = tuple(row for row in site.locations if row.id in used or _says(row))
    places = {"", *(row.id for row in locations)}
    kept = {name: tuple(row for row in rows if row.location in places) for name, rows in tables.items()}
    return replace(site, locations=locations, **kept)


def _says(row: Location) -> bool:
    return bool(row.require or row.auth or row.timeout or row.methods) or any(
        value is not None
        for value in (
            row.preserve_host,
            row.add_forwarded,
            row.expires_active,
            row.default_charset,
            row.error_override,
            row.max_body,
            row.cache,
            row.directory_index,
            row.fallback_resource,
            row.autoindex,
            row.index_ignore,
            row.follow_links,
            row.file_types,
            row.compress,
        )
    )


IN_LOCATIONS = ("env", "rewrites", "routes", "headers", "expires", "errors", "reverse")
"""The tables whose rows may be for a location."""


def placed(site: Site, lose: Lose) -> Site:
    """Rows of sections behind those of servers, in the order of the sections."""
    site = _of_one_host(site)
    return replace(site, **{table: _placed(site, table, lose) for table in IN_LOCATIONS})


def _of_one_host(site: Site) -> Site:
    """The site with a location of a host's own for its rows that are for a location of all hosts, just behind that."""
    shared = {row.id: row for row in site.locations if not row.host}
    rows = [row for table in IN_LOCATIONS for row in getattr(site, table)]
    wanted = dict.fromkeys((row.location, row.host) for row in rows if row.location in shared and row.host)
    if not wanted:
        return site
    own: dict[tuple[str, str], str] = {}
    for place, host in wanted:
        own[place, host] = unique(f"{place}-{host}", {*own.values(), *(row.id for row in site.locations)})
    locations: list[Location] = []
    for row in site.locations:
        locations.append(row)
        locations += [
            Location(id=made, host=host, **{key: getattr(row, key) for key in PLACES - {"id"}})
            for (place, host), made in own.items()
            if place == row.id
        ]

    def moved(row: Any) -> Any:
        made = own.get((row.location, row.host))
        return row if made is None else replace(row, location=made)

    tables = {table: tuple(map(moved, getattr(site, table))) for table in IN_LOCATIONS}
    return replace(site, locations=tuple(locations), **tables)


def _placed(site: Site, table: str, lose: Lose) -> tuple[Any, ...]:
    """Each row with the host of its location, in the order in which sections have them."""
    places = {row.id: number for number, row in enumerate(site.locations)}
    hosts = {row.id: row.host for row in site.locations}
    found = []
    for row in getattr(site, table):
        if row.location and row.location not in hosts:
            continue
        if row.location and row.host not in ("", hosts[row.location]):
            lose((table, row.id), f"it is for one host, and its location {row.location} for all or another")
            continue
        found.append(replace(row, host=hosts[row.location]) if row.location else row)
    return tuple(by_host(site, sorted(found, key=lambda row: places.get(row.location, -1))))


def of_whole_names(regex: str, folder: Path) -> str:
    """An expression for names of files as one for absolute ones: the site's may begin at the folder of its file."""
    if not regex.startswith("^") or regex.startswith("^/"):
        return regex
    return f"^{re.escape(str(folder))}/{regex[1:]}"


def spelled(site: Site, row: Location, folder: Path) -> Lines:
    """What may be wrong with a row of [[locations]]: its argument and its conditions. Raises Unsayable."""
    return [word(row.path or row.path_regex or row.target or row.folder_regex or ""), *access.lines(site, row)]


SPELL = {"locations": spelled}
