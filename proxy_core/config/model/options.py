"""The part of the model about the whole site: what holds for every request unless a row says otherwise.

Names and meanings are those of Apache httpd's directives that stand outside all sections. As in ``model``, every field
carries its manual; what needs more than one field is ``rules.lint.site``'s.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from proxy_core.config.model.access import AuthName, DirectoryIndex, DocumentRoot, Require
from proxy_core.config.model.types import Seconds


class Options(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """[site]: what holds for the whole site unless a row says otherwise."""

    server_name: Annotated[
        str,
        Meta(
            min_length=1,
            extra={"example": "proxy.example"},
            description="The name this proxy calls itself: X-Forwarded-Server and absolute redirects. "
            "Apache: ServerName.",
        ),
    ] = "localhost"
    canonical_name: Annotated[
        bool,
        Meta(
            description="Make addresses of this proxy's own, in redirects and mapped answers, and %{SERVER_NAME} and "
            "%{SERVER_PORT} of server_name (with its port, if it has one), whatever Host the client used. Apache: "
            "UseCanonicalName.",
        ),
    ] = False
    timeout: Annotated[
        Seconds,
        Meta(
            description="Seconds of silence after which an upstream is given up (504): the time between two reads "
            "or writes, not the length of a request. Apache: ProxyTimeout.",
        ),
    ] = 60.0
    connect_timeout: Annotated[
        Seconds,
        Meta(
            description="Seconds that opening a connection to a member may take before the next member is tried, "
            "or 504 is answered. Apache: connectiontimeout.",
        ),
    ] = 5.0
    address_ttl: Annotated[
        Seconds,
        Meta(
            description="Seconds after which the names of members are asked for anew, beside the requests. While a "
            "name cannot be resolved its last good addresses go on being used. Apache resolves once.",
        ),
    ] = 30.0
    drain_timeout: Annotated[
        float,
        Meta(
            ge=0,
            le=86_400,
            description="Seconds that requests in flight may take to finish when the proxy stops or a listener is "
            "removed; what is still open then is cut.",
        ),
    ] = 30.0
    tunnel_timeout: Annotated[
        Seconds,
        Meta(
            description="Seconds in which nothing moves, either way, after which a tunnel (a WebSocket, say) is "
            "closed. Apache: ProxyWebsocketIdleTimeout.",
        ),
    ] = 3600.0
    error_override: Annotated[
        bool,
        Meta(
            description="Hide what upstreams say in answers of status 400 and above: the proxy's own page is sent "
            "instead. Apache: ProxyErrorOverride.",
        ),
    ] = False
    override_codes: Annotated[
        tuple[str, ...],
        Meta(
            description='The statuses that error_override is for, as "404" or "5xx"; empty: all from 400 on. Apache: '
            "ProxyErrorOverride On with codes."
        ),
    ] = ()
    reverse: Annotated[
        Literal["auto", "off"],
        Meta(
            description="auto: each route maps Location, Content-Location, URI and Destination of its own answers "
            "back to the address that the client used. off: answers pass as they are. Apache: ProxyPassReverse.",
        ),
    ] = "auto"
    encoded_slashes: Annotated[
        Literal["refuse", "decode", "keep"],
        Meta(
            description="What %2F in a path is. refuse: such a request is answered 404. decode: a slash. keep: "
            "it stays %2F for rules and upstreams. Apache: AllowEncodedSlashes Off, On, NoDecode.",
        ),
    ] = "refuse"
    merge_slashes: Annotated[
        bool,
        Meta(
            description="Several slashes in a row are one. false: they are kept for rewriting, locations and "
            "upstreams; the prefixes of routes still take them for one. Apache: MergeSlashes.",
        ),
    ] = True
    preserve_host: Annotated[
        bool,
        Meta(
            description="Tell upstreams the Host that the client asked for, not that of their own address. Apache: "
            "ProxyPreserveHost.",
        ),
    ] = False
    via: Annotated[
        Literal["off", "on", "full", "block"],
        Meta(
            description="The Via field. on: this proxy adds itself, in requests and answers. full: with its product "
            "name. block: Via is taken out of requests. Apache: ProxyVia.",
        ),
    ] = "off"
    trace: Annotated[
        bool,
        Meta(description="Pass the method TRACE on to upstreams instead of answering 405. Apache: TraceEnable."),
    ] = False
    request_id: Annotated[
        str,
        Meta(
            pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]*\Z",
            extra={"wanted": "a field name", "example": "X-Request-ID"},
            description="Field in which each request is given an id; one from trusted_proxies is kept. Empty: none.",
        ),
    ] = ""
    add_forwarded: Annotated[
        bool,
        Meta(description="Add X-Forwarded-For, -Host and -Server to requests. Apache: ProxyAddHeaders."),
    ] = True
    forwarded: Annotated[
        Literal["trusted", "append"],
        Meta(
            description="X-Forwarded-For, -Host and -Server from the client: trusted appends to them for peers in "
            "trusted_proxies and replaces them for everyone else, and says http or https in X-Forwarded-Proto where a "
            "trusted peer has not; other X-Forwarded-* and X-Real-IP of everyone else are dropped. append always "
            "appends, as Apache does, and leaves the others alone.",
        ),
    ] = "trusted"
    forwarded_header: Annotated[
        bool,
        Meta(
            description="Write the standard Forwarded field (RFC 7239) too: for, host and proto. From clients that are "
            "not trusted it is dropped, whether this is on or not.",
        ),
    ] = False
    secret_headers: Annotated[
        tuple[str, ...],
        Meta(
            extra={"example": ["X-Api-Key"]},
            description="Names of fields whose values the console and explain do not show, besides Authorization, "
            "Proxy-Authorization, Cookie and Set-Cookie.",
        ),
    ] = ()
    trusted_proxies: Annotated[
        tuple[str, ...],
        Meta(
            description="Addresses or networks (CIDR) of the proxies in front of this one, whose X-Forwarded-* "
            "fields are believed. Apache: RemoteIPTrustedProxy.",
        ),
    ] = ()
    internal_proxies: Annotated[
        tuple[str, ...],
        Meta(
            description="Those of your own among them, which are believed too when client_header names a client with a "
            "private address. They need not be in trusted_proxies as well. Apache: RemoteIPInternalProxy.",
        ),
    ] = ()
    client_header: Annotated[
        str,
        Meta(
            pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]*\Z",
            extra={"wanted": "a field name", "example": "X-Forwarded-For"},
            description="Field in which the proxies in front name the client: its address is then the one that rules, "
            "conditions of access, bans, rates and logs see. It is read from the right, up to the first address that "
            "is none of these proxies'; what is left of it goes on. Empty: the client is who connects. "
            "Apache: RemoteIPHeader.",
        ),
    ] = ""
    proxies_header: Annotated[
        str,
        Meta(
            pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]*\Z",
            extra={"wanted": "a field name", "example": "X-Forwarded-By"},
            description="Field that gets the addresses of the trusted proxies that client_header was believed of; what "
            "clients say in it is dropped. Apache: RemoteIPProxiesHeader.",
        ),
    ] = ""
    deny: Annotated[
        tuple[str, ...],
        Meta(description="Addresses or networks (CIDR) whose requests get 403. Apache: Require not ip."),
    ] = ()
    require: Require = ()
    auth: AuthName = ""
    document_root: DocumentRoot = ""
    directory_index: DirectoryIndex = ("index.html",)
