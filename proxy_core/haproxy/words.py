"""Texts of a site as words of haproxy.cfg: quoted so that none of them can say more than itself.

A line of haproxy.cfg is cut into words at blanks; quotes, backslashes and # have a meaning there (section 2.2 of its
configuration manual). Between single quotes nothing has one but the single quote. Formats read % besides (8.2.4), and
arguments of functions read quotes and backslashes a second time (7.3.1). A regular expression may spell any character
as ``\\xHH``, so none of its own signs needs a quote. What cannot be said raises HandOver. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from proxy_core.errors import Address
from proxy_core.http.target import as_bytes_text

Lines = list[str]
Line = tuple[str, str]
"""An action, and the condition that it has, "" for none."""
Hand = Callable[[Address, str], None]
"""Is told that the requests of a place go down the lane, and why."""

AT_ONCE = 40
"""Values in one condition: HAProxy reads 64 words a line."""
LONGEST = 1500
"""Characters of a word; HAProxy reads lines of 2,048."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f]").search
_PLAIN = re.compile(r"[A-Za-z0-9_./:=@-]+").fullmatch
_NO_NAME = re.compile(r"[^A-Za-z0-9_-]")


class HandOver(Exception):
    """HAProxy has no exact words for something; the text says what, for people."""


def quoted(text: str) -> str:
    """A text as one word of a line. Raises HandOver."""
    if not text or _CONTROL(text):
        raise HandOver("a text that is empty, or has a control character in it")
    if len(text) > LONGEST:
        raise HandOver(f"a text of more than {LONGEST} characters")
    return text if _PLAIN(text) else "'" + text.replace("'", "'\\''") + "'"


def fixed(text: str) -> str:
    """A text that stands for itself in a format, not quoted yet."""
    return text.replace("%", "%%")


def argument(text: str) -> str:
    """A text as argument of a function, in quotes of its own; the word that it stands in is quoted as well."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def name(*parts: str) -> str:
    """A name that HAProxy takes, made of names of the site: two that differ stay apart."""
    return ".".join(_NO_NAME.sub(lambda sign: f".{ord(sign[0]):x}.", part) for part in parts)


_UNREAD = re.compile(r"(?<!\\)(?:\\\\)*(?:\\[1-9Qgk]|\(\?(?:#|'|[a-z-]*x|[R0-9&P+-])|\(\*)")
"""Signs between which a character is no more the same as its number, and what names a group: conditions have none."""
_SIGN = re.compile(r"\\(.)|([^A-Za-z0-9_./:=@(){}\[\]|^$*+?!<>,&~;-])", re.DOTALL)


def regex(pattern: str, nocase: bool = False) -> str:
    """A regular expression of the site, not quoted yet; only backslashes in it have a meaning outside of expressions.
    Raises HandOver."""
    if _UNREAD.search(pattern):
        raise HandOver(f"the regular expression {pattern}")
    spelled = _SIGN.sub(_numbered, as_bytes_text(pattern))
    return f"(?s{'i' * nocase}){spelled}"


def _numbered(sign: re.Match[str]) -> str:
    character = sign[1] or sign[2]
    if sign[1] is not None and (character.isalnum() or character in _SYNTAX):
        return sign[0]
    return f"\\x{ord(character):02x}"


_SYNTAX = frozenset("./(){}[]|^$*+?-\\")


def search(subject: str, pattern: str, nocase: bool = False) -> str:
    """The condition that an expression is found in what a fetch gives. Raises HandOver."""
    return f"{{ {subject} -m reg {quoted(regex(pattern, nocase))} }}"


def equal(subject: str, text: str) -> str:
    return f"{{ {subject} -m str -- {quoted(text)} }}"


def joined(*conditions: str) -> str:
    """Conditions of which every one has to hold, as the end of a line."""
    said = " ".join(filter(None, conditions))
    return f" if {said}" if said else ""


def group(subject: str, pattern: str, number: int, nocase: bool = False) -> str:
    """The fetch of what a group of an expression found, where it is found at all; a word. Raises HandOver."""
    source = regex(pattern, nocase)
    flags, _, rest = source.partition(")")
    whole = f"{flags})^.*?(?:{rest}).*$"
    return quoted(f"{subject},regsub({argument(whole)},{argument(chr(92) + str(number))})")
