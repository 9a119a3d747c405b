"""Internal maps: functions of the key, as httpd's ``int:`` maps.

Each follows its ``rewrite_mapfunc_…`` in mod_rewrite.c and, for escaping, ``ap_os_escape_path`` and
``ap_unescape_url`` in server/util.c: letters are ASCII letters, escapes are lower-case hex, and what is no escape
stays as it is. Keys and answers have one character for each byte.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_UPPER = {code: code - 32 for code in range(ord("a"), ord("z") + 1)}
_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}
_KEPT = re.compile(r"[^A-Za-z0-9$\-_.+!*'(),:;@&=/~]")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")


def _escape(key: str) -> str:
    return _KEPT.sub(lambda match: f"%{ord(match[0]):02x}", key)


def _unescape(key: str) -> str:
    """A NUL ends the answer, as it ends any text in httpd."""
    return _ESCAPE.sub(lambda match: chr(int(match[1], 16)), key).partition("\0")[0]


FUNCTIONS: dict[str, Callable[[str], str]] = {
    "toupper": lambda key: key.translate(_UPPER),
    "tolower": lambda key: key.translate(_LOWER),
    "escape": _escape,
    "unescape": _unescape,
}
