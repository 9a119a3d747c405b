"""Who may ask: deny, bans, and what ``require`` says where it can be told of a request alone.

Conditions are mod_authz_core's: one of a list is enough, and what a later section says replaces what was said before.
Users, names and expressions are the lane's. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from proxy_core.config.model import Site
from proxy_core.haproxy.words import AT_ONCE, HandOver
from proxy_core.rules.access.networks import subnet


def networks(texts: Iterable[str]) -> Iterator[str]:
    """Conditions of which one holds where the client is in one of the networks."""
    subnets = list(dict.fromkeys(str(subnet(each)) for each in texts))
    for start in range(0, len(subnets), AT_ONCE):
        yield f"{{ src {' '.join(subnets[start : start + AT_ONCE])} }}"


def alternatives(site: Site, words: Sequence[str]) -> list[str]:
    """Conditions of which one holds for who may ask; [""] for everybody. Raises HandOver."""
    found: list[str] = []
    for text in words:
        kind, _, rest = text.strip().partition(" ")
        table = site.access.get(rest.strip()) if kind.lower() == "access" else None
        if table is not None:
            found += _of_table(site, table.match, table.require)
        else:
            found += _condition(text)
    return [""] if "" in found else found


def _of_table(site: Site, match: str, words: Sequence[str]) -> list[str]:
    if match == "any":
        return alternatives(site, words)
    if match != "all":
        raise HandOver(f"match = {match}")
    parts = [_every(word) for word in words]
    return [" ".join(filter(None, parts))]


def _every(text: str) -> str:
    """A condition as one of several that all hold. Raises HandOver."""
    negated = text.strip().lower().startswith("not ")
    found = _condition(text.strip()[4:] if negated else text)
    if found == [""] and not negated:
        return ""
    if len(found) != 1 or not found[0] or (negated and not found[0].startswith("{")):
        raise HandOver(f"require {text}")
    return ("!" if negated else "") + found[0]


def _condition(text: str) -> list[str]:
    kind, *rest = text.split()
    match kind.lower(), rest:
        case "all", [word]:
            return [""] if word.lower() == "granted" else []
        case "ip", [*addresses]:
            return list(networks(addresses))
        case "method", [*methods]:
            both = {"GET", "HEAD"} if {"GET", "HEAD"} & {*methods} else set()
            return [f"{{ method {' '.join(sorted({*methods} | both))} }}"]
    raise HandOver(f"require {text}")
