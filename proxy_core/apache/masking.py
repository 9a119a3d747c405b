"""Directives as people are shown them: in comments of the site file, in reports and on the terminal.

What holds a secret (``AuthLDAPBindPassword``, ``RequestHeader set Authorization``, a password in a URL) is masked
there, and what is said of the directive does not repeat it. Masking too much costs a look at the configuration itself,
whose place stands beside; so where it is not certain, more is masked.
"""

from __future__ import annotations

import re

from proxy_core.secret_values import MASK, is_secret, masked

_NO_SECRET = re.compile(r"(?:files?|path|dir|dialog|header|timeout|query)$", re.IGNORECASE)
"""Endings of names of directives that say where a secret is, or something about it."""

_NAMED = frozenset(("define", "setenv", "setenvif", "setenvifnocase", "header", "requestheader"))
"""Directives whose words name something and say what it is."""

_WORD = re.compile(r"(?<![\w-])([\w-]{1,100})[\"']?\s+(?=\S)")
_VARIABLE = re.compile(r"%\{[\w:-]{1,100}\}[\"']?\s+(?=\S)")
_LONG_WORD = re.compile(r"[\w.-]{4,}")
_CREDENTIALS = re.compile(r"authorization|(?<!set-)cookie", re.IGNORECASE)


def shown(name: str, raw: str) -> str:
    """What follows the name of a directive, as people are shown it."""
    if is_secret(name) and not _NO_SECRET.search(name):
        return MASK if raw else ""
    begins = _WORD if name.lower() in _NAMED else _VARIABLE
    for found in begins.finditer(raw):
        if is_secret(found[0]) or _CREDENTIALS.search(found[0]):
            return masked(raw[: found.end()]) + MASK
    return masked(raw)


def unsaid(why: str, raw: str, its: str) -> str:
    """What is said of a directive, without the words of it that are not in what is shown of it (``its``)."""
    if why and its != raw:
        for word in sorted({*_LONG_WORD.findall(raw)}, key=len, reverse=True):
            if word not in its:
                why = why.replace(word, MASK)
    return masked(why)
