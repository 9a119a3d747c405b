"""What of a request is in the key of its answer, what ties it to one user, and what it throws out.

The key is made of the request as it goes to the member: two requests share an answer only where a member could not tell
them apart, but for fields that no answer is said to vary by (RFC 9111 §4.1). docs/caching.md has the table of what is
in it and what goes past the cache. Pure.
"""

from __future__ import annotations

import re
from typing import Final

from msgspec.structs import replace

from proxy_core.cache.freshness import values
from proxy_core.cache.store import KeptAnswer, Primary
from proxy_core.cache.wishes import CONDITIONS, Wishes, without
from proxy_core.config.model import Cache
from proxy_core.http.request_view import RequestView
from proxy_core.rules.facts import NOTHING
from proxy_core.runtime.exchange import Exchange
from proxy_core.runtime.upstreams.response_head import Answer
from proxy_core.serve.answer_cache import AnswerCache
from proxy_core.serve.request_fields import RequestFields

_SESSION: Final = r"(?:;{0}=[^;/?]*|(?<=[?&]){0}=[^&]*&?)"


def key_target(config: Cache, target: bytes) -> bytes:
    """What of a member's target is in the key, where the site leaves something out."""
    if b"?" in target or b";" in target:
        if config.ignore_query:
            target = target.partition(b"?")[0]
        for name in config.ignore_session_ids:
            target = re.sub(_SESSION.format(re.escape(name)).encode("latin-1"), b"", target)
    return target


def identity(view: RequestView) -> str:
    """Who the client is by its certificate, "" for nobody."""
    tls = view.connection.tls
    if tls.get("SSL_CLIENT_VERIFY") != "SUCCESS":
        return ""
    return "\n".join(tls.get(name, "") for name in ("SSL_CLIENT_S_DN", "SSL_CLIENT_I_DN", "SSL_CLIENT_M_SERIAL"))


def personal(exchange: Exchange, wishes: Wishes) -> str:
    """What ties a request to one user, in words, "" for nothing (RFC 9111 §3.5, and what was asked before it came so
    far)."""
    extras = exchange.extras
    if wishes.plain and extras is None and exchange.facts is NOTHING and not exchange.view.connection.tls:
        return ""
    if wishes.authorization:
        return "the request has Authorization"
    if extras is not None and (extras.user or extras.auth):
        return "a user has shown a password"
    facts = exchange.facts
    asked = facts is not NOTHING and any(key[0] == "forward_auth" for key in facts.answers)
    if asked or (extras is not None and extras.given):
        return "a service was asked first"
    return "the client has a certificate" if exchange.view.connection.tls and identity(exchange.view) else ""


def validating(fields: RequestFields, kept: KeptAnswer) -> RequestFields:
    """The fields of a request that asks whether what is kept is still good."""
    lines = without(fields.lines, CONDITIONS)[:-2]
    if kept.lifetime.etag:
        lines += b"If-None-Match: %b\r\n" % kept.lifetime.etag
    if kept.lifetime.modified:
        lines += b"If-Modified-Since: %b\r\n" % kept.lifetime.modified
    return replace(fields, lines=lines + b"\r\n")


def invalidated(cache: AnswerCache, primary: Primary, answer: Answer) -> None:
    """An unsafe request did something: what is kept of its resource goes, and of those that it names beside it, as far
    as they are of the same host (RFC 9111 §4.4)."""
    cache.invalidate(primary)
    host = primary[0]
    for name in (b"location", b"content-location"):
        for url in values(answer.lines[1:], name):
            scheme, there, rest = url.partition(b"://")
            if there and scheme.lower() in (b"http", b"https"):
                authority, slash, path = rest.partition(b"/")
                if authority.lower() == host:
                    cache.invalidate((host, (slash + path).partition(b"#")[0] or b"/"))
            elif url[:1] == b"/" and url[:2] != b"//":
                cache.invalidate((host, url.partition(b"#")[0]))
