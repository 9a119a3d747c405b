"""mod_access_compat: Order, Allow, Deny and Satisfy of httpd 2.2, and <Limit>, put into the words of Require.

``Order deny,allow`` lets in clients that are allowed or not denied; ``allow,deny`` lets in those that are allowed and
not denied (``find_allowdeny`` in mod_access_compat.c). Satisfy All wants both these and Require to hold, Any one of
them. What stands in a <Limit> holds for its methods alone; for other methods it says nothing.
"""

from __future__ import annotations

import re

from proxy_core.apache.draft import CLOSED, OPEN, AccessGroup, DraftSection, OldAccess
from proxy_core.apache.import_context import ImportContext, Unsupported
from proxy_core.apache.lexer import Directive
from proxy_core.apache.options import first

_ORDERS = {"deny,allow": "deny,allow", "allow,deny": "allow,deny", "mutual-failure": "allow,deny"}

_ADDRESS = re.compile(r"(?:\d{1,3}(?:\.\d{0,3}){0,3}|[0-9a-f:]*:[0-9a-f:.]*)(?:/[\d.]+)?", re.IGNORECASE)


def _of(context: ImportContext, directive: Directive) -> OldAccess:
    """What has been said in this section for the methods at hand."""
    if context.section is None:
        raise Unsupported("it is understood in sections alone: put it into <Location />")
    found = next((each for each in context.section.compat if each.method == context.method), None)
    if found is None:
        general = next((each for each in context.section.compat if not each.method), OldAccess())
        found = OldAccess(context.method, general.order)
        context.section.compat.append(found)
    found.origins.append(directive)
    return found


def order(context: ImportContext, directive: Directive) -> None:
    """Order deny,allow | allow,deny | mutual-failure"""
    word = "".join(directive.args).lower()
    old = _of(context, directive)
    olds = context.section_only().compat if not old.method else [old]
    for each in olds:
        each.order = "deny,allow" if _ORDERS.get(word) == "deny,allow" else "allow,deny"
    if word not in _ORDERS:
        raise Unsupported(f"it is one of {', '.join(_ORDERS)}; until then nobody is let in but by Allow")


def hosts(context: ImportContext, directive: Directive) -> None:
    """Allow from …, Deny from …"""
    old = _of(context, directive)
    allows = directive.key == "allow"
    words = list(directive.args)
    if words[:1] and words[0].lower() == "from":
        del words[0]
    (old.allow if allows else old.deny).extend(map(_condition, words))


def _condition(word: str) -> str | AccessGroup:
    """Whom a word of Allow or Deny is about, as a condition."""
    name, equals, value = word.partition("=")
    if word.lower() == "all":
        return OPEN
    if name.lower() == "env" and equals:
        return AccessGroup("all", [OPEN, f"not env {value[1:]}"]) if value.startswith("!") else f"env {value}"
    return f"ip {word.rstrip('.')}" if _ADDRESS.fullmatch(word) else f"host {word}"


def satisfy(context: ImportContext, directive: Directive) -> None:
    """Satisfy All | Any"""
    _of(context, directive)
    word = first(directive).lower()
    if word not in ("all", "any"):
        raise Unsupported("it is All or Any")
    context.section_only().satisfies_any = word == "any"


def joined(section: DraftSection) -> AccessGroup | None:
    """All that a section says of access, None where it says nothing."""
    asked = section.access if section.access is not None and section.access.conditions else None
    if asked is not None and section.limits and len(section.limits) == len(asked.conditions):
        asked.conditions.append(AccessGroup("all", [OPEN, *(_not(method) for method in dict.fromkeys(section.limits))]))
    olds = _groups(section)
    if not olds:
        return asked
    parts: list[str | AccessGroup] = [*olds, *([asked] if asked is not None else [])]
    if len(parts) == 1:
        return olds[0] if olds[0].match == "any" else AccessGroup("any", [olds[0]])
    whole = AccessGroup("any" if section.satisfies_any else "all", parts)
    return whole if whole.match == "any" else AccessGroup("any", [whole])


def ordered(section: DraftSection) -> bool:
    """Whether Order, Allow and Deny of a section keep anybody out."""
    return any(each.conditions != [OPEN] for each in _groups(section))


def shuts(section: DraftSection) -> bool:
    """Whether they let nobody in."""
    return any(each.conditions == [CLOSED] for each in _groups(section))


def _groups(section: DraftSection) -> list[AccessGroup]:
    """What holds for the methods of each <Limit>, where what is said of all methods counts as well, and for those of
    none of them."""
    general = next((each for each in section.compat if not each.method), None)
    limited = [each for each in section.compat if each.method]
    if general is None or not limited:
        return [_group(each) for each in section.compat]
    joined = [
        OldAccess(each.method, each.order, [*general.allow, *each.allow], [*general.deny, *each.deny], each.origins)
        for each in limited
    ]
    rest = _group(general)
    others = [each.method for each in limited]
    return [*map(_group, joined), AccessGroup("any", [*others, rest], general.origins)]


def _group(old: OldAccess) -> AccessGroup:
    allowed: list[str | AccessGroup] = [OPEN] if OPEN in old.allow else old.allow
    if OPEN in old.deny:
        found = AccessGroup("any", (allowed if old.order == "deny,allow" else []) or [CLOSED])
    elif old.order == "deny,allow":
        rest = AccessGroup("all", [OPEN, *map(_refused, old.deny)]) if old.deny else OPEN
        found = AccessGroup("any", [rest] if rest == OPEN else [*allowed, rest])
    elif not old.deny:
        found = AccessGroup("any", allowed or [CLOSED])
    else:
        found = AccessGroup("all", [AccessGroup("any", allowed or [CLOSED]), *map(_refused, old.deny)])
    if old.method:
        found = AccessGroup("any", [AccessGroup("all", [OPEN, _not(old.method)]), found])
    found.origins += old.origins
    return found


def _refused(condition: str | AccessGroup) -> str | AccessGroup:
    """A condition that keeps out whom it holds for."""
    if isinstance(condition, str):
        return f"not {condition}"
    (name,) = (each for each in condition.conditions if each != OPEN)
    assert isinstance(name, str)
    return name.removeprefix("not ")


def _not(method: str) -> str:
    return method.removeprefix("not ") if method.startswith("not ") else f"not {method}"


HANDLERS = {"order": order, "allow": hosts, "deny": hosts, "satisfy": satisfy}
