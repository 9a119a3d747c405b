"""What rules may know of a request.

A RequestView is what one parser read, once. It is built for every request on the fast path, so it holds the bytes as
they came and works nothing out that no rule asked for.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class RequestView:
    """``target`` is the origin-form of the request-target (RFC 9112 §3.2.1), raw, with its query: the front has
    already taken the authority out of an absolute-form. ``host`` is the authority that counts: from the target, else
    from Host, "" when there is none (HTTP/1.0)."""

    method: bytes
    target: bytes
    host: bytes
    client: str
    scheme: str = "http"
