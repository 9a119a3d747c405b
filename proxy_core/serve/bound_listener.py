"""A listener with its sockets, as connections, listeners and the server know it. What makes one is in ``listeners``."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass, field
from typing import Protocol

from proxy_core.config.model import Listener
from proxy_core.errors import Problem
from proxy_core.http.target import endpoint
from proxy_core.rules.access.networks import Networks
from proxy_core.runtime.certificates import Secure, Stamp

HSTS = b"Strict-Transport-Security: "


class Accepting(Protocol):
    """What accepts the connections of a socket: an asyncio.Server, or a ConnectionSetup."""

    async def start_serving(self) -> None: ...
    def close(self) -> None: ...


@dataclass(slots=True, eq=False)
class BoundListener:
    """A listener with its sockets."""

    name: str
    """As configured, and as records and figures show it."""
    address: str
    """As configured."""
    port: int
    """The real one, where 0 is configured as well."""
    settings: Listener
    """What the site says of it."""
    servers: list[Accepting] = field(default_factory=list)
    """Accept its connections, one for each socket."""
    sockets: list[socket.socket] = field(default_factory=list)
    """Listen, one for each address."""
    secure: Secure | None = None
    """What new connections speak TLS with; None for plain ones."""
    trusted: Networks | None = None
    """The peers that must say in a PROXY header whom they come for; None where nobody does."""
    fields: tuple[bytes, ...] = ()
    """Field lines that every answer gets."""
    turned_away: int = 0
    """Counts connections that did not get as far as HTTP."""
    trouble: Problem | None = None
    """What is wrong with its certificate files now."""
    renewed: int = 0
    """Counts the times that its certificate files had changed and were taken."""
    seen: Stamp = ()
    """The state of the certificate files that were looked at last."""
    connections: int = 0
    """Those that are open."""
    draining: bool = False
    """It accepts no more."""
    cut_at: float = 0.0
    """When a draining one loses the connections that are left (monotonic)."""
    _starting: asyncio.Future[list[BaseException | None]] | None = None
    """Kept, so that the task is not collected."""

    @property
    def tls(self) -> bool:
        """It speaks TLS."""
        return self.secure is not None

    @property
    def expires(self) -> float:
        """When the first of its certificates ends, in seconds since the epoch; 0 where it has none."""
        ends = self.secure.ends if self.secure is not None else ()
        return min((end.timestamp() for _, end in ends), default=0.0)

    @property
    def stale(self) -> bool:
        """Its certificate files cannot be used: it goes on with what it had."""
        return self.trouble is not None

    def use(self, name: str, listener: Listener, secure: Secure | None, trusted: Networks) -> None:
        """What holds for new connections from now on."""
        self.name, self.address, self.settings, self.secure = name, listener.address, listener, secure
        self.trusted = trusted if listener.proxy_protocol else None
        hsts = listener.tls.hsts if listener.tls is not None else 0
        self.fields = (HSTS + b"max-age=%d" % hsts,) if hsts else ()

    def start(self) -> None:
        """Accept connections; the sockets listen already, so none was refused meanwhile. Nobody waits for it, and who
        is stopped before it has begun has nothing to tell."""
        self._starting = asyncio.gather(*(server.start_serving() for server in self.servers), return_exceptions=True)

    def stop(self) -> None:
        self.draining = True
        for server in self.servers:
            server.close()


def key(name: str, address: str) -> tuple[str, int, str]:
    """What makes it the same listener: its address, or its name where any port would do."""
    host, port = endpoint(address)
    return (host, port, "" if port else name)
