"""What takes a path: rows of [[routes]]. ProxyPass forwards (mod_proxy), Redirect and Alias answer (mod_alias).

Redirects and folders come behind what is forwarded, redirects first (``translate_alias_redir``); those of sections are
for their requests, behind access and rules.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from proxy_core.apache.draft import UNANSWERED, DraftRow, SiteDraft, holds
from proxy_core.apache.import_context import Ignored, ImportContext, Unsupported
from proxy_core.apache.lexer import Directive, Lines, line, word
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
from proxy_core.apache.subjects.balancing import configure, connect_timeout, own_balancer, without_user
from proxy_core.apache.subjects.listeners import whole_seconds
from proxy_core.apache.subjects.pooled_urls import pooled
from proxy_core.config.destination import destination
from proxy_core.config.folders import parted
from proxy_core.config.model import Route, Site
from proxy_core.http.target import balancer
from proxy_core.rules.rewriting.flags import is_redirect
from proxy_core.rules.text.wildcards import regex_of

_WORDS = {"permanent": 301, "temp": 302, "seeother": 303, "gone": 410}

_EXPRESSION = re.compile(r"%\{|\$[0-9]").search
_OF_ITS_NAME = {"redirectpermanent": 301, "redirecttemp": 302}


def redirect(context: ImportContext, directive: Directive) -> None:
    """Redirect [status] path [URL], RedirectMatch [status] regex [URL]; in a section also without the path, and for its
    requests alone (``fixup_redir``)."""
    args = list(directive.args)
    status = _OF_ITS_NAME.get(directive.key, 302)
    if args[0].lower() in _WORDS:
        status = _WORDS[args.pop(0).lower()]
    elif args[0].isdigit():
        status = int(args.pop(0))
    goes, whole = 300 <= status < 400, False
    key = "path_regex" if directive.key == "redirectmatch" else "path"
    if context.section is not None and len(args) == int(goes):
        if goes and _EXPRESSION(args[-1]):
            context.close(directive)
            raise Unsupported("a redirect is to a fixed URL, so nobody is let in there; write a RewriteRule for it")
        # Nothing is appended to the URL here: httpd takes it for one that says it all.
        key, whole = "path_regex", True
        args = ["^", *(word.replace("$", "\\$") for word in args)]
    row: dict[str, Any] = {key: args[0], "redirect": {"status": status}, **context.place()}
    if goes:
        row["redirect"] = {"to": args[1], "status": status}
    if context.section is None:
        return context.add(directive, "redirects", row)
    made = DraftRow(row, [directive])
    if whole:
        context.section.redirected = made
    else:
        context.server.sent.append(made)
    if context.section not in context.server.redirecting:
        context.server.redirecting.append(context.section)
    return None


def redirecting(draft: SiteDraft) -> None:
    """What is sent away whole, by a section or by one round it, is so before the paths of the section are looked at
    (``merge_alias_dir_config``, ``fixup_redir``)."""
    for server in draft.servers():
        found, sections = [], list(dict.fromkeys((*draft.main.redirecting, *server.redirecting)))
        for section in sections:
            around = [each for each in sections if each.redirected and (each is section or holds(each, section))]
            last = max(around, key=lambda each: (each is section, len(each.argument)), default=None)
            if last is None or not {last, section} & {*server.redirecting}:
                continue
            assert last.redirected is not None
            assert section.row is not None
            place = {"location": section.row.content["id"]}
            found.append(DraftRow(last.redirected.content | place, last.redirected.origins))
        server.sent[:0] = found


def alias(context: ImportContext, directive: Directive) -> None:
    """Alias path folder; in a <Location> the file alone, which every path of it gets (``try_alias``)."""
    context.unconditional()
    args = list(directive.args)
    within = context.section is not None
    if within and len(args) == 1:
        if context.section is None or context.section.kind != "location":
            raise Unsupported("files are served below a path, not for an expression; give it one, outside")
        path, said = context.section.argument.rstrip("/"), context.section.directive.inside or ()
        if not any(each.key == "aliaspreservepath" and is_on(each) for each in said):
            if Path(context.draft.whole(args[0])).is_dir():
                context.lose(f"httpd takes each path below for the folder itself: write Alias {path} outside")
            end = "/" if context.section.argument.endswith("/") else "(?:/|$)"
            row = {"path_regex": f"^{re.escape(path)}{end}", "folder": context.draft.path(args[0])}
            return context.add(directive, "located_aliases", row)
        args.insert(0, context.section.argument)
    path, folder = args
    if not path.startswith("/"):
        raise Ignored("no path begins like this")
    if path.endswith("/") and not folder.endswith("/"):
        raise Unsupported(f"{folder} is put together with what follows {path}; end both with a slash, or neither")
    row = {"path": path, "folder": context.draft.path(folder)}
    return context.add(directive, "located_aliases" if within else "aliases", row)


def preserve_path(context: ImportContext, directive: Directive) -> None:
    """AliasPreservePath On|Off, for the Alias beside it."""
    if context.section is None and is_on(directive):
        raise Unsupported("write it into the <Location> of the Alias that it is for")


def alias_match(context: ImportContext, directive: Directive) -> None:
    """AliasMatch regex folder"""
    context.server_only()
    regex, folder = directive.args
    fixed, rest = parted(Route(path_regex=regex, folder=folder))
    context.add(directive, "aliases", {"path_regex": regex, "folder": context.draft.path(fixed) + rest})


def forwards(url: str) -> bool:
    """Whether a URL is one that requests are forwarded to here."""
    return re.match(r"(?:unix:[^|]*\|)?(?:https?|wss?)://|balancer://", url, re.IGNORECASE) is not None


UNFORWARDED = (
    "targets are http, https, ws, wss, unix: and balancer URLs, "
    "so 503 answers for it; put a member that speaks HTTP there"
)


def program(context: ImportContext, directive: Directive) -> None:
    """ScriptAlias, WSGIScriptAlias and their like take a path, or what an expression is found in, for a program: nobody
    gets to read it instead."""
    context.server_only()
    key = "path" if directive.key.endswith("alias") else "path_regex"
    context.add(directive, "aliases", {key: directive.args[0], **UNANSWERED})
    raise Unsupported("programs are not run here, so 503 answers for it; let a member run them")


def servlets(context: ImportContext, directive: Directive) -> None:
    """JkMount path worker, with wildcards; in a <Location> without the path."""
    if context.section is None:
        context.unanswered(directive, {"path_regex": f"^{regex_of(directive.args[0], '.')}$"})
    else:
        context.close(directive)
    raise Unsupported(UNFORWARDED)


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
    url = without_user(url)
    row: dict[str, Any] = {"path_regex" if regex else "path": path}
    if not regex and not path.startswith("/"):
        raise Ignored("no path begins like this")
    if url != "!" and not forwards(url):
        context.unanswered(directive, row)
        raise Unsupported(UNFORWARDED)
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
        group = own_balancer(context, directive, url)
        if given:
            configure(context, directive, group, given)
        return
    pooled(context, directive, url, given, sets=False)
    row |= taken(context, given, ROUTE)
    if not row.get("timeout", 1):
        del row["timeout"]
    if waits := given.pop("connectiontimeout", ""):
        context.draft.connects.append((span(waits), directive))
    left_over(context, given)


def express(context: ImportContext, directive: Directive) -> None:
    """ProxyExpressEnable On|Off"""
    if not is_on(directive):
        raise Ignored("it is always off here")
    context.close(directive)
    raise Unsupported("it takes every path of a host that its map names, so nobody is let in; write a RewriteRule with "
                      "a dbm map")  # fmt: skip


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
    **dict.fromkeys(("redirect", "redirectmatch", "redirectpermanent", "redirecttemp"), redirect),
    "alias": alias,
    "aliaspreservepath": preserve_path,
    "aliasmatch": alias_match,
    **dict.fromkeys(
        ("scriptalias", "scriptaliasmatch", "wsgiscriptalias", "wsgiscriptaliasmatch", "luamaphandler"), program
    ),
    "jkmount": servlets,
    "proxyexpressenable": express,
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
    "proxywebsocketfallbacktoproxyhttp": only(
        True, "ordinary requests to ws URLs are served", "ordinary requests to ws URLs are served, not refused", is_on
    ),
    "proxybadheader": only("iserror", "an answer with a broken field is 502"),
    "proxymaxforwards": only("-1", "Max-Forwards is counted down where a client sends it"),
    "proxyblock": only("", "it is for forward proxies"),
    "proxyhctpsize": only("", "checks wait for nobody"),
}
IGNORED = by_name({"it is for forward proxies": "noproxy proxydomain proxyftpdircharset proxyftplistonwildcard"})
UNSUPPORTED = by_name({
    "members are connected to directly, through no other proxy": "proxyremote proxyremotematch",
    "the system chooses the address that members see": "proxysourceaddress",
    "write a RewriteRule with a dbm map": "proxyexpressdbmfile",
})  # fmt: skip


LOST = {"Route.shadow": "Apache sends no copies of requests anywhere"}


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
        return [_answered(row, folder)]
    name, taken = ("ProxyPass", row.path) if row.path is not None else ("ProxyPassMatch", row.path_regex or "")
    parts = [name, word(taken), word(row.proxy or "!"), *["nocanon"] * row.nocanon, *["interpolate"] * row.interpolate]
    parts += words(ROUTE, row, Route())
    wait = connect_timeout(site)
    if row.proxy is not None and wait is not None and balancer(row.proxy) is None:
        parts.append(f"connectiontimeout={TIME.spell(wait)}")
    return [" ".join(parts)]


def _answered(row: Route, folder: Path) -> str:
    """A redirect or a folder of [[routes]]. Raises Unsayable."""
    taken = row.path if row.path is not None else row.path_regex or ""
    if row.redirect is not None:
        to = [row.redirect.to] if row.redirect.to else []
        return line("Redirect" if row.path is not None else "RedirectMatch", str(row.redirect.status), taken, *to)
    place = str((folder / (row.folder or "")).absolute())
    if row.path is None:
        return line("AliasMatch", taken, place)
    return line("Alias", taken, place + "/" * (taken.endswith("/") and not place.endswith("/")))


SPELL = {"routes": spelled}
