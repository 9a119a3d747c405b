"""Values that nobody should read over a shoulder, in a log or in a bug report: passwords, tokens, keys.

A text says what it holds by a name beside it (``password=…``, ``TOKEN:…``, ``--secret …``) or by standing before the @
of a URL. Such values are masked in what people are told; nothing that is served or written for use is touched. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache
from urllib.parse import unquote_plus

MASK = "(masked)"
SECRET_FIELDS = ("Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie")
"""Fields of requests and answers that are secret in every site."""

_NAMES = (
    r"passw(?:or)?d|passphrase|pwd(?![a-z])|(?<![a-z])pass(?![a-z])|secret|token(?!s)|(?<!allow-)credential"
    r"|dsn(?![a-z])|(?:api|access|private|crypto|signing|encryption)[-_]?key"
)
_PARAMETERS = rf"{_NAMES}|signature|session|jwt|(?<![a-z])(?:sig|sid|code|otp|key|auth)(?![a-z])"
_PARAMETER = r"([?&;])([^=&;?#\s]*)=[^&;#\s]*"
_GIVEN = (
    rf"(?<![\w.-])(?=[\w.-]{{0,99}}?(?:{_NAMES}))([\w.-]{{1,100}}(?:\s*=\s*|:))"
    r"""(?:"[^"]*"|'[^']*'|[^\s"'&;,\]/=][^\s"'&;,\]]*)"""
)
_OPTION = rf"""(?<![\w-])(--[\w-]{{0,40}}?(?:{_NAMES})[\w-]{{0,40}}\s+)(?:"[^"]*"|'[^']*'|[^\s"'-][^\s"']*)"""
_USER = r"""(://[^\s/:@"'<>]{0,200}:)[^\s/@"'<>]{1,1000}(?=@)"""


@lru_cache(512)
def is_secret(name: str) -> bool:
    """Whether a name is that of something secret."""
    return re.search(_NAMES, name, re.IGNORECASE) is not None


def masked(text: str) -> str:
    """A text for people, with what its own words call secret masked."""
    if "--" in text:
        text = re.sub(_OPTION, rf"\1{MASK}", text, flags=re.IGNORECASE)
    if "=" not in text and ":" not in text:
        return text
    return re.sub(_GIVEN, rf"\1{MASK}", re.sub(_USER, rf"\1{MASK}", text), flags=re.IGNORECASE)


def masked_target(target: str) -> str:
    """A request-target or another URL, with what its parameters and its user call secret masked, however the names
    are escaped."""
    if "://" in target:
        target = re.sub(_USER, rf"\1{MASK}", target)
    if "=" not in target:
        return target
    path, mark, query = target.partition("?")  # a ? ends a parameter of the path, and is a letter in one of the query
    return re.sub(_PARAMETER, _parameter, path) + re.sub(_PARAMETER, _parameter, mark + query)


def _parameter(found: re.Match[str]) -> str:
    mark, name = found.groups()
    return f"{mark}{name}={MASK}" if _is_secret_parameter(name) else found[0]


@lru_cache(512)
def _is_secret_parameter(name: str) -> bool:
    return re.search(_PARAMETERS, unquote_plus(name), re.IGNORECASE) is not None


def masked_head(head: str, secret: Collection[str] = ()) -> str:
    """The head of a message, or lines of one, with secret fields and parameters masked. ``secret`` are names of further
    fields, in lower case. A line that continues another is masked whole."""
    return "\r\n".join(_line(each, secret) for each in re.split(r"\r?\n", head))


_SECRET = frozenset(map(str.lower, SECRET_FIELDS))


def is_secret_field(name: str, secret: Collection[str] = ()) -> bool:
    """Whether the value of a field of this name is secret; ``secret`` as for ``masked_head``."""
    known = name.strip().lower()
    return known in _SECRET or known in secret or is_secret(known)


def _line(line: str, secret: Collection[str]) -> str:
    if line.startswith((" ", "\t")):
        return f" {MASK}"
    name, colon, value = line.partition(":")
    if colon and " " not in name.strip() and is_secret_field(name, secret):
        return f"{name}{colon} ({len(value.strip())} bytes, masked)"
    return masked_target(line)
