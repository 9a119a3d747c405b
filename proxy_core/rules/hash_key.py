"""The key by which a balancer with method hash tells requests apart: a configured text, filled in for a request.

Pure, as deciding is. Where the text asks a map that takes waiting, Unknown passes through.
"""

from __future__ import annotations

from proxy_core.http.request_view import RequestView
from proxy_core.http.target import BadTarget, normalised, split
from proxy_core.rules.decision import Extras
from proxy_core.rules.facts import Facts
from proxy_core.rules.text import template
from proxy_core.rules.text.variables import Scope


def hash_key(text: str, view: RequestView, facts: Facts, extras: Extras | None, server_name: str) -> bytes:
    """The text, filled in. Variables that rules set can be in it."""
    if text == "%{REMOTE_ADDR}":
        return view.client.encode()
    try:
        raw_path, query = split(view.target)
        path = normalised(raw_path)
    except BadTarget:
        raw_path, path, query = view.target, view.target.decode("latin-1"), b""
    scope = Scope(view, facts, path, query[1:].decode("latin-1") if query else None, server_name, uri=path)
    for name, value in extras.env if extras is not None else ():
        scope.set(name, value)
    return template.compile(text).expand(scope).encode("latin-1", "replace")
