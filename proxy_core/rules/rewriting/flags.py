"""The flags of a RewriteRule, as a table: ``cmd_rewriterule_setflag`` in modules/mappers/mod_rewrite.c.

Flags are written as in Apache, long or short, in any case: "R=301", "redirect=permanent", "L", "E=NAME:value". What
Apache would refuse when it starts is a FlagError, with the nearest flag that there is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from proxy_core.errors import nearest
from proxy_core.http.statuses import REASONS

ROUNDS = 32_000
"""Rounds that [N] makes at most when it does not say how many."""


class Flags(Struct, frozen=True):
    """The flags of one rule, in the order of their names here."""

    answers: bool = False
    """F, G, and R with a status that is no redirect: the status ends the request at once, without a substitution."""
    backrefs: bool = False
    """B: what groups hold is escaped."""
    chain: bool = False
    """C: the next rule is tried only where this one matched."""
    cookies: tuple[str, ...] = ()
    """CO: cookies to set, as they are written."""
    ctls: bool = False
    """BCTLS: blanks and control characters are escaped."""
    dpi: bool = False
    """DPI: no effect here."""
    end: bool = False
    """END: no rule behind this one, not even in sections."""
    env: tuple[str, ...] = ()
    """E: variables to set, as they are written."""
    escapes: str = ""
    """B=…: the characters to be escaped, "" for all."""
    handler: str = ""
    """H: no effect here."""
    keeps: str = ""
    """BNE=…: the characters that are never escaped."""
    last: bool = False
    """L: no rule behind this one in this round."""
    next: bool = False
    """N: begin again with the first rule."""
    nocase: bool = False
    """NC: the pattern does not tell upper from lower case."""
    noescape: bool = False
    """NE: what comes of it is not escaped."""
    noplus: bool = False
    """BNP: a blank becomes %20, not +."""
    nosubreq: bool = False
    """NS: not in look-aheads."""
    passthrough: bool = False
    """PT: the new path goes to the routes."""
    proxy: bool = False
    """P: forward to the new URL."""
    qsappend: bool = False
    """QSA: the request's query goes behind the new one."""
    qsdiscard: bool = False
    """QSD: the request's query is dropped."""
    qslast: bool = False
    """QSL: the last ? begins the query."""
    redirect: bool = False
    """R: the client is sent to the new URL."""
    rounds: int = ROUNDS
    """N=…: rounds at most."""
    skip: int = 0
    """S: rules to be skipped behind this one."""
    status: int = 0
    """The status that R, F or G gives, 0 for none."""
    type: str = ""
    """T: no effect here."""
    unc: bool = False
    """UNC: slashes in front stay as they are."""
    unsafe_allow3f: bool = False
    """UnsafeAllow3F: a ? from the request may begin the query."""
    unsafe_prefixstat: bool = False
    """UnsafePrefixStat: no effect here."""


class FlagError(ValueError):
    """A flag that is none, or has a value that it cannot have. ``todo`` says what to write."""

    def __init__(self, what: str, todo: str) -> None:
        super().__init__(what)
        self.todo = todo


_SWITCHES = {
    "chain": ("C", "CHAIN"),
    "dpi": ("DPI", "DISCARDPATH"),
    "end": ("END",),
    "last": ("L", "LAST"),
    "nocase": ("NC", "NOCASE"),
    "noescape": ("NE", "NOESCAPE"),
    "noplus": ("BNP", "BACKREFERNOPLUS"),
    "nosubreq": ("NS", "NOSUBREQ"),
    "proxy": ("P", "PROXY"),
    "passthrough": ("PT", "PASSTHROUGH"),
    "qsappend": ("QSA", "QSAPPEND"),
    "qsdiscard": ("QSD", "QSDISCARD"),
    "qslast": ("QSL", "QSLAST"),
    "unsafe_allow3f": ("UNSAFEALLOW3F",),
    "unsafe_prefixstat": ("UNSAFEPREFIXSTAT",),
    "unc": ("UNC",),
}
_VALUED = {
    "B": "BACKREFESCAPING",
    "BNE": "",
    "BCTLS": "",
    "CO": "COOKIE",
    "E": "ENV",
    "F": "FORBIDDEN",
    "G": "GONE",
    "H": "HANDLER",
    "N": "NEXT",
    "R": "REDIRECT",
    "S": "SKIP",
    "T": "TYPE",
}
SWITCHES = {name: field for field, names in _SWITCHES.items() for name in names}
"""Fields of Flags by the names of the flags that set them."""
VALUED = {name: short for short, long in _VALUED.items() for name in (short, long) if name}
"""Short names of the flags that have a value, or do more than set one field, by all their names."""
_WORDS = {"permanent": 301, "temp": 302, "seeother": 303}


def parse(flags: Sequence[str]) -> Flags:
    """The flags of a rule. Raises FlagError for the first that is wrong."""
    given = Flags()
    for flag in flags:
        given = _with(given, flag.strip())
    return given


_WITHOUT_EFFECT = ("dpi", "H", "T", "unsafe_prefixstat")


def without_effect(flags: Sequence[str]) -> tuple[str, ...]:
    """Those of some flags that are read and do nothing."""
    names = [(flag, flag.partition("=")[0].strip().upper()) for flag in flags]
    return tuple(flag for flag, name in names if (SWITCHES.get(name) or VALUED.get(name)) in _WITHOUT_EFFECT)


def is_redirect(status: int) -> bool:
    """Statuses that are answered with a Location: httpd's ap_is_HTTP_REDIRECT."""
    return 300 <= status < 400


def _with(before: Flags, flag: str) -> Flags:
    name, _, value = flag.partition("=")
    folded = name.strip().upper()
    changes: dict[str, Any]
    if folded in SWITCHES:
        changes = {SWITCHES[folded]: True}
    elif folded in VALUED:
        changes = _CHANGES[VALUED[folded]](before, flag, value)
    else:
        near = nearest(folded, [*SWITCHES, *VALUED])
        raise FlagError(f'there is no flag "{flag}"', f"did you mean {near}?" if near else "remove it")
    return replace(before, **changes)


def _kept(before: Flags, flag: str, value: str) -> dict[str, Any]:
    if not value:
        raise FlagError("BNE names no characters", "write BNE=/ or whichever characters are to be kept")
    return {"keeps": value}


def _redirecting(before: Flags, flag: str, value: str) -> dict[str, Any]:
    if not value:
        return {"redirect": True}
    status = _WORDS.get(value.lower()) or _number(flag, value)
    if status not in REASONS or status == 418:
        raise FlagError(f'{status} in "{flag}" is no status that can be answered', "write R=301, R=302 or R=404")
    return {"redirect": True, "status": status, "answers": before.answers or not is_redirect(status)}


def _number(flag: str, value: str) -> int:
    if not (value.isascii() and value.isdigit()) or len(value) > 9:
        raise FlagError(f'"{flag}" needs a number', f"write {flag.partition('=')[0]}=2 or another number")
    return int(value)


_CHANGES: Mapping[str, Callable[[Flags, str, str], dict[str, Any]]] = {
    "B": lambda before, flag, value: {"backrefs": True, "escapes": value or before.escapes},
    "BNE": _kept,
    "BCTLS": lambda before, flag, value: {"backrefs": True, "ctls": True},
    "CO": lambda before, flag, value: {"cookies": (*before.cookies, value)},
    "E": lambda before, flag, value: {"env": (*before.env, value)},
    "F": lambda before, flag, value: {"answers": True, "status": 403},
    "G": lambda before, flag, value: {"answers": True, "status": 410},
    "H": lambda before, flag, value: {"handler": value},
    "N": lambda before, flag, value: {"next": True, "rounds": _number(flag, value) if value else before.rounds},
    "R": _redirecting,
    "S": lambda before, flag, value: {"skip": _number(flag, value)},
    "T": lambda before, flag, value: {"type": value},
}
"""What a flag sets, by its short name: made of the flags before it, itself and its value."""
