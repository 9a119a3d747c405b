"""Hears one answer out, for who asks a member beside the requests: health checks, services that are asked first,
and copies of requests.

What is kept of the body is bounded. What follows is read and thrown away, or ends the hearing where nobody is to wait
for it. Nothing here asks, connects or closes.
"""

from __future__ import annotations

import asyncio

from proxy_core.runtime.upstreams.response_head import Answer


class Unheard(Exception):
    """There was no whole answer. ``unanswered``: the connection was closed, or lost, before any byte of one."""

    def __init__(self, why: str, unanswered: bool) -> None:
        super().__init__(why)
        self.why = why
        self.unanswered = unanswered


class WholeAnswer:
    """A Receiver (``runtime.upstreams.connection``). ``heard`` comes with the answer's head, or Unheard."""

    def __init__(self, most: int, *, waits: bool = True) -> None:
        """``most`` bytes of the body are kept. Where it is longer, ``waits`` says whether its end is waited for."""
        self.heard: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.body_bytes = bytearray()
        self.reusable = False
        self.length = 0
        """Bytes of the body that have come."""
        self.longer = False
        """The body has more bytes than are kept."""
        self._most = most
        self._waits = waits
        self._answer: Answer | None = None

    def interim(self, answer: Answer) -> None: ...

    def switched(self, answer: Answer, data: bytes) -> None: ...

    def answered(self, answer: Answer, data: bytes) -> None:
        self._answer = answer
        self.body(data)

    def body(self, data: bytes) -> None:
        self.length += len(data)
        self.longer = self.length > self._most
        self.keep(data)
        if self.longer and not self._waits:
            self._came()

    def keep(self, data: bytes) -> None:
        """What is made of a piece of the body."""
        self.body_bytes += data[: self._most - len(self.body_bytes)]

    def ended(self, reusable: bool) -> None:
        self.reusable = reusable
        self._came()

    def _came(self) -> None:
        assert self._answer is not None
        if not self.heard.done():
            self.heard.set_result(self._answer)

    def failed(self, why: str, unanswered: bool) -> None:
        if not self.heard.done():
            self.heard.set_exception(Unheard(why, unanswered))

    def broke(self, where: str, error: Exception) -> None:
        self.failed(f"{where} failed: {error}", False)

    def pause_sending(self) -> None: ...

    def resume_sending(self) -> None: ...
