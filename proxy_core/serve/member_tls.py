"""How TLS is spoken with the member that a request goes to: which table of the site holds, and what name is asked for.

Pure, and asked only for members of https and wss. Tables are laid over each other as httpd lays a <Proxy> over its
server (``ssl_config_perdir_merge``), each as a whole. The name is the one that the member is told in Host, as in
``ap_proxy_determine_connection``. Both are part of the key of a connection, so that nothing is sent over one that was
made by other settings or for another name; httpd looks at the name alone.
"""

from __future__ import annotations

import re

from msgspec.structs import replace

from proxy_core.balance.member_state import UpstreamKey
from proxy_core.balance.pool import BoundMember
from proxy_core.http.syntax import host_name
from proxy_core.rules.decision import BoundRoute

_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9_][a-z0-9_-]{0,62}(?:\.[a-z0-9_][a-z0-9_-]{0,62})*")


def secured_key(member: BoundMember, route: BoundRoute, host: bytes) -> UpstreamKey:
    """Where the connection of a request goes that this route takes, and how TLS is spoken over it; ``host`` is the Host
    of the request. What clients say there is taken for a name only where it is one."""
    settings = member.tls or route.tls or member.upstream.tls
    assert settings is not None
    if route.preserve_host and not settings.server_name:
        name = host_name(host.decode("latin-1"))
        if _NAME.fullmatch(name):
            settings = replace(settings, server_name=name)
    return member.upstream if settings is member.upstream.tls else member.upstream._replace(tls=settings)
