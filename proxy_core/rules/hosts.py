"""Which host a request is for: ``check_hostalias`` and ``matches_aliases`` in server/vhost.c.

The hosts of a listener stand in file order. The first that has the name, itself or by a wildcard, takes the request.
Where none has it, the first of all takes it. Port, trailing dot and case of the Host field do not count. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from proxy_core.config.model import Host, Options, Site, UpstreamTls
from proxy_core.http.syntax import host_name, host_port

Rule = TypeVar("Rule")


def wildcard(name: str) -> Callable[[str], object]:
    """Finds whether a name fits one with * (any run of characters) or ? (one) in it."""
    spelled = "".join({"*": ".*", "?": "."}.get(character) or re.escape(character) for character in name.lower())
    return re.compile(spelled, re.DOTALL).fullmatch


def is_wild(name: str) -> bool:
    return "*" in name or "?" in name


def server_name(host: Host, default: str) -> str:
    """What a host calls itself: its server_name (without a port), else the first of its names that is no wildcard."""
    plain = (name for name in (host.server_name, *host.names) if name and not is_wild(name))
    return host_name(next(plain, default))


def own_port(host: Host) -> int:
    """The port that a server_name gives ("shop.example:8443"), 0 where it gives none: ServerName with a port."""
    port = host_port(host.server_name)
    return int(port) if port.isascii() and port.isdigit() else 0


class Own(NamedTuple):
    """What a host says of its requests that [site] has no word for: how long a body may be (None: the listener says),
    the name and port in addresses of its own ("": those that the client used), and how members are spoken to over TLS
    (None: the site says)."""

    max_body: int | None = None
    canonical: str = ""
    upstream_tls: UpstreamTls | None = None


NO_OWN = Own()


def own(host: Host, options: Options) -> Own:
    """``options`` are those that hold for the host."""
    port = own_port(host)
    named = server_name(host, options.server_name) + (f":{port}" if port else "")
    return Own(host.max_body, named if options.canonical_name else "", host.upstream_tls)


_OF_OPTIONS = (
    "timeout", "error_override", "override_codes", "encoded_slashes", "merge_slashes", "preserve_host", "via",
    "add_forwarded", "expires_active", "default_charset", "document_root", "directory_index", "autoindex",
    "fallback_resource", "index_ignore", "follow_links", "canonical_name",
)  # fmt: skip


def options(site: Site, host: Host) -> Options:
    """[site] as it holds for a host: with what it says itself, and under its own name."""
    said = {name: value for name in _OF_OPTIONS if (value := getattr(host, name)) is not None}
    return replace(site.site, **said, server_name=server_name(host, site.site.server_name))


def rewrites_in_order(host: Host, shared: Sequence[Rule], own: Sequence[Rule]) -> tuple[Rule, ...]:
    """The server's rewrite rules and the host's own in the order in which they are tried for it
    (``config_server_merge`` in mod_rewrite.c)."""
    return tuple({"before": [*shared, *own], "after": [*own, *shared], "own": own, "off": []}[host.rewrites])


class Names(Struct, frozen=True):
    """The names of one host."""

    plain: frozenset[str]
    wild: tuple[Callable[[str], object], ...]

    def __call__(self, name: str) -> bool:
        return name in self.plain or any(fits(name) for fits in self.wild)


def names(host: Host) -> Names:
    """The names that a host answers to, its server_name among them."""
    every = [host_name(name) for name in (*host.names, host.server_name) if name]
    return Names(frozenset(n for n in every if not is_wild(n)), tuple(wildcard(n) for n in every if is_wild(n)))


class Table(Struct, frozen=True):
    """The hosts of one listener: numbers of ``order`` by name, wildcards with theirs."""

    order: tuple[str, ...]
    plain: Mapping[str, int]
    wild: tuple[tuple[int, Callable[[str], object]], ...]

    def find(self, host: str) -> tuple[str, bool]:
        """The host that a Host field belongs to, and whether it names it (else it is the default)."""
        if not host:  # HTTP/1.0 without a Host: no wildcard stands for no name
            return self.order[0], False
        name = host_name(host)
        number = self.plain.get(name, len(self.order))
        for wild, fits in self.wild:
            if wild >= number:
                break
            if fits(name):
                number = wild
                break
        return (self.order[number], True) if number < len(self.order) else (self.order[0], False)


def table(hosts: Sequence[tuple[str, Host]]) -> Table:
    """Lay out the hosts of one listener, in file order; there must be one at least."""
    plain: dict[str, int] = {}
    wild = []
    for number, (_, host) in enumerate(hosts):
        its = names(host)
        for name in its.plain:
            plain.setdefault(name, number)
        wild += [(number, fits) for fits in its.wild]
    return Table(tuple(name for name, _ in hosts), plain, tuple(wild))


def tables(hosts: Mapping[str, Host], listeners: Sequence[str]) -> dict[str, Table]:
    """A table for each listener that hosts are reached through. A listener without a table belongs to the server alone.
    The listener "" stands for one that the site does not know (any more), which reaches every host."""

    def reaches(host: Host, listener: str) -> bool:
        return not (listener and host.listeners) or listener in host.listeners

    reached = {listener: [each for each in hosts.items() if reaches(each[1], listener)] for listener in listeners}
    return {listener: table(found) for listener, found in reached.items() if found}
