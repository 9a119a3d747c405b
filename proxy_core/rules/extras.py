"""Extras: what rules leave for a request besides where it goes, and how the Extras of two phases are joined. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from proxy_core.rules.decision import NO_EXTRAS, Extras
from proxy_core.rules.rule_state import RuleState
from proxy_core.rules.text.variables import Scope


def extras_of(scope: Scope, hits: Sequence[RuleState] = ()) -> Extras | None:
    """What rules left until now. Its cookies are given once."""
    if not (hits or scope.env or scope.cookies):
        return None
    fields = tuple(f"Set-Cookie: {cookie}".encode("latin-1") for cookie in scope.cookies.values())
    scope.cookies.clear()
    return Extras(fields, tuple(scope.env.values()), tuple(hits))


def after(before: Extras | None, more: Extras | None) -> Extras:
    """What rules left, with what later ones left; the variables are those that are set now."""
    before, more = before or NO_EXTRAS, more or NO_EXTRAS
    return before._replace(fields=before.fields + more.fields, env=more.env, hits=before.hits + more.hits)


def merged(extras: Extras | None, more: Extras | None) -> Extras | None:
    """What rules left, with the fields, the user and the page of more."""
    if extras is None or more is None:
        return extras or more
    return extras._replace(fields=extras.fields + more.fields, user=more.user, page=more.page)


def counted(extras: Extras | None, state: RuleState) -> Extras:
    """What rules left, with the hit of a row that has not the last word."""
    extras = extras or NO_EXTRAS
    return extras._replace(hits=(*extras.hits, state))
