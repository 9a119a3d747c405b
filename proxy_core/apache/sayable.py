"""A site in the words of Apache: the same meaning, nothing left that httpd.conf cannot say, and what was lost.

What a site does by itself becomes rows (reverse = "auto", forwarded = "trusted", hsts, a dotted name that is never
served), what Apache has elsewhere goes there, and what it has not is told and taken out. The result is a site like any
other: it can be served, and it is what an import of the export gives back. Each subject has its own part of this; here
is their order, and what concerns all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from msgspec import NODEFAULT, Struct, structs
from msgspec.structs import replace

from proxy_core.apache.lexer import Unsayable
from proxy_core.apache.names import unique
from proxy_core.apache.registry import LOST, SPELL
from proxy_core.apache.report import Lose
from proxy_core.apache.subjects import (
    access,
    access_log,
    balancing,
    client_address,
    core,
    error_pages,
    fields,
    hosts,
    limits,
    locations,
    rewriting,
    route_order,
    tls,
    variables,
)
from proxy_core.apache.subjects.core import QUIET
from proxy_core.config.model import Site, UpstreamTls
from proxy_core.errors import Address, Problem, errors
from proxy_core.rules.lint.site import lint


@dataclass(frozen=True, slots=True)
class SayableSite:
    """The site, what was lost (problems with addresses in the first site), and files that maps need."""

    site: Site
    losses: tuple[Problem, ...]
    files: dict[Path, str]


def sayable(site: Site, folder: Path, beside: Path) -> SayableSite:
    """A sound site in the words of Apache. ``folder`` is that of the site file, ``beside`` where new files may be."""
    losses: dict[tuple[Address, str], Problem] = {}

    def lose(address: Address, why: str) -> None:
        what = f"{'.'.join(address)} is lost"
        losses.setdefault((address, why), Problem(what=what, todo=why, severity="warning", address=address))

    site = access_log.plain(without_lost(site, lose), lose)
    site = limits.plain(hosts.own_options(client_address.plain(core.plain(site))), lose)
    site = tls.plain(hosts.plain(site, folder), folder, lose)
    site = core.connecting(balancing.plain(site, lose))
    site = route_order.plain(site, lose)
    site, files = rewriting.plain(site, folder, beside, lose)
    site = access.plain(locations.plain(site, lose), lose)
    site = error_pages.plain(fields.plain(variables.plain(site, lose), lose), lose)
    site = hosts.named_first(locations.placed(site, lose))
    site = locations.useful(rewriting.inherited(_held(_in_order(site), lose)))
    if not tls.speaks(site):
        site = replace(site, upstream_tls=UpstreamTls())
    return SayableSite(site, tuple(losses.values()), files)


_TABLES = ("env", "rewrites", "routes", "headers", "errors", "reverse", "locations")


def _in_order(site: Site) -> Site:
    """The main server's rows before those of hosts, and each with an id of its own."""

    def put(table: str) -> tuple[Any, ...]:
        taken: list[str] = []
        found = []
        for row in hosts.by_host(site, getattr(site, table)):
            taken.append(unique(row.id or table, taken))
            found.append(replace(row, id=taken[-1]))
        return tuple(found)

    return replace(site, **{table: put(table) for table in _TABLES})


def _held(site: Site, lose: Lose) -> Site:
    """Rows that no line of httpd.conf can hold are lost, and rows that say what only the lost ones gave a meaning."""

    def fits(table: str, name: str, row: Any) -> bool:
        try:
            SPELL[table](site, row, Path("/"))
        except Unsayable as why:
            lose((table, name), str(why))
            return False
        return True

    rows = {table: tuple(row for row in getattr(site, table) if fits(table, row.id, row)) for table in _TABLES}
    balancers = {name: group for name, group in site.balancers.items() if fits("balancers", name, (name, group))}
    site = replace(site, balancers=balancers, **rows)
    while found := [each for each in errors(lint(site)) if each.address[:1] and each.address[0] in _TABLES]:
        for each in found:
            lose(each.address, each.what)
        gone = {each.address[:2] for each in found}
        kept = {table: tuple(row for row in getattr(site, table) if (table, row.id) not in gone) for table in _TABLES}
        site = replace(site, **kept)
    return site


_S = TypeVar("_S", bound=Struct)


def without_lost(site: Site, lose: Lose) -> Site:
    """The site without what is in the tables. Only what somebody has said counts: an option at its default is what the
    site does anyway, and telling it for every site would bury what matters."""
    return _walked(site, (), lose)


def _walked(struct: _S, address: Address, lose: Lose) -> _S:
    changed: dict[str, Any] = {}
    for field in structs.fields(type(struct)):
        value = getattr(struct, field.name)
        at, name = (*address, field.encode_name), f"{type(struct).__name__}.{field.encode_name}"
        if name in LOST or name in QUIET:
            default = field.default_factory() if field.default_factory is not NODEFAULT else field.default
            if value != default:
                changed[field.name] = default
                if name in LOST:
                    lose(at, LOST[name])
        elif isinstance(value, Struct):
            changed[field.name] = _walked(value, at, lose)
        elif isinstance(value, dict) and value and all(isinstance(each, Struct) for each in value.values()):
            changed[field.name] = {name: _walked(each, (*at, name), lose) for name, each in value.items()}
        elif isinstance(value, tuple) and value and all(isinstance(each, Struct) for each in value):
            changed[field.name] = tuple(_walked(each, (*at, each.id), lose) for each in value)
    return structs.replace(struct, **changed)
