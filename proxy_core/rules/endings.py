"""What rewriting leaves behind: the redirect that it ends in, and the fields and variables that it set.

The escaping of a redirect's Location is that of ``hook_uri2file`` in modules/mappers/mod_rewrite.c. Nothing leaves here
with a control character in it, so no rule, map or path can put a line into a head. Pure.
"""

from __future__ import annotations

import re

from proxy_core.http.target import readable
from proxy_core.rules.decision import Decision, Extras, Redirect, Respond
from proxy_core.rules.flags import is_redirect
from proxy_core.rules.rewrite import Effects, Ending
from proxy_core.rules.scope import Scope
from proxy_core.rules.urls import escaped, escaped_absolute

_INJECTS = re.compile(r"[\x00-\x1f\x7f]").search


def redirect(
    ending: Ending, uri: str, scheme: int, args: str | None, asked: str | None, extras: Extras | None
) -> Decision:
    """Location is escaped, but for [NE]; so is its query, unless it is the very one that was asked with."""
    location = uri if ending.raw else escaped_absolute(uri, scheme)
    if args is not None:
        location += "?" + (args if ending.raw or args == asked else escaped(args))
    if _INJECTS(location):
        return Respond(500, None, "the URL to redirect to holds a control character", extras)
    status = ending.status if is_redirect(ending.status) else 302
    return Redirect(status, location.encode("latin-1"), f"redirected to {readable(location)}", extras)


def extras_of(scope: Scope, effects: Effects) -> Extras | None:
    if not (effects.hits or scope.env):
        return None
    fields = [f"Set-Cookie: {cookie}" for cookie in effects.cookies.values()]
    kept = tuple(line.encode("latin-1") for line in fields if not _INJECTS(line))
    return Extras(kept, tuple(scope.env.values()), tuple(effects.hits))


def merged(extras: Extras | None, more: Extras | None) -> Extras | None:
    """What rules left, with the fields and the user of more."""
    if extras is None or more is None:
        return extras or more
    return extras._replace(fields=extras.fields + more.fields, user=more.user)
