"""The head of a request as it goes to a member, from what was decided and what was read (RFC 9112 §3.2.1, §3.2).

One place for the flight that sends it and for whoever tells of it, so that what is told is what is sent. Pure.
"""

from __future__ import annotations

from proxy_core.balance.pool import BoundMember
from proxy_core.http.upgrade import granted
from proxy_core.http.view import RequestView
from proxy_core.rules.decision import Forward
from proxy_core.serve.request_fields import RequestFields


def outgoing(view: RequestView, decision: Forward, fields: RequestFields, member: BoundMember) -> tuple[bytes, bytes]:
    """The head, and the protocol that the member is asked to change to, b"" for none."""
    route, asked = decision.route, fields.upgrade
    if asked and not granted(asked, route.upgrades, member.upgrades):
        asked = b""
    return b"%b %b%b HTTP/1.1\r\nHost: %b\r\n%b%b" % (
        view.method, member.base, decision.target, (route.preserve_host and fields.host) or member.host,
        b"Connection: Upgrade\r\nUpgrade: %b\r\n" % asked if asked else b"", fields.lines,
    ), asked  # fmt: skip
