"""What is wrong with the addresses of a site: proxies that are believed, and clients that are kept out."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network

from proxy_core.config.model import Site
from proxy_core.errors import Address, Problem
from proxy_core.http.hop_by_hop import FRAMING
from proxy_core.rules.access.networks import ends
from proxy_core.rules.lint.problems import error, refused, warning


def lint_trust(site: Site) -> Iterator[Problem]:
    options = site.site
    for key in ("trusted_proxies", "internal_proxies", "deny"):
        for text in getattr(options, key):
            yield from _network(("site", key), text)
    if options.client_header and not (options.trusted_proxies or options.internal_proxies):
        what = f"nobody is believed in {options.client_header}, so the client is who connects"
        yield warning(
            ("site", "client_header"), what, "name the proxies in front in trusted_proxies or internal_proxies"
        )
    for key in ("client_header", "proxies_header"):
        name = getattr(options, key).lower().encode()
        if name == b"host" or name in FRAMING:
            yield error(("site", key), f"{getattr(options, key)} says something else already", "name another field")
    if options.proxies_header and not options.client_header:
        what = f"{options.proxies_header} is never written: no field names clients"
        yield warning(("site", "proxies_header"), what, 'add client_header = "X-Forwarded-For"')
    for ban in site.bans:
        yield from _network(("bans", ban.id, "network"), ban.network)
        yield from refused(("bans", ban.id, "until"), 'write it as "2026-01-31T18:00:00Z"', ends, ban.until)


def _network(address: Address, text: str) -> Iterator[Problem]:
    try:
        ip_network(text)
    except ValueError as no_network:
        todo = 'write an address or a network: "10.0.0.1" or "10.0.0.0/8"'
        if "host bits" in str(no_network):
            todo = f'write the whole network, "{ip_network(text, strict=False)}", or the one address'
        yield error(address, f'"{text}" is not an address or network', todo)
