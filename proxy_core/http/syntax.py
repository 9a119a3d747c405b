"""The syntax of field values that a proxy reads itself: tokens, lists, numbers, hosts (RFC 9110 §5.6, §7.2, §7.6).

Nothing here may guess: what could be read in two ways is no value. Pure.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address

from proxy_core.http.hop_by_hop import RefusedRequest

TOKEN_BYTES = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_NAME = re.compile(rb"(?:[\w-]+\.)+[A-Za-z][\w-]*\.?|(?=[0-9]*[A-Za-z_-])[\w-]+\.?").fullmatch
"""Labels that are not empty, of which the last of several begins with a letter; a single one is no number."""
_PORT = re.compile(rb"0*[1-9][0-9]{0,4}").fullmatch
_good_hosts: set[bytes] = set()


def is_host(value: bytes) -> bool:
    """Whether ``value`` is ``uri-host [":" port]`` (RFC 9110 §7.2), as narrow as names and addresses really are
    (httpd's ``strict_hostname_check`` in server/vhost.c). The port may be empty, as RFC 3986 §3.2.3 has it."""
    if value in _good_hosts:
        return True
    if value[:1] == b"[":
        name, bracket, port = value.partition(b"]")
        good = bool(bracket) and _is_address(name[1:], IPv6Address)
    else:
        name, colon, port = value.partition(b":")
        port = colon + port
        good = _NAME(name) is not None or _is_address(name, IPv4Address)
    if not good or (port and not _is_port(port)):
        return False
    if len(_good_hosts) < 4096 and len(value) <= 255:
        _good_hosts.add(value)
    return True


def _is_address(text: bytes, kind: type[IPv4Address] | type[IPv6Address]) -> bool:
    try:
        kind(text.decode("ascii"))
    except ValueError:
        return False
    return b"%" not in text


def _is_port(text: bytes) -> bool:
    return text == b":" or (
        text[:1] == b":" and _PORT(text[1:]) is not None and len(text) <= 6 and int(text[1:]) <= 65535
    )


def host_name(authority: str) -> str:
    """The name in ``host[:port]``: in lower case, without a trailing dot; an IPv6 address in its brackets."""
    host = authority.lower()
    name = host[: host.find("]") + 1] if host.startswith("[") else host.partition(":")[0]
    return name.removesuffix(".")


def host_port(authority: str) -> str:
    """The port in ``host[:port]`` as it is written, "" where there is none."""
    return authority[authority.find("]") + 1 :].partition(":")[2]


def length_of(value: bytes) -> int:
    """The number in a Content-Length (RFC 9112 §6.2): digits and nothing else; ValueError otherwise."""
    if not value.isdigit() or len(value) > 18:
        raise ValueError("Content-Length is not a plain number")
    return int(value)


def hops_left(value: bytes) -> int:
    """The number in a Max-Forwards (RFC 9110 §7.6.2) of a request that goes one hop further; -1: it may not. Raises
    RefusedRequest."""
    if not value.isdigit() or len(value) > 18:
        raise RefusedRequest(400, "Max-Forwards is not a plain number")
    return int(value) - 1


def is_token(name: bytes) -> bool:
    """Whether ``name`` is a token (RFC 9110 §5.6.2)."""
    return bool(name) and not name.translate(None, TOKEN_BYTES)


def tokens(values: list[bytes]) -> set[bytes]:
    """The tokens of a comma-separated list field, in lower case (RFC 9110 §5.6.1)."""
    return {token.strip(b" \t").lower() for value in values for token in value.split(b",")} - {b""}


def without(lines: list[bytes], names: set[bytes]) -> list[bytes]:
    """Field lines but for those with one of these (lower-case) names: what Connection names goes no further."""
    return [line for line in lines if line.partition(b":")[0].lower() not in names]
