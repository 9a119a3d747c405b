"""Whether a kept answer may serve a request now (RFC 9111 §4.2, §5.2.1; RFC 5861). Pure: ages and numbers alone."""

from __future__ import annotations

from enum import Enum

from proxy_core.cache.freshness import ERRORS, Lifetime
from proxy_core.cache.wishes import Wishes
from proxy_core.config.model import Cache


class Use(Enum):
    """What may be done with it."""

    FRESH = "fresh"
    STALE = "stale"
    """The client, or a moment's delay, lets it be served as it is."""
    REFRESH = "refresh"
    """The same, and it is to be validated meanwhile (stale-while-revalidate)."""
    VALIDATE = "validate"


def use(lifetime: Lifetime, age: float, wishes: Wishes, *, ignore_client: bool = False) -> Use:
    """What may be done with an answer of this age."""
    left = lifetime.fresh - age
    if wishes.plain or ignore_client:
        if left > 0:
            return Use.FRESH
        return Use.REFRESH if -left < lifetime.stale else Use.VALIDATE
    old = (0 <= wishes.max_age < age) or wishes.no_cache
    if left > 0 and not old and left >= wishes.min_fresh:
        return Use.FRESH
    if left <= 0 and not old and -left <= wishes.max_stale and not lifetime.strict:
        return Use.STALE
    return Use.REFRESH if -left < lifetime.stale and left <= 0 and not old and wishes.min_fresh < 0 else Use.VALIDATE


def rescues(cache: Cache, lifetime: Lifetime, age: float, status: int) -> bool:
    """Whether what is kept is served in place of an error that a member answered, or that it did not answer."""
    if status not in ERRORS:
        return False
    left = lifetime.fresh - age
    return -left < lifetime.rescue or (not lifetime.strict and (left > 0 or cache.stale_on_error))
