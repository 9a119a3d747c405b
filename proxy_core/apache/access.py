"""Who may: Require and what goes with it.

What cannot be said here closes what it guarded: a rule that was to keep people out never lets them in by being lost.
"""

from __future__ import annotations

import re

from proxy_core.apache.draft import Here, Ignored, Row, Unsupported
from proxy_core.apache.lexer import Directive
from proxy_core.apache.table import Handler


def require(here: Here, said: Directive) -> None:
    """Require …"""
    words = [word.lower() for word in said.args]
    if words == ["all", "granted"]:
        raise Ignored("everybody may, unless something says otherwise")
    refuse(here, said)


def refuse(here: Here, said: Directive) -> None:
    """Close what the directive guards. Raises Unsupported."""
    section = here.section
    if section is None or section.kind not in ("location", "locationmatch"):
        raise Unsupported("who may is not asked here; take care that something in front does")
    prefix = section.argument.rstrip("/")
    pattern = section.argument if section.kind == "locationmatch" else f"^{re.escape(prefix)}(/|$)"
    here.server.refused.append(Row({"pattern": pattern, "substitution": "-", "flags": ["F"]}, [said]))
    raise Unsupported("who may cannot be asked here, so everybody is refused")


HANDLERS: dict[str, Handler] = {"require": require}
IGNORED: dict[str, str] = {}
