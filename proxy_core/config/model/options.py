"""[site]: what holds for every request unless a row says otherwise.

Names and meanings are those of Apache httpd's directives that stand outside all sections.
"""

from typing import Annotated, Literal

from proxy_core.config.model.site_table import SiteTable
from proxy_core.config.model.types import (
    AuthName,
    AutoIndex,
    DefaultCharset,
    DirectoryIndex,
    DocumentRoot,
    EncodedSlashes,
    FallbackResource,
    FieldName,
    FollowLinks,
    IndexIgnore,
    NonEmpty,
    Require,
    Seconds,
    SecondsOrNone,
    Via,
    example,
)


class Options(SiteTable, frozen=True, kw_only=True):
    """[site]: what holds for the whole site unless a row says otherwise.

    [site]
    server_name = "www.example"
    timeout = 60
    error_override = true
    trusted_proxies = ["10.0.0.0/8"]
    """

    server_name: Annotated[NonEmpty, example("proxy.example")] = "localhost"
    """The name this proxy calls itself: X-Forwarded-Server and absolute redirects. Apache: ServerName."""

    canonical_name: bool = False
    """Make addresses of this proxy's own, in redirects and mapped answers, and %{SERVER_NAME} and %{SERVER_PORT} of
    server_name (with its port, if it has one), whatever Host the client used. Apache: UseCanonicalName."""

    timeout: Seconds = 60.0
    """Seconds of silence after which an upstream is given up (502, or 504 where it does not take the body): the time
    between two reads or writes, not the length of a request. Apache: ProxyTimeout."""

    connect_timeout: Seconds = 5.0
    """Seconds that opening a connection to a member may take before the next member is tried, or 503 is answered.
    Apache: connectiontimeout."""

    address_ttl: Seconds = 30.0
    """Seconds after which the names of members are asked for anew, beside the requests. While a name cannot be resolved
    its last good addresses go on being used. Apache resolves once."""

    drain_timeout: SecondsOrNone = 30.0
    """Seconds that requests in flight may take to finish when the proxy stops or a listener is removed; what is still
    open then is cut."""

    upgrade_timeout: SecondsOrNone = 3600.0
    """Seconds that requests and tunnels in flight may take to finish in the old process after an upgrade (rproxy ctl
    upgrade, SIGUSR2); what is still open then has drain_timeout more."""

    tunnel_timeout: Seconds = 3600.0
    """Seconds in which nothing moves, either way, after which a tunnel (a WebSocket, say) is closed. Apache:
    ProxyWebsocketIdleTimeout."""

    error_override: bool = False
    """Hide what upstreams say in answers of status 400 and above: the proxy's own page is sent instead. Apache:
    ProxyErrorOverride."""

    override_codes: tuple[str, ...] = ()
    """The statuses that error_override is for, as "404" or "5xx"; empty: all from 400 on. Apache: ProxyErrorOverride On
    with codes."""

    reverse: Literal["auto", "off"] = "auto"
    """auto: each route maps Location, Content-Location, URI and Destination of its own answers back to the address that
    the client used. off: answers pass as they are. Apache: ProxyPassReverse."""

    encoded_slashes: EncodedSlashes = "refuse"
    """What %2F in a path is. refuse: such a request is answered 404. decode: a slash. keep: it stays %2F for rules and
    upstreams. Apache: AllowEncodedSlashes Off, On, NoDecode."""

    merge_slashes: bool = True
    """Several slashes in a row are one. false: they are kept for rewriting, locations and upstreams; the prefixes of
    routes still take them for one. Apache: MergeSlashes."""

    preserve_host: bool = False
    """Tell upstreams the Host that the client asked for, not that of their own address. Apache: ProxyPreserveHost."""

    via: Via = "off"
    """The Via field. on: this proxy adds itself, in requests and answers. full: with its product name. block: Via is
    taken out of requests. Apache: ProxyVia."""

    expires_active: bool = False
    """Say how long answers may be kept, as rows of [[expires]] have it. Apache: ExpiresActive."""

    default_charset: DefaultCharset = ""
    """See ``DefaultCharset``."""

    trace: bool = False
    """Pass the method TRACE on to upstreams instead of answering 405. Apache: TraceEnable."""

    request_id: Annotated[FieldName, example("X-Request-ID")] = ""
    """Field in which each request is given an id; one from trusted_proxies is kept. Empty: none."""

    add_forwarded: bool = True
    """Add X-Forwarded-For, -Host and -Server to requests. Apache: ProxyAddHeaders."""

    forwarded: Literal["trusted", "append"] = "trusted"
    """X-Forwarded-For, -Host and -Server from the client: trusted appends to them for peers in trusted_proxies and
    replaces them for everyone else, and says http or https in X-Forwarded-Proto where a trusted peer has not; other
    X-Forwarded-* and X-Real-IP of everyone else are dropped. append always appends, as Apache does, and leaves the
    others alone."""

    forwarded_header: bool = False
    """Write the standard Forwarded field (RFC 7239) too: for, host and proto. From clients that are not trusted it is
    dropped, whether this is on or not."""

    secret_headers: Annotated[tuple[str, ...], example(["X-Api-Key"])] = ()
    """Names of fields that are secret, besides Authorization, Proxy-Authorization, Cookie, Set-Cookie and those whose
    names say so (X-Auth-Token): explain, copied requests, HAR, recordings and notes do not show their values."""

    trusted_proxies: tuple[str, ...] = ()
    """Addresses or networks (CIDR) of the proxies in front of this one, whose X-Forwarded-* fields are believed.
    Apache: RemoteIPTrustedProxy."""

    internal_proxies: tuple[str, ...] = ()
    """Those of your own among them, which are believed too when client_header names a client with a private address.
    They need not be in trusted_proxies as well. Apache: RemoteIPInternalProxy."""

    client_header: Annotated[FieldName, example("X-Forwarded-For")] = ""
    """Field in which the proxies in front name the client: its address is then the one that rules, conditions of
    access, bans, rates and logs see. It is read from the right, up to the first address that is none of these proxies';
    what is left of it goes on. An address may have a port, or stand in brackets. Where it is none, nobody knows the
    client, and no condition on its address lets it in. Empty: the client is who connects. Apache: RemoteIPHeader."""

    proxies_header: Annotated[FieldName, example("X-Forwarded-By")] = ""
    """Field that gets the addresses of the trusted proxies that client_header was believed of; what clients say in it
    is dropped. Apache: RemoteIPProxiesHeader."""

    deny: tuple[str, ...] = ()
    """Addresses or networks (CIDR) whose requests get 403. Apache: Require not ip."""

    require: Require = ()
    """See ``Require``."""

    auth: AuthName = ""
    """See ``AuthName``."""

    document_root: DocumentRoot = ""
    """See ``DocumentRoot``."""

    directory_index: DirectoryIndex = ("index.html",)
    """See ``DirectoryIndex``."""

    fallback_resource: FallbackResource = ""
    """See ``FallbackResource``."""

    autoindex: AutoIndex = False
    """See ``AutoIndex``."""

    index_ignore: IndexIgnore = ()
    """See ``IndexIgnore``."""

    follow_links: FollowLinks = "all"
    """See ``FollowLinks``."""
