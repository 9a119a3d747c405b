"""A request over a connection to a member of which a copy is made (``shadow_copies``), when its answer has ended.

It does what an UpstreamRequest does, and looks at what passes: at the head of the answer, and at its body, whose digest
is worked out piece by piece. A request of which no copy is made is none of these, and costs nothing.
"""

from __future__ import annotations

from random import random

from proxy_core.rules.decision import Forward, Shadow
from proxy_core.runtime.shadow_comparison import Body, said
from proxy_core.runtime.upstreams.response_head import Answer
from proxy_core.serve.member_answer import own_base
from proxy_core.serve.open_request import OpenRequest
from proxy_core.serve.request_fields import RequestFields
from proxy_core.serve.shadow_copies import MARK, Copy
from proxy_core.serve.upstream_request import UpstreamRequest

SAFE = frozenset((b"GET", b"HEAD"))
_COPY = b"\r\n" + MARK[:9].lower()


def upstream_request(flight: OpenRequest, shadow: Shadow) -> type[UpstreamRequest]:
    """What a request is to be over its connection, by whether a copy of it is taken."""
    view, fields = flight.exchange.view, flight.fields
    if uncopied(view.method, fields) or flight.page_for or random() >= shadow.share:
        return UpstreamRequest
    return ShadowedRequest


def uncopied(method: bytes, fields: RequestFields) -> str:
    """Why no copy is made of such a request, whatever its turn; "" where one may be."""
    if method not in SAFE:
        return f"{method.decode('latin-1')} is not copied, only GET and HEAD are"
    if fields.length:
        return "it has a body"
    if fields.upgrade:
        return "it asks for another protocol"
    if _COPY in b"\r\n" + fields.lines.lower():
        return "it is a copy itself"
    return ""


class ShadowedRequest(UpstreamRequest):
    """A copy of it follows."""

    __slots__ = ("_answer", "_body", "_decision")

    _answer: Answer
    """The head of the member's answer."""
    _body: Body
    """What has come of its body."""
    _decision: Forward
    """Where the request goes."""

    def sent(self, decision: Forward) -> None:
        self._decision, self._body = decision, Body()
        super().sent(decision)

    def answered(self, answer: Answer, data: bytes) -> None:
        self._answer = answer
        super().answered(answer, data)
        self._body.add(data)

    def body(self, data: bytes) -> None:
        super().body(data)
        self._body.add(data)

    def ended(self, reusable: bool) -> None:
        flight, decision = self._flight, self._decision
        exchange, fields, route = flight.exchange, flight.fields, decision.route
        super().ended(reusable)
        shadow = route.shadow
        assert shadow is not None
        back = route.reverse, own_base(exchange.view, route, exchange.rules.site.site.server_name)
        real = said(self._answer, self._body, shadow.fields, back)
        flight.state.shadows.start(Copy(exchange, decision, fields, shadow, real))
