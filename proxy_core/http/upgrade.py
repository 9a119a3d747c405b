"""Which other protocols a connection may change to (RFC 9110 §7.8), as httpd's ``upgrade=`` parameter grants them.

A client asks with Upgrade and the token ``upgrade`` in Connection. It gets what it asked for where a route or a member
allows that very protocol and the upstream agrees with a 101 that names the same. HTTP/2 in clear text is never granted:
requests would follow that nobody here reads, past every rule. Pure.
"""

from __future__ import annotations

from typing import Final

from proxy_core.http.syntax import is_token

ANY: Final = b"any"
WEBSOCKET: Final = b"websocket"
NEVER: Final = frozenset((b"h2c", b"h2"))

Protocols = frozenset[bytes]
"""Names in lower case; ``ANY`` among them stands for all but ``NEVER``."""


def protocols(names: tuple[str, ...], scheme: str = "http") -> Protocols:
    """What a row allows: its own list, or WebSocket where it says nothing but its URL is one of ws:// or wss://."""
    if not names:
        return frozenset((WEBSOCKET,)) if scheme in ("ws", "wss") else frozenset()
    return frozenset(name.lower().encode("utf-8") for name in names)


def is_protocol(name: bytes) -> bool:
    """Whether ``name`` is ``protocol-name ["/" protocol-version]``, one that may ever be tunnelled."""
    parts = name.split(b"/")
    return len(parts) <= 2 and all(map(is_token, parts)) and parts[0].lower() not in NEVER


def granted(asked: bytes, *allowed: Protocols) -> bool:
    """Whether the protocol in the client's Upgrade field may be spoken. A list of several is no single answer."""
    wanted = asked.lower()
    return any(wanted in names or ANY in names for names in allowed) and is_protocol(asked)
