"""How the cache served a request, as its record and Cache-Status (RFC 9211) say it."""

from __future__ import annotations

from proxy_core.cache.store import KeptAnswer
from proxy_core.serve.open_request import OpenRequest


def asks_member(flight: OpenRequest, why: str, word: str) -> None:
    """A member is asked, and why: RFC 9211's word, and ours."""
    flight.exchange.cache = word
    if flight.state.cache.config.status == "all":
        flight.own_fields = (*flight.own_fields, b"Cache-Status: rproxy; fwd=" + why.encode())


def said(which: str, word: str, instead: str, what: tuple[KeptAnswer, float]) -> bytes:
    """The Cache-Status of an answer that is kept, b"" for none. ``which`` answers have one, [cache] says; ``instead``
    says in the place of what it is sent, "" for nothing; ``what`` is sent, and when (monotonic)."""
    if which == "off":
        return b""
    kept, now = what
    ttl = int(kept.lifetime.fresh) - int(now - kept.born)
    if word in ("hit", "stale") and not instead:
        return b"Cache-Status: rproxy; hit; ttl=%d" % ttl
    if word == "collapsed":
        return b"Cache-Status: rproxy; fwd=uri-miss; collapsed; ttl=%d" % ttl
    return b"Cache-Status: rproxy; fwd=stale; %b; ttl=%d" % (instead.encode(), ttl)
