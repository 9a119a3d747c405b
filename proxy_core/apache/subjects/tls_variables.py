"""mod_ssl's variables as variables of requests: SSLOptions, and what httpd sets on every TLS connection.

httpd sets some thirty of them at fixup, for programs. A site sets those that something in the configuration asks for,
as rows of [[env]] that are late, or for the section: no rewrite rule and no Require sees them (``ssl_hook_Fixup``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from proxy_core.apache.draft import DraftRow, SiteDraft
from proxy_core.apache.import_context import Ignored, ImportContext, Unsupported
from proxy_core.apache.lexer import Directive, Lines
from proxy_core.config.model import EnvRule

_ALWAYS = frozenset(("HTTPS", "SSL_TLS_SNI"))
"""Those that every TLS connection has."""
_CERTIFICATES = {"SSL_CLIENT_CERT", "SSL_SERVER_CERT"}
"""Those of ExportCertData."""
_SET, _OF_HTTPS = "^(.+)", "^(on)$"
_ASKED = re.compile(
    r"""%\{(HTTPS|SSL_\w+)\}e | env=!?(HTTPS|SSL_\w+) | \benv\(\s*['"](HTTPS|SSL_\w+) | \bENV:(HTTPS|SSL_\w+)""",
    re.VERBOSE | re.IGNORECASE,
)
_REQUIRED = re.compile(r"(?i)\benv\b.*\b(?:HTTPS|SSL_\w+)")


def asked(directives: Iterable[Directive]) -> frozenset[str]:
    """The variables of mod_ssl that directives take for variables of the request; "" where Require does, which httpd
    asks before they are set."""
    return frozenset(_asked(directives))


def _asked(directives: Iterable[Directive]) -> Iterator[str]:
    for each in directives:
        if each.key == "require" and _REQUIRED.match(each.raw):
            yield ""
        for found in _ASKED.finditer(each.raw):
            yield next(filter(None, found.groups())).upper()
        yield from _asked(each.inside or ())


def options(context: ImportContext, directive: Directive) -> None:
    """SSLOptions [+|-]option …"""
    words = {word.lower().lstrip("+"): word for word in directive.args}
    known = {"stdenvvars", "exportcertdata", "strictrequire", "optrenegotiate"}
    for word in [word for name, word in words.items() if name not in known and not name.startswith("-")]:
        context.lose(f"{word} is not there: nobody is a user by a certificate, and names are written as RFC 4514 says")
    wanted = [name for name in sorted(context.draft.asked) if _exported(name, words)]
    for name in wanted:
        _set(context, directive, name)
    if not wanted and not context.losses:
        if "-stdenvvars" in words and _any(context.draft, context.draft.asked - _ALWAYS - _CERTIFICATES):
            raise Unsupported("what an outer section has set stays set")
        raise Ignored("nothing asks for the variables that it sets")


def _exported(name: str, words: dict[str, str]) -> bool:
    if name in _CERTIFICATES:
        return "exportcertdata" in words
    return bool(name) and name not in _ALWAYS and "stdenvvars" in words and not re.search(r"_DN_\w+_0\Z", name)


def _any(draft: SiteDraft, names: frozenset[str]) -> bool:
    return any(row.content["name"] in names for server in draft.servers() for row in server.env)


def _set(context: ImportContext, directive: Directive, name: str) -> None:
    if context.section is not None and "" in context.draft.asked:
        raise Unsupported("Require would see what it sets, which it does not in httpd: ask by expr %{SSL:…}")
    late = {"late": True} if context.section is None else {}
    context.add(directive, "env", _row(name) | late | context.place())


def _row(name: str) -> dict[str, Any]:
    found = {"name": name, "from": f"%{{SSL:{name}}}"}
    return found if name in _CERTIFICATES else found | {"capture": _OF_HTTPS if name == "HTTPS" else _SET}


HANDLERS = {"ssloptions": options}


def environment(draft: SiteDraft) -> None:
    """What every TLS connection has, where it is asked for: late, for each server that speaks TLS."""
    for server in draft.servers():
        switch = server.options.get("ssl_engine")
        if switch is not None and switch[0]:
            server.env += [DraftRow(_row(name) | {"late": True}, [switch[1]]) for name in sorted(_ALWAYS & draft.asked)]


def lines(row: EnvRule) -> Lines | None:
    """A late row as SSLOptions says it, in no line where httpd does so by itself; None where it does not."""
    made = {"name": row.name, "from": row.from_} | ({"capture": row.capture} if row.capture else {})
    plain = row == EnvRule(id=row.id, host=row.host, enabled=row.enabled, late=True, name=row.name, from_=row.from_,
                           capture=row.capture)  # fmt: skip
    if not plain or made != _row(row.name) or not re.fullmatch(r"HTTPS|SSL_\w+", row.name):
        return None
    option = "ExportCertData" if row.name in _CERTIFICATES else "StdEnvVars"
    return [] if row.name in _ALWAYS else [f"SSLOptions +{option}"]
