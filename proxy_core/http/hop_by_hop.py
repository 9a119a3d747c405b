"""What a field means to a proxy: which fields are passed on, which belong to one hop, which say where a body ends.

The vocabulary of RFC 9110 §5 and §7.6.1 and of RFC 9112 §6, as tables. It knows no configuration and no connection,
and it reads no message: ``syntax`` reads values, ``serve.request_fields`` and ``runtime.upstreams.response_head`` read
heads by these tables.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final


class RefusedRequest(Exception):
    """A message that is not passed on. ``status`` is what the client is told, ``why`` is for people and records,
    ``limit`` names the limit that it went over, ``again`` says after how many seconds it may come again."""

    def __init__(self, status: int, why: str, limit: str = "", again: float = 0.0) -> None:
        super().__init__(why)
        self.status = status
        self.why = why
        self.limit = limit
        self.again = again


FRAMING = frozenset((
    b"connection", b"content-length", b"expect", b"http2-settings", b"keep-alive", b"proxy-connection", b"te",
    b"trailer", b"transfer-encoding", b"upgrade",
))  # fmt: skip
"""Fields that say where a message ends and what the connection becomes. The proxy writes them itself, always."""


class Kind:
    """What a field means to a proxy: plain numbers, compared once for each line of a head. PASS is everything that is
    none of its business."""

    PASS: Final = 0
    DROP: Final = 1
    HOST: Final = 2
    LENGTH: Final = 3
    CODING: Final = 4
    CONNECTION: Final = 5
    EXPECT: Final = 6
    UPGRADE: Final = 7
    FORWARDED_FOR: Final = 8
    FORWARDED_HOST: Final = 9
    FORWARDED_SERVER: Final = 10
    DATE: Final = 11
    ADDRESS: Final = 12
    CHALLENGE: Final = 13
    HOPS: Final = 14
    FORWARDED_PROTO: Final = 15
    FORWARDED: Final = 16
    CLAIM: Final = 17
    TWIN: Final = 18


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
    """The kind of a request's field, by its name in lower case.

    A field that says who asks is a CLAIM, whatever follows ``X-Forwarded-`` in its name. A twin of a field that this
    proxy answers for (``Content_Length``) is that field to many members, so it goes no further. A twin of
    ``X-Forwarded-*`` is a TWIN: it goes on where the site itself has set it."""
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

IDEMPOTENT = frozenset((b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE"))
"""Methods that may be sent again when nobody knows whether they were carried out (RFC 9110 §9.2.2)."""
