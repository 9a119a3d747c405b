"""What is wrong with [forward_auth.NAME], and with the places that name one.

Fields that this proxy writes itself, and those in which the word of clients is not taken, can be neither asked about
nor given. A service that nothing names guards nothing, which is worth a warning.
"""

from __future__ import annotations

from collections.abc import Iterator

from proxy_core.config.destination import service
from proxy_core.config.model import ForwardAuth, Site
from proxy_core.config.own_fields import own_fields
from proxy_core.errors import Address, Problem
from proxy_core.http.hop_by_hop import FRAMING, REQUEST_KINDS, Kind, as_cgi
from proxy_core.http.syntax import is_token
from proxy_core.http.target import balancer, origin
from proxy_core.rules.access.forward_auth import OFF
from proxy_core.rules.lint.problems import error, missing, unknown, warning
from proxy_core.rules.lint.upstreams import escapes, loop

_WRITTEN = frozenset(f"x-forwarded-{name}".encode() for name in ("method", "uri", "host", "proto", "for", "server"))
_PASSING = frozenset((Kind.PASS, Kind.CLAIM, Kind.FORWARDED))
_LISTS = ("request_headers", "upstream_headers", "response_headers")


def lint_forward_auth(site: Site) -> Iterator[Problem]:
    named = {row.forward_auth for row in site.locations}
    for row in site.locations:
        yield from missing(("locations", row.id), "forward_auth", row.forward_auth, {OFF, *site.forward_auth})
    speaking = [each.tls for each in site.listeners.values() if each.tls is not None]
    certified = {as_cgi(name.lower().encode()) for tls in speaking for name in tls.client_headers}
    own = own_fields(site) - certified
    for name, settings in site.forward_auth.items():
        address = ("forward_auth", name)
        if name == OFF:
            yield error(address, f'"{OFF}" is what a location says that asks nobody', "give the service another name")
        elif name not in named:
            todo = f'name it in a row of [[locations]]: forward_auth = "{name}"'
            yield warning(address, f"nothing names forward_auth {name}: it guards nothing", todo)
        yield from _url(site, address, settings)
        yield from _fields(address, settings, own)


def _url(site: Site, address: Address, settings: ForwardAuth) -> Iterator[Problem]:
    there, _, query = settings.url.partition("?")
    try:
        named = balancer(there)
        path = named[1] if named is not None else origin(there).path
        service(settings.url)
    except ValueError as reason:
        yield error((*address, "url"), str(reason), 'write "http://host:port/path" or "balancer://name/path"')
        return
    yield from escapes((*address, "url"), path)
    if "#" in query:
        yield error((*address, "url"), f"{settings.url} has a fragment, which nobody is asked for", "remove it")
    if named is None and any(loop(site, address, origin(there))):
        what = f"{origin(there).url} is this proxy's own listener: what it is asked comes in as a request"
        yield warning((*address, "url"), what, "name the service itself")
    elif named is not None and named[0] not in site.balancers:
        yield unknown((*address, "url"), "balancer", named[0], site.balancers)


def _fields(address: Address, settings: ForwardAuth, own: frozenset[bytes]) -> Iterator[Problem]:
    for key in _LISTS:
        for name in getattr(settings, key):
            if not is_token(name.encode()):
                yield error((*address, key), f'"{name}" is no name of a field', "write it without colon and blanks")
            elif problem := _unfit(key, name.lower().encode(), own):
                yield error((*address, key), f"{name} {problem}", "leave it out")
    if settings.user_header and (problem := _unfit("upstream_headers", settings.user_header.lower().encode(), own)):
        yield error((*address, "user_header"), f"{settings.user_header} {problem}", "name another field")


def _unfit(key: str, name: bytes, own: frozenset[bytes]) -> str:
    """Why a field cannot be in this list, "" where it can."""
    passing = _PASSING | ({Kind.HOST} if key == "request_headers" else set())
    written = name in FRAMING if key == "response_headers" else REQUEST_KINDS[name] not in passing
    if written or as_cgi(name) in _WRITTEN or name == b"cdn-loop":
        return "is written by this proxy itself, or goes no further than here"
    if key == "request_headers" and as_cgi(name) in own:
        return "is dropped from what clients say, so there is nothing to tell in it"
    if key == "upstream_headers" and name == b"set-cookie":
        return "is for clients: name it in response_headers"
    return ""
