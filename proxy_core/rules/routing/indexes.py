"""Folders that are asked for, as mod_dir finds them: the redirect to the path with a slash, the index, the fallback.

This is ``fixup_dir`` in modules/mappers/mod_dir.c, which comes behind the rules of sections. What these answer holds.
What they forward does not where there is an index. The index is looked up as a request of its own, so the rules and the
access of its path hold for it, however it is asked for. Pure.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from typing import TypeAlias

from proxy_core.config.folders import FILES
from proxy_core.config.model import Site
from proxy_core.rules.decision import NO_EXTRAS, BoundRoute, Decision, Forward, Respond
from proxy_core.rules.locations import subject
from proxy_core.rules.rewriting.per_directory import InternalRedirect
from proxy_core.rules.text.variables import Scope

Found: TypeAlias = Decision | InternalRedirect
Look = Callable[[Scope, str], tuple[Scope, Found]]
"""What becomes of a path as a request of its own."""


def decide_here(route: BoundRoute) -> bool:
    """Whether more than names in a folder may answer for it, which whoever serves files does not know."""
    return bool(route.autoindex or route.fallback_resource) or any(name[:1] == "/" for name in route.directory_index)


def of_folder(file: str, decision: Forward, made: Found, scope: Scope, site: Site, look: Look) -> Found | None:
    """What becomes of a request for a ``file`` that may be a folder, or may not be there: ``decision`` is to serve it,
    and rules of sections made that into ``made``. None where it is a folder that has no index. Raises Unknown, Runaway
    and BadTarget."""
    fallback = (decision.route.fallback_resource,) if decision.route.fallback_resource else ()
    names, nothing = decision.route.directory_index + fallback, None
    goes_on = isinstance(made, Forward | InternalRedirect) or (isinstance(made, Respond) and made.local)
    slashed = scope.path.endswith("/")
    changed = isinstance(made, InternalRedirect) or (isinstance(made, Forward) and made.route.pool != FILES)
    if not goes_on or (isinstance(made, InternalRedirect) and slashed) or not (slashed or changed or fallback):
        return made
    if scope.fact("file", "-d", file) is None:
        if not fallback or changed or scope.fact("file", "nothing", file) is None:
            return made
        slashed, names, nothing = True, fallback, made
    if not slashed:
        return decision._replace(extras=made.extras) if isinstance(made, Forward | InternalRedirect) else decision
    refused: Respond | None = None
    for number, name in enumerate(names, 1):
        ahead, found = look(scope, name if scope.args is None else f"{name}?{scope.args}")
        if isinstance(found, Respond):
            refused = refused if found.local or found.status == 404 else found
            if found.status == 401 and number == len(names):
                break
            continue
        asked = posixpath.join(file, name) if isinstance(found, InternalRedirect) else ""
        if isinstance(found, Forward) and found.route.pool == FILES:
            asked = subject(ahead.path, found, site).file
        if not asked or scope.fact("file", "-f", asked) is not None:
            scope.env = ahead.env
            if isinstance(found, Forward):
                found = found._replace(extras=(found.extras or NO_EXTRAS)._replace(of_index=(ahead.path, ahead.args)))
            return found
    if refused is not None:
        return refused
    return nothing if isinstance(made, Forward) and not changed else made
