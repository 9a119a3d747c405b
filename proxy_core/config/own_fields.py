"""The fields of requests that only this proxy sets: what it says of users, of services and of clients' certificates.

No client's word in them goes any further, whatever listener it used, under any name that CGI takes for theirs. Pure.
"""

from __future__ import annotations

from typing import Final

from proxy_core.config.model import ForwardAuth, Site
from proxy_core.http.hop_by_hop import as_cgi

CREDENTIALS: Final = frozenset((b"authorization", b"cookie"))
"""Fields that belong to clients, whatever a service has to say in them: they are dropped where it is asked alone."""


def own_fields(site: Site) -> frozenset[bytes]:
    """Their names in lower case, as CGI sees them."""
    names = [name for each in site.listeners.values() if each.tls is not None for name in each.tls.client_headers]
    names += [auth.user_header for auth in site.auth.values() if auth.user_header]
    given = [name for settings in site.forward_auth.values() for name in for_members(settings)]
    return _folded(names) | (_folded(given) - CREDENTIALS)


def for_members(settings: ForwardAuth) -> tuple[str, ...]:
    """The fields of a service's answer that members get, each once."""
    return tuple(dict.fromkeys(filter(None, (*settings.upstream_headers, settings.user_header))))


def _folded(names: list[str]) -> frozenset[bytes]:
    return frozenset(as_cgi(name.lower().encode("utf-8")) for name in names)
