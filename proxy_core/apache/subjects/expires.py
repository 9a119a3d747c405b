"""mod_expires: how long answers may be kept. Whether that is said at all, ExpiresActive, is an option of servers and
sections."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from proxy_core.apache.import_context import ImportContext, Unsupported
from proxy_core.apache.lexer import Directive, Lines, line
from proxy_core.config.model import ExpiryRule, Site

_DAY = 86_400
_UNITS = (("y", 365 * _DAY), ("mo", 30 * _DAY), ("w", 7 * _DAY), ("d", _DAY), ("h", 3600), ("mi", 60), ("s", 1))
"""Seconds by how the word of a unit begins: nothing else of it counts."""


def span(code: str) -> dict[str, Any]:
    """A code as ``after`` and ``since`` (``check_code``): "A3600", or words as in "modification plus 2 hours 1 day";
    what begins with a capital A or M is the first kind. Raises Unsupported."""
    if code[:1] in ("A", "M"):
        base, seconds = code[0].lower(), int((re.match(r"\s*([+-]?\d+)", code[1:]) or [0, 0])[1])
    else:
        base, *words = code.lower().split() or [""]
        if words[:1] and "plus".startswith(words[0]):
            del words[0]
        seconds = 0
        for number, unit in zip(words[::2], [*words[1::2], ""], strict=False):
            factor = next((factor for start, factor in _UNITS if unit.startswith(start)), 0)
            if not (number.isdigit() and factor):
                raise Unsupported(f'"{number} {unit}" is no span of time, such as 2 hours')
            seconds += int(number) * factor
    if base[:1] not in ("a", "n", "m"):
        raise Unsupported("it begins with access, now or modification")
    since = {"since": "modification"} if base.startswith("m") else {}
    return {"after": max(0, min(seconds, (1 << 31) - 1)), **since}


def by_type(context: ImportContext, directive: Directive) -> None:
    """ExpiresByType type code, ExpiresDefault code"""
    *kinds, code = directive.args
    kind = {"type": kinds[0]} if kinds else {}
    context.add(directive, "expires", kind | span(code) | context.place())


HANDLERS = {"expiresbytype": by_type, "expiresdefault": by_type}


def spelled(site: Site, row: ExpiryRule, folder: Path) -> Lines:
    """A row of [[expires]]. Raises Unsayable."""
    code = ("A" if row.since == "access" else "M") + str(row.after)
    return [line("ExpiresByType", row.type, code) if row.type else line("ExpiresDefault", code)]


SPELL = {"expires": spelled}
LOST = {"ExpiryRule.immutable": "write Header append Cache-Control immutable for these files"}
