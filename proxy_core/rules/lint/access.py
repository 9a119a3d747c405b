"""What is wrong with require, [access.NAME] and [auth.NAME]: bad conditions, and tables that nothing names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from msgspec import Struct

from proxy_core.config.model import Access, Site
from proxy_core.errors import Address, Problem
from proxy_core.http.hop_by_hop import FRAMING
from proxy_core.http.target import as_bytes_text
from proxy_core.rules.access import authorization
from proxy_core.rules.access.require import wants_user
from proxy_core.rules.lint.problems import error, missing, unknown, warning
from proxy_core.rules.routing.prefixes import collapsed

_GONE = {
    "group": "there are no groups: name the users, as in user anna bert",
    "valid-group": "there are no groups: name the users, as in user anna bert",
}
"""Conditions of Apache's that are not there, and what to write instead."""
_ADDRESS = re.compile(r"REMOTE_ADDR|CLIENT_IP|-R\b|-ipmatch", re.IGNORECASE)
"""Where an expression looks at addresses."""


def lint_access(site: Site) -> Iterator[Problem]:
    places: list[tuple[Address, tuple[str, ...], str]] = [(("site",), site.site.require, site.site.auth)]
    places += [(("hosts", name), host.require, host.auth) for name, host in site.hosts.items()]
    places += [(("locations", row.id), row.require, row.auth) for row in site.locations]
    asks = any(auth for _, _, auth in places) or any(service.user_header for service in site.forward_auth.values())
    named = {auth for _, _, auth in places}
    used: set[str] = set()
    known: authorization.Known = {}
    for address, require, auth in places:
        yield from missing(address, "auth", auth, site.auth)
        yield from _conditions(site, (*address, "require"), Access(require=require), used, known)
        if not asks and any(wants_user(text) for text in _all(site, require)):
            what = "a user is wanted, and nothing asks for one: such requests are answered 500"
            yield warning((*address, "require"), what, 'name who asks: auth = "NAME", with a table [auth.NAME]')
    yield from _vanishing(site)
    for name, group in site.access.items():
        yield from _conditions(site, ("access", name, "require"), group, used, known, (name,))
    for name in site.access:
        if name not in used:
            yield warning(("access", name), f"nothing requires access {name}", f'use it: require = ["access {name}"]')
    for name, settings in site.auth.items():
        if name not in named:
            yield warning(("auth", name), f"nothing names auth {name}", f'use it: auth = "{name}" beside require')
        if settings.user_header.lower().encode() in FRAMING | {b"host"}:
            what = f"{settings.user_header} says where a message ends or goes: the proxy writes it itself"
            yield error(("auth", name, "user_header"), what, "name another field")


def _all(site: Site, require: tuple[str, ...]) -> list[str]:
    """The conditions, those of the tables that they name among them."""
    found = list(require)
    seen: set[str] = set()
    for text in found:  # grows with each table
        name = _table(text)
        if name in site.access and name not in seen:
            seen.add(name)
            found += site.access[name].require
    return found


class _Place(Struct, frozen=True):
    """Where something is required, and what it is called."""

    address: Address
    name: str
    require: tuple[str, ...]


def _vanishing(site: Site) -> Iterator[Problem]:
    """Places where a password is asked instead of an address: what is required there replaces the list around it."""
    server = _Place(("site",), "the site", site.site.require)
    around = {"": server}
    for name, host in site.hosts.items():
        own = _Place(("hosts", name), f"host {name}", host.require)
        around[name] = own if host.require else server
        yield from _replaces(site, own, server)
    rows = [row for row in site.locations if row.enabled and row.path is not None and not row.expr]
    before: dict[tuple[str, bytes], tuple[int, _Place]] = {}
    for number, row in enumerate(rows):
        prefix = collapsed(as_bytes_text(row.path or "/").encode("latin-1"))
        own = _Place(("locations", row.id), f"location {row.id}", row.require)
        if row.require and row.merging == "off":
            over = [
                before[key] for above in _above(prefix) for host in {"", row.host} if (key := (host, above)) in before
            ]
            yield from _replaces(site, own, max(over)[1] if over else around.get(row.host, server))
            before[row.host, prefix] = number, own


def _above(prefix: bytes) -> Iterator[bytes]:
    """The prefixes that take a path which begins with this one (``takes``)."""
    yield prefix
    for at, byte in enumerate(prefix):
        if byte == ord("/"):
            yield from {prefix[:at], prefix[: at + 1]} - {prefix}


def _replaces(site: Site, own: _Place, around: _Place) -> Iterator[Problem]:
    asks = any(wants_user(text) for text in _all(site, own.require))
    if asks and _by_address(site, "any", around.require) and not _by_address(site, "any", own.require):
        what = f"what {around.name} requires of addresses does not hold here: whoever has a password asks from anywhere"
        todo = 'require both in a table: [access.NAME] with match = "all"'
        if own.address[0] == "locations":
            todo = 'add merging = "and", so that both must hold'
        yield warning((*own.address, "require"), what, todo)


def _by_address(site: Site, match: str, require: Sequence[str]) -> bool:
    """Whether nobody passes whose address is none of some. What stands deeper than it may is not followed."""
    known: dict[str, bool] = {}

    def holds(text: str, depth: int) -> bool:
        name = _table(text)
        if name in site.access:
            if name not in known:
                known[name] = False  # a circle says nothing of addresses
                group = site.access[name]
                known[name] = depth < authorization.NESTING and all_or_any(group.match, group.require, depth + 1)
            return known[name]
        words = text.lower().removeprefix("not ").split()
        return (
            words[:1] in (["ip"], ["local"], ["host"], ["forward-dns"])
            or words == ["all", "denied"]
            or _ADDRESS.search(text) is not None
        )

    def all_or_any(match: str, require: Sequence[str], depth: int) -> bool:
        found = [holds(text, depth) for text in require]
        return bool(found) and (all(found) if match == "any" else any(found))

    return all_or_any(match, require, 0)


def _table(text: str) -> str:
    """The table that a condition names, "" for none."""
    parts = text.split()
    parts = parts[1:] if parts and parts[0].lower() == "not" else parts
    return parts[1] if len(parts) == 2 and parts[0].lower() == "access" else ""


def _conditions(
    site: Site, address: Address, group: Access, used: set[str], known: authorization.Known, seen: tuple[str, ...] = ()
) -> Iterator[Problem]:
    for text in group.require:
        used.add(_table(text))
        kind = text.strip().lower().removeprefix("not ").strip().partition(" ")[0]
        if kind in _GONE:
            yield error(address, f"{text} cannot be required", _GONE[kind])
            continue
        table = _table(text)
        if table and table not in site.access:
            yield unknown(address, "access", table, site.access)
            continue
        try:
            authorization.condition(text, group.match, site.access, known, seen)
        except ValueError as wrong:
            yield error(address, f"{text}: {wrong}", "correct it, or take it out")
