"""Addresses in answers, mapped back: ProxyPassReverse and its like for cookies, and what reverse = "auto" does."""

from __future__ import annotations

import re
from pathlib import Path

from msgspec.structs import replace

from proxy_core.apache.draft import unique
from proxy_core.apache.import_context import ImportContext, Unsupported
from proxy_core.apache.lexer import Directive, Lines, Unsayable, line
from proxy_core.apache.options import Handler
from proxy_core.apache.report import Lose
from proxy_core.config.model import Location, ReverseRule, Route, Site
from proxy_core.http.target import as_bytes_text, balancer, escaped, origin
from proxy_core.rules.rewriting import flags
from proxy_core.rules.routing.reverse import effective_target

_KINDS = {"location": "", "cookie_domain": "CookieDomain", "cookie_path": "CookiePath"}


def reverse(kind: str) -> Handler:
    """ProxyPassReverse and its like for cookies."""

    def handler(context: ImportContext, directive: Directive) -> None:
        context.unconditional()
        args = [word for word in directive.args if word.lower() != "interpolate"]
        if len(args) < len(directive.args) and any("${" in word for word in args):
            raise Unsupported("addresses in answers are mapped back without variables")
        row = {} if kind == "location" else {"kind": kind}
        if kind == "location" and len(args) == 1 and context.section is not None:
            args.append(context.section.argument)
        elif kind == "location":
            args.reverse()
        internal, public = args
        row |= {"internal": internal, "public": public, **context.place()}
        context.add(directive, "reverse", row)

    return handler


HANDLERS = {f"proxypassreverse{name.lower()}": reverse(kind) for kind, name in _KINDS.items()}


def plain(site: Site, lose: Lose) -> Site:
    """What reverse = "auto" does, as rows, behind those that are there."""
    if site.site.reverse == "off":
        return site
    rows = list(site.reverse)
    locations = list(site.locations)
    for row in site.routes:
        if row.proxy is None or not row.enabled:
            continue
        public, internal = _both(row, row.proxy)
        if not internal:
            continue
        rows.append(ReverseRule(host=row.host, internal=internal, public=public))
        path = re.sub(r"^\w+://[^/]*", "", internal)
        if row.path is not None and path != public:
            name = unique(f"{row.id}-cookies", [each.id for each in locations])
            locations.append(Location(id=name, host=row.host, path=row.path))
            inside, outside = (each.rstrip("/") or "/" for each in (path, public))
            rows.append(ReverseRule(host=row.host, location=name, kind="cookie_path", internal=inside, public=outside))
    for rule in site.rewrites:
        if not rule.enabled or not flags.parse(rule.flags).proxy:
            continue
        target = re.match(r"(?:https?|wss?|balancer)://[^/$%{\\]+(?=[/?]|\Z)", rule.substitution)
        if target is None:
            why = f"{rule.id} finds its target at each request: write a row of [[reverse]] for each that it may find"
            lose(("site", "reverse"), why)
        else:
            url = target[0] if target[0].startswith("balancer:") else _http(target[0])
            rows.append(ReverseRule(host=rule.host, internal=f"{url}/", public="/"))
    kept = {(row.host, row.location, row.kind, row.internal, row.public): row for row in reversed(rows)}
    first = tuple(reversed(kept.values()))
    return replace(site, site=replace(site.site, reverse="off"), reverse=first, locations=tuple(locations))


def _both(row: Route, proxy: str) -> tuple[str, str]:
    """The public and the internal address of a route; the internal one is empty where nobody can undo what it does."""
    if row.path is not None:
        public = row.path
    else:
        regex = row.path_regex or ""
        for whole in ("$0", "$1") if regex.startswith("^(/") and regex.endswith(")$") else ("$0",):
            proxy = proxy.removesuffix(whole)
        if {"$", "\\"} & {*proxy}:
            return "", ""
        public, proxy = "/", proxy.rstrip("/") + "/"
    named = balancer(proxy)
    if named is not None:
        base, path = f"balancer://{named[0]}", named[1]
    else:
        base, path = _http(proxy), origin(proxy).path
    return _spelled(public), base + _spelled(effective_target(public, path))


def _http(url: str) -> str:
    where = origin(url)
    return f"{where.transport}://{where.authority}"


def _spelled(path: str) -> str:
    return escaped(as_bytes_text(path)).decode("ascii")


def spelled(site: Site, row: ReverseRule, folder: Path) -> Lines:
    """A row of [[reverse]]. Raises Unsayable."""
    place = next((each for each in site.locations if row.location and each.id == row.location), None)
    args = [row.public, row.internal] if row.kind == "location" else [row.internal, row.public]
    if place is not None and place.expr:
        raise Unsayable("an address is mapped back whatever holds: there is no such line for <If>")
    if place is not None and row.kind == "location":
        if row.public != place.path:
            raise Unsayable("in a <Location> an address is mapped to the path of the <Location>")
        args = [row.internal]
    return [line(f"ProxyPassReverse{_KINDS[row.kind]}", *args)]


SPELL = {"reverse": spelled}
