"""What a site says about all clients alike, worked out once for each RuleSet and compared by identity.

A listener with limits of its own has a policy of its own. Connections hold the policy of the RuleSet that they saw
last, so a request pays for none of this.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from proxy_core.config.model import Limits, Listener, ListenerLimits, Site
from proxy_core.config.own_fields import own_fields
from proxy_core.http.hop_by_hop import as_cgi
from proxy_core.http.syntax import host_port
from proxy_core.rules.access.networks import Networks, kept_out, trusted
from proxy_core.rules.fields.edits import Edits
from proxy_core.serve.client_address import Naming, naming


class ClientPolicy(Struct, frozen=True, eq=False):
    """What holds for the clients of a site, or of a listener."""

    limits: Limits
    """``[limits]``, with the listener's own."""
    server: bytes
    """What X-Forwarded-Server says."""
    append: bool
    """X-Forwarded-* are kept and added to, whoever asks."""
    adds: bool
    """X-Forwarded-* are written."""
    standard: bool
    """RFC 7239's Forwarded is written too."""
    own: frozenset[bytes]
    """Names of the fields that only this proxy sets, as CGI sees them."""
    trusted: Networks
    """Proxies in front, which may say for whom they ask."""
    naming: Naming | None
    """How they say it, None where they do not."""
    claimed: frozenset[bytes]
    """The name of the field that they say it in, as CGI sees it."""
    kept_out: Networks
    """Clients that are denied or banned, and why."""
    gap: float
    """Seconds in which a client earns one more request; 0 where any number may come."""
    watchful: bool
    """Some client may be watched."""
    trace: bool
    """TRACE is passed on."""

    def under(self, edits: Edits) -> ClientPolicy:
        """The same, as the host that a request is for has it."""
        server = self.server if edits.server is None else edits.server
        return replace(self, server=server, adds=self.adds if edits.adds is None else edits.adds)

    def through(self, listener: Listener | None) -> ClientPolicy:
        """The same, with the limits of a listener."""
        if listener is None or listener.limits == ListenerLimits():
            return self
        return replace(self, limits=listener.limits.over(self.limits))

    def appends(self, client: str) -> bool:
        """Whether X-Forwarded-* from this peer are kept and added to, or replaced."""
        return self.append or bool(self.trusted.find(client))

    def watches(self, client: str, at: float) -> bool:
        """Whether each request of this client has to be asked at admission: it is kept out, or comes under a rate."""
        return bool(self.kept_out.find(client, at)) or (bool(self.gap) and not self.trusted.find(client))


def client_policy(site: Site) -> ClientPolicy:
    rate, believed, name = site.limits.client_rate, trusted(site), site.site.server_name
    return ClientPolicy(
        site.limits,
        name.removesuffix(f":{host_port(name)}").encode("utf-8"),
        site.site.forwarded == "append",
        site.site.add_forwarded,
        site.site.forwarded_header,
        own_fields(site),
        believed,
        naming(site.site, believed),
        frozenset({as_cgi(site.site.client_header.lower().encode())} - {b""}),
        kept_out(site),
        1 / rate if rate else 0.0,
        bool(rate or site.site.deny or site.bans),
        site.site.trace,
    )
