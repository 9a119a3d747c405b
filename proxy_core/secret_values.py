"""Values that nobody should read over a shoulder, in a log or in a bug report: passwords, tokens, keys.

A text says what it holds by a name beside it (``password=…``, ``TOKEN:…``, ``--secret …``) or by standing before the @
of a URL. Such values are masked in what people are told; nothing that is served or written for use is touched. Pure.
"""

from __future__ import annotations

import re

MASK = "(masked)"
SECRET_FIELDS = ("Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie")
"""Fields of requests and answers that are secret in every site."""

_NAMES = (
    r"passw(?:or)?d|passphrase|pwd(?![a-z])|(?<![a-z])pass(?![a-z])|secret|token(?!s)|(?<!allow-)credential"
    r"|dsn(?![a-z])|(?:api|access|private|crypto|signing|encryption)[-_]?key"
)
_GIVEN = (
    rf"(?<![\w.-])(?=[\w.-]{{0,99}}?(?:{_NAMES}))([\w.-]{{1,100}}(?:\s*=\s*|:))"
    r"""(?:"[^"]*"|'[^']*'|[^\s"'&;,\]/=][^\s"'&;,\]]*)"""
)
_OPTION = rf"""(?<![\w-])(--[\w-]{{0,40}}?(?:{_NAMES})[\w-]{{0,40}}\s+)(?:"[^"]*"|'[^']*'|[^\s"'-][^\s"']*)"""
_USER = r"""(://[^\s/:@"'<>]{0,200}:)[^\s/@"'<>]{1,1000}(?=@)"""


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
