"""Names of upstreams to addresses, without ever holding up a request that has an address already.

Numbers need no asking. Names are asked of the system (getaddrinfo in the loop's thread pool) and an answer is good
for ``FRESH`` seconds; when asking fails, the last good answer goes on being used, so that a name server in trouble
takes no member away.
"""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass, field
from ipaddress import ip_address
from time import monotonic
from typing import Final

FRESH: Final = 30.0
"""Seconds that an answer is used before the name is asked for again."""

Addresses = tuple[str, ...]


class Unresolved(Exception):
    """The name has no address and never had one; the text says why, for people."""


@dataclass(slots=True)
class Resolver:
    """``known`` holds the last good answers with the time they were given."""

    known: dict[str, tuple[float, Addresses]] = field(default_factory=dict)

    async def addresses(self, host: str) -> Addresses:
        """IPv4 and IPv6 addresses of a host in the order to try them. Raises Unresolved."""
        try:
            return (str(ip_address(host.strip("[]"))),)
        except ValueError:
            pass
        since, known = self.known.get(host, (0.0, ()))
        if known and monotonic() - since < FRESH:
            return known
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            if known:
                return known
            raise Unresolved(f"{host} has no address: {getattr(error, 'strerror', None) or error}") from error
        answer = tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
        self.known[host] = (monotonic(), answer)
        return answer
