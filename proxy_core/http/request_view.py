"""The RequestView: what rules may know of a request.

One is built for every request on the fast path, so it holds the bytes as they came. What only some rules ask for
(``fields``, ``request_line``) is worked out when they ask. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from msgspec import Struct

NO_TLS: Final[Mapping[str, str]] = MappingProxyType({})
"""The variables of a connection without TLS."""


class Connection(Struct, frozen=True, gc=False):
    """Where a request came in. One for each connection."""

    listener: str = ""
    """The listener's name in the site file."""
    address: str = ""
    """The address that the client connected to."""
    port: int = 0
    """The port that the client connected to."""
    client_port: int = 0
    """The port that the peer connected from."""
    tls: Mapping[str, str] = NO_TLS
    """mod_ssl's variables ("SSL_PROTOCOL"), empty without TLS."""
    peer: str = ""
    """The address of the peer: a client, or a proxy that asks for one."""


NOWHERE = Connection()


class RequestView(Struct, frozen=True, gc=False):
    """A request as one parser read it, once. Rules get nothing else of it."""

    method: bytes
    """The method as it came."""
    target: bytes
    """The request-target in origin-form (RFC 9112 §3.2.1), raw, with its query: the authority of an absolute-form is
    taken out already."""
    host: bytes
    """The authority that counts: from the target, else from Host; b"" where there is none (HTTP/1.0)."""
    client: str
    """The address of the client that asks; proxies in front may have named it. "" where nobody knows it."""
    scheme: str = "http"
    """What the client speaks: "http" or "https"."""
    head: bytes = b""
    """The whole head as it came, but for what was believed of a ``client_header``."""
    connection: Connection = NOWHERE
    """Where the request came in."""
    env: tuple[tuple[str, str], ...] = ()
    """Variables that are there before any rule sets one: those of an internal redirect."""


def request_line(view: RequestView) -> str:
    """The request line as it came, one character for each byte; made up where the head is not there."""
    line = view.head.partition(b"\r\n")[0] or b"%b %b HTTP/1.1" % (view.method, view.target)
    return line.decode("latin-1")


def _fields(head: bytes) -> Iterator[tuple[str, str]]:
    """Name and value of each field line, as they are spelled."""
    for line in head.decode("latin-1").split("\r\n")[1:]:
        name, colon, value = line.partition(":")
        if colon:
            yield name, value.strip(" \t")


def spellings(head: bytes) -> tuple[str, ...]:
    """The names of the fields of a head, each once, in the order and the spelling in which they came first."""
    found: dict[str, str] = {}
    for name, _ in _fields(head):
        found.setdefault(name.lower(), name)
    return tuple(found.values())


def fields(head: bytes) -> dict[str, str]:
    """The fields of a head by lower-case name, one character for each byte; several of one name are joined by ", "
    (RFC 9110 §5.3, and as httpd's ap_get_mime_headers joins them)."""
    found: dict[str, str] = {}
    for name, value in _fields(head):
        name = name.lower()
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found
