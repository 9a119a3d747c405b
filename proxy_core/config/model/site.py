"""The whole site file, and its tables that stand alone: listeners, logs, metrics, the console."""

from typing import Annotated, Literal

from proxy_core.config.model.access import Access, Auth, ForwardAuth
from proxy_core.config.model.balancers import (
    Balancer,
    Heartbeat,
)
from proxy_core.config.model.cache import Cache
from proxy_core.config.model.compress import Compress
from proxy_core.config.model.error_pages import ErrorPage
from proxy_core.config.model.expires import ExpiryRule
from proxy_core.config.model.file_types import FileTypes
from proxy_core.config.model.headers import HeaderRule, ReverseRule
from proxy_core.config.model.hosts import Host
from proxy_core.config.model.limits import Ban, Limits, ListenerLimits
from proxy_core.config.model.locations import Location
from proxy_core.config.model.options import Options
from proxy_core.config.model.recording import Recording
from proxy_core.config.model.rewriting import EnvRule, RewriteMap, RewriteRule
from proxy_core.config.model.routes import Route
from proxy_core.config.model.rule_tests import RuleTest
from proxy_core.config.model.site_table import HostRow, SiteTable
from proxy_core.config.model.tls import ListenerTls, UpstreamTls
from proxy_core.config.model.types import (
    LogEnv,
    LogExpr,
    LogFile,
    LogFormat,
    Name,
    NonEmpty,
    OwnNames,
    RowId,
    example,
)


class Listener(SiteTable, frozen=True, kw_only=True):
    """[listeners.NAME]: an address that accepts connections.

    [listeners.http]
    address = "127.0.0.1:8080"
    """

    address: Annotated[NonEmpty, example("127.0.0.1:8080")]
    """Address and port to listen on: "127.0.0.1:8080", "[::1]:8080", or ":8080" for every address. Port 0 takes any
    free port. Apache: Listen."""

    tls: ListenerTls | None = None
    """Speak TLS here, with these certificates."""

    proxy_protocol: bool = False
    """Every connection begins with a PROXY header (version 1 or 2) that says who the client is; only peers in
    trusted_proxies or internal_proxies may send one, all others are turned away. Apache: RemoteIPProxyProtocol."""

    limits: ListenerLimits = ListenerLimits()
    """Bounds of its own, where [limits] does not fit."""


class AccessLog(SiteTable, frozen=True, kw_only=True):
    """[access_log]: a line for each finished request; [[access_logs]] has more of them, and those of hosts.

    [access_log]
    file = "access.log"
    format = "json"
    """

    file: LogFile
    """See ``LogFile``."""

    format: LogFormat = "combined"
    """See ``LogFormat``."""

    env: LogEnv = ""
    """See ``LogEnv``."""

    expr: LogExpr = ""
    """See ``LogExpr``."""


class AccessLogRow(HostRow, frozen=True, kw_only=True):
    """[[access_logs]]: one log more, beside [access_log]. A host that has rows of its own is written to these, and not
    to the server's, which are [access_log] and the rows without a host. Several may share a file. Apache: CustomLog,
    several of them, in virtual hosts too.

    [access_log]
    file = "access.log"

    [[access_logs]]
    file = "errors.log"
    expr = "%{REQUEST_STATUS} -ge 400"

    [hosts.shop]
    names = ["shop.example"]

    [[access_logs]]
    host = "shop"
    file = "shop.log"
    """

    file: LogFile
    """See ``LogFile``."""

    format: LogFormat = "combined"
    """See ``LogFormat``."""

    env: LogEnv = ""
    """See ``LogEnv``."""

    expr: LogExpr = ""
    """See ``LogExpr``."""

    every_host: bool = False
    """A row without a host: it has the requests of hosts with rows of their own, too. Apache: GlobalLog."""


class Log(SiteTable, frozen=True, kw_only=True):
    """[log]: what `rproxy` says on standard error while it serves without a console: a line for each event.

    [log]
    format = "json"
    level = "warning"
    """

    format: Literal["text", "json"] = "text"
    """text: time, level and a sentence. json: an object a line with at, level, event, message, and what the event is
    about. Where standard error is systemd's journal, each line begins with its level as <N> and text has no time."""

    level: Literal["info", "warning", "error"] = "info"
    """The least that is said. info: edits that were applied, listeners, members that are back, too; warning: what needs
    a look; error: only what does not work. Apache: LogLevel."""


class Metrics(SiteTable, frozen=True, kw_only=True):
    """[metrics]: numbers for Prometheus, at /metrics of a listener of their own.

    [metrics]
    address = "127.0.0.1:9090"
    """

    address: Annotated[NonEmpty, example("127.0.0.1:9090")]
    """Address and port to listen on, of this machine alone (127.0.0.1, ::1, localhost): whoever reaches it may read the
    names and the load of everything."""

    names: OwnNames = ()
    """See ``OwnNames``."""


class Control(SiteTable, frozen=True, kw_only=True):
    """[control]: the socket through which rproxy ctl and consoles reach the service while it runs.

    [control]
    name = "shop"
    group = "operators"
    """

    name: Annotated[RowId, example("shop")] = ""
    """Name of the socket, without .sock; without it the name of the site file, with a short hash of its place."""

    group: Annotated[str, example("operators")] = ""
    """Group whose members may connect and read, by name or number; without it only the user that the service runs as
    and root can connect. Only these two may change anything."""


class Console(SiteTable, frozen=True, kw_only=True):
    """[console]: how the terminal console looks and which keys it uses.

    [console]
    theme = "light"
    keys = { undo = "ctrl+z" }
    """

    theme: Literal["dark", "light", "mono"] = "dark"
    """Colours of the console."""

    keys: dict[str, str] = {}
    """Keys by the id of what they do, as the help page lists them: { undo = "ctrl+z" }."""


class Site(SiteTable, frozen=True, kw_only=True):
    """A whole site file."""

    version: Literal[1] = 1
    """Version of the file's form; always 1."""

    site: Options = Options()
    """What holds for the whole site."""

    listeners: dict[Name, Listener] = {}
    """Addresses that accept connections."""

    limits: Limits = Limits()
    """Bounds of size, time and number."""

    bans: tuple[Ban, ...] = ()
    """Addresses that are kept out for a while."""

    cache: Cache = Cache()
    """Answers that are kept."""

    access_log: AccessLog | None = None
    """A line for each finished request."""

    access_logs: tuple[AccessLogRow, ...] = ()
    """Further logs, and those of hosts."""

    recording: Recording | None = None
    """What is kept of the last hours."""

    log: Log = Log()
    """What is said on standard error."""

    hosts: dict[Name, Host] = {}
    """Name-based virtual hosts."""

    env: tuple[EnvRule, ...] = ()
    """Variables of requests."""

    rewrites: tuple[RewriteRule, ...] = ()
    """Rules that act before the routes."""

    maps: dict[Name, RewriteMap] = {}
    """Tables that rules look keys up in."""

    access: dict[Name, Access] = {}
    """Conditions of access, by name."""

    auth: dict[Name, Auth] = {}
    """Users and passwords."""

    forward_auth: dict[Name, ForwardAuth] = {}
    """Services that are asked first."""

    routes: tuple[Route, ...] = ()
    """Where requests go, first match first."""

    locations: tuple[Location, ...] = ()
    """Settings for some paths or targets."""

    file_types: FileTypes = FileTypes()
    """What the names of files say of them."""

    compress: Compress = Compress()
    """Which answers are coded, and how."""

    headers: tuple[HeaderRule, ...] = ()
    """Changes to fields of requests and answers."""

    expires: tuple[ExpiryRule, ...] = ()
    """How long answers may be kept."""

    reverse: tuple[ReverseRule, ...] = ()
    """Addresses in answers, mapped back."""

    errors: tuple[ErrorPage, ...] = ()
    """Pages for errors."""

    balancers: dict[Name, Balancer] = {}
    """Groups of members."""

    metrics: Metrics | None = None
    """Numbers for Prometheus."""

    heartbeat: Heartbeat | None = None
    """Where members report their load."""

    upstream_tls: UpstreamTls = UpstreamTls()
    """How https members are spoken to."""

    control: Control = Control()
    """The socket for rproxy ctl and consoles."""

    tests: tuple[RuleTest, ...] = ()
    """What the rules are to make of some requests."""

    console: Console = Console()
    """The console's looks and keys."""
