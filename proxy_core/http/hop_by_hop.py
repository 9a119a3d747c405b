"""Fields of HTTP messages: which are passed on, which belong to one hop, which decide about framing.

Pure vocabulary of RFC 9110 §5 and §7.6.1 and RFC 9112 §6; it knows no configuration and no connection. A message is
read once: its head is split into lines here and judged by a strict parser elsewhere, and where the two could differ
it is refused. Nothing in this module may guess. Field lines that are passed on stay as the peer spelled them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from http import HTTPStatus
from ipaddress import IPv4Address, IPv6Address


class RefusedRequest(Exception):
    """A message that is not passed on. ``status`` is what the client is told, ``why`` is for people and records,
    ``limit`` names the limit that it went over, ``again`` says after how many seconds it may come again."""

    def __init__(self, status: int, why: str, limit: str = "", again: float = 0.0) -> None:
        super().__init__(why)
        self.status = status
        self.why = why
        self.limit = limit
        self.again = again


class Kind:
    """What a field means to a proxy: plain numbers, compared once for each line of a head. PASS is everything that is
    none of its business."""

    PASS = 0
    DROP = 1
    HOST = 2
    LENGTH = 3
    CODING = 4
    CONNECTION = 5
    EXPECT = 6
    UPGRADE = 7
    FORWARDED_FOR = 8
    FORWARDED_HOST = 9
    FORWARDED_SERVER = 10
    DATE = 11
    ADDRESS = 12
    CHALLENGE = 13
    HOPS = 14
    FORWARDED_PROTO = 15
    FORWARDED = 16
    CLAIM = 17
    TWIN = 18


class Kinds(dict[bytes, int]):
    """Kinds by the exact spelling of a field name, learnt as names are seen; bounded, so that no peer can grow it."""

    def __init__(self, kind_of: Callable[[bytes], int]) -> None:
        """``kind_of`` tells the kind of a name in lower case."""
        super().__init__()
        self._kind_of = kind_of

    def __missing__(self, name: bytes) -> int:
        kind = self._kind_of(name.lower())
        if len(self) < 2048 and len(name) <= 64:
            self[name] = kind
        return kind


_REQUEST = {
    b"host": Kind.HOST,
    b"content-length": Kind.LENGTH,
    b"transfer-encoding": Kind.CODING,
    b"connection": Kind.CONNECTION,
    b"expect": Kind.EXPECT,
    b"max-forwards": Kind.HOPS,
    b"upgrade": Kind.UPGRADE,
    b"x-forwarded-for": Kind.FORWARDED_FOR,
    b"x-forwarded-host": Kind.FORWARDED_HOST,
    b"x-forwarded-server": Kind.FORWARDED_SERVER,
    b"x-forwarded-proto": Kind.FORWARDED_PROTO,
    b"forwarded": Kind.FORWARDED,
    b"x-real-ip": Kind.CLAIM,
    b"keep-alive": Kind.DROP,
    b"proxy-connection": Kind.DROP,
    b"te": Kind.DROP,
    b"trailer": Kind.DROP,
    b"http2-settings": Kind.DROP,
    b"proxy": Kind.DROP,  # no field of HTTP, but HTTP_PROXY to CGI, which libraries obey (CVE-2016-5387)
}


def as_cgi(name: bytes) -> bytes:
    """A lower-case name as CGI, WSGI and their like see it: they tell "_" from "-" no more."""
    return name.replace(b"_", b"-")


def _request_kind(name: bytes) -> int:
    """A field that says who asks is a CLAIM, whatever it is called behind X-Forwarded-; a twin of a field that we
    answer for would be that field to many members, so it goes no further; a TWIN of X-Forwarded-* does where the site
    itself has put it."""
    kind = _REQUEST.get(name)
    if kind is None:
        seen = as_cgi(name)
        if seen != name and _REQUEST.get(seen, Kind.CLAIM) != Kind.CLAIM:
            return Kind.TWIN if b"forwarded" in seen else Kind.DROP
        return Kind.CLAIM if seen.startswith(b"x-forwarded-") or seen == b"x-real-ip" else Kind.PASS
    return kind


REQUEST_KINDS = Kinds(_request_kind)
_ANSWER = {
    b"content-length": Kind.LENGTH,
    b"transfer-encoding": Kind.CODING,
    b"connection": Kind.CONNECTION,
    b"date": Kind.DATE,
    b"location": Kind.ADDRESS,
    b"content-location": Kind.ADDRESS,
    b"uri": Kind.ADDRESS,
    b"destination": Kind.ADDRESS,
    b"www-authenticate": Kind.CHALLENGE,
    b"upgrade": Kind.UPGRADE,
    b"keep-alive": Kind.DROP,
    b"proxy-connection": Kind.DROP,
    b"proxy-authenticate": Kind.DROP,
    b"te": Kind.DROP,
    b"trailer": Kind.DROP,
}
ANSWER_KINDS = Kinds(lambda name: _ANSWER.get(name, Kind.PASS))

REASONS = {status.value: status.phrase.encode() for status in HTTPStatus} | {
    413: b"Content Too Large",
    414: b"URI Too Long",
}
"""Reason phrases by status (RFC 9110 §15)."""

IDEMPOTENT = frozenset((b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE"))
"""Methods that may be sent again when nobody knows whether they were carried out (RFC 9110 §9.2.2)."""

TOKEN_BYTES = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_NAME = re.compile(rb"(?:[\w-]+\.)+[A-Za-z][\w-]*\.?|(?=[0-9]*[A-Za-z_-])[\w-]+\.?").fullmatch
"""Labels that are not empty, of which the last of several begins with a letter; a single one is no number."""
_PORT = re.compile(rb"0*[1-9][0-9]{0,4}").fullmatch
_good_hosts: set[bytes] = set()


def is_host(value: bytes) -> bool:
    """Whether ``value`` is ``uri-host [":" port]`` (RFC 9110 §7.2), as narrow as names and addresses really are
    (httpd's ``strict_hostname_check`` in server/vhost.c)."""
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
    return text[:1] == b":" and _PORT(text[1:]) is not None and len(text) <= 6 and int(text[1:]) <= 65535


def length_of(value: bytes) -> int:
    """The number in a Content-Length (RFC 9112 §6.2): digits and nothing else; ValueError otherwise."""
    if not value.isdigit() or len(value) > 18:
        raise ValueError("Content-Length is not a plain number")
    return int(value)


def hops_left(value: bytes) -> int:
    """The number in a Max-Forwards (RFC 9110 §7.6.2) of a request that goes one hop further; -1: it may not. Raises
    Refused."""
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
