"""What is wrong with where requests are sent: the URL and the upgrades of a route or a member."""

from __future__ import annotations

from collections.abc import Iterator

from proxy_core.config.model import Site
from proxy_core.errors import Address, Problem
from proxy_core.http.target import Origin, as_bytes_text, endpoint, escaped, is_loopback
from proxy_core.http.upgrade import is_protocol
from proxy_core.rules.lint.problems import error, warning


def upgrades(address: Address, names: tuple[str, ...]) -> Iterator[Problem]:
    for name in names:
        if not is_protocol(name.encode()):
            what = f'"{name}" cannot be tunnelled'
            if name.lower() in ("h2c", "h2"):
                what = "h2c cannot be tunnelled: its requests would pass every rule unread"
            yield error(address, what, 'name a protocol, as in ["websocket"], or write ["ANY"]')


def escapes(address: Address, path: str) -> Iterator[Problem]:
    if "%" in path:
        what = f"an escape in a target is escaped again: {path} is sent as {escaped(as_bytes_text(path)).decode()}"
        yield warning(address, what, "write the characters themselves")


def loop(site: Site, address: Address, to: Origin) -> Iterator[Problem]:
    """A target that is one of our own listeners sends a request round for ever."""
    for name, listener in site.listeners.items():
        try:
            host, port = endpoint(listener.address)
        except ValueError:
            continue
        if port == to.port and (host == to.host or (host in ("", "0.0.0.0", "::") and is_loopback(to.host))):
            what = f"{to.url} is this proxy's own listener {name}: requests would go round in a circle"
            yield warning(address, what, "name the upstream server instead")
            return
