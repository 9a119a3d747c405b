"""Which protocol is granted: mod_proxy's upgrade= parameter, and what it must never mean."""

from __future__ import annotations

import pytest

from proxy_core.http.upgrade import granted, protocols


@pytest.mark.parametrize(
    ("asked", "allowed", "scheme", "yes"),
    [
        (b"websocket", ("websocket",), "http", True),
        (b"WebSocket", ("websocket",), "http", True),
        (b"websocket", ("WEBSOCKET", "other"), "http", True),
        (b"websocket", (), "http", False),
        (b"websocket", (), "ws", True),
        (b"websocket", (), "wss", True),
        (b"websocket", ("other",), "ws", False),
        (b"other", (), "ws", False),
        (b"other/1.0", ("ANY",), "http", True),
        (b"h2c", ("ANY",), "http", False),
        (b"H2C", ("h2c",), "http", False),
        (b"h2c/1", ("any",), "http", False),
        (b"websocket, h2c", ("ANY",), "http", False),
        (b"websocket,other", ("websocket", "other"), "http", False),
        (b"", ("ANY",), "http", False),
        (b"a b", ("ANY",), "http", False),
        (b"a/b/c", ("ANY",), "http", False),
    ],
)
def test_what_is_granted(asked: bytes, allowed: tuple[str, ...], scheme: str, yes: bool) -> None:
    assert granted(asked, protocols(allowed, scheme)) == yes
    assert granted(asked, frozenset(), protocols(allowed, scheme)) == yes
