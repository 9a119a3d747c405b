"""The model of a site file: one frozen, validated value that says everything a proxy does.

TOML is how a Site is spelled and the console is how it is edited; there is no second configuration. Every field has
its manual directly below it, and every table an example below the first paragraph of its docstring:
docs/configuration.md and the console's forms are made from it, so an option that is not documented in these modules
does not exist. Types say what msgspec can check (ranges, choices); what needs more than
one field is checked in ``proxy_core.rules.lint.site``. Nothing here does I/O or knows a running proxy.

Annotations are values in these modules, not texts: msgspec takes every one of them at each start, and would have
Python compile the texts.
"""

from proxy_core.config.model.access import Access, Auth, ForwardAuth
from proxy_core.config.model.balancers import (
    Balancer,
    Ejection,
    Heartbeat,
    Member,
    MemberRole,
    MemberStatus,
    Sticky,
)
from proxy_core.config.model.cache import Cache
from proxy_core.config.model.compress import Compress
from proxy_core.config.model.error_pages import ErrorPage
from proxy_core.config.model.expires import ExpiryRule
from proxy_core.config.model.file_types import FileTypes
from proxy_core.config.model.headers import HeaderRule, ReverseRule
from proxy_core.config.model.health import HealthCheck
from proxy_core.config.model.hosts import Host
from proxy_core.config.model.limits import Ban, Limits, ListenerLimits
from proxy_core.config.model.locations import Location
from proxy_core.config.model.options import Options
from proxy_core.config.model.recording import Recording
from proxy_core.config.model.rewriting import EnvRule, MapType, RewriteCond, RewriteMap, RewriteRule
from proxy_core.config.model.routes import Redirection, Route
from proxy_core.config.model.rule_tests import RuleTest
from proxy_core.config.model.site import AccessLog, AccessLogRow, Console, Control, Listener, Log, Metrics, Site
from proxy_core.config.model.tls import Certificate, ListenerTls, UpstreamTls

__all__ = [
    "Access", "AccessLog", "AccessLogRow", "Auth", "Balancer", "Ban", "Cache", "Certificate", "Compress", "Console",
    "Control", "Ejection", "EnvRule", "ErrorPage", "ExpiryRule", "FileTypes", "ForwardAuth", "HeaderRule",
    "HealthCheck", "Heartbeat", "Host", "Limits", "Listener", "ListenerLimits", "ListenerTls", "Location", "Log",
    "MapType", "Member",
    "MemberRole", "MemberStatus", "Metrics", "Options", "Recording", "Redirection", "ReverseRule", "RewriteCond",
    "RewriteMap", "RewriteRule", "Route", "RuleTest", "Site", "Sticky", "UpstreamTls",
]  # fmt: skip
