"""What httpd refuses before any rule, and how it reads: StrictHostCheck, HttpProtocolOptions, RegexDefaultOptions, and
lists of revoked certificates.

What they keep out is kept out by a condition of access here, so with 403 for httpd's 400 and 501; where nothing can
keep it out, nobody is let in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from proxy_core.apache.draft import DraftServer, SiteDraft
from proxy_core.apache.import_context import Ignored, ImportContext, Unsupported
from proxy_core.apache.lexer import Directive
from proxy_core.apache.options import first, is_on

_METHODS = (
    "GET", "HEAD", "PUT", "POST", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "PROPFIND", "PROPPATCH", "MKCOL",
    "COPY", "MOVE", "LOCK", "UNLOCK", "VERSION-CONTROL", "CHECKOUT", "UNCHECKOUT", "CHECKIN", "UPDATE", "LABEL",
    "REPORT", "MKWORKSPACE", "MKACTIVITY", "BASELINE-CONTROL", "MERGE",
)  # fmt: skip
"""Those that httpd knows by itself (``ap_method_registry_init``)."""


def strict_host_check(context: ImportContext, directive: Directive) -> None:
    """StrictHostCheck On|Off"""
    context.server_only()
    context.set(directive, "strict_hosts", is_on(directive))
    if not is_on(directive):
        raise Ignored("a host that nobody is named has the first one's answer, as without it")
    raise Unsupported("whoever asks for a name that no host has is let in nowhere: 403 answers, not 400")


def protocol_options(context: ImportContext, directive: Directive) -> None:
    """HttpProtocolOptions [Strict|Unsafe] [RegisteredMethods|LenientMethods] [Allow0.9|Require1.0]"""
    context.server_only()
    words = {word.lower() for word in directive.args}
    if "unsafe" in words:
        context.lose("what breaks the rules of HTTP is refused here")
    if "registeredmethods" in words:
        context.set(directive, "known_methods", True)
        context.lose("methods that httpd does not know are let in nowhere: 403 answers, not 501")
    if not context.losses:
        raise Ignored("it is as here")


def register(context: ImportContext, directive: Directive) -> None:
    """RegisterHttpMethod method …"""
    methods = context.draft.main.options.setdefault("methods", ([], directive))[0]
    methods += directive.args
    raise Ignored("every method is passed on")


def regex_defaults(context: ImportContext, directive: Directive) -> None:
    """RegexDefaultOptions [+|-]option …"""
    defaults = {"dotall", "dollar_endonly"}
    words = [word.lower() for word in directive.args]
    kept = set(defaults) if all(word[:1] in "+-" for word in words) else set()
    for word in words:
        (kept.discard if word.startswith("-") else kept.add)(word.lstrip("+-"))
    if kept == defaults:
        raise Ignored("DOTALL and DOLLAR_ENDONLY are always on")
    if kept <= defaults:
        raise Unsupported("DOTALL and DOLLAR_ENDONLY are always on: a dot takes the end of a line, and $ is the end")
    context.close(directive)
    raise Unsupported("expressions are read as they stand, so nobody is let in: write (?i) into those that need it")


def revocation(context: ImportContext, directive: Directive) -> None:
    """SSLCARevocationCheck chain|leaf|none [no_crl_for_cert_ok]"""
    context.server_only()
    checks = directive.args[:1] not in ((), ("none",))
    context.set(directive, "revocation", checks)
    if not checks:
        raise Ignored("certificates of clients hold until they end")
    raise Unsupported("lists of revoked certificates are not looked at, so nobody is let in where clients are asked "
                      "for one: take it away if they hold until they end")  # fmt: skip


def verify_depth(context: ImportContext, directive: Directive) -> None:
    """SSLVerifyDepth number"""
    context.set(directive, "verify_depth", first(directive))
    raise Ignored("clients are asked for no certificate")


def _certificates(draft: SiteDraft) -> None:
    """What is said of certificates of clients, where these are asked for any."""
    for server in draft.servers():
        said = draft.main.options | server.options
        if said.get("client_verify", ("off", None))[0] == "off":
            continue
        if said.get("revocation", (False, None))[0]:
            draft.close(server, {"path": "/"}, said["revocation"][1], "revoked")
        if "verify_depth" in said:
            draft.lose([said["verify_depth"][1]], "a chain may be as long as it is: trust the last authority alone")


def settled(draft: SiteDraft, hosts: Mapping[DraftServer, Sequence[str]]) -> None:
    """What is refused before any rule is let in nowhere."""
    main = draft.main
    firsts: dict[DraftServer, set[str]] = {}
    for listener in [row.content["name"] for row in draft.listeners]:
        reached = [server for server, through in hosts.items() if listener in through] or [main]
        firsts.setdefault(reached[0], set()).update(_names(reached))
    for server, names in firsts.items():
        strict, origin = server.options.get("strict_hosts") or main.options.get("strict_hosts") or (False, None)
        if strict and origin is not None:
            expr = f"!(%{{HTTP_HOST}} =~ m#^(?:(?:{'|'.join(sorted(names))})\\.?(?::[0-9]+)?)?$#i)"
            draft.close(server, {"path": "/", "expr": expr}, origin, "unknown-hosts")
    _certificates(draft)
    for server in draft.servers():
        if server.option("known_methods"):
            known = ", ".join(f"'{each}'" for each in [*_METHODS, *(main.option("methods") or [])])
            where = {"path": "/", "expr": f"!(%{{REQUEST_METHOD}} in {{ {known} }})"}
            draft.close(server, where, server.options["known_methods"][1], "unknown-methods")


def _names(servers: Sequence[DraftServer]) -> set[str]:
    """The names of hosts, as regular expressions."""
    names = [name for server in servers for name in (server.server_name, *server.names) if name]
    bare = (re.escape(re.sub(r":\d+$", "", name)) for name in names)
    return {each.replace(r"\*", ".*").replace(r"\?", ".") for each in bare}


HANDLERS = {
    "stricthostcheck": strict_host_check,
    "httpprotocoloptions": protocol_options,
    "registerhttpmethod": register,
    "regexdefaultoptions": regex_defaults,
    "sslcarevocationcheck": revocation,
    "sslverifydepth": verify_depth,
}
