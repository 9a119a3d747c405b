"""What comes of rewriting in the end: the answers, redirects and targets that rules decide themselves.

This is the end of ``hook_uri2file`` and of ``hook_fixup`` in modules/mappers/mod_rewrite.c, with their escaping of a
Location. Nothing leaves here with a control character in it, so no rule, map or path can put a line into a head. Pure.
"""

from __future__ import annotations

from collections.abc import Callable

from proxy_core.http.escaping import breaks_field, breaks_target, uri_escaped
from proxy_core.http.target import readable
from proxy_core.rules.decision import BoundRoute, Decision, Extras, Redirect, Respond
from proxy_core.rules.rewriting.flags import is_redirect
from proxy_core.rules.rewriting.rewrite import BoundRewrite, RewriteResult
from proxy_core.rules.rewriting.urls import escaped_absolute, scheme_length
from proxy_core.rules.text.variables import Scope

Proxying = Callable[[BoundRewrite, str, str | None, bool, Extras | None], Decision]
"""What [P] does: rule, URL, query, whether it is sent as it is, and what rules left."""


def decided(
    result: RewriteResult,
    scope: Scope,
    asked: str | None,
    extras: Extras | None,
    forward: Proxying,
    passes: bool = True,
) -> Decision | None:
    """What rules decided themselves; None where the request goes on with the path that they made. ``asked`` is the
    query that it came with; ``passes`` says that [PT] leaves a path alone, be it a URL."""
    remote = scheme_length(scope.uri) if result.kind == "changed" or (result.kind == "pass" and not passes) else 0
    escapes = remote and not result.raw
    if result.kind not in ("nothing", "status") and scope.args and breaks_target(scope.args) and not escapes:
        return Respond(403, None, "the rewritten query holds a blank or a control character", extras)
    if result.kind == "status":
        by, extras = had_the_last_word(result.rule, extras)
        return Respond(result.status, by, result.why, extras)
    if result.kind == "proxy":
        assert result.rule is not None
        return forward(result.rule, scope.uri, scope.args, result.raw, extras)
    return _redirected(result, scope, remote, asked, extras) if remote else None


def _redirected(
    result: RewriteResult, scope: Scope, scheme: int, asked: str | None, extras: Extras | None
) -> Redirect | Respond:
    """Location is escaped, but for [NE]; so is its query, unless it is the very one that was asked with."""
    location = scope.uri if result.raw else escaped_absolute(scope.uri, scheme)
    if scope.args is not None:
        location += "?" + (scope.args if result.raw or scope.args == asked else uri_escaped(scope.args))
    if breaks_field(location):
        bare = extras._replace(fields=()) if extras is not None else None
        return Respond(500, None, "the URL to redirect to holds a control character", bare)
    status = result.status if is_redirect(result.status) else 302
    by, extras = had_the_last_word(result.rule, extras)
    return Redirect(status, location.encode("latin-1"), f"redirected to {readable(location)}", extras, by)


def had_the_last_word(rule: BoundRewrite | None, extras: Extras | None) -> tuple[BoundRoute | None, Extras | None]:
    """What a decision of a rule names, and what rules left without its hit, which who serves counts by that name."""
    if rule is None or extras is None:
        return None if rule is None else rule.by, extras
    return rule.by, extras._replace(hits=tuple(state for state in extras.hits if state is not rule.state))
