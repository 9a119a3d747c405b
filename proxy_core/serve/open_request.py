"""A request that is not finished yet: how it waits, how the proxy itself answers it, and how it ends.

The base of a Flight, which knows nothing of where requests go. Its state is one word: whom it waits for
(``deadlines``), set together with the deadline in ``wait``. Whatever happens, it ends in ``finished`` exactly once:
gauges down, record written. A failure before the answer's head went to the client is a page of our own. After it the
connection can only be cut, so that nobody takes half an answer for a whole one.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from time import monotonic
from typing import Any

from proxy_core.http.hop_by_hop import RefusedRequest
from proxy_core.rules.facts import FactKey
from proxy_core.rules.settings import Settings
from proxy_core.runtime.exchange import CLIENT_LEFT, Exchange
from proxy_core.serve.builtin_pages import Recipient, again, own_answer
from proxy_core.serve.deadlines import MEMBER, NOBODY, Wait
from proxy_core.serve.request_fields import RequestFields
from proxy_core.serve.server_state import ServerState
from proxy_core.serve.sides import ClientSide, ForwardingSide, UpstreamSide
from proxy_core.serve.tunnel import Tunnel
from proxy_core.serve.waiting_lines import ANYTHING, IN_PROXY, Wants


@dataclass(slots=True, eq=False)
class OpenRequest:
    """One request between its client and whoever answers it."""

    state: ServerState
    """What all connections share."""
    client: ClientSide
    """Where it comes from."""
    exchange: Exchange
    """What its record will say."""
    fields: RequestFields
    """What its header fields say, after the site's edits."""
    keep: bool
    """The client's connection may go on after the answer."""
    own_fields: tuple[bytes, ...]
    """Field lines of the proxy's own for its answer."""
    complete: bool
    """Its body has come whole."""
    pending: bytes = b""
    """What has come of the body, framed, while there is no member to take it."""
    page_for: int = 0
    """The status of the error that it fetches the page for (``error_document``); 0 for what a client asks for."""
    settings: Settings | None = None
    """What holds for it besides its route, None for nothing; known once it is decided."""
    waits: Wait = NOBODY
    """Whom it waits for; how long is the client connection's ``deadline``."""
    place: str = IN_PROXY
    """What it stands in line for (``waiting_lines``)."""
    wants: Wants = ANYTHING
    """What could be of use to it there."""
    in_line: float = 0.0
    """Since when it stands in line (monotonic); 0.0: it does not."""
    task: asyncio.Task[None] | None = None
    """Connects, or gets a fact."""
    forwarding: ForwardingSide | None = None
    """How it comes to a member; None until it is decided, and for what the proxy answers itself."""
    upstream: UpstreamSide | None = None
    """What is under way to a member."""
    tunnel: Tunnel | None = None
    """What has become of its connections after a 101."""
    started: bool = False
    """The head of an answer went to the client."""
    over: bool = False
    """It is finished, and whatever still arrives is ignored."""

    # -- whom it waits for

    def wait(self, waits: Wait, seconds: float, now: float) -> None:
        """From now on it waits for so long for this."""
        self.waits = waits
        self.client.deadline = now + seconds

    def wait_for(self, waits: Wait, what: Callable[[Any], Coroutine[None, None, None]], of: Any) -> None:
        """A task gets it, which has a deadline of its own and sets ``task`` to None when it is done."""
        self.wait(waits, math.inf, 0.0)
        self.task = asyncio.get_running_loop().create_task(what(of))
        self.task.add_done_callback(self._waited)

    def _waited(self, task: asyncio.Task[None]) -> None:
        """Others cancelled this wait, if it is still in ``task``: one that ends well or is given up is taken out
        first."""
        if task is self.task:
            self.task = None
            self._end(503, "what it waited for was cancelled")

    def try_again(self) -> None:
        """There may be the place that it stands in line for."""
        raise NotImplementedError

    def fetch(self, key: FactKey) -> None:
        """A rule, or the balancer, asks a fact that takes waiting: get it, and decide again."""
        raise NotImplementedError

    def stand(self, waits: Wait, seconds: float, place: str, wants: Wants) -> None:
        """Stand in line for a place."""
        self.in_line = now = monotonic()
        self.place, self.wants = place, wants
        self.wait(waits, seconds, now)
        self.state.lines.join(self)

    def leave_line(self, now: float) -> None:
        self.state.lines.leave(self)
        if self.waits is MEMBER:
            self.exchange.queued += now - self.in_line
        self.in_line = 0.0

    # -- answers of our own

    def respond(self, status: int, cause: str, moved: bytes = b"") -> None:
        """Answer it here; ``moved`` is the URL that a redirect names. An error may have a page that is a request of its
        own (``ap_die``)."""
        self.drop_upstream()
        if status >= 500 and self.forwarding is not None and self.forwarding.rescued(status):
            return
        row = self.settings.page(status) if self.settings is not None else None
        if row is not None and row.path is not None:
            self.exchange.status, self.exchange.cause, self.exchange.replaced = status, cause, status
            self.release(monotonic())
            if self.client.fetch_page(row.path):
                return
        self.reply(status, cause, moved)

    def reply(self, status: int, cause: str, moved: bytes = b"") -> None:
        """A page of our own, or a redirect. A request whose body has not been read costs its connection."""
        self.exchange.cause = cause
        self.keep = self.may_keep()
        self.write_own(status, moved)
        self.done(monotonic())

    def write_own(self, status: int, moved: bytes = b"") -> None:
        """The page for a status, or a redirect, goes to the client."""
        exchange = self.exchange
        exchange.status = status
        recipient = Recipient(self.fields.http11, exchange.view.method == b"HEAD", self.keep)
        answer = own_answer(exchange, self.settings, self.state.outside.pages, recipient, self.own_fields, moved)
        self.started = True
        self.client.write(answer)

    def may_keep(self) -> bool:
        """Whether the client's connection may go on after this answer."""
        return self.keep and self.complete and not self.client.bound.draining

    def turn_away(self, refused: RefusedRequest) -> None:
        """A fast refusal by a limit: nothing has been worked on. The next request of the connection is another's,
        perhaps, so it goes on if it can."""
        self.state.admission.reached[refused.limit] += 1
        self.exchange.limit = refused.limit
        self.own_fields = (*self.own_fields, *again(refused.again))
        self.settings = self.exchange.rules.program.general
        self.reply(refused.status, refused.why)

    def busy(self, cause: str, seconds: float) -> None:
        """No member has a place for it; the client may come again after so long."""
        self.own_fields = (*self.own_fields, *again(seconds))
        self.respond(503, cause)

    def broke(self, where: str, error: Exception) -> None:
        """A mistake of ours, which costs this one request."""
        self.state.crashed(where, error)
        self._end(500, f"{where} failed")

    def _end(self, status: int, cause: str) -> None:
        """``fail`` where nobody else is left to catch what goes wrong in it: then the connection goes too."""
        try:
            if not self.over:
                self.fail(status, cause)
                return
        except Exception as error:
            self.state.crashed("ending a request", error)
        self.client.cut()

    def fail(self, status: int, cause: str) -> None:
        """End it: with a page of our own where the client has seen nothing yet, else by cutting the connection."""
        if self.over:
            return
        self.drop_upstream()
        if not self.started and status != CLIENT_LEFT:
            if self.exchange.host is None and not self.page_for:  # undecided: what is for the whole site holds
                self.settings = self.exchange.rules.program.general
                self.reply(status, cause)
            else:
                self.respond(status, cause)
            return
        if self.started:
            self.exchange.cut = status
        else:
            self.exchange.status = status
        self.exchange.cause = cause
        self.finished(monotonic())
        self.client.cut()

    def tunnelled(self, why: str) -> None:
        if not self.over:  # else it broke before it came about
            self.exchange.cause = why
            self.finished(monotonic())

    # -- finished: exactly once, whatever happened

    def finished(self, now: float) -> None:
        assert not self.over
        self.over = True
        try:
            self.release(now)
        finally:
            self.state.record(self.exchange, now)
        if self.state.lines:
            self.state.lines.freed(IN_PROXY)

    def drop_upstream(self) -> None:
        """Nothing more is waited for, and nothing more comes of the member."""
        task, self.task = self.task, None
        if task is not None:
            task.cancel()
        upstream, self.upstream = self.upstream, None
        if upstream is not None:
            upstream.drop()

    def release(self, now: float) -> None:
        """The member is busy with it no longer, and it stands in no line."""
        if self.forwarding is not None:
            self.forwarding.release()
        if self.in_line:
            self.leave_line(now)
        self.forwarding = None  # each of the two holds the other: only the collector would free them

    def done(self, now: float) -> None:
        """The answer has gone to the client."""
        self.finished(now)
        self.client.next(self.keep and self.complete, now)
