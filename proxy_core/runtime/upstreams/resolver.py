"""Resolves the names of upstreams, and never holds up a request that has an address already.

IP addresses need no resolving. The first requests for a name wait for it, all together; from then on the name is
resolved anew beside the requests (``refresh``), which use its last addresses meanwhile. When resolving fails the last
good addresses stay, however old, so that a name server in trouble takes no member away; ``trouble`` says so. The system
resolves (getaddrinfo in a thread), which gives no time to live: how long an answer is good is configured.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Collection
from ipaddress import ip_address
from time import monotonic
from typing import Final

from msgspec import Struct, field

AGAIN: Final = 1.0
"""Seconds before a name without any address is asked for again; requests that want it meanwhile fail at once."""

Addresses = tuple[str, ...]


class Unresolved(Exception):
    """The name has no address and never had one; the text says why, for people."""


class ResolvedName(Struct):
    """What is known of a name. ``since`` is when its addresses were last confirmed, ``asked`` when the last asking
    ended (monotonic); ``trouble`` says why that failed, "" if it did not."""

    addresses: Addresses = ()
    since: float = 0.0
    asked: float = 0.0
    trouble: str = ""


class Resolver(Struct):
    """``names`` holds every name that was asked for; ``on_resolved`` is called with a name and its fresh addresses."""

    names: dict[str, ResolvedName] = field(default_factory=dict)
    on_resolved: Callable[[str, Addresses], None] = lambda host, addresses: None
    _asking: dict[str, asyncio.Task[ResolvedName]] = field(default_factory=dict)

    async def addresses(self, host: str) -> Addresses:
        """IPv4 and IPv6 addresses of a host in the order to try them. Raises Unresolved."""
        if is_number(host):
            return (host.strip("[]"),)
        name = self.names.get(host)
        if name is None or not (name.addresses or monotonic() - name.asked < AGAIN):
            # Shielded: whoever gives up waiting leaves the asking to the others.
            name = await asyncio.shield(self._ask(host))
        if not name.addresses:
            raise Unresolved(name.trouble)
        return name.addresses

    def refresh(self, hosts: Collection[str], ttl: float, now: float) -> None:
        """Start asking for each of these names that was last asked for ``ttl`` seconds ago, or never; forget others."""
        for host in [host for host in self.names if host not in hosts and host not in self._asking]:
            del self.names[host]
        for host in hosts:
            name = self.names.get(host)
            wait = ttl if name is None or name.addresses else min(ttl, AGAIN)
            if (name is None or now - name.asked >= wait) and not is_number(host):
                self._ask(host)

    def close(self) -> None:
        for task in self._asking.values():
            task.cancel()

    def _ask(self, host: str) -> asyncio.Task[ResolvedName]:
        task = self._asking.get(host)
        if task is None:
            task = self._asking[host] = asyncio.get_running_loop().create_task(self._asked(host))
            task.add_done_callback(lambda _: self._asking.pop(host, None))
        return task

    async def _asked(self, host: str) -> ResolvedName:
        name = self.names.setdefault(host, ResolvedName())
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            name.trouble = f"{host} has no address: {getattr(error, 'strerror', None) or error}"
        else:
            name.addresses = tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
            name.since, name.trouble = monotonic(), ""
            self.on_resolved(host, name.addresses)
        name.asked = monotonic()
        return name


def is_number(host: str) -> bool:
    """Whether a host is an address already, be it the path of a socket."""
    if host.startswith("unix:"):
        return True
    try:
        ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
