"""Directives of httpd's core, and the options of servers that one directive each says.

In, ``HANDLERS`` is the table of what is mapped, ``IGNORED`` that of what makes no difference here, each with the reason
that the report gives. Out, ``plain`` says as rows what a site does by itself, and ``lines`` are the options.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from msgspec.structs import replace

from proxy_core.apache import doubts
from proxy_core.apache.import_context import Ignored, ImportContext, Unsupported
from proxy_core.apache.lexer import Directive, Lines, line
from proxy_core.apache.options import SERVER, SITE, SWITCH, by_name, directives, first, handlers, is_on, only
from proxy_core.apache.subjects import error_pages, listings, variables
from proxy_core.apache.subjects.listeners import limit_request_body, milliseconds
from proxy_core.config.model import HeaderRule, Options, Site
from proxy_core.http.target import balancer


def use_canonical_name(context: ImportContext, directive: Directive) -> None:
    """UseCanonicalName On|Off"""
    if first(directive).lower() == "dns":
        raise Unsupported("names of addresses are not looked up")
    _OF_SERVERS["usecanonicalname"](context, directive)


def server_admin(context: ImportContext, directive: Directive) -> None:
    """ServerAdmin address: in doubt where anything asks for it."""
    context.draft.doubt(context.server, "SERVER_ADMIN", directive)
    raise Ignored("no page here says it")


def hostname_lookups(context: ImportContext, directive: Directive) -> None:
    """HostnameLookups On|Off|Double"""
    if first(directive).lower() == "off":
        raise Ignored("names of addresses are not looked up")
    context.draft.doubt(context.server, "REMOTE_HOST", directive)
    raise Unsupported("names of addresses are not looked up")


def load_module(context: ImportContext, directive: Directive) -> None:
    """LoadModule name file: of all modules one sets a variable by being there."""
    if directive.args[:1] == ("unique_id_module",) and variables.UNIQUE_ID in context.draft.asked_names:
        context.draft.doubt(context.server, doubts.variable(variables.UNIQUE_ID), directive)
    raise Ignored("what is here needs no loading")


_OF_SERVERS = handlers(SERVER)
HANDLERS = {
    **handlers(SITE),
    **_OF_SERVERS,
    "limitrequestbody": limit_request_body,
    "loadmodule": load_module,
    "serveradmin": server_admin,
    "hostnamelookups": hostname_lookups,
    "usecanonicalname": use_canonical_name,
    "usecanonicalphysicalport": only(
        False, "it is always off here", "give server_name the port that clients use", is_on
    ),
}
IGNORED = by_name({
    "it was followed while reading": "include includeoptional define undefine serverroot use error undefmacro",
    "the process looks after itself": """
        user group pidfile lockfile mutex defaultruntimedir coredumpdirectory scoreboardfile startservers
        minspareservers maxspareservers minsparethreads maxsparethreads threadlimit threadsperchild serverlimit
        maxrequestworkers maxclients maxconnectionsperchild maxrequestsperchild threadstacksize
        asyncrequestworkerfactor listenbacklog maxmemfree gracefulshutdowntimeout sendbuffersize receivebuffersize
        acceptfilter protocols protocolshonororder extendedstatus acceptmutex mpmstats""",
    "problems go to standard error and the console":
        "errorlog loglevel errorlogformat loglevelrequest",
    "nothing here says it, or does otherwise":
        "servertokens serversignature namevirtualhost",
    "connections of clients are kept; [limits] says how long": "keepalive maxkeepaliverequests",
    "loops of rules have a bound of their own": "limitinternalrecursion",
    "XML is not looked into": "limitxmlrequestbody",
    "the console does this": """
        balancerpersist proxystatus seerequesttail statusseerequesttail proxyiobuffersize proxyreceivebuffersize
        balancergrowth balancerinherit""",
})  # fmt: skip
LOST = {
    "Options.address_ttl": "Apache asks for a member's addresses once; addressttl= of a member may do",
    "Options.drain_timeout": "GracefulShutdownTimeout is the nearest, for apache2ctl graceful-stop",
    "Options.upgrade_timeout": "GracefulShutdownTimeout is the nearest, for apache2ctl graceful-stop",
    "Options.tunnel_timeout": "Apache has ProxyTimeout for tunnels",
    "Options.request_id": "mod_unique_id makes ids, and RequestHeader sends them",
    "Options.forwarded_header": "mod_proxy does not write Forwarded",
    "Site.bans": "Apache has no end for them: write Require not ip",
    "Site.metrics": "mod_status tells its numbers",
}
QUIET = frozenset({
    "Compress.min_length",
    "Options.secret_headers", "Route.shadow_fields", "Route.shadow_share", "Site.console", "Site.control", "Site.log",
    "Site.recording", "Site.tests",
})  # fmt: skip
"""What is about this program alone, or about what is lost as a whole: nothing is lost without it."""


def lines(options: Any, default: Any, folder: Path) -> Lines:
    """What [site], a host or a location sets by one directive each. Raises Unsayable."""
    found = directives(SERVER, options, default)
    overrides, codes = getattr(options, "error_override", None), getattr(options, "override_codes", None)
    if codes or (overrides is not None and overrides != default.error_override):
        found.append(" ".join(["ProxyErrorOverride", SWITCH.spell(overrides is not False), *(codes or ())]))
    root, index = getattr(options, "document_root", None), getattr(options, "directory_index", None)
    if root:
        found.append(line("DocumentRoot", str((folder / root).absolute())))
    if index is not None and index != getattr(default, "directory_index", None):
        found.append(line("DirectoryIndex", *(index or ["disabled"])))
    fallback = getattr(options, "fallback_resource", None)
    if fallback is not None and fallback != getattr(default, "fallback_resource", None):
        found.append(line("FallbackResource", fallback or "disabled"))
    said = {name: getattr(options, name, None) for name in ("autoindex", "index_ignore", "follow_links")}
    differing = (None if value == getattr(default, name, None) else value for name, value in said.items())
    return found + listings.lines(*differing)


def plain(site: Site) -> Site:
    """Options of the site, in whole milliseconds, with what is forwarded by itself as rows."""
    site = listings.plain(site)
    options = site.site
    headers = _forwarded(options) if options.forwarded == "trusted" else []
    options = replace(
        options,
        forwarded="append",
        timeout=milliseconds(options.timeout),
        connect_timeout=milliseconds(options.connect_timeout),
        override_codes=error_pages.codes(options.override_codes) if options.error_override else (),
    )
    return replace(site, site=options, headers=(*headers, *site.headers))


_SPOOFED = ("X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Server", "X-Forwarded-Port", "X-Forwarded-Prefix",
            "X-Forwarded-Ssl", "X-Real-IP", "Forwarded")  # fmt: skip


def _forwarded(options: Options) -> list[HeaderRule]:
    """forwarded = "trusted" as rows: mod_proxy appends to what a client says of itself, so it is taken away first."""
    trusted = (*options.trusted_proxies, *(options.internal_proxies if options.client_header else ()))
    among = " || ".join(f"%{{CONN_REMOTE_ADDR}} -ipmatch '{network}'" for network in trusted)
    others = f"!({among})" if among else ""
    rows = [HeaderRule(id=f"{name}-unset", on="request", action="unset", name=name, expr=others) for name in _SPOOFED]
    scheme = "expr=%{REQUEST_SCHEME}"
    name = "X-Forwarded-Proto"
    rows.append(HeaderRule(id=f"{name}-set", on="request", name=name, value=scheme, expr=others))
    if among:
        rows.append(HeaderRule(id=f"{name}-kept", on="request", action="setifempty", name=name, value=scheme))
    return rows


def connecting(site: Site) -> Site:
    """Members say themselves how long connecting may take; the site says it for what is forwarded without them."""
    if any(row.enabled and row.proxy and balancer(row.proxy) is None for row in site.routes):
        return site
    return replace(site, site=replace(site.site, connect_timeout=Options().connect_timeout))
