"""Escapes of URLs and field values, and what may not stand in them raw.

How a path is spelled towards an upstream is ``target.escaped``; here is the rest. Texts have one character for each
byte. Pure.
"""

from __future__ import annotations

import re
from base64 import b64decode

_KEPT = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789$-_.+!*'(),:;@&=/~"
_ESCAPES = {code: f"%{code:02x}" for code in range(256) if chr(code) not in _KEPT}
_RAW_ESCAPES = {code: f"%{code:02X}" for code in (*range(0x21), 0x23, *range(0x7F, 0x100))}
_BASE64 = re.compile(rb"[A-Za-z0-9+/]*")

breaks_target = re.compile(r"[\x00-\x20\x7f]").search
"""Finds what no request-target may hold raw: blanks and control characters."""
breaks_field = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]").search
"""Finds what no field value may hold: control characters but the tab (httpd's check_headers)."""


def uri_escaped(text: str) -> str:
    """``ap_escape_uri`` in server/util.c: every byte but ``A-Za-z0-9$-_.+!*'(),:;@&=/~`` as an escape in lower-case hex
    (towards upstreams they are upper-case)."""
    return text.translate(_ESCAPES)


def sendable(text: str) -> bytes:
    """What rules made of a path or query, as it may stand in a request line: blanks and controls would end it, a #
    would begin a fragment to some, and a byte above 0x7E is no part of a URL (RFC 3986 §2)."""
    return text.translate(_RAW_ESCAPES).encode("ascii")


def base64_decoded(data: bytes) -> bytes:
    """As much of ``data`` as is base64: up to the first other character, as apr_base64_decode and ModSecurity's
    t:base64Decode have it."""
    found = _BASE64.match(data)
    digits = found[0] if found else b""
    return b64decode(digits[: len(digits) - (len(digits) % 4 == 1)] + b"=" * (-len(digits) % 4))
