"""A kept answer in the place of a member's, and what is coded of it: coded once, at the first use that wants it so, and
kept beside the plain body.

The choice is made anew at each use, by the rules in force and what the client takes, as for any answer; so are its
fields. Only the work of the coder is spared. What is coded takes its room in the bounds of the store, and goes with the
answer that it was made of.
"""

from __future__ import annotations

from functools import partial

from proxy_core.balance.pool import BoundMember
from proxy_core.cache.store import CodedVariant, KeptAnswer
from proxy_core.http.content_coding import Offer
from proxy_core.runtime.upstreams.connection import Upstream
from proxy_core.runtime.upstreams.response_head import Answer
from proxy_core.serve import coded_body, member_answer
from proxy_core.serve.open_request import OpenRequest
from proxy_core.serve.sides import ForwardingSide
from proxy_core.serve.upstream_request import UpstreamRequest


class KeptRequest(UpstreamRequest):
    """A request that is answered with what is kept, its body in memory."""

    __slots__ = ("_kept",)

    def __init__(
        self, flight: OpenRequest, forwarding: ForwardingSide, member: BoundMember, connection: Upstream,
        kept: KeptAnswer,
    ) -> None:  # fmt: skip
        super().__init__(flight, forwarding, member, connection)
        self._kept = kept

    def _code(self, offer: Offer, answer: Answer, data: bytes) -> tuple[Answer, bytes]:
        flight, kept = self._flight, self._kept
        if flight.exchange.view.method == b"HEAD" or data is not kept.body:
            return super()._code(offer, answer, data)
        found = member_answer.choice(offer, flight.exchange, answer)
        if not found.coding:
            return super()._code(offer, answer, data)
        coding, level = found.coding, offer.levels[found.coding]
        known = kept.coded.get(coding) if kept.coded is not None else None
        if known is not None and known.level == level:
            if known.made is None or known.made[0] is not answer:
                known.made = answer, member_answer.coded(answer, found, len(known.body))
            coded_body.told(flight, coding, len(data), len(known.body))
            made = known.made[1]
            assert isinstance(made, Answer)
            return made, known.body
        answer, data = super()._code(offer, answer, data)
        keep = partial(self._keep, coding, level)
        if self._coded is not None:
            self._coded.keep = keep
        else:
            keep(data)
        return answer, data

    def _keep(self, coding: str, level: int, body: bytes) -> None:
        self._flight.state.cache.store.add_coded(self._kept, coding, CodedVariant(level, body))
