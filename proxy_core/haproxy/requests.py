"""What rules read of a request, as HAProxy's fetches; and the conditions and texts that are made of them.

A request that comes here is plain (``gate``): its path is spelled as rules see it, each field is there once. A field or
variable that is not there is an empty text to rules, and none at all to HAProxy, whose conditions then fail: an
expression that is found in an empty text is therefore asked the other way round. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from proxy_core.haproxy.gate import LONGEST_PATH
from proxy_core.haproxy.part import HostPart
from proxy_core.haproxy.words import HandOver, fixed, name, quoted, regex
from proxy_core.rules.rewriting.conditions import Condition
from proxy_core.rules.text import pattern
from proxy_core.rules.text.template import Filled, Fixed, Template

_FETCHES = {
    "REMOTE_ADDR": "src", "REMOTE_HOST": "src", "CONN_REMOTE_ADDR": "src", "HTTP_HOST": "req.fhdr(host)",
    "REQUEST_URI": "path", "QUERY_STRING": "query", "REQUEST_METHOD": "method", "HTTP_COOKIE": "req.fhdr(cookie)",
    "HTTP_USER_AGENT": "req.fhdr(user-agent)", "HTTP_REFERER": "req.fhdr(referer)", "HTTP_ACCEPT": "req.fhdr(accept)",
    "SERVER_NAME": "req.fhdr(host),lower,field(1,:)",
}  # fmt: skip
_TAME = frozenset(("REMOTE_ADDR", "HTTP_HOST", "REQUEST_URI", "REQUEST_METHOD", "REQUEST_SCHEME", "SERVER_NAME",
                   "HTTPS", "REMOTE_HOST"))  # fmt: skip
"""Variables that hold no sign which a URL would have to escape, for the gate lets none through."""
LONGEST_FIELD = 8190
SELF = "%[req.fhdr(host),lower]"
"""The client's name for this proxy, with its port where it is not the usual one."""


def fetch(part: HostPart, variable: str) -> str:
    """The fetch of ``%{variable}``. Raises HandOver."""
    kind, _, rest = variable.partition(":")
    folded = variable.upper()
    if kind.upper() == "HTTP" and re.fullmatch(r"[A-Za-z0-9-]+", rest):
        return f"req.fhdr({rest.lower()})"
    if kind.upper() == "ENV":
        return environment(part, rest)
    if folded == "REQUEST_SCHEME":
        return f"str({part.scheme})"
    if folded == "HTTPS":
        return f"str({'on' if part.secure else 'off'})"
    if folded not in _FETCHES:
        raise HandOver(f"%{{{variable}}}")
    return _FETCHES[folded]


def environment(part: HostPart, variable: str) -> str:
    """The fetch of a variable that rows of [[env]] set. Raises HandOver where HAProxy does not know it for sure."""
    if variable.lower() not in part.known:
        raise HandOver(f"the variable {variable}")
    return f"var(txn.e.{name(variable.lower())})"


_REPEATED = re.compile(r"\)(?:[*+]|\{)").search


def steady(subject: str, text: str, nocase: bool) -> None:
    """Raises HandOver for an expression that HAProxy may give up in silence: one that runs away, or that repeats a
    group over a text of any length."""
    longest = LONGEST_PATH // 4 if subject.startswith("path") else LONGEST_FIELD  # PCRE makes 40 times as many steps
    compiled = pattern.compile(text, nocase)
    if compiled.runaway or compiled.sure("x" * longest) is None:
        raise HandOver(f"the regular expression {text} may take too long")
    if not subject.startswith(("path", "method", "src")) and _REPEATED(text):
        raise HandOver(f"the regular expression {text} may take too much")


def found(subject: str, text: str, nocase: bool = False, negated: bool = False) -> str:
    """The condition that an expression is found in what a fetch gives. Raises HandOver."""
    steady(subject, text, nocase)
    spelled = regex(text, nocase)
    if pattern.compile(text, nocase).search("") is None:
        return f"{'!' * negated}{{ {subject} -m reg {quoted(spelled)} }}"
    flags, _, rest = spelled.partition(")")
    absent = quoted(f"{flags})^(?!.*(?:{rest}))")
    return f"{'!' * (not negated)}{{ {subject} -m reg {absent} }}"


def condition(part: HostPart, row: Condition, text: str, nocase: bool) -> str:
    """A RewriteCond; ``text`` is its pattern as written. Raises HandOver."""
    variable = only_variable(row.subject)
    if row.or_next or variable is None or row.kind not in ("pattern", "text"):
        raise HandOver(f"the condition {row.spelled}")
    subject, text = fetch(part, variable), text.removeprefix("!")
    if row.kind == "pattern":
        return found(subject, text, nocase, row.negated)
    if not text.startswith("="):
        raise HandOver(f"the condition {row.spelled}")
    return found(subject, f"^{re.escape(text[1:].strip(chr(34)))}$", nocase, row.negated)


def only_variable(template: Template) -> str | None:
    """The name of the variable that is the whole of a text; None where there is more, or something else."""
    only = template.parts[0] if len(template.parts) == 1 else None
    if isinstance(only, Filled) and only.name.startswith("%{"):
        return only.name[2:-1]
    return None


def tame(part: HostPart, variable: str) -> str:
    """The fetch of a variable that may stand in a URL as it is. Raises HandOver."""
    if variable.upper() not in _TAME:
        raise HandOver(f"%{{{variable}}} in a URL")
    return fetch(part, variable)


_SAFE = re.compile(r"[A-Za-z0-9_.~$+!*'(),;:@&=/-]*").fullmatch


def url_text(part: HostPart, pieces: Sequence[Fixed | Filled], groups: dict[str, str]) -> str:
    """A text that becomes part of a URL, as a format, not quoted yet. ``groups`` has the fetch of $1 and %1. Raises
    HandOver."""
    made = ""
    for piece in pieces:
        if isinstance(piece, Fixed):
            if not _SAFE(piece.text):
                raise HandOver(f"{piece.text} in a URL")
            made += fixed(piece.text)
        elif piece.name.startswith("%{"):
            made += f"%[{tame(part, piece.name[2:-1])}]"
        elif piece.name in groups:
            made += f"%[{groups[piece.name]}]"
        else:
            raise HandOver(f"{piece.name} in a URL")
    return made
