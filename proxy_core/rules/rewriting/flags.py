"""The flags of a RewriteRule: ``cmd_rewriterule_setflag`` in modules/mappers/mod_rewrite.c, as a table.

Flags are written as in Apache, long or short, in any case: "R=301", "redirect=permanent", "L", "E=NAME:value". What
Apache would refuse when it starts is a FlagError here, with the nearest flag that there is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

from proxy_core.http.statuses import REASONS

ROUNDS = 32_000
"""Rounds that [N] makes at most when it does not say how many."""


@dataclass(frozen=True, slots=True)
class Flags:
    """``status`` is 0 where none is given. ``answers`` says that the status ends the request at once and there is no
    substitution: F, G, and R with a code that is no redirect."""

    answers: bool = False
    backrefs: bool = False
    chain: bool = False
    cookies: tuple[str, ...] = ()
    ctls: bool = False
    dpi: bool = False
    end: bool = False
    env: tuple[str, ...] = ()
    escapes: str = ""
    handler: str = ""
    keeps: str = ""
    last: bool = False
    next: bool = False
    nocase: bool = False
    noescape: bool = False
    noplus: bool = False
    nosubreq: bool = False
    passthrough: bool = False
    proxy: bool = False
    qsappend: bool = False
    qsdiscard: bool = False
    qslast: bool = False
    redirect: bool = False
    rounds: int = ROUNDS
    skip: int = 0
    status: int = 0
    type: str = ""
    unc: bool = False
    unsafe_allow3f: bool = False
    unsafe_prefixstat: bool = False


class FlagError(ValueError):
    """A flag that is none, or has a value that it cannot have. ``todo`` says what to write."""

    def __init__(self, what: str, todo: str) -> None:
        super().__init__(what)
        self.todo = todo


SWITCHES = {
    "C": "chain",
    "CHAIN": "chain",
    "DPI": "dpi",
    "DISCARDPATH": "dpi",
    "END": "end",
    "L": "last",
    "LAST": "last",
    "NC": "nocase",
    "NOCASE": "nocase",
    "NE": "noescape",
    "NOESCAPE": "noescape",
    "BNP": "noplus",
    "BACKREFERNOPLUS": "noplus",
    "NS": "nosubreq",
    "NOSUBREQ": "nosubreq",
    "P": "proxy",
    "PROXY": "proxy",
    "PT": "passthrough",
    "PASSTHROUGH": "passthrough",
    "QSA": "qsappend",
    "QSAPPEND": "qsappend",
    "QSD": "qsdiscard",
    "QSDISCARD": "qsdiscard",
    "QSL": "qslast",
    "QSLAST": "qslast",
    "UNSAFEALLOW3F": "unsafe_allow3f",
    "UNSAFEPREFIXSTAT": "unsafe_prefixstat",
    "UNC": "unc",
}
VALUED = {
    "B": "B",
    "BACKREFESCAPING": "B",
    "BNE": "BNE",
    "BCTLS": "BCTLS",
    "CO": "CO",
    "COOKIE": "CO",
    "E": "E",
    "ENV": "E",
    "F": "F",
    "FORBIDDEN": "F",
    "G": "G",
    "GONE": "G",
    "H": "H",
    "HANDLER": "H",
    "N": "N",
    "NEXT": "N",
    "R": "R",
    "REDIRECT": "R",
    "S": "S",
    "SKIP": "S",
    "T": "T",
    "TYPE": "T",
}
_WORDS = {"permanent": 301, "temp": 302, "seeother": 303}


def parse(flags: Sequence[str]) -> Flags:
    """The flags of a rule. Raises FlagError for the first that is wrong."""
    said = Flags()
    for flag in flags:
        said = _with(said, flag.strip())
    return said


_WITHOUT_EFFECT = ("dpi", "H", "T", "unsafe_prefixstat")


def without_effect(said: Sequence[str]) -> tuple[str, ...]:
    """Those of some flags that are read and do nothing."""
    names = [(flag, flag.partition("=")[0].strip().upper()) for flag in said]
    return tuple(flag for flag, name in names if (SWITCHES.get(name) or VALUED.get(name)) in _WITHOUT_EFFECT)


def is_redirect(status: int) -> bool:
    """Statuses that are answered with a Location: httpd's ap_is_HTTP_REDIRECT."""
    return 300 <= status < 400


def _with(said: Flags, flag: str) -> Flags:
    name, _, value = flag.partition("=")
    folded = name.strip().upper()
    if folded in SWITCHES:
        return replace(said, **{SWITCHES[folded]: True})  # type: ignore[arg-type]
    match VALUED.get(folded):
        case "B":
            return replace(said, backrefs=True, escapes=value or said.escapes)
        case "BNE":
            if not value:
                raise FlagError("BNE names no characters", "write BNE=/ or whichever characters are to be kept")
            return replace(said, keeps=value)
        case "BCTLS":
            return replace(said, backrefs=True, ctls=True)
        case "CO":
            return replace(said, cookies=(*said.cookies, value))
        case "E":
            return replace(said, env=(*said.env, value))
        case "F":
            return replace(said, answers=True, status=403)
        case "G":
            return replace(said, answers=True, status=410)
        case "H":
            return replace(said, handler=value)
        case "T":
            return replace(said, type=value)
        case "N":
            return replace(said, next=True, rounds=_number(flag, value) if value else said.rounds)
        case "S":
            return replace(said, skip=_number(flag, value))
        case "R":
            return _redirecting(said, flag, value)
    near = get_close_matches(folded, [*SWITCHES, *VALUED], 1)
    raise FlagError(f'there is no flag "{flag}"', f"did you mean {near[0]}?" if near else "remove it")


def _redirecting(said: Flags, flag: str, value: str) -> Flags:
    if not value:
        return replace(said, redirect=True)
    status = _WORDS.get(value.lower()) or _number(flag, value)
    if status not in REASONS or status == 418:
        raise FlagError(f'{status} in "{flag}" is no status that can be answered', "write R=301, R=302 or R=404")
    return replace(said, redirect=True, status=status, answers=said.answers or not is_redirect(status))


def _number(flag: str, value: str) -> int:
    if not (value.isascii() and value.isdigit()) or len(value) > 9:
        raise FlagError(f'"{flag}" needs a number', f"write {flag.partition('=')[0]}=2 or another number")
    return int(value)
