"""mod_proxy: what is forwarded where, and how the addresses in answers are mapped back."""

from __future__ import annotations

import re
from typing import Any

from proxy_core.apache.balancing import balancer, configure
from proxy_core.apache.draft import Draft, Here, Ignored, Row, Unsupported
from proxy_core.apache.lexer import Directive
from proxy_core.apache.parameters import ROUTE, left_over, parameters, taken
from proxy_core.apache.table import Handler, choice, on, option, seconds, setting, span, text


def proxy_pass(here: Here, said: Directive) -> None:
    """ProxyPass and ProxyPassMatch, in a server or in a <Location>."""
    here.unconditional()
    regex = said.key == "proxypassmatch"
    args = said.args
    if here.section is None:
        path, *args_left = args
    elif here.section.kind in ("location", "locationmatch"):
        path, args_left = here.section.argument, list(args)
        if here.section.kind == "locationmatch" and not regex:
            raise Ignored("in a <LocationMatch> the expression is taken for a path, which no request has")
    else:
        raise Unsupported(f"it stands inside {here.section.directive}, where httpd takes none")
    if not args_left:
        raise Unsupported("it has no target")
    url, *words = args_left
    row: dict[str, Any] = {"path_regex" if regex else "path": path}
    if not regex and not path.startswith("/"):
        raise Ignored("no path begins like this")
    if url == "!":
        row["except"] = True
        row |= taken(here, parameters(tuple(words)), {"mapping": ROUTE["mapping"]})
    else:
        row["proxy"] = url
        given = parameters(tuple(words))
        if given.pop("nocanon", ""):
            row["nocanon"] = True
        if given.pop("interpolate", "") and "${" in url:
            row["interpolate"] = here.section.interpolates if here.section is not None else None
        _forwarded(here, said, url, given, row)
    (here.server.routes if here.section is None else here.server.located).append(Row(row, [said]))


def _forwarded(here: Here, said: Directive, url: str, given: dict[str, str], row: dict[str, Any]) -> None:
    named = re.match(r"balancer://([^/$]+)", url, re.IGNORECASE)
    if "mapping" in given:
        row |= taken(here, given, {"mapping": ROUTE["mapping"]})
    if named is not None:
        group = balancer(here, said, named[1])
        if given:
            configure(here, said, group, given)
        return
    if re.match(r"(?:https?|wss?|unix):", url, re.IGNORECASE) is None:
        raise Unsupported("targets are http, https, ws, wss, unix: and balancer URLs")
    row |= taken(here, given, ROUTE)
    if not row.get("timeout", 1):
        del row["timeout"]
    waits = given.pop("connectiontimeout", "")
    if waits:
        here.draft.connects.append((span(waits), said))
    left_over(here, given)


def reverse(kind: str) -> Handler:
    """ProxyPassReverse and its like for cookies."""

    def handler(here: Here, said: Directive) -> None:
        here.unconditional()
        args = [word for word in said.args if word.lower() != "interpolate"]
        if len(args) < len(said.args) and any("${" in word for word in args):
            raise Unsupported("addresses in answers are mapped back without variables")
        if kind == "location":
            if len(args) == 1 and here.section is not None:
                args.insert(0, here.section.argument)
            public, internal = args
            row = {"internal": internal, "public": public}
        else:
            internal, public = args
            row = {"kind": kind, "internal": internal, "public": public}
        if here.section is not None:
            row["location"] = here.location(said).content["id"]
        here.server.reverse.append(Row(row, [said]))

    return handler


def error_override(here: Here, said: Directive) -> None:
    """ProxyErrorOverride On [code …]"""
    setting("error_override", on)(here, said)
    codes = list(said.args[1:])
    if codes and here.section is not None:
        here.location(said).content["override_codes"] = codes
    elif codes:
        here.server.options["override_codes"] = (codes, said)


def interpolate_env(here: Here, said: Directive) -> None:
    """ProxyPassInterpolateEnv: whether the word interpolate has a meaning."""
    if here.section is None:
        return option("interpolates", on)(here, said)
    here.section.interpolates = on(said)


def interpolating(draft: Draft) -> None:
    """Rows with the word keep it where the section, the server or the main server has switched it on."""
    for server in draft.servers():
        said = server.said("interpolates")
        switched = bool(draft.main.said("interpolates") if said is None else said)
        for row in (*server.routes, *server.located):
            wanted = row.content.pop("interpolate", False)
            if switched if wanted is None else wanted:
                row.content["interpolate"] = True


def proxy_requests(here: Here, said: Directive) -> None:
    if on(said):
        raise Unsupported("this is a reverse proxy; it forwards to nothing that the site does not name")
    raise Ignored("it is always off here")


def always(word: str, why: str) -> Handler:
    """A directive that may say one thing, which is what is done here."""

    def handler(here: Here, said: Directive) -> None:
        if text(said).lower() != word:
            raise Unsupported(why)
        raise Ignored(why)

    return handler


HANDLERS: dict[str, Handler] = {
    "proxypass": proxy_pass,
    "proxypassmatch": proxy_pass,
    "proxypassreverse": reverse("location"),
    "proxypassreversecookiedomain": reverse("cookie_domain"),
    "proxypassreversecookiepath": reverse("cookie_path"),
    "proxytimeout": option("proxy_timeout", seconds),
    "proxyerroroverride": error_override,
    "proxypreservehost": setting("preserve_host", on),
    "proxyaddheaders": setting("add_forwarded", on),
    "proxyvia": option("via", choice({name: name for name in ("off", "on", "full", "block")})),
    "proxyrequests": proxy_requests,
    "proxywebsocketidletimeout": option("tunnel_timeout", seconds),
    "proxy100continue": always("on", "100 Continue of members is passed on"),
    "proxypassinherit": always("on", "the main server's routes come first, whatever it says"),
    "proxybadheader": always("iserror", "an answer with a broken field is 502"),
    "proxypassinterpolateenv": interpolate_env,
    "proxymaxforwards": always("-1", "Max-Forwards is counted down where a client sends it"),
    "proxyblock": always("", "it is for forward proxies"),
    "proxyhctpsize": always("", "checks wait for nobody"),
}
