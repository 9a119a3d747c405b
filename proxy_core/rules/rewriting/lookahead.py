"""Look-aheads: what a path would become as a request of its own, for -U and %{LA-U:…}.

``ap_sub_req_lookup_uri`` in server/request.c. A path beside that of the request counts from its folder. Variables go
down into the look-ahead and do not come back; cookies that rules set there are set for the request. Access is asked,
files are not. Look-aheads may nest to a small depth only, for each can cost a pass through all rules. Pure.
"""

from __future__ import annotations

from msgspec.structs import replace

from proxy_core.http.escaping import uri_escaped
from proxy_core.http.target import BadTarget, Reading, normalised
from proxy_core.rules.text.variables import Scope

DEEPEST = 3
"""How deep look-aheads may nest."""


def begun(scope: Scope, uri: str, reading: Reading) -> tuple[Scope, int]:
    """The Scope of a path that is looked up as a request of its own, and a status where it is refused at once, 0 where
    it is not."""
    if not uri.startswith("/"):
        uri = uri_escaped(scope.path[: scope.path.rfind("/") + 1]) + uri
    path, mark, args = uri.partition("#")[0].partition("?")
    if _depth(scope) >= DEEPEST:
        return scope, 500
    try:
        path = normalised(path.encode("latin-1"), reading)
    except BadTarget as bad:
        return scope, bad.status
    ahead = replace(
        scope,
        path=path,
        uri=path,
        args=args if mark else None,
        env=dict(scope.env),
        above=scope,
        rule=None,
        condition=None,
        vary=[],
        looked_up=None,
        ended=False,
        file="",
    )
    return ahead, 0


def _depth(scope: Scope) -> int:
    return 0 if scope.above is None else 1 + _depth(scope.above)
