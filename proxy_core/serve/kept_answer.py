"""A kept answer on its way to a client: it speaks to an UpstreamRequest as a member's connection would.

So everything that is done to a member's answer is done to it too, at each use: addresses mapped back, edits of fields,
pages for errors, framing. It has no member: what an UpstreamRequest counts for one is counted for NO_MEMBER, which is
in no pool. A body in memory goes at once; one in a file piece by piece, read in threads, as fast as the client takes
it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from time import monotonic
from typing import Final

from proxy_core.balance.member_state import MemberKey, MemberState, UpstreamKey
from proxy_core.balance.pool import BoundMember, Pool
from proxy_core.cache.bodies import FileBody
from proxy_core.cache.conditions import WHOLE, Validators, not_modified, range_of
from proxy_core.cache.store import KeptAnswer
from proxy_core.cache.wishes import Wishes
from proxy_core.config.model import Balancer, Member
from proxy_core.http.hop_by_hop import ANSWER_KINDS, Kind
from proxy_core.runtime.upstreams.connection import Upstream
from proxy_core.runtime.upstreams.response_head import Answer
from proxy_core.serve.kept_request import KeptRequest
from proxy_core.serve.open_request import OpenRequest
from proxy_core.serve.sides import ForwardingSide
from proxy_core.serve.upstream_request import UpstreamRequest

NO_MEMBER: Final = BoundMember(
    MemberKey("", ""), Member(url="http://cache.invalid"), UpstreamKey("http", "cache.invalid", 0), b"", b"", 100,
    MemberState(MemberKey("", "")),
)  # fmt: skip
NO_POOL: Final = Pool("", Balancer(), (), (), (), {}, lambda members, now, key: None)

_NOT_WITH_304: Final = (b"content-type:", b"content-encoding:", b"content-range:")


class _AtHand(Upstream):
    """A connection that has nothing more to say."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(NO_MEMBER.upstream)

    def use_up(self) -> None: ...
    def drop(self) -> None: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...


_AT_HAND: Final = _AtHand()


class _FromFile(_AtHand):
    """Says a part of a body in a file."""

    __slots__ = ("_at", "_file", "_reading", "_until")

    def __init__(self, body: FileBody, part: tuple[int, int]) -> None:
        super().__init__()
        self._file = body
        self._at, self._until = part
        self._reading = False

    def drop(self) -> None:
        self.receiver = None

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False
        self.go_on()

    def go_on(self) -> None:
        """Read the next piece, unless that is being done."""
        if not (self.paused or self._reading) and self.receiver is not None:
            self._reading = True
            reading = asyncio.get_running_loop().run_in_executor(None, self._file.read, self._at, self._until)
            reading.add_done_callback(self._said)

    def _said(self, reading: asyncio.Future[bytes]) -> None:
        self._reading, receiver = False, self.receiver
        if receiver is None:
            return
        try:
            data = reading.result()
            if not data:
                raise EOFError("the file of a kept answer is shorter than its body")
            self._at += len(data)
            receiver.body(data)
            if self._at >= self._until:
                receiver.ended(False)
            else:
                self.go_on()
        except Exception as error:
            receiver.broke("reading a kept answer", error)


def say(flight: OpenRequest, side: ForwardingSide, answer: Answer, kept: KeptAnswer, part: tuple[int, int]) -> None:
    """Answer a request with what is kept; ``part`` is what is sent of the body, (0, 0) for nothing."""
    body = kept.body
    if isinstance(body, bytes):
        request: UpstreamRequest = KeptRequest(flight, side, NO_MEMBER, _AT_HAND, kept)
        flight.upstream = request  # a body that is coded may take longer
        request.answered(answer, body if part == WHOLE else body[part[0] : part[1]])
        if flight.started and not flight.over:
            request.ended(False)
        return
    source = _FromFile(body, part if part != WHOLE else (0, body.length))
    flight.upstream = source.receiver = request = UpstreamRequest(flight, side, NO_MEMBER, source)
    request.answered(answer, b"")
    if not flight.started or flight.over:
        source.drop()
    elif part == (0, 0):
        request.ended(False)
    else:
        if flight.client.blocked:
            source.pause()
        request._turn(monotonic())
        source.go_on()


def head_of(raw: bytes, status: int, lines: list[bytes], length: int) -> Answer:
    """An Answer with these lines, its status line first, and a body of so many bytes."""
    answer = Answer(raw, status, lines)
    answer.length = length
    for at, line in enumerate(lines):
        kind = ANSWER_KINDS[line.partition(b":")[0]] if at else Kind.PASS
        if kind == Kind.DATE:
            answer.dated = True
        elif kind == Kind.ADDRESS:
            answer.addresses.append(at)
        elif kind == Kind.CHALLENGE:
            answer.challenges.append(line)
    return answer


def _with(lines: Sequence[bytes], age: int, said: bytes) -> list[bytes]:
    return [*lines, b"Age: %d" % age, said] if said else [*lines, b"Age: %d" % age]


def chosen(kept: KeptAnswer, wishes: Wishes, age: int, said: bytes) -> tuple[Answer, tuple[int, int]]:
    """What a client with these wishes gets of a kept answer, and which part of its body; ``said`` is the cache's own
    line."""
    lifetime = kept.lifetime
    validators: Validators = (lifetime.etag, lifetime.modified, kept.made)
    if kept.status == 200 and not_modified(wishes, validators):
        lines = [line for line in kept.lines if not line.lower().startswith(_NOT_WITH_304)]
        lines[0] = b"HTTP/1.1 304 Not Modified"
        return head_of(kept.raw, 304, _with(lines, age, said), -1), (0, 0)
    part = range_of(wishes, validators, kept.length) if kept.status == 200 else WHOLE
    if part == WHOLE:
        return head_of(kept.raw, kept.status, _with(kept.lines, age, said), kept.length), WHOLE
    lines, total = _with(kept.lines, age, said), kept.length
    if part is None:
        lines = [b"HTTP/1.1 416 Range Not Satisfiable", *_dated(lines), b"Content-Range: bytes */%d" % total]
        return head_of(kept.raw, 416, lines, 0), (0, 0)
    lines[0] = b"HTTP/1.1 206 Partial Content"
    lines.append(b"Content-Range: bytes %d-%d/%d" % (part[0], part[1] - 1, total))
    return head_of(kept.raw, 206, lines, part[1] - part[0]), part


def _dated(lines: Sequence[bytes]) -> list[bytes]:
    return [line for line in lines if line.lower().startswith(b"date:")]
