"""Routes that redirect, or say that something is gone: mod_alias's ``translate_alias_redir`` and ``fixup_redir``."""

from __future__ import annotations

import re
from collections.abc import Sequence

from proxy_core.http.escaping import breaks_field, uri_escaped
from proxy_core.http.target import as_bytes_text, readable
from proxy_core.rules.decision import BoundRoute, Decision, Extras, Redirect, Respond, Step, Trace
from proxy_core.rules.locations import BoundSection
from proxy_core.rules.rewriting.flags import is_redirect
from proxy_core.rules.routing.mapping import prefix_length, takes
from proxy_core.rules.text.pattern import filled
from proxy_core.rules.text.variables import Scope, ourselves


def redirected(route: BoundRoute, scope: Scope, extras: Extras | None) -> Decision:
    """The answer of a route that redirects, or that says that something is gone. Raises Runaway."""
    row = route.redirect
    assert row is not None
    if not is_redirect(row.status):
        return Respond(row.status, route, f"route {route.id} answers {row.status}", extras)
    location = _location(route, as_bytes_text(row.to), scope.path, scope.args, ourselves(scope))
    if location is None or breaks_field(location):
        return Respond(500, route, f"route {route.id} redirects to what is no URL", extras)
    return Redirect(row.status, location.encode("latin-1"), f"redirected to {readable(location)}", extras, route)


def in_sections(
    held: Sequence[BoundSection], scope: Scope, extras: Extras | None, trace: Trace | None
) -> Decision | None:
    """The answer of the first redirect that takes the path, of the sections that hold, the last of them first
    (``fixup_redir``); None where none does. Raises Runaway."""
    for section in reversed(held):
        for route in section.redirects:
            taken = takes(route, scope.path)
            if trace is not None:
                verb = "takes" if taken else "does not take"
                what = f'redirect of {section.row.id} {verb} "{readable(scope.path)}"'
                trace.append(Step(("routes", route.id), "match" if taken else "no match", what))
            if taken:
                return redirected(route, scope, extras)
    return None


def _location(route: BoundRoute, to: str, path: str, args: str | None, ourselves: str) -> str | None:
    """The URL that a row redirects ``path`` to, as mod_alias spells it (``translate_alias_redir``); None where that is
    no URL. ``ourselves`` is ``scheme://host`` in use. Raises Runaway."""
    if route.regex is None:
        made = to + uri_escaped(path[prefix_length(route.path, path) :])
    else:
        whole = filled(to, route.regex.search(path) or ())
        cut = len(re.split(r"[?#]", whole, maxsplit=1)[0])
        made = uri_escaped(whole[:cut]) + whole[cut:]
    made = ourselves + made if made.startswith("/") else made
    if not _ABSOLUTE(made):
        return None
    return f"{made}?{args}" if args is not None and "?" not in made else made


_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:.").match
