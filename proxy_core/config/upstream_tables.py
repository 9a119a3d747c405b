"""The tables of a site that say how members are spoken to over TLS, from the widest to the most particular.

This is the one place that knows them all: whoever looks at what they name, or at how they are spelled, asks here. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator

from proxy_core.config.model import Site, UpstreamTls
from proxy_core.errors import Address


def upstream_tables(site: Site) -> Iterator[tuple[Address, UpstreamTls]]:
    """Each with its address: that of the site, those of hosts, of balancers, of members."""
    yield ("upstream_tls",), site.upstream_tls
    for name, host in site.hosts.items():
        if host.upstream_tls is not None:
            yield ("hosts", name, "upstream_tls"), host.upstream_tls
    for name, group in site.balancers.items():
        if group.tls is not None:
            yield ("balancers", name, "tls"), group.tls
        for key, member in group.members.items():
            if member.tls is not None:
                yield ("balancers", name, "members", key, "tls"), member.tls
