"""mod_cache: what is kept, for how long, and where (modules/cache/mod_cache.c, cache_util.c).

CacheEnable and CacheDisable become rows of [[locations]]: their paths are beginnings of a text, not whole segments.
CacheDisable wins over CacheEnable wherever it stands, so its rows come last. What is fresh is given there before access
is asked (CacheQuickHandler); here never.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from msgspec.structs import replace

from proxy_core.apache.draft import DraftRow
from proxy_core.apache.import_context import Ignored, ImportContext, Unsupported
from proxy_core.apache.lexer import Directive, Lines, line
from proxy_core.apache.options import CACHE, PATH, SWITCH, by_name, directives, first
from proxy_core.config.model import Cache, Location, Site

_LISTS = {"cacheignoreheaders": "ignore_fields", "cacheignoreurlsessionidentifiers": "ignore_session_ids"}
_KINDS = {name.lower(): option for name, option in CACHE.items()}


def _row(context: ImportContext, directive: Directive) -> dict[str, Any]:
    """[cache], which is the whole site's. Raises Unsupported in sections and hosts."""
    context.server_only()
    if context.server is not context.draft.main:
        raise Unsupported("there is one cache for all hosts; move it out of <VirtualHost>")
    row = context.draft.cache
    row.origins.append(directive)
    return row.content


def one(context: ImportContext, directive: Directive) -> None:
    """A directive of CACHE."""
    key, kind = _KINDS[directive.key]
    value = kind.read(first(directive))
    _row(context, directive)[key] = context.draft.path(value) if kind is PATH else value


def named(context: ImportContext, directive: Directive) -> None:
    """CacheIgnoreHeaders, CacheIgnoreURLSessionIdentifiers: names, or None."""
    first(directive)
    content, key = _row(context, directive), _LISTS[directive.key]
    names = [] if directive.args[0].lower() == "none" else [*content.get(key, []), *directive.args]
    content[key] = names


def told(context: ImportContext, directive: Directive) -> None:
    """CacheHeader, CacheDetailHeader: X-Cache there, Cache-Status here."""
    if SWITCH.read(first(directive)):
        _row(context, directive)["status"] = "all"
    elif directive.key == "cacheheader":
        _row(context, directive)["status"] = "off"


def lock(context: ImportContext, directive: Directive) -> None:
    """CacheLock On|Off"""
    if not SWITCH.read(first(directive)):
        _row(context, directive)["wait"] = 0


def enable(context: ImportContext, directive: Directive) -> None:
    """CacheEnable type [path]"""
    first(directive)
    content = context.draft.cache.content
    content.setdefault("default_expire", 3600)
    content.setdefault("cookies", True)  # as it keeps them: CacheIgnoreHeaders Set-Cookie says otherwise
    context.draft.cache.origins.append(directive)
    _placed(context, directive, directive.args[1:], cached=True)


def disable(context: ImportContext, directive: Directive) -> None:
    """CacheDisable path|on"""
    args = [] if context.section is not None and first(directive).lower() == "on" else directive.args
    _placed(context, directive, args, cached=False)


def _placed(context: ImportContext, directive: Directive, args: Sequence[str], *, cached: bool) -> None:
    if context.section is not None and not args:
        row = context.location()
        row.content["cache"] = cached
        row.origins.append(directive)
        return
    context.server_only()
    path = args[0] if args else "/"
    if not path.startswith("/"):
        raise Unsupported("it names a host or a scheme; put it with its path alone into the <VirtualHost> of that host")
    where = {"path": path} if path.endswith("/") else {"path_regex": f"^{re.escape(path)}"}
    stem = re.sub(r"[^A-Za-z0-9]+", "-", path).strip("-").lower() or "root"
    content = {"id": context.draft.location_id(stem), **where, "cache": cached}
    rows = context.server.locations
    later = next((n for n, row in enumerate(rows) if cached and row.content.get("cache") is False), len(rows))
    rows.insert(later, DraftRow(content, [directive]))


def quick(context: ImportContext, directive: Directive) -> None:
    """CacheQuickHandler On|Off"""
    SWITCH.read(first(directive))
    raise Ignored("access is asked before anything that is kept is given, as with Off")


HANDLERS: dict[str, Callable[[ImportContext, Directive], None]] = {
    **dict.fromkeys(_KINDS, one),
    **dict.fromkeys(_LISTS, named),
    **dict.fromkeys(("cacheheader", "cachedetailheader"), told),
    "cachelock": lock,
    "cacheenable": enable,
    "cachedisable": disable,
    "cachequickhandler": quick,
}
IGNORED = by_name({
    "what is kept is found by itself": """
        cachelockpath cachedirlevels cachedirlength cacheminfilesize cachekeybaseurl cachesocache cachesocachemaxsize
        cachesocachemaxtime cachesocachemintime cachesocachereadsize cachesocachereadtime
        cachereadsize cachereadtime""",
    "files are read when they are asked for": "cachefile mmapfile",
})  # fmt: skip

_WHY = "Apache has no such bound"
LOST = {
    "Cache.memory": _WHY,
    "Cache.entries": _WHY,
    "Cache.files": "Apache has no such bound; htcacheclean keeps its folder small",
    "Cache.in_memory": "Apache keeps all answers in one place",
    "Cache.unkeyed": "Apache has no fields that rules set in its key",
    "Cache.ignore_session_ids": "Apache has them for the whole server alone",
}


def plain(site: Site) -> Site:
    """A site whose locations say what is kept, and whose cache has what Apache's has to have."""
    if not _used(site):
        return site
    cache, fields = site.cache, list(site.cache.ignore_fields)
    if not cache.cookies and "set-cookie" not in [name.lower() for name in fields]:
        fields += ["Set-Cookie", "Set-Cookie2"]
    cache = replace(cache, folder=cache.folder or "cache", cookies=True, ignore_fields=tuple(fields))
    kept = tuple(
        Location(id=f"cache-{row.id}", host=row.host, path=row.path, path_regex=row.path_regex, cache=True)
        for row in site.routes
        if row.cache and row.enabled
    )
    routes = tuple(replace(row, cache=False) for row in site.routes)
    return replace(site, cache=cache, routes=routes, locations=(*kept, *site.locations))


def lines(site: Site) -> Lines:
    """[cache], where a location has one."""
    if not _used(site):
        return []
    cache = site.cache
    found = ["CacheQuickHandler Off", *directives(_OUT, cache, _HTTPD)]
    found += [line("CacheIgnoreHeaders", *cache.ignore_fields)] * bool(cache.ignore_fields)
    found += ["CacheLock On", *directives({"CacheLockMaxAge": CACHE["CacheLockMaxAge"]}, cache)] * bool(cache.wait)
    found += ["CacheHeader On"] * (cache.status != "off")
    return [line("CacheRoot", cache.folder or "cache"), *found]


_OUT = {name: option for name, option in CACHE.items() if name not in ("CacheRoot", "CacheLockMaxAge")}
_HTTPD = Cache(default_expire=3600.0, largest=1_000_000)
"""What Apache does by itself."""


def _used(site: Site) -> bool:
    return any(row.cache for row in site.routes) or any(row.cache for row in site.locations)


def lines_of_location(row: Location) -> Lines:
    """What a location says of it."""
    return [] if row.cache is None else ["CacheEnable disk"] if row.cache else ["CacheDisable On"]
