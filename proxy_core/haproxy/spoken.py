"""What HAProxy has exact words for, by option; whoever says anything else goes down the lane.

The table names what is spoken, never what is not: an option that joins the model is unspoken until somebody has shown
that HAProxy does the same, so none is ever lost in silence. Options that say nothing of what becomes of a request are
spoken too. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import NODEFAULT, Struct, structs

from proxy_core.config.model import Balancer, HealthCheck, Host, Limits, Location, Member, Options, Route, Site, Sticky
from proxy_core.errors import Address, Problem

_OF_FILES = ("document_root", "directory_index", "fallback_resource", "autoindex", "index_ignore", "follow_links")
"""Files are never HAProxy's, so what holds for them alone is the lane's anyway."""
_OF_OPTIONS = (
    "server_name", "timeout", "connect_timeout", "address_ttl", "drain_timeout", "upgrade_timeout", "tunnel_timeout",
    "error_override", "override_codes", "reverse", "encoded_slashes", "merge_slashes", "preserve_host", "trace",
    "default_charset", "add_forwarded", "forwarded", "request_id", "secret_headers", "trusted_proxies", "deny",
    "require", "auth", *_OF_FILES,
)  # fmt: skip

SPOKEN: dict[type[Struct], tuple[str, ...]] = {
    Site: (
        "version", "site", "listeners", "limits", "bans", "access_log", "access_logs", "recording", "log", "hosts",
        "env", "rewrites", "maps", "access", "auth", "forward_auth", "routes", "locations", "file_types", "headers",
        "expires", "reverse", "errors", "balancers", "metrics", "heartbeat", "upstream_tls", "control", "tests",
        "console", "cache",
    ),
    Options: _OF_OPTIONS,
    Host: (
        *(each for each in _OF_OPTIONS if each in Host.__struct_fields__), "names", "listeners", "rewrites",
        "file_types", "max_body", "upstream_tls",
    ),
    Limits: (
        "request_line", "field", "fields", "head", "body", "head_time", "head_rate", "body_time", "body_rate",
        "idle_time", "connections", "client_burst", "queue", "queue_time",
    ),
    Route: (
        "id", "host", "enabled", "path", "path_regex", "proxy", "except_", "redirect", "location", "timeout",
        "max_body", "upgrade", "preserve_host", "error_override", "override_codes",
    ),
    Location: ("id", "host", "enabled", "path", "path_regex", "require"),
    Balancer: ("method", "key", "sticky", "maxattempts", "forcerecovery", "timeout", "queue", "slow_start",
               "drain_timeout", "health", "members"),
    Sticky: ("cookie", "separator", "issue", "path", "secure", "http_only", "same_site"),
    HealthCheck: ("method", "uri", "interval", "timeout", "passes", "fails", "expect"),
    Member: ("url", "weight", "status", "role", "route", "retry", "ignore_errors", "max_connections"),
}  # fmt: skip
"""Options by the table that has them."""


def unspoken(struct: Struct, address: Address) -> Iterator[tuple[Address, str]]:
    """What a table says that HAProxy has no exact words for: each with its address, and why."""
    spoken = SPOKEN[type(struct)]
    for field in structs.fields(type(struct)):
        if field.name not in spoken and getattr(struct, field.name) != _default(field):
            yield (*address, field.encode_name), "HAProxy does nothing that is the same"


def _default(field: structs.FieldInfo) -> Any:
    return field.default_factory() if field.default_factory is not NODEFAULT else field.default


_BESIDE = {
    "access_log": "HAProxy writes no such file for its own requests: it logs to syslog, the lane has its own",
    "access_logs": "HAProxy writes no such file for its own requests: it logs to syslog, the lane has its own",
    "recording": "only the requests of the lane are recorded",
    "metrics": "only the requests of the lane are counted there: HAProxy has a Prometheus exporter of its own",
}


def not_done(site: Site) -> Iterator[Problem]:
    """What HAProxy does not do beside its own requests, which they go without."""
    for key, why in _BESIDE.items():
        if getattr(site, key):
            yield Problem(what=f"{key} is lost for what HAProxy serves", todo=why, severity="warning", address=(key,))
