"""How a format of the access log is spelled: mod_log_config's % directives, parsed and checked, never filled in.

What a directive means is ``control.watching.log_format``; the syntax is here since linting and imports must know it
too. It follows parse_log_item and parse_log_misc_string of mod_log_config.c, but for one thing: an argument that httpd
would ignore is an error. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from proxy_core.errors import nearest

FORMATS = {
    "common": '%h %l %u %t "%r" %>s %b',
    "combined": '%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-agent}i"',
}
"""httpd's formats of these names."""

FREE = "ioenC"
"""Directives that need a name of the user's own: a field of the request or answer, a variable, a note, a cookie."""

OURS = (
    "route", "rule", "balancer", "member", "attempts", "retries", "queued", "waited", "first", "total", "cause",
    "cache", "age", "generation",
)  # fmt: skip
"""Names of %{NAME}x, those of the JSON log."""

OF_MOD_SSL = re.compile(r"[A-Z][A-Z0-9_]+|(?i:SSL_\w+)|(?:HTTP|ENV):[^}]+")
"""Names of %{NAME}x, those that mod_ssl looks up (``ssl_var_lookup``): of the TLS connection and of the request."""

CONNECTION = {"version": "SSL_PROTOCOL", "cipher": "SSL_CIPHER", "subjectdn": "SSL_CLIENT_S_DN",
              "issuerdn": "SSL_CLIENT_I_DN", "errcode": "", "errstr": ""}  # fmt: skip
"""Names of %{NAME}c, and the variables that they are."""

_ARGUMENTS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys("AbBDfhHIklmOPqrsuUvVX", ("",)),
    "a": ("", "c"),
    "p": ("", "canonical", "local", "remote"),
    "T": ("", "s", "ms", "us"),
    "x": OURS,
    "c": tuple(CONNECTION),
}
_DIRECTIVE = re.compile(r"%(?:%|(?P<before>[!<>,\d]*)(?:\{(?P<argument>[^}]*)\})?[<>]*(?P<letter>[^{%]))", re.DOTALL)
_ESCAPE = re.compile(r"\\([\\rnt])")
_ESCAPES = {"\\": "\\", "r": "\r", "n": "\n", "t": "\t"}


class BadFormat(ValueError):
    """A format that cannot be read: what is wrong and where, and in ``todo`` what to do."""

    def __init__(self, what: str, todo: str) -> None:
        super().__init__(what)
        self.todo = todo


class LogDirective(NamedTuple):
    """``letter`` says what, ``argument`` is what stood in braces. With ``codes`` it is filled in only for these
    statuses, or, ``negated``, only for others."""

    letter: str
    argument: str = ""
    codes: frozenset[int] = frozenset()
    negated: bool = False


def parsed(text: str) -> tuple[str | LogDirective, ...]:
    """A name of FORMATS, or a format string, as literal text and directives. Raises BadFormat."""
    text = FORMATS.get(text, text)
    if "%" not in text:
        todo = "write common, combined, json, or directives: '%h \"%r\" %s'"
        raise BadFormat(f'there is no log format "{text}"', todo)
    if control := re.search(r"[\0-\x08\x0b-\x1f\x7f]", text):
        raise BadFormat(f"character {control.start() + 1} is a control character", "leave it out")
    parts: list[str | LogDirective] = []
    place = 0
    while (start := text.find("%", place)) >= 0:
        parts.append(_literal(text[place:start]))
        found = _DIRECTIVE.match(text, start)
        if found is None:
            raise BadFormat(f"the directive at character {start + 1} has no end", "write %% for a percent sign")
        parts.append("%" if found["letter"] is None else _directive(found))
        place = found.end()
    return tuple(part for part in (*parts, _literal(text[place:])) if part)


def _literal(text: str) -> str:
    return _ESCAPE.sub(lambda found: _ESCAPES[found[1]], text)


def _directive(found: re.Match[str]) -> LogDirective:
    letter, argument = found["letter"], found["argument"] or ""
    where = f"{found[0]} at character {found.start() + 1}"
    arguments = _ARGUMENTS.get(letter)
    if letter in FREE and not argument:
        raise BadFormat(f"{where} names nothing", f"write what it is to show in braces: %{{NAME}}{letter}")
    if arguments is None and letter not in FREE and letter != "t":
        todo = f"known are {' '.join('%' + each for each in sorted([*_ARGUMENTS, *FREE, 't']))}; %% is a percent sign"
        raise BadFormat(f"{where} is no directive that is known", todo)
    if letter == "x" and OF_MOD_SSL.fullmatch(argument):
        arguments = None
    if arguments is not None and argument not in arguments:
        near = nearest(argument, arguments)
        meant = (near,) if near else arguments
        written = " ".join(f"%{{{each}}}{letter}" if each else f"%{letter}" for each in meant)
        raise BadFormat(f"{where} is not known", f"did you mean {written}?" if near else f"write {written}")
    codes = frozenset(int(code) for code in re.findall(r"\d+", found["before"]))
    return LogDirective(letter, argument, codes, "!" in found["before"])
