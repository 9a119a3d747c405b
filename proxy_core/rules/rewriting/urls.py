"""URLs as mod_rewrite sees them: schemes, the escaping of redirects and of what groups hold, queries split off.

The functions are those of modules/mappers/mod_rewrite.c: ``is_absolute_uri``, ``escape_absolute_uri``,
``escape_backref``, ``splitout_queryargs``. Texts have one character for each byte. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from proxy_core.http.escaping import uri_escaped
from proxy_core.http.target import as_bytes_text
from proxy_core.rules.rewriting.flags import Flags

_SCHEME = re.compile(
    r"(?:(?P<plain>ftp|gopher|ldap|nntp)://|news:"
    r"|(?P<query>(?:ajp|balancer|fcgi|https?|h2c?|scgi|wss?)://|mailto:|unix:(?://)?))",
    re.IGNORECASE,
)
_WORD = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"


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


def escaped_absolute(uri: str, skip: int) -> str:
    """A whole URI escaped behind its host; ``skip`` is its ``scheme_length``. ldap URIs keep their ? marks."""
    if uri[skip - 1] != "/":
        return uri[:skip] + uri_escaped(uri[skip:])
    path = uri.find("/", skip)
    if path < 0 or path + 1 == len(uri):
        return uri
    start, rest = uri[: path + 1], uri[path + 1 :]
    if uri[:4].lower() == "ldap":
        return start + "?".join(uri_escaped(part) for part in rest.split("?", 4))
    return start + uri_escaped(rest)


def reference_escape(flags: Flags) -> Callable[[str], str]:
    """How what $N or %N stands for is spelled under [B], [B=…], [BNE=…], [BNP] and [BCTLS]."""
    escapes, kept = as_bytes_text(flags.escapes), _WORD + as_bytes_text(flags.keeps)
    every = not (escapes or flags.ctls)
    ours = {*map(ord, escapes), *((*range(0x21), 0x7F) if flags.ctls else ())}
    made = {code: f"%{code:02x}" for code in range(256) if (every or code in ours) and chr(code) not in kept}
    if ord(" ") in made and not flags.noplus:
        made[ord(" ")] = "+"
    return lambda text: text.translate(made)


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
