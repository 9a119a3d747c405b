"""What a site can say and Apache cannot: a table, and the walk that takes it out of a site.

Only what somebody has said counts: an option at its default is what the site does anyway, and telling it for every
site would bury what matters. A field of ``QUIET`` is about this program alone, so nothing is lost without it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from msgspec import NODEFAULT, Struct, structs

from proxy_core.config.model import Site
from proxy_core.errors import Address

Lose = Callable[[Address, str], None]
"""Told the address of what is lost, and why."""

_FIREWALL = "Apache does not count clients; let a firewall do it, or mod_qos"
_QUEUE = "Apache queues connections, in the system"
_ONE_SERVER = "Apache gives a member no such time"

LOST: dict[str, dict[str, str]] = {
    "Options": {
        "address_ttl": "Apache asks for a member's addresses once; addressttl= of a member may do",
        "drain_timeout": "GracefulShutdownTimeout is the nearest, for apache2ctl graceful-stop",
        "tunnel_timeout": "Apache has ProxyTimeout for tunnels",
        "request_id": "mod_unique_id makes ids, and RequestHeader sends them",
        "forwarded_header": "mod_proxy does not write Forwarded",
    },
    "Listener": {
        "proxy_protocol": "RemoteIPProxyProtocol believes every peer",
    },
    "Limits": {
        "head": "Apache bounds fields one by one",
        "connections": "MaxRequestWorkers belongs to the settings of its processes",
        "client_connections": _FIREWALL,
        "client_rate": _FIREWALL,
        "client_burst": _FIREWALL,
        "in_flight": _QUEUE,
        "queue": _QUEUE,
        "queue_time": _QUEUE,
    },
    "Site": {
        "bans": "Apache has no end for them: write Require not ip",
        "metrics": "mod_status tells its numbers",
    },
    "ListenerLimits": {"head": "Apache bounds fields one by one"},
    "UpstreamTls": {"server_name": "Apache asks for the host of the member's URL"},
    "Member": {"tls": "mod_ssl has one setting for all members of a server"},
    "Balancer": {
        "queue": "requests wait without end in line",
        "slow_start": "Apache gives a member its whole share at once",
        "drain_timeout": _ONE_SERVER,
        "ejection": "Apache knows failonstatus alone",
    },
    "HealthCheck": {"timeout": "a check has the member's own timeout"},
    "RewriteMap": {"timeout": "Apache waits for an answer as long as it takes"},
}
QUIET: dict[str, tuple[str, ...]] = {"Options": ("secret_headers",), "Site": ("console",)}

_S = TypeVar("_S", bound=Struct)


def without_lost(site: Site, lose: Lose) -> Site:
    """The site without what is in the table."""
    return _walked(site, (), lose)


def _walked(here: _S, address: Address, lose: Lose) -> _S:
    kind = type(here).__name__
    lost, quiet = LOST.get(kind, {}), QUIET.get(kind, ())
    changed: dict[str, Any] = {}
    for field in structs.fields(type(here)):
        value = getattr(here, field.name)
        at = (*address, field.encode_name)
        if field.encode_name in lost or field.encode_name in quiet:
            default = _default(field)
            if value != default:
                changed[field.name] = default
                if field.encode_name in lost:
                    lose(at, lost[field.encode_name])
        elif isinstance(value, Struct):
            changed[field.name] = _walked(value, at, lose)
        elif isinstance(value, dict) and value and all(isinstance(each, Struct) for each in value.values()):
            changed[field.name] = {name: _walked(each, (*at, name), lose) for name, each in value.items()}
        elif isinstance(value, tuple) and value and all(isinstance(each, Struct) for each in value):
            changed[field.name] = tuple(_walked(each, (*at, each.id), lose) for each in value)
    return structs.replace(here, **changed)


def _default(field: structs.FieldInfo) -> Any:
    return field.default_factory() if field.default_factory is not NODEFAULT else field.default
