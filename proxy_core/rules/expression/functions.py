"""The functions, tests and comparisons of httpd's expressions, as tables.

The meaning is that of server/util_expr_eval.c, with apr_fnmatch and apr_atoi64 behind it. What a request says comes
from an ExpressionScope; nothing here waits, reads a file or asks a name server. Texts have one character for each byte
(latin-1), and a NUL ends what it is decoded from, as it does in C.
"""

from __future__ import annotations

import base64
import hashlib
import operator
import re
from collections.abc import Callable, Mapping
from typing import Protocol

from proxy_core.http.escaping import base64_decoded, uri_escaped
from proxy_core.rules.access.networks import subnet, within
from proxy_core.rules.text.wildcards import glob

Arguments = tuple[str, ...]


class ExprFailure(Exception):
    """An expression that has no value for this request: a file that cannot be read. Whoever asked treats it as httpd
    does: a condition does not hold, a header is not set."""


class ExpressionScope(Protocol):
    """What evaluating may know of a request and of the world. A missing text is "". Any of them may raise
    ``facts.Unknown``, which passes through."""

    def variable(self, name: str) -> str:
        """One of EXPRESSION_VARIABLES, or one that starts with SSL_."""

    def field(self, name: str, which: str) -> str:
        """A header field, variable or note. ``which`` is "req" (the answer varies with it, Host excepted),
        "req_novary", "resp", "reqenv", "osenv", "note" or "env" (note, then reqenv, then osenv); "hc" is what a health
        check read, "body" alone."""

    def fact(self, kind: str, name: str, key: str) -> str | None:
        """The answer to a test: kind "file" with -d -e -f -s -L -x -F (None is no), or with "content", "size" and
        "mtime" (the last in microseconds; None is that it cannot be read), and "url" with -U (None is no)."""


_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")
_UPPER = str.maketrans("abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})|%00")
_ESCAPE = re.compile(r"%(?!2[Ff])([0-9A-Fa-f]{2})")
_NUMBER = re.compile(r"[ \t\n\v\f\r]*([+-]?[0-9]{1,30})")
_MOST = (1 << 63) - 1


def lower(text: str) -> str:
    return text.translate(_LOWER)


def _unescape(text: str) -> str:
    """ "%2F" stays as it is; a bad escape or a NUL leaves nothing (ap_unescape_url_keep2f)."""
    return "" if _BAD_ESCAPE.search(text) else _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)


def _raw(text: str) -> bytes:
    return text.encode("latin-1", "replace")


def _pure(function: Callable[[str], str]) -> Callable[[ExpressionScope, Arguments], str]:
    return lambda scope, arguments: function(arguments[0])


def _field(which: str) -> Callable[[ExpressionScope, Arguments], str]:
    return lambda scope, arguments: scope.field(arguments[0], which)


def _file(scope: ExpressionScope, arguments: Arguments) -> str:
    content = scope.fact("file", "content", arguments[0])
    if content is None:
        raise ExprFailure(f"the file {arguments[0]} cannot be read")
    return content


FUNCTIONS: Mapping[str, Callable[[ExpressionScope, Arguments], str]] = {
    **{which: _field(which) for which in ("req", "req_novary", "resp", "reqenv", "osenv", "note", "env", "hc")},
    "http": _field("req"),
    "tolower": _pure(lower),
    "toupper": _pure(lambda text: text.translate(_UPPER)),
    "escape": _pure(uri_escaped),
    "unescape": _pure(_unescape),
    "base64": _pure(lambda text: base64.b64encode(_raw(text)).decode("ascii")),
    "unbase64": _pure(lambda text: base64_decoded(_raw(text)).decode("latin-1").partition("\0")[0]),
    "md5": _pure(lambda text: hashlib.md5(_raw(text), usedforsecurity=False).hexdigest()),
    "sha1": _pure(lambda text: hashlib.sha1(_raw(text), usedforsecurity=False).hexdigest()),
    "file": _file,
    "filesize": lambda scope, arguments: scope.fact("file", "size", arguments[0]) or "0",
    "filemod": lambda scope, arguments: scope.fact("file", "mtime", arguments[0]) or "0",
    "replace": lambda scope, arguments: (
        arguments[0].replace(arguments[1], arguments[2]) if arguments[1] else arguments[0]
    ),
}


def _true(text: str) -> bool:
    """-T: everything but "", "0", "off", "false" and "no"."""
    return lower(text) not in ("", "0", "off", "false", "no")


def _asked(kind: str, name: str) -> Callable[[ExpressionScope, str], bool]:
    return lambda scope, word: scope.fact(kind, name, word) is not None


UNARY = {each: f"-{each}" for each in "nzTRdefsLxFU"} | {"h": "-L", "A": "-U"}
"""Tests as they are written, and their one name."""

TESTS: Mapping[str, Callable[[ExpressionScope, str], bool]] = {
    "-n": lambda scope, word: bool(word),
    "-z": lambda scope, word: not word,
    "-T": lambda scope, word: _true(word),
    **{name: _asked("file", name) for name in ("-d", "-e", "-f", "-s", "-L", "-x", "-F")},
    "-U": _asked("url", "-U"),
}
"""All but -R, which has a network."""

_WORDS = ("eq", "ne", "lt", "le", "gt", "ge")
COMPARISONS = {
    **{each: each for each in ("==", "!=", "<", "<=", ">", ">=")},
    "=": "==",
    **{spelled: f"-{name}" for name in _WORDS for spelled in (name, f"-{name}")},
}
"""Comparisons as they are written, and their one name."""


def number(text: str) -> int:
    """The integer that a text starts with, 0 for none, held within 64 bits (apr_atoi64)."""
    found = _NUMBER.match(text)
    return max(-_MOST - 1, min(_MOST, int(found[1]))) if found else 0


def _of_numbers(compare: Callable[[int, int], bool]) -> Callable[[str, str], bool]:
    return lambda left, right: compare(number(left), number(right))


BINARY: Mapping[str, Callable[[str, str], bool]] = {
    "-fnmatch": lambda left, right: glob(right, left, path=True),
    "-strmatch": lambda left, right: glob(right, left),
    "-strcmatch": lambda left, right: glob(lower(right), lower(left)),
    "-ipmatch": lambda left, right: within(left, subnet(right)),
}
COMPARES: Mapping[str, Callable[[str, str], bool]] = {
    **{"==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge},
    **{f"-{name}": _of_numbers(getattr(operator, name)) for name in _WORDS},
    **BINARY,
}
"""Every comparison of two texts. Bytes compare as their texts do."""
