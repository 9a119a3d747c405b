"""Addresses and networks: whether an address is in one network, and in which of many it is.

Deny lists and bans have thousands of networks at times. An address is looked up among them once for each connection,
by one look-up for each length of prefix and never by a walk over all. An IPv4 address that is written as IPv6
(::ffff:a.b.c.d) is IPv4. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from math import inf

from proxy_core.config.model import Site

Subnet = IPv4Network | IPv6Network
Entry = tuple[float, str]
"""When it ends (epoch seconds, inf for never) and what it is, in words."""


class Networks:
    """Entries by network. Of two for one network the one that lasts longer counts."""

    __slots__ = ("_tables",)

    def __init__(self, entries: Iterable[tuple[str, float, str]]) -> None:
        tables: dict[tuple[int, int], dict[int, Entry]] = {}
        for text, until, what in entries:
            network = _network(text)
            table = tables.setdefault((network.version, network.max_prefixlen - network.prefixlen), {})
            number = int(network.network_address) >> (network.max_prefixlen - network.prefixlen)
            table[number] = max(table.get(number, (0.0, "")), (until, what))
        self._tables = tables

    def find(self, address: str, now: float = 0.0) -> str:
        """What the entry is that has the address and ends after ``now``; "" for none."""
        if not self._tables:
            return ""
        parsed = parse(address)
        if parsed is None:
            return ""
        number = int(parsed)
        for (version, shift), table in self._tables.items():
            if version == parsed.version:
                until, what = table.get(number >> shift, (0.0, ""))
                if until > now:
                    return what
        return ""


def _network(text: str) -> Subnet:
    network = ip_network(text, strict=False)
    if network.version == 6 and network.prefixlen >= 96 and (first := network.network_address.ipv4_mapped):
        return IPv4Network((int(first), network.prefixlen - 96))
    return network


def parse(address: str) -> IPv4Address | IPv6Address | None:
    """An address without its zone; None for what is none."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return None
    return (parsed.ipv4_mapped or parsed) if parsed.version == 6 else parsed


@lru_cache(1024)
def subnet(text: str) -> Subnet:
    """ "10.1.2.3", "10.1", "10.0.0.0/8", "10.0.0.0/255.0.0.0", "2001:db8::/32": bits beyond the mask do not count.

    Raises ValueError with a sentence.
    """
    address, slash, mask = text.partition("/")
    octets = address.rstrip(".").split(".")
    if not slash and len(octets) < 4 and ":" not in text:
        address, mask = ".".join(octets + ["0"] * (4 - len(octets))), str(8 * len(octets))
    try:
        found = ip_network(f"{address}/{mask}" if mask else address, strict=False)
    except ValueError:
        found = None
    if found is None or (slash and mask in ("", "0")):
        raise ValueError(f'"{text}" is not a network: write it as 10.0.0.0/8, 10.1 or 2001:db8::/32')
    return found


@lru_cache(4096)
def within(address: str, network: Subnet) -> bool:
    """Whether an address is in a network. An IPv4 address mapped to IPv6 counts as IPv4; a name is never asked for."""
    found = parse(address)
    return found is not None and found in network


def seen_as(address: str) -> str:
    """What counts as one client: an IPv4 address, or the /64 that one subscriber has of IPv6."""
    if ":" not in address:
        return address
    parsed = parse(address)
    return str(ip_network((int(parsed) >> 64 << 64, 64))) if parsed is not None and parsed.version == 6 else address


def networks(texts: Iterable[str]) -> Networks:
    """Networks that are known by themselves, and for good."""
    return Networks((text, inf, text) for text in texts)


def trusted(site: Site) -> Networks:
    """The proxies in front of this one."""
    return networks((*site.site.trusted_proxies, *site.site.internal_proxies))


def kept_out(site: Site) -> Networks:
    """The addresses that a site denies, for good or for a while."""
    denied = [(network, inf, f"{network} is denied") for network in site.site.deny]
    bans = [(ban.network, ends(ban.until), f"{ban.network} is banned by {ban.id}") for ban in site.bans]
    return Networks([*denied, *bans])


def ends(until: str) -> float:
    """The epoch second of a ban's ``until``. Raises ValueError with a sentence."""
    if not until:
        return inf
    try:
        moment = datetime.fromisoformat(until)
    except ValueError:
        raise ValueError(f'"{until}" is not a date and time') from None
    if moment.tzinfo is None:
        raise ValueError(f'"{until}" does not say in which zone')
    return moment.timestamp()
