"""Rules with [P] whose host a client chooses: ``http://$1`` sends a request to whatever host its path names.

Whoever chooses the host reaches all that this machine reaches. That is so where a part of the URL before its path is
filled in by what clients say as they like: a group of a pattern, a field, a map's default. Groups that take a few words
alone or must begin with a slash are left alone, and so is what a condition looks at, for that may be a list of what is
allowed. What is less plain is not told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from msgspec import Struct

from proxy_core.config.model import RewriteCond, RewriteRule, Site
from proxy_core.errors import Problem
from proxy_core.http.target import PORTS
from proxy_core.rules.lint.climbing import captures
from proxy_core.rules.lint.problems import warning
from proxy_core.rules.lint.upstreams import host_parts
from proxy_core.rules.rewriting import conditions
from proxy_core.rules.text import pattern, template
from proxy_core.rules.text.template import Filled

_OUT = (".evil.example", "evil.example", "@evil.example", ":81", "a.b:1")
"""Names that lead somewhere else behind the beginning of a host, or before its end."""
_ANY = (*_OUT, "localhost", "evil", "127")
"""Where nothing else stands in the host, a word alone leads somewhere."""
_WHOLE = ("http://evil.example/x", "http:/evil.example/x")


class _Chooser(Struct, frozen=True):
    """Who fills in a host: a rule of a site. ``bounded`` are the texts that its conditions choose from a list."""

    site: Site
    rule: RewriteRule
    bounded: str


def chosen_host(site: Site, rule: RewriteRule) -> Iterator[Problem]:
    """A warning where clients choose the host that a rule with [P] forwards to."""
    chooser = _Chooser(site, rule, " ".join(each.test for each in rule.conditions if _bounds(each)))
    scheme, parts = host_parts(template.compile(rule.substitution))
    if scheme not in ("", *PORTS):
        return
    plain = any(isinstance(part, str) and re.search("[A-Za-z0-9]", part) for part in parts)
    probes = _WHOLE if not scheme else _OUT if plain else _ANY
    filled = (part for part in parts if isinstance(part, Filled))
    for part in filled:
        if said := next(_chosen(chooser, part, probes), None):
            what = f"clients choose the host by {said}: the rule forwards to whatever they name, on this machine too"
            todo = "write the host, or choose it from a map of those that are meant, without a default"
            yield warning(("rewrites", rule.id, "substitution"), what, todo)
            return


def _bounds(condition: RewriteCond) -> bool:
    """Whether a condition holds for some texts alone, as far as can be told."""
    flags = {conditions.FLAGS.get(flag.strip().upper()) for flag in condition.flags}
    if condition.pattern.startswith("!") or "or" in flags:
        return False
    try:
        compiled = conditions.compile(condition).pattern
    except conditions.ConditionError:
        return True
    return compiled is None or not any(map(compiled.search, _ANY))


def _chosen(chooser: _Chooser, part: Filled, probes: Sequence[str]) -> Iterator[str]:
    """By what in ``part`` a client chooses."""
    name = part.name
    if name in chooser.bounded:
        return
    if part.looks_up is not None:
        key, default = part.looks_up
        settings = chooser.site.maps.get(name[2:-1])
        passes = settings is not None and settings.type == "int"
        for each in (*(key.parts if passes else ()), *(default.parts if default is not None else ())):
            if isinstance(each, Filled):
                yield from _chosen(chooser, each, probes)
    elif _is_said(chooser.site, name[2:-1].upper()) if name.startswith("%{") else _takes_any(chooser, name, probes):
        yield name


def _is_said(site: Site, variable: str) -> bool:
    """Whether a variable holds what clients say as they like."""
    if variable == "SERVER_NAME":
        return not site.site.canonical_name
    return variable.startswith("HTTP") or variable in ("QUERY_STRING", "THE_REQUEST")


def _takes_any(chooser: _Chooser, name: str, probes: Sequence[str]) -> bool:
    """Whether the group that $N or %N stands for takes one of ``probes``."""
    rule, number = chooser.rule, int(name[1])
    text = rule.pattern if name[0] == "$" else next(
        (each.pattern for each in reversed(rule.conditions) if captures(each.pattern)), ""
    )  # fmt: skip
    found = [("", text), *captures(text)]
    before, inside = found[number] if number < len(found) else ("", "")
    if not inside or (name[0] == "$" and before == "^" and not rule.location):  # a path begins with a slash
        return False
    try:
        search = pattern.compile(rf"^(?:{inside})$").search
    except pattern.PatternError:
        return False
    return any(map(search, probes))
