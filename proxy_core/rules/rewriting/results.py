"""What rewriting leaves behind: the redirect that it ends in, and the fields and variables that it set.

The escaping of a redirect's Location is that of ``hook_uri2file`` in modules/mappers/mod_rewrite.c. Nothing leaves here
with a control character in it, so no rule, map or path can put a line into a head. Pure.
"""

from __future__ import annotations

from proxy_core.config.folders import METHODS
from proxy_core.http.escaping import breaks_field, breaks_target, uri_escaped
from proxy_core.http.target import readable
from proxy_core.rules.decision import NO_EXTRAS, BoundRoute, Decision, Extras, Forward, Redirect, Respond, RuleState
from proxy_core.rules.rewriting.flags import is_redirect
from proxy_core.rules.rewriting.rewrite import BoundRewrite, Effects, RewriteResult
from proxy_core.rules.rewriting.urls import escaped_absolute
from proxy_core.rules.routing import mapping
from proxy_core.rules.text.variables import Scope, ourselves


def redirect(
    ending: RewriteResult, uri: str, scheme: int, args: str | None, asked: str | None, extras: Extras | None
) -> Decision:
    """Location is escaped, but for [NE]; so is its query, unless it is the very one that was asked with."""
    location = uri if ending.raw else escaped_absolute(uri, scheme)
    if args is not None:
        location += "?" + (args if ending.raw or args == asked else uri_escaped(args))
    if breaks_field(location):
        bare = extras._replace(fields=()) if extras is not None else None
        return Respond(500, None, "the URL to redirect to holds a control character", bare)
    status = ending.status if is_redirect(ending.status) else 302
    by, extras = had_the_last_word(ending.rule, extras)
    return Redirect(status, location.encode("latin-1"), f"redirected to {readable(location)}", extras, by)


def answered(ending: RewriteResult, extras: Extras | None) -> Respond:
    """A status that a rule says, or that it ran into."""
    by, extras = had_the_last_word(ending.rule, extras)
    return Respond(ending.status, by, ending.why, extras)


def had_the_last_word(rule: BoundRewrite | None, extras: Extras | None) -> tuple[BoundRoute | None, Extras | None]:
    """What a decision of a rule names, and what rules left without its hit, which who serves counts by that name."""
    if rule is None or extras is None:
        return None if rule is None else rule.by, extras
    return rule.by, extras._replace(hits=tuple(state for state in extras.hits if state is not rule.state))


def extras_of(scope: Scope, effects: Effects) -> Extras | None:
    """What rules left until now. Its cookies are given once."""
    if not (effects.hits or scope.env or scope.cookies):
        return None
    fields = tuple(f"Set-Cookie: {cookie}".encode("latin-1") for cookie in scope.cookies.values())
    scope.cookies.clear()
    return Extras(fields, tuple(scope.env.values()), tuple(effects.hits))


def after(before: Extras | None, more: Extras | None) -> Extras:
    """What rules left, with what later ones left; the variables are those that are set now."""
    before, more = before or NO_EXTRAS, more or NO_EXTRAS
    return before._replace(fields=before.fields + more.fields, env=more.env, hits=before.hits + more.hits)


SMUGGLED = "the rewritten query holds a blank or a control character"


def smuggles(ending: RewriteResult, scope: Scope, remote: int) -> bool:
    """Whether a rewritten query holds what no target may, and will not be escaped any more."""
    escapes = remote and not ending.raw
    return bool(ending.kind not in ("nothing", "status") and scope.args and breaks_target(scope.args) and not escapes)


def merged(extras: Extras | None, more: Extras | None) -> Extras | None:
    """What rules left, with the fields and the user of more."""
    if extras is None or more is None:
        return extras or more
    return extras._replace(fields=extras.fields + more.fields, user=more.user)


def counted(extras: Extras | None, state: RuleState) -> Extras:
    """What rules left, with the hit of a row that has not the last word."""
    extras = extras or NO_EXTRAS
    return extras._replace(hits=(*extras.hits, state))


def moved(route: BoundRoute, scope: Scope, extras: Extras | None) -> Decision:
    """The answer of a route that redirects, or that says that something is gone. Raises Runaway."""
    said = route.redirect
    assert said is not None
    if not is_redirect(said.status):
        return Respond(said.status, route, f"route {route.id} answers {said.status}", extras)
    location = mapping.moved(route, scope.path, scope.args, ourselves(scope))
    if location is None or breaks_field(location):
        return Respond(500, route, f"route {route.id} redirects to what is no URL", extras)
    return Redirect(said.status, location.encode("latin-1"), f"redirected to {readable(location)}", extras, route)


_REFUSED = frozenset((
    "PUT", "DELETE", "PATCH", "PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK", "REPORT", "MERGE",
    "VERSION-CONTROL", "CHECKOUT", "UNCHECKOUT", "CHECKIN", "UPDATE", "LABEL", "MKWORKSPACE", "MKACTIVITY",
    "BASELINE-CONTROL",
))  # fmt: skip
"""Methods that httpd knows: 405 for a file; what it does not know is 501 (``default_handler``)."""


def refused_for_files(method: str, decision: Forward) -> Forward | Respond:
    """The decision, where files know the method."""
    if method in METHODS:
        return decision
    extras = decision.extras or NO_EXTRAS
    allow = f"Allow: {','.join(METHODS)}".encode()
    status = 405 if method in _REFUSED else 501
    return Respond(status, decision.route, f"files know no {method}", extras._replace(fields=(*extras.fields, allow)))
