"""URLs as mod_rewrite sees them: schemes, escaping for redirects and of backreferences, queries split off.

The functions are those of modules/mappers/mod_rewrite.c (``is_absolute_uri``, ``escape_absolute_uri``,
``escape_backref``, ``splitout_queryargs``) and ``ap_escape_uri`` in server/util.c, which escapes in lower-case hex
where the proxy's own spelling towards upstreams is upper-case. Texts have one character for each byte.
"""

from __future__ import annotations

import re

from proxy_core.rules.rewriting.flags import Flags

_SCHEME = re.compile(
    r"(?:(?P<plain>ftp|gopher|ldap|nntp)://|news:"
    r"|(?P<query>(?:ajp|balancer|fcgi|https?|h2c?|scgi|wss?)://|mailto:|unix:(?://)?))",
    re.IGNORECASE,
)
_KEPT = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789$-_.+!*'(),:;@&=/~"
_ESCAPES = {code: f"%{code:02x}" for code in range(256) if chr(code) not in _KEPT}
_WORD = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"
BAD = re.compile(r"[\x00-\x20\x7f]").search
"""Finds what no query or target may hold raw: blanks and control characters."""
injects = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]").search
"""Finds what no value of a field may hold: control characters but the tab (httpd's check_headers)."""


_RAW_ESCAPES = {code: f"%{code:02X}" for code in (*range(0x21), 0x23, *range(0x7F, 0x100))}


def sendable(text: str) -> bytes:
    """What rules made of a path or query, as it may stand in a request line: blanks and controls would end it, a #
    would begin a fragment to some, and a byte above 0x7E is no part of a URL (RFC 3986 §2)."""
    return text.translate(_RAW_ESCAPES).encode("ascii")


def scheme(uri: str) -> tuple[int, bool]:
    """How long scheme and :// of a URI are, 0 for what is none or of a scheme that nobody knows; and whether a ? in it
    begins a query: in paths, and in URIs of the schemes that have one (RFC 1738, RFC 2368)."""
    if uri.startswith("/") or len(uri) <= 5:
        return 0, True
    found = _SCHEME.match(uri)
    return (found.end(), found["query"] is not None) if found else (0, True)


def scheme_length(uri: str) -> int:
    """How long scheme and :// of a URI are, 0 for what is none."""
    return scheme(uri)[0]


def escaped(text: str) -> str:
    """``ap_escape_uri``: every byte but ``A-Za-z0-9$-_.+!*'(),:;@&=/~`` as an escape in lower-case hex."""
    return text.translate(_ESCAPES)


def escaped_absolute(uri: str, skip: int) -> str:
    """A whole URI escaped behind its host; ``skip`` is its ``scheme_length``. ldap URIs keep their ? marks."""
    if uri[skip - 1] != "/":
        return uri[:skip] + escaped(uri[skip:])
    path = uri.find("/", skip)
    if path < 0 or path + 1 == len(uri):
        return uri
    start, rest = uri[: path + 1], uri[path + 1 :]
    if uri[:4].lower() == "ldap":
        return start + "?".join(escaped(part) for part in rest.split("?", 4))
    return start + escaped(rest)


def escaped_reference(flags: Flags, text: str) -> str:
    """What $N or %N stands for under [B], [B=…], [BNE=…], [BNP] and [BCTLS]."""
    pieces = []
    for character in text:
        if flags.ctls:
            chosen = not character >= "\x21" or character == "\x7f" or character in flags.escapes
        else:
            chosen = not flags.escapes or character in flags.escapes
        if not chosen or character in flags.keeps or character in _WORD:
            pieces.append(character)
        elif character == " " and not flags.noplus:
            pieces.append("+")
        else:
            pieces.append(f"%{ord(character):02x}")
    return "".join(pieces)


def split_query(uri: str, args: str | None, flags: Flags, drops: bool) -> tuple[str, str | None]:
    """The URI without its query, and the query that holds from now on; ``drops`` is the ? that ends a substitution."""
    skip, has_query = scheme(uri)
    if drops or not has_query:
        return uri, None
    if flags.qsdiscard:
        args = None
    cut = uri.rfind("?", skip) if flags.qslast else uri.find("?", skip)
    if cut < 0:
        return uri, args
    uri, new = uri[:cut], uri[cut + 1 :]
    if not flags.qsappend:
        args = new
    elif new:
        args = f"{new}&{args or ''}"
    return uri, args.removesuffix("&") if args else None
