"""Who may, for Apache: conditions of sections, and users.

What a site says of itself and of its hosts becomes a <Location /> in front, and addresses that it denies a condition of
every place. Where that cannot be, no files are served: nobody is let in because something was lost.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from proxy_core.apache.draft import unique
from proxy_core.apache.export_lost import Lose
from proxy_core.apache.export_words import Lines, check, line, section, word
from proxy_core.config.model import Access, HeaderRule, Host, Location, Options, Site
from proxy_core.rules.access.authorization import words

CLOSED = "all denied"
OPEN = "all granted"


def plain(site: Site, lose: Lose) -> Site:
    """Access as Apache can say it."""
    site = _said(_denied(_in_places(site, lose)))
    restricts = any(set(row.require) - {OPEN} for row in site.locations)
    locations = [row if restricts else replace(row, require=()) for row in site.locations]
    asks = restricts and any(
        kind in ("user", "valid-user") for row in locations for kind in _flat(site.access, row.require)
    )
    locations = [row if asks else replace(row, auth="") for row in locations]
    users, rows = _users(replace(site, locations=tuple(locations)))
    names = {name for row in locations for name in _named(site.access, row.require)}
    return replace(
        site,
        locations=tuple(replace(row, merging=row.merging if row.require else "off") for row in locations),
        headers=rows,
        access={name: group for name, group in site.access.items() if name in names},
        auth={name: replace(each, user_header="", hide=False) for name, each in site.auth.items() if name in users},
    )


def useful(site: Site) -> Site:
    """The site without locations that say nothing, and without the rows in them, which are all off."""
    tables = {name: getattr(site, name) for name in ("env", "rewrites", "headers", "errors", "reverse")}
    used = {row.location for rows in tables.values() for row in rows if row.enabled}
    locations = tuple(row for row in site.locations if row.id in used or _says(row))
    places = {"", *(row.id for row in locations)}
    kept = {name: tuple(row for row in rows if row.location in places) for name, rows in tables.items()}
    return replace(site, locations=locations, **kept)


def _says(row: Location) -> bool:
    return bool(row.require or row.auth or row.timeout) or any(
        value is not None for value in (row.preserve_host, row.add_forwarded, row.error_override, row.max_body)
    )


def _in_places(site: Site, lose: Lose) -> Site:
    """What is said of the site and of hosts becomes a location in front of the others: "/", or the target "*" where
    targets have conditions of their own, which "/" would take the place of."""
    by_target = any(row.target and (row.require or row.auth) for row in site.locations)
    guarded: list[tuple[str, Options | Host]] = [("", site.site), *site.hosts.items()]
    rows: list[Location] = []
    names = [row.id for row in site.locations]
    for host, said in guarded:
        if said.require or said.auth or (not host and site.site.deny):
            names.append(unique(f"{host or 'site'}-all", names))
            row = Location(id=names[-1], host=host, require=said.require, auth=said.auth)
            rows.append(replace(row, target="*") if by_target else replace(row, path="/"))
    files = bool(site.site.document_root) or any(row.folder for row in site.routes)
    if by_target and rows and files:
        lose(("site", "require"), "where targets have conditions of their own, Apache asks those of the site for what "
             "is forwarded alone, so no files are served")  # fmt: skip
        hosts = {name: replace(host, document_root=None) for name, host in site.hosts.items()}
        routes = tuple(row for row in site.routes if not row.folder)
        site = replace(site, routes=routes, hosts=hosts, site=replace(site.site, document_root=""))
    return replace(
        site,
        locations=(*rows, *site.locations),
        site=replace(site.site, require=(), auth=""),
        hosts={name: replace(host, require=(), auth="") for name, host in site.hosts.items()},
    )


def _denied(site: Site) -> Site:
    """Addresses that the site denies are kept out of every place."""
    if not site.site.deny:
        return site
    access = dict(site.access)
    locations: list[Location] = []
    for row in site.locations:
        first = not locations
        if row.require or first:
            wanted = row.require or (OPEN,)
            if len(wanted) > 1:
                name = unique(f"{row.id}-some", access)
                access[name] = Access(require=wanted)
                wanted = (f"access {name}",)
            name = unique(f"{row.id}-denied", access)
            access[name] = Access(match="all", require=(*wanted, f"not ip {' '.join(site.site.deny)}"))
            row = replace(row, require=(f"access {name}",))
        locations.append(row)
    return replace(site, site=replace(site.site, deny=()), access=access, locations=tuple(locations))


def _said(site: Site) -> Site:
    """Groups of nothing are left out: they say nothing, and where nothing else is said nobody is let in."""
    empty = {name for name, group in site.access.items() if not group.require}

    def some(texts: tuple[str, ...]) -> tuple[str, ...]:
        kept = tuple(_QUOTED.sub(r"\1(\2)", text) for text in texts if _table(text) not in empty)
        return kept or ((CLOSED,) if texts else ())

    return replace(
        site,
        access={name: replace(group, require=some(group.require)) for name, group in site.access.items()},
        locations=tuple(replace(row, require=some(row.require)) for row in site.locations),
    )


_QUOTED = re.compile(r"((?:not )?expr )([\"'].*)", re.DOTALL)
"""An expression that begins with a quote, of which httpd would take the quotes off."""


def _table(text: str) -> str:
    """The table of [access] that a condition names, "" for none."""
    kind, _, name = text.strip().partition(" ")
    return name.strip() if kind.lower() == "access" else ""


def _users(site: Site) -> tuple[set[str], tuple[HeaderRule, ...]]:
    """The tables of users that places ask, and the rows that tell upstreams who somebody is, or hide the password."""
    rows: list[HeaderRule] = []
    own = [each.user_header for row in site.locations if (each := site.auth.get(row.auth)) and each.user_header]
    for name in dict.fromkeys(own):
        rows.append(HeaderRule(id=f"{name}-unset", on="request", action="unset", name=name))
    for row in site.locations:
        users = site.auth.get(row.auth)
        if users is None:
            continue
        if users.user_header:
            value = "expr=%{REMOTE_USER}"
            rows.append(HeaderRule(id=f"{row.id}-user", location=row.id, on="request", name=users.user_header,
                                   value=value))  # fmt: skip
        if users.hide:
            rows.append(HeaderRule(id=f"{row.id}-hide", location=row.id, on="request", action="unset",
                                   name="Authorization"))  # fmt: skip
    return {row.auth for row in site.locations if row.auth}, (*rows, *site.headers)


def _named(access: Mapping[str, Access], texts: tuple[str, ...]) -> Iterator[str]:
    """The tables that conditions name, and those that these name."""
    for name in filter(None, map(_table, texts)):
        yield name
        yield from _named(access, access[name].require)


def _flat(access: Mapping[str, Access], texts: tuple[str, ...]) -> Iterator[str]:
    """The kinds of all conditions."""
    for text in texts:
        if name := _table(text.removeprefix("not ")):
            yield from _flat(access, access[name].require)
        else:
            yield text.removeprefix("not ").split()[0].lower()


def lines(site: Site, row: Location) -> Lines:
    """What a section says of access. Raises Unsayable."""
    found: Lines = []
    users = site.auth.get(row.auth)
    if users is not None:
        found = ["AuthType Basic", line("AuthName", users.realm), line("AuthUserFile", users.file)]
    found += [f"AuthMerging {row.merging.title()}"] * (row.merging != "off" and bool(row.require))
    return [*found, *_conditions(site.access, row.require)]


_SECTIONS = {"any": "RequireAny", "all": "RequireAll", "none": "RequireNone"}


def _conditions(access: Mapping[str, Access], texts: tuple[str, ...]) -> Iterator[str]:
    for text in texts:
        negated, bare = text.strip().lower().startswith("not "), re.sub(r"(?i)^\s*not\s+", "", text)
        if name := _table(bare):
            group = access[name]
            inside = section(_SECTIONS[group.match], "", _conditions(access, group.require))
            yield from section("RequireNone", "", inside) if negated else inside
            continue
        kind, _, rest = bare.strip().partition(" ")
        told = f"Require {'not ' * negated}{kind.lower()}"
        if kind.lower() == "expr":  # the rest of the line as it stands: it is no word, so no quotes go round it
            check(rest)
            yield f"{told} {rest}"
        else:
            yield " ".join([told, *map(word, words(rest))])
