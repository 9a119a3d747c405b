"""The flight of a request: from its head to the member that gets it, and what its client does meanwhile.

A Flight is a request on its way, through ``received → decided → elected → sent → answered → finished``. ``received`` is
here. A Forwarding finds the member that gets it (``forwarding``: decided, elected). An UpstreamRequest is what goes
over a connection to that member (``upstream_request``: sent, answered). The base class, OpenRequest, says how it waits
and ends (``open_request``: finished). docs/life-of-a-request.md tells the same story with the same words.

The client connection calls it with what the client sends. In the common case everything from the last byte of the head
to the write upstream is one synchronous call, with no task, future or timer. A task exists only to connect or to get a
fact.
"""

from __future__ import annotations

from time import monotonic

from proxy_core.http.hop_by_hop import RefusedRequest
from proxy_core.rules.decision import Forward, Redirect
from proxy_core.rules.facts import MOST_ANSWERS, NOTHING, FactKey, Facts, Need
from proxy_core.runtime.exchange import CLIENT_LEFT
from proxy_core.serve.cache_lookup import given, look
from proxy_core.serve.cached_way import cached_forwarding
from proxy_core.serve.deadlines import ANSWER, CLOSED, CONNECT, FACT, HALF_CLOSED_SECONDS, MEMBER, ROOM, SHARED
from proxy_core.serve.forwarding import Forwarding
from proxy_core.serve.open_request import OpenRequest
from proxy_core.serve.request_fields import CHUNKED
from proxy_core.serve.retries import RETRY_CREDIT
from proxy_core.serve.waiting_lines import ANYTHING, IN_PROXY
from proxy_core.serve.way import way


class Flight(OpenRequest):
    """A request on its way."""

    __slots__ = ()

    # -- received: the head is whole and was not refused

    def received(self, refused: RefusedRequest | None) -> None:
        """A request was read as far as its head goes: its way starts. ``refused`` says why its client may not ask."""
        state, exchange = self.state, self.exchange
        exchange.received = len(self.pending)
        if refused is not None:
            self.turn_away(refused)
            return
        if state.retries.credit < RETRY_CREDIT:
            state.retries.earn()
        bounds = exchange.rules.site.limits
        if bounds.in_flight and exchange.view.target != b"*":
            try:
                if not state.admission.enter(bounds):
                    self.stand(ROOM, bounds.queue_time, IN_PROXY, ANYTHING)
                    return
            except RefusedRequest as full:
                self.turn_away(full)
                return
        self.decide()

    def decide(self) -> None:
        """There is room for it: find where it goes. Called again when a fact has come that its rules asked for."""
        exchange = self.exchange
        if exchange.rules.program.asks and exchange.facts is NOTHING:
            exchange.facts = Facts(ask=self.state.outside.ask)
        try:
            found = way(exchange, self.client.reader, self.fields, internal=self.page_for != 0)
        except Exception as error:
            self.state.crashed("deciding a request", error)
            self.fail(500, "deciding the request failed")
            return
        if isinstance(found, Need):
            if exchange.facts is NOTHING:
                exchange.facts = Facts(ask=self.state.outside.ask)
                self.decide()
            else:
                self.fetch(found.key)
            return
        decision = found.decision
        exchange.host, exchange.view, exchange.notes = found.host, found.view, found.notes
        self.settings, self.fields = found.settings, found.fields
        route, extras = decision.route, decision.extras
        if extras is not None:
            exchange.extras = extras
            self.own_fields = (*self.own_fields, *extras.fields) if self.own_fields else extras.fields
            for state in extras.hits:
                state.hits += 1
                state.last_hit = exchange.at
        if route is not None:
            exchange.route = route
            route.state.hits += 1
            route.state.last_hit = exchange.at
        if isinstance(decision, Forward):
            if self.fields.length == CHUNKED:
                self.client.bound_body(decision.route.max_body)
            if decision.route.cache and not self.page_for:
                known = look(self, self.fields, decision)
                if known.kept is not None and given(self, known, known.kept, decision):
                    return
                forwarding = cached_forwarding(self, decision, known)
            else:
                forwarding = Forwarding(self, decision)
            self.forwarding = forwarding
            forwarding.decided()
        elif isinstance(decision, Redirect):
            self.respond(decision.status, "", decision.location)
        else:
            if found.limit:
                self.state.admission.reached[found.limit] += 1
            self.respond(decision.status, decision.cause)

    def fetch(self, key: FactKey) -> None:
        if len(self.exchange.facts.answers) >= MOST_ANSWERS:
            self.fail(500, f"rules asked for more than {MOST_ANSWERS} things")
            return
        self.wait_for(FACT, self._fetched, key)

    async def _fetched(self, key: FactKey) -> None:
        try:
            answer = await self.state.outside.answer(key, self.exchange.rules, self.exchange.view.client)
            self.task = None
            self.exchange.facts.answers[key] = answer
            self.exchange.weight += len(key[2]) + len(answer or "")
            if self.forwarding is None:
                self.decide()
            else:
                self.forwarding.decided()
        except Exception as error:
            self.task = None
            self.broke(f"asking for a {key[0]} of {key[1]}", error)

    # -- what the lines and the client connection call

    def try_again(self) -> None:
        """There may be the place that it stands in line for."""
        if self.forwarding is not None:
            self.forwarding.decided()
        elif self.state.admission.has_room(self.exchange.rules.site.limits):
            self.leave_line(monotonic())
            self.decide()

    def half_closed(self) -> None:
        """The client sends no more: it may want its answer still, or be gone. The answer gets a short deadline."""
        waits = CLOSED if self.waits in (FACT, CONNECT, ANSWER) else self.waits
        self.wait(waits, HALF_CLOSED_SECONDS, monotonic())

    def send_body(self, data: bytes, last: bool) -> None:
        """A piece of the request body from the client; ``last`` completes it. Once a member has the request, each piece
        buys the client time; whatever is waited for before has a deadline of its own."""
        received = len(data)
        self.exchange.received += received
        if self.fields.length == CHUNKED:
            data = (b"%x\r\n%b\r\n" % (received, data) if data else b"") + (b"0\r\n\r\n" if last else b"")
        self.complete = last
        if self.upstream is None:
            self.pending += data
            self.client.pause()
        else:
            self.upstream.send_body(data, received, last)

    # -- what goes wrong

    def expired(self) -> None:
        """A deadline passed. Whom it waited for decides what that is called."""
        if self.tunnel is not None:
            self.tunnel.expired()
            return
        late, forwarding = self.waits, self.forwarding
        if late is ROOM:
            self.turn_away(RefusedRequest(late.status, late.cause, late.limit, 1.0))
        elif forwarding is None:
            self.fail(late.status, late.cause)
        elif late is SHARED:
            forwarding.expired()
        elif late is MEMBER:
            seconds = forwarding.pool.balancer.timeout
            self.busy(late.cause.format(seconds=seconds, pool=forwarding.pool.name), seconds)
        else:
            if late.limit:
                self.state.admission.reached[late.limit] += 1
            if late.blames:
                forwarding.silent()
            self.fail(late.status, late.cause.format(seconds=forwarding.timeout))

    def client_left(self) -> None:
        self._end(CLIENT_LEFT, "the client left before the end of the answer" if self.started else "the client left")

    def stop(self) -> None:
        """The listener stops: what has an end comes to it, a tunnel is told."""
        if self.tunnel is not None:
            self.tunnel.stop()

    def give_up(self, cause: str) -> None:
        """The proxy wants it to end, tunnel or not."""
        if self.tunnel is not None:
            self.tunnel.why = cause
            self.client.cut()
        else:
            self.fail(503, cause)

    def refuse(self, status: int, cause: str) -> None:
        """``fail``, and the connection ends with it: nobody knows where the next request would begin."""
        self.keep = False
        self.fail(status, cause)
