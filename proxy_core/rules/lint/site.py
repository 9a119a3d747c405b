"""What is wrong with a site as a whole: everything that takes more than one field to see.

Types, ranges and spelling are checked where the file is read; here the parts are held against each other, a module a
theme. Errors are what cannot be compiled or bound. Warnings are what works but hardly means what it says: rows that
never get a request, exceptions that except nothing, slashes that double or vanish. Each problem carries the address of
the field at fault and says what to do. Pure; the words are for operators, so they name rows by id and show what a
request would become.

A theme is loaded where a site has what it is about: most sites have a few of all the tables that there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module

from proxy_core.config.model import Compress, FileTypes, Site
from proxy_core.errors import Problem


def _whatever(_: Site) -> bool:
    return True


def _rules(site: Site) -> object:
    placed = any(row.host or row.location for row in site.routes)
    return placed or site.env or site.rewrites or site.maps or site.locations


def _logs(site: Site) -> object:
    return site.access_log or site.access_logs


def _types(site: Site) -> object:
    own = any(host.file_types for host in site.hosts.values()) or any(row.file_types for row in site.locations)
    return own or site.file_types != FileTypes()


def _coding(site: Site) -> object:
    own = any(host.compress for host in site.hosts.values()) or any(row.compress for row in site.routes)
    return own or any(row.compress for row in site.locations) or site.compress != Compress()


def _access(site: Site) -> object:
    asked = site.site.require or site.site.auth
    return asked or site.hosts or site.locations or site.access or site.auth


def _fields(site: Site) -> object:
    codes = site.site.override_codes or any(row.override_codes for row in site.routes)
    return codes or site.hosts or site.locations or site.headers or site.expires or site.reverse or site.errors


def _health(site: Site) -> object:
    return site.metrics or any(group.health for group in site.balancers.values())


THEMES: dict[str, tuple[str, Callable[[Site], object]]] = {
    "lint_emptiness": ("emptiness", _whatever),
    "lint_trust": ("addresses", _whatever),
    "lint_listeners": ("listeners", _whatever),
    "lint_access_logs": ("access_logs", _logs),
    "lint_recording": ("recording", lambda site: site.recording),
    "lint_routes": ("routes", lambda site: site.routes),
    "lint_shadows": ("shadows", lambda site: site.routes),
    "lint_order": ("route_order", lambda site: site.routes),
    "lint_tls": ("tls", _whatever),
    "lint_hosts": ("listeners", lambda site: site.hosts),
    "lint_rules": ("rewrites", _rules),
    "lint_access": ("access", _access),
    "lint_file_types": ("file_types", _types),
    "lint_compress": ("compress", _coding),
    "lint_forward_auth": ("forward_auth", lambda site: site.forward_auth or site.locations),
    "lint_headers": ("fields", _fields),
    "lint_health": ("health_checks", _health),
    "lint_balance": ("balancers", lambda site: site.balancers or site.heartbeat),
    "lint_members": ("balancers", lambda site: site.balancers),
}
"""What finds the problems of a theme, its module, and whether a site has what the theme is about."""


def lint(site: Site) -> tuple[Problem, ...]:
    """Errors and warnings of a site whose single fields are valid, in the order of its parts."""
    concerned = [name for name, (_, about) in THEMES.items() if about(site)]
    return tuple(problem for name in concerned for problem in theme(name)(site))


def theme(name: str) -> Callable[[Site], Iterator[Problem]]:
    """What finds the problems of one of ``THEMES``."""
    found: Callable[[Site], Iterator[Problem]] = getattr(import_module(f"{__package__}.{THEMES[name][0]}"), name)
    return found
