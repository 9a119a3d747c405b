"""[P]: a rewrite rule that forwards by itself, and the route that this is like.

A route is made for each origin or balancer that a rule names and remembered by the server, so many of them and no more:
maps and requests may name any number (``hook_uri2file`` in mod_rewrite.c, "proxy:"; mod_proxy takes it from there).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy_core.http.escaping import breaks_target, sendable
from proxy_core.http.statuses import error_statuses
from proxy_core.http.target import balancer, escaped, origin, readable
from proxy_core.rules.decision import BoundRoute, Decision, Extras, Forward, Respond
from proxy_core.rules.rewriting.results import had_the_last_word
from proxy_core.rules.rewriting.rewrite import BoundRewrite
from proxy_core.rules.routing.reverse import rule_rows

if TYPE_CHECKING:
    from proxy_core.rules.host_rules import HostRules

_MOST_BOUND = 1024


def forward(
    server: HostRules, rule: BoundRewrite, uri: str, args: str | None, raw: bool, extras: Extras | None
) -> Decision:
    """[P]: the path is spelled as for a route, but for [NE], which sends it as it is (mod_proxy_http's canon)."""
    cut = uri.find("/", uri.find("://") + 3)
    there, path = (uri, "") if cut < 0 else (uri[:cut], uri[cut:])
    try:
        route = server.bound.get((rule.id, there)) or _bind(server, rule, there)
    except ValueError as why:
        return Respond(500, None, f"rule {rule.id} forwards to no upstream: {readable(str(why))}", extras)
    if raw and breaks_target(path):
        return Respond(403, None, "the path to be forwarded holds a blank or a control character", extras)
    spelled = sendable(path) if raw else escaped(path, server.reading)
    query = b"" if args is None else b"?" + sendable(args)
    _, extras = had_the_last_word(rule, extras)
    return Forward(route, (spelled or b"/") + query, extras)


def _bind(server: HostRules, rule: BoundRewrite, there: str) -> BoundRoute:
    """The route of a rule to an origin or a balancer. Raises ValueError, with a sentence, for what is neither."""
    named = balancer(there)
    pool = named[0] if named is not None else origin(there).url
    if named is not None and pool not in server.site.balancers:
        raise ValueError(f"there is no balancer {pool}")
    if len(server.bound) >= _MOST_BOUND:
        server.bound.clear()
    options = server.site.site
    route = server.bound[rule.id, there] = BoundRoute(
        id=rule.id,
        path="",
        pool=pool,
        target=b"",
        timeout=options.timeout,
        error_override=options.error_override,
        preserve_host=options.preserve_host,
        codes=frozenset(error_statuses(options.override_codes)),
        reverse=rule_rows(server.site, pool),
        state=rule.state,
        rows="rewrites",
        max_body=server.own.max_body,
        canonical=server.own.canonical,
    )
    return route
