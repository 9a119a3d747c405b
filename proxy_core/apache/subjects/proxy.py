"""mod_proxy: what is forwarded where. Rows of [[routes]] that redirect or are folders are in ``alias``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from proxy_core.apache.draft import SiteDraft
from proxy_core.apache.import_context import Ignored, ImportContext, Unsupported
from proxy_core.apache.lexer import Directive, Lines, word
from proxy_core.apache.options import (
    ROUTE,
    SWITCH,
    TIME,
    by_name,
    is_on,
    left_over,
    only,
    option,
    parameters,
    span,
    taken,
    words,
)
from proxy_core.apache.report import Lose
from proxy_core.apache.subjects import alias
from proxy_core.apache.subjects.balancing import balancer_named, configure, connect_timeout
from proxy_core.apache.subjects.limits import whole_seconds
from proxy_core.config.destination import destination
from proxy_core.config.model import Route, Site
from proxy_core.http.target import balancer
from proxy_core.rules.rewriting.flags import is_redirect


def proxy_pass(context: ImportContext, directive: Directive) -> None:
    """ProxyPass and ProxyPassMatch, in a server or in a <Location>."""
    context.unconditional()
    regex = directive.key == "proxypassmatch"
    args = directive.args
    if context.section is None:
        path, *args_left = args
    elif context.section.kind in ("location", "locationmatch"):
        path, args_left = context.section.argument, list(args)
        if context.section.kind == "locationmatch" and not regex:
            raise Ignored("in a <LocationMatch> the expression is taken for a path, which no request has")
    else:
        raise Unsupported(f"it stands inside {context.section.directive}, where httpd takes none")
    if not args_left:
        raise Unsupported("it has no target")
    url, *rest = args_left
    row: dict[str, Any] = {"path_regex" if regex else "path": path}
    if not regex and not path.startswith("/"):
        raise Ignored("no path begins like this")
    if url == "!":
        row["except"] = True
        row |= taken(context, parameters(rest), {"mapping": ROUTE["mapping"]})
    else:
        row["proxy"] = url
        given = parameters(rest)
        if given.pop("nocanon", ""):
            row["nocanon"] = True
        if given.pop("interpolate", "") and "${" in url:
            row["interpolate"] = context.section.interpolates if context.section is not None else None
        _forwarded(context, directive, url, given, row)
    context.add(directive, "routes" if context.section is None else "located", row)


def _forwarded(
    context: ImportContext, directive: Directive, url: str, given: dict[str, str], row: dict[str, Any]
) -> None:
    """The parameters of a target: of a balancer they are its own, of a URL the row's."""
    named = re.match(r"balancer://([^/$]+)", url, re.IGNORECASE)
    row |= taken(context, given, {"mapping": ROUTE["mapping"]})
    if named is not None:
        group = balancer_named(context, directive, named[1])
        if given:
            configure(context, directive, group, given)
        return
    if re.match(r"(?:https?|wss?|unix):", url, re.IGNORECASE) is None:
        raise Unsupported("targets are http, https, ws, wss, unix: and balancer URLs")
    row |= taken(context, given, ROUTE)
    if not row.get("timeout", 1):
        del row["timeout"]
    if waits := given.pop("connectiontimeout", ""):
        context.draft.connects.append((span(waits), directive))
    left_over(context, given)


def interpolate_env(context: ImportContext, directive: Directive) -> None:
    """ProxyPassInterpolateEnv: whether the word interpolate has a meaning."""
    if context.section is None:
        return option("interpolates", SWITCH)(context, directive)
    context.section.interpolates = is_on(directive)


def interpolating(draft: SiteDraft) -> None:
    """Rows with the word keep it where the section, the server or the main server has switched it on."""
    for server in draft.servers():
        own = server.option("interpolates")
        switched = bool(draft.main.option("interpolates") if own is None else own)
        for row in (*server.routes, *server.located):
            wanted = row.content.pop("interpolate", False)
            if switched if wanted is None else wanted:
                row.content["interpolate"] = True


HANDLERS = {
    "proxypass": proxy_pass,
    "proxypassmatch": proxy_pass,
    "proxypassinterpolateenv": interpolate_env,
    "proxyrequests": only(
        False,
        "it is always off here",
        "this is a reverse proxy; it forwards to nothing that the site does not name",
        is_on,
    ),
    "proxy100continue": only("on", "100 Continue of members is passed on"),
    "proxypassinherit": only("on", "the main server's routes come first, whatever it says"),
    "proxybadheader": only("iserror", "an answer with a broken field is 502"),
    "proxymaxforwards": only("-1", "Max-Forwards is counted down where a client sends it"),
    "proxyblock": only("", "it is for forward proxies"),
    "proxyhctpsize": only("", "checks wait for nobody"),
}
IGNORED = by_name({"it is for forward proxies": "noproxy proxydomain proxyftpdircharset proxyftplistonwildcard"})
UNSUPPORTED = by_name({
    "members are connected to directly, through no other proxy": "proxyremote proxyremotematch",
    "the system chooses the address that members see": "proxysourceaddress",
    "write a RewriteRule with a dbm map": "proxyexpressenable proxyexpressdbmfile",
})  # fmt: skip


def forwarded(row: Route, lose: Lose) -> Route:
    """A row as Apache can say it."""
    at = ("routes", row.id)
    for key in ("preserve_host", "error_override", "override_codes", "max_body"):
        if getattr(row, key) not in (None, ()):
            lose((*at, key), "Apache has it for a <Location>: write a row of [[locations]]")
    row = replace(row, preserve_host=None, error_override=None, override_codes=(), max_body=None)
    if row.redirect is not None and not is_redirect(row.redirect.status):
        row = replace(row, redirect=replace(row.redirect, to=""))
    if row.proxy is None:
        return replace(row, timeout=None, upgrade=(), nocanon=False, interpolate=False)
    if balancer(row.proxy) is not None:
        if row.timeout is not None or row.upgrade:
            lose((*at, "timeout" if row.timeout else "upgrade"), "its members have it: say it there")
        row = replace(row, timeout=None, upgrade=())
    elif row.path is not None and row.path.endswith("/") and not destination(row)[1]:
        row = replace(row, proxy=f"{row.proxy}/")
    if row.timeout is not None and not float(row.timeout).is_integer():
        row = replace(row, timeout=whole_seconds(row.timeout))
        lose((*at, "timeout"), "Apache counts whole seconds here")
    if len(row.upgrade) > 1:
        lose((*at, "upgrade"), "Apache takes one protocol, or ANY")
    return replace(row, upgrade=row.upgrade[:1], nocanon=row.nocanon and row.mapping == "decoded")


def spelled(site: Site, row: Route, folder: Path) -> Lines:
    """A row of [[routes]]. Raises Unsayable."""
    if row.redirect is not None or row.folder is not None:
        return [alias.spelled(row, folder)]
    name, taken = ("ProxyPass", row.path) if row.path is not None else ("ProxyPassMatch", row.path_regex or "")
    parts = [name, word(taken), word(row.proxy or "!"), *["nocanon"] * row.nocanon, *["interpolate"] * row.interpolate]
    parts += words(ROUTE, row, Route())
    wait = connect_timeout(site)
    if row.proxy is not None and wait is not None and balancer(row.proxy) is None:
        parts.append(f"connectiontimeout={TIME.spell(wait)}")
    return [" ".join(parts)]


SPELL = {"routes": spelled}
