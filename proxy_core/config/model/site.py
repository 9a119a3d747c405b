"""The whole site file, and its tables that stand alone: listeners, the access log, the console."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from proxy_core.config.model.access import Access, Auth
from proxy_core.config.model.balancers import (
    Balancer,
    Heartbeat,
)
from proxy_core.config.model.headers import ErrorPage, HeaderRule, ReverseRule
from proxy_core.config.model.health import Metrics
from proxy_core.config.model.hosts import Host, Location
from proxy_core.config.model.limits import Ban, Limits, ListenerLimits
from proxy_core.config.model.options import Options
from proxy_core.config.model.rewriting import EnvRule, RewriteMap, RewriteRule
from proxy_core.config.model.routes import Route
from proxy_core.config.model.tls import ListenerTls, UpstreamTls
from proxy_core.config.model.types import Name


class Listener(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """[listeners.NAME]: an address that accepts connections."""

    address: Annotated[
        str,
        Meta(
            min_length=1,
            extra={"example": "127.0.0.1:8080"},
            description='Address and port to listen on: "127.0.0.1:8080", "[::1]:8080", or ":8080" for every '
            "address. Port 0 takes any free port. Apache: Listen.",
        ),
    ]
    tls: Annotated[ListenerTls | None, Meta(description="Speak TLS here, with these certificates.")] = None
    proxy_protocol: Annotated[
        bool,
        Meta(
            description="Every connection begins with a PROXY header (version 1 or 2) that says who the client is; "
            "only peers in trusted_proxies or internal_proxies may send one, all others are turned away. "
            "Apache: RemoteIPProxyProtocol.",
        ),
    ] = False
    limits: Annotated[ListenerLimits, Meta(description="Bounds of its own, where [limits] does not fit.")] = (
        ListenerLimits()
    )


class AccessLog(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """[access_log]: a line for each finished request."""

    file: Annotated[
        str,
        Meta(
            min_length=1,
            extra={"example": "access.log"},
            description='File to append to, relative to the site file; "-" is standard output, for `rproxy` alone. '
            "Reopened on SIGUSR1. Apache: CustomLog.",
        ),
    ]
    format: Annotated[
        str,
        Meta(
            extra={"example": '%h %t "%r" %>s %{member}x'},
            description="common and combined are Apache's formats of these names; json is an object a line with "
            "route, member, attempts and timings; anything with a % is a format of your own, in the directives of "
            "Apache's LogFormat. %{NAME}x is what json has: route, balancer, member, attempts, retries, queued, "
            "waited, first, total, cause, generation.",
        ),
    ] = "combined"


class Console(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """[console]: how the terminal console looks and which keys it uses."""

    theme: Annotated[Literal["dark", "light", "mono"], Meta(description="Colours of the console.")] = "dark"
    keys: Annotated[
        dict[str, str],
        Meta(description='Keys by the id of what they do, as the help page lists them: { undo = "ctrl+z" }.'),
    ] = {}


class Site(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A whole site file."""

    version: Annotated[Literal[1], Meta(description="Version of the file's form; always 1.")] = 1
    site: Annotated[Options, Meta(description="What holds for the whole site.")] = Options()
    listeners: Annotated[dict[Name, Listener], Meta(description="Addresses that accept connections.")] = {}
    limits: Annotated[Limits, Meta(description="Bounds of size, time and number.")] = Limits()
    bans: Annotated[tuple[Ban, ...], Meta(description="Addresses that are kept out for a while.")] = ()
    access_log: Annotated[AccessLog | None, Meta(description="A line for each finished request.")] = None
    hosts: Annotated[dict[Name, Host], Meta(description="Name-based virtual hosts.")] = {}
    env: Annotated[tuple[EnvRule, ...], Meta(description="Variables of requests.")] = ()
    rewrites: Annotated[tuple[RewriteRule, ...], Meta(description="Rules that act before the routes.")] = ()
    maps: Annotated[dict[Name, RewriteMap], Meta(description="Tables that rules look keys up in.")] = {}
    access: Annotated[dict[Name, Access], Meta(description="Conditions of access, by name.")] = {}
    auth: Annotated[dict[Name, Auth], Meta(description="Users and passwords.")] = {}
    routes: Annotated[tuple[Route, ...], Meta(description="Where requests go, first match first.")] = ()
    locations: Annotated[tuple[Location, ...], Meta(description="Settings for some paths or targets.")] = ()
    headers: Annotated[tuple[HeaderRule, ...], Meta(description="Changes to fields of requests and answers.")] = ()
    reverse: Annotated[tuple[ReverseRule, ...], Meta(description="Addresses in answers, mapped back.")] = ()
    errors: Annotated[tuple[ErrorPage, ...], Meta(description="Pages for errors.")] = ()
    balancers: Annotated[dict[Name, Balancer], Meta(description="Groups of members.")] = {}
    metrics: Annotated[Metrics | None, Meta(description="Numbers for Prometheus.")] = None
    heartbeat: Annotated[Heartbeat | None, Meta(description="Where members report their load.")] = None
    upstream_tls: Annotated[UpstreamTls, Meta(description="How https members are spoken to.")] = UpstreamTls()
    console: Annotated[Console, Meta(description="The console's looks and keys.")] = Console()
