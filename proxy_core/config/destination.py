"""Where a route sends to, where its copies go, and whom a service of [forward_auth] is: the pool and the path that a
URL names.

This is the one place that reads ``proxy`` and ``shadow``. The target of a route with a regular expression has $N in it,
which may follow the host without a slash between: "http://host:8000$1". Pure.
"""

from __future__ import annotations

import re

from proxy_core.config.model import Route
from proxy_core.http.escaping import sendable
from proxy_core.http.target import as_bytes_text, balancer, escaped, origin

_REGEX_TARGET = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://[^/$\\]*)(.*)", re.DOTALL)


def destination(row: Route) -> tuple[str | None, str]:
    """Name of the pool and the path of the target as configured, $N and all; (None, "") for what forwards nothing.
    Raises ValueError for a URL that does not parse."""
    if row.proxy is None:
        return None, ""
    there, path = row.proxy, ""
    found = _REGEX_TARGET.fullmatch(row.proxy) if row.path_regex is not None else None
    if found is not None:
        there, path = found.groups()
    named = balancer(there)
    if named is not None:
        return named[0], named[1] + path
    upstream = origin(there)
    return upstream.url, upstream.path + path


def shadow_pool(row: Route) -> str | None:
    """Name of the pool that gets copies of a route's requests, None for none. Raises ValueError for what is neither
    balancer://name nor the URL of an origin: copies have the path that the real requests have."""
    if row.shadow is None or row.proxy is None:
        return None
    named = balancer(row.shadow)
    pool, path = named if named is not None else (origin(row.shadow).url, origin(row.shadow).path)
    if path:
        raise ValueError(f"{row.shadow} has a path, but copies go to the path that the real requests go to")
    return pool


def service(url: str) -> tuple[str, str]:
    """Name of the pool of a service, and the target that it is asked for, escaped and with its query. Raises ValueError
    for a URL that does not parse."""
    there, mark, query = url.partition("?")
    named = balancer(there)
    pool, path = named if named is not None else (origin(there).url, origin(there).path)
    return pool, escaped(as_bytes_text(path or "/")).decode() + mark + sendable(as_bytes_text(query)).decode()
