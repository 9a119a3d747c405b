"""What is wrong with where requests are sent: the URL and the upgrades of a route or a member."""

from __future__ import annotations

import re
from collections.abc import Iterator

from proxy_core.config.model import Site
from proxy_core.errors import Address, Problem
from proxy_core.http.target import Origin, as_bytes_text, endpoint, escaped, is_loopback
from proxy_core.http.upgrade import is_protocol
from proxy_core.rules.lint.problems import error, warning
from proxy_core.rules.text.template import Filled, Template

_SCHEME = re.compile(r"([A-Za-z]+)://")
_PATHS = ("%{REQUEST_URI}", "%{SCRIPT_URL}")
"""Variables that begin with a slash, which ends a host."""
_ENDS = re.compile(r"[/?#]")


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


def host_parts(made: Template) -> tuple[str, list[str | Filled]]:
    """The scheme of a URL in small letters, and what its host (or balancer) is made of: text, and what is filled in.
    Where the beginning of the URL is filled in the scheme is "", and that is the one part."""
    first = made.parts[0] if made.parts else None
    if isinstance(first, Filled):
        return "", [first]
    scheme = _SCHEME.match(first.text) if first is not None else None
    if scheme is None:
        return "", []
    found: list[str | Filled] = []
    for number, part in enumerate(made.parts):
        if isinstance(part, Filled):
            if part.name.upper() in _PATHS:
                break
            found.append(part)
            continue
        text = part.text[scheme.end() :] if number == 0 else part.text
        end = _ENDS.search(text)
        found.append(text[: end.start()] if end else text)
        if end:
            break
    return scheme[1].lower(), found
