"""The PROXY protocol, versions 1 and 2: who a connection comes from, said by the balancer in front of this proxy.

Pure but for ``receive``, which takes exactly the header off a socket and not a byte more. Written after
"The PROXY protocol Versions 1 & 2" (HAProxy Technologies, 2020/03/05). Nothing is guessed: what is no header by that
text raises BadProxyHeader, and its connection is closed. Whether a peer may send one at all is decided before.
"""

from __future__ import annotations

import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address
from typing import Final, NamedTuple

SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"
"""The first bytes of version 2."""
V1_LONGEST: Final = 107
"""Bytes of the longest line of version 1, its CRLF included."""
V2_LONGEST: Final = 4096
"""Bytes of addresses and extensions of version 2 that are borne."""


class BadProxyHeader(Exception):
    """Not a PROXY header; the text says why."""


class Ends(NamedTuple):
    """Both ends of the connection as the balancer saw it: addresses and ports."""

    source: tuple[str, int]
    destination: tuple[str, int]


def version_1(line: bytes) -> Ends | None:
    """Read a line without its CRLF; None for UNKNOWN, whose connection speaks for itself. Raises
    BadProxyHeader."""
    words = line.split(b" ")
    if words[:2] == [b"PROXY", b"UNKNOWN"]:
        return None
    if len(words) != 6 or words[0] != b"PROXY" or words[1] not in (b"TCP4", b"TCP6"):
        raise BadProxyHeader("the line is not PROXY, a family, two addresses and two ports")
    kind = IPv4Address if words[1] == b"TCP4" else IPv6Address
    try:
        source, destination = (_said(kind(word.decode("ascii"))) for word in words[2:4])
    except ValueError as error:
        raise BadProxyHeader(f"an address is not one of {words[1].decode()}") from error
    return Ends((source, _port(words[4])), (destination, _port(words[5])))


def _port(word: bytes) -> int:
    if not word.isdigit() or (word[:1] == b"0" and word != b"0") or len(word) > 5 or int(word) > 65535:
        raise BadProxyHeader("a port is not a number up to 65535")
    return int(word)


def version_2(head: bytes, rest: bytes) -> Ends | None:
    """Read the 16 bytes of the head and what its length says follows; None where the connection speaks for itself
    (LOCAL, or a family that has no addresses of the internet). Extensions are passed over. Raises
    BadProxyHeader."""
    command, family = head[12], head[13]
    if command >> 4 != 2 or command & 0x0F > 1:
        raise BadProxyHeader("the version is not 2, or the command neither LOCAL nor PROXY")
    if family >> 4 > 3 or family & 0x0F > 2:
        raise BadProxyHeader("the family or protocol is none that there is")
    if command & 0x0F == 0 or family >> 4 not in (1, 2):
        return None
    size = 4 if family >> 4 == 1 else 16
    if len(rest) < 2 * size + 4:
        raise BadProxyHeader("the header is too short for its addresses")
    kind = IPv4Address if size == 4 else IPv6Address
    source, destination = kind(rest[:size]), kind(rest[size : 2 * size])
    ports = rest[2 * size : 2 * size + 4]
    return Ends(
        (_said(source), int.from_bytes(ports[:2], "big")), (_said(destination), int.from_bytes(ports[2:], "big"))
    )


def _said(address: IPv4Address | IPv6Address) -> str:
    """The address in words, one of IPv4 that is written as IPv6 as what it is. Raises ValueError for one with a zone,
    which is known to one machine alone."""
    if address.version == 6 and address.scope_id is not None:
        raise ValueError("an address with a zone")
    return str((address.version == 6 and address.ipv4_mapped) or address)


async def receive(sock: socket.socket) -> Ends | None:
    """Take a header off a non-blocking socket. Raises BadProxyHeader; the caller bounds the time."""
    start = await _exactly(sock, len(SIGNATURE))
    if start == SIGNATURE:
        head = start + await _exactly(sock, 4)
        length = int.from_bytes(head[14:16], "big")
        if length > V2_LONGEST:
            raise BadProxyHeader(f"the header is longer than {V2_LONGEST} bytes")
        return version_2(head, await _exactly(sock, length))
    if start[:6] != b"PROXY ":
        raise BadProxyHeader("there is no PROXY header")
    line = start
    while not line.endswith(b"\r\n"):
        if len(line) >= V1_LONGEST or b"\n" in line:
            raise BadProxyHeader("the line does not end")
        line += await _exactly(sock, 1)
    return version_1(line[:-2])


async def _exactly(sock: socket.socket, count: int) -> bytes:
    loop = asyncio.get_running_loop()
    data = b""
    while len(data) < count:
        more = await loop.sock_recv(sock, count - len(data))
        if not more:
            raise BadProxyHeader("the connection ended within the header")
        data += more
    return data
