"""[P]: a rewrite rule that forwards by itself, and the route that this is like.

A route is made for each origin or balancer that a rule names, and remembered: at most 1,024, for maps and requests may
name any number. This is "proxy:" in ``hook_uri2file`` of mod_rewrite.c; mod_proxy takes it from there.
"""

from __future__ import annotations

from msgspec import Struct, field

from proxy_core.config.model import Site
from proxy_core.http.escaping import breaks_target, sendable
from proxy_core.http.statuses import error_statuses
from proxy_core.http.target import CLIMBS, Reading, balancer, climbs, escaped, origin, readable
from proxy_core.rules.decision import BoundRoute, Decision, Extras, Forward, Respond
from proxy_core.rules.hosts import Own
from proxy_core.rules.rewriting.outcome import had_the_last_word
from proxy_core.rules.rewriting.rewrite import BoundRewrite
from proxy_core.rules.routing.reverse import rule_rows

_MOST_BOUND = 1024


class ProxyTargets(Struct, eq=False):
    """Where the rules of one host forward to. ``site`` has the host's options, ``reading`` says how paths are spelled,
    ``own`` is what the host says itself; ``bound`` remembers a route by rule and origin."""

    site: Site
    reading: Reading
    own: Own
    bound: dict[tuple[str, str], BoundRoute] = field(default_factory=dict)

    def forward(self, rule: BoundRewrite, uri: str, args: str | None, raw: bool, extras: Extras | None) -> Decision:
        """[P]: the path is spelled as for a route, but for [NE], which sends it as it is (mod_proxy_http's canon)."""
        cut = uri.find("/", uri.find("://") + 3)
        origin_or_pool, path = (uri, "") if cut < 0 else (uri[:cut], uri[cut:])
        try:
            route = self.bound.get((rule.id, origin_or_pool)) or self._bind(rule, origin_or_pool)
        except ValueError as why:
            return Respond(500, None, f"rule {rule.id} forwards to no upstream: {readable(str(why))}", extras)
        if raw and breaks_target(path):
            return Respond(403, None, "the path to be forwarded holds a blank or a control character", extras)
        if climbs(path):
            return Respond(400, None, CLIMBS, extras)
        spelled = sendable(path) if raw else escaped(path, self.reading)
        query = b"" if args is None else b"?" + sendable(args)
        _, extras = had_the_last_word(rule, extras)
        return Forward(route, (spelled or b"/") + query, extras)

    def _bind(self, rule: BoundRewrite, target: str) -> BoundRoute:
        """The route of a rule to an origin or a balancer. Raises ValueError, with a sentence, for what is neither."""
        named = balancer(target)
        pool = named[0] if named is not None else origin(target).url
        if named is not None and pool not in self.site.balancers:
            raise ValueError(f"there is no balancer {pool}")
        if len(self.bound) >= _MOST_BOUND:
            self.bound.clear()
        options = self.site.site
        route = self.bound[rule.id, target] = BoundRoute(
            id=rule.id,
            path="",
            pool=pool,
            target=b"",
            timeout=options.timeout,
            error_override=options.error_override,
            preserve_host=options.preserve_host,
            codes=frozenset(error_statuses(options.override_codes)),
            reverse=rule_rows(self.site, pool),
            state=rule.state,
            rows="rewrites",
            max_body=self.own.max_body,
            canonical=self.own.canonical,
            tls=self.own.upstream_tls,
        )
        return route
