"""What rules may know of a request.

A RequestView is what one parser read, once. It is built for every request on the fast path, so it holds the bytes as
they came and works nothing out that no rule asked for: ``fields`` and ``request_line`` are for rules that do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple


class Connection(NamedTuple):
    """Where a request came in: the listener's name, and both ends of the connection. One for each connection. ``tls``
    are mod_ssl's variables ("SSL_PROTOCOL"); empty without TLS. ``peer`` is who connected, be it a client or a proxy
    that asks for one."""

    listener: str = ""
    address: str = ""
    port: int = 0
    client_port: int = 0
    tls: Mapping[str, str] = MappingProxyType({})
    peer: str = ""


NOWHERE = Connection()


@dataclass(slots=True)
class RequestView:
    """``target`` is the origin-form of the request-target (RFC 9112 §3.2.1), raw, with its query: the front has
    already taken the authority out of an absolute-form. ``host`` is the authority that counts: from the target, else
    from Host, "" when there is none (HTTP/1.0). ``client`` is the address of who asks, ``head`` the whole head as it
    came (without what was believed of a client_header). ``env`` are variables that are
    there before any rule sets one: those of an internal redirect."""

    method: bytes
    target: bytes
    host: bytes
    client: str
    scheme: str = "http"
    head: bytes = b""
    connection: Connection = NOWHERE
    env: tuple[tuple[str, str], ...] = ()


def request_line(view: RequestView) -> str:
    """The request line as it came, one character for each byte; made up where the head is not there."""
    line = view.head.partition(b"\r\n")[0] or b"%b %b HTTP/1.1" % (view.method, view.target)
    return line.decode("latin-1")


def spellings(head: bytes) -> tuple[str, ...]:
    """The names of the fields of a head, each once, in the order and the spelling in which they came first."""
    found: dict[str, str] = {}
    for line in head.decode("latin-1").split("\r\n")[1:]:
        name, colon, _ = line.partition(":")
        if colon:
            found.setdefault(name.lower(), name)
    return tuple(found.values())


def fields(head: bytes) -> dict[str, str]:
    """The fields of a head by lower-case name, one character for each byte; several of one name are joined by ", "
    (RFC 9110 §5.3, and as httpd's ap_get_mime_headers joins them)."""
    found: dict[str, str] = {}
    for line in head.decode("latin-1").split("\r\n")[1:]:
        name, colon, value = line.partition(":")
        if colon:
            name, value = name.lower(), value.strip(" \t")
            found[name] = f"{found[name]}, {value}" if name in found else value
    return found
