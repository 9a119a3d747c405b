"""Sent and answered: one request over one connection to a member, from the first byte up to the last byte down.

The connection (``runtime.upstreams.connection``) calls it with what the member answers, the flight with what the client
sends. It frames the body for either side, pauses the side that sends faster than the other reads, and counts. What goes
wrong is ended by the flight, or tried again by the forwarding.
"""

from __future__ import annotations

from functools import partial
from time import monotonic

from proxy_core.balance import passive_checks, sticky
from proxy_core.balance.pool import BoundMember
from proxy_core.http.content_coding import Offer
from proxy_core.rules.decision import Forward
from proxy_core.runtime.upstreams.connection import Upstream
from proxy_core.runtime.upstreams.connector import IDLE_SECONDS
from proxy_core.runtime.upstreams.response_head import UNTIL_CLOSE, Answer
from proxy_core.serve import coded_body, field_edits, member_answer
from proxy_core.serve.buffers import DISCARD
from proxy_core.serve.builtin_pages import CONTINUE, Recipient
from proxy_core.serve.coded_body import CodedBody
from proxy_core.serve.deadlines import ANSWER, BODY, CLOSED, HALF_CLOSED_SECONDS, READING, SENDING, TUNNEL
from proxy_core.serve.member_answer import Reverse
from proxy_core.serve.open_request import OpenRequest
from proxy_core.serve.sides import ForwardingSide
from proxy_core.serve.tunnel import Tunnel
from proxy_core.serve.way import outgoing

_PAGES = frozenset((200, 301, 302, 303, 307, 308))
"""Statuses with which the page of an error is answered: the page itself, or a redirect to it."""


class UpstreamRequest:
    """A Receiver: what came of one request over one connection goes to its client."""

    __slots__ = ("_alone", "_chunked", "_coded", "_connection", "_flight", "_forwarding", "_full", "_hidden", "_member")

    _alone: bool
    """The connection is for this request alone."""
    _chunked: bool
    """The client gets the answer's body in chunks."""
    _coded: CodedBody | None
    """Codes the answer's body on its way, None where it passes as it is."""
    _full: bool
    """The member takes no more of the request's body for now."""
    _hidden: bool
    """A page of ours took the place of the answer, whose body is thrown away."""

    def __init__(
        self, flight: OpenRequest, forwarding: ForwardingSide, member: BoundMember, connection: Upstream
    ) -> None:
        self._flight = flight
        self._forwarding = forwarding
        self._member = member
        self._connection = connection
        self._alone = self._chunked = self._full = self._hidden = False
        self._coded = None

    # -- sent: the head is on its way upstream, and the body as far as it has come

    def sent(self, decision: Forward) -> None:
        flight, state = self._flight, self._member.state
        exchange, client, connection = flight.exchange, flight.client, self._connection
        exchange.connected = now = monotonic()
        if state.last_error:
            passive_checks.worked(self._member, now)
        exchange.cause = ""
        head, protocol, self._alone = outgoing(exchange.view, decision, flight.fields, self._member)
        exchange.forwarded = head
        if flight.pending:
            head += flight.pending
            flight.pending = b""
        elif flight.fields.expect:
            client.write(CONTINUE)
        state.transferred += len(head)
        connection.ask(self, head, exchange.view.method == b"HEAD", protocol)
        if client.blocked:
            connection.pause()
        self._turn(now)
        if not (flight.complete or self._full):
            client.resume()

    def send_body(self, data: bytes, received: int, last: bool) -> None:
        """A piece of the body, framed; ``received`` bytes of the client's were in it."""
        flight = self._flight
        self._member.state.transferred += len(data)
        self._connection.write(data)
        if last:
            self._turn(monotonic())
        elif flight.waits is BODY:
            self._earn(received)

    def _earn(self, count: int) -> None:
        """Bytes of a body buy the client time, up to a whole silence; one that trickles runs out of it."""
        client, limits = self._flight.client, self._flight.client.limits
        most = monotonic() + limits.body_time
        client.deadline = min(client.deadline + count / limits.body_rate, most) if limits.body_rate else most

    def drop(self) -> None:
        """Close the connection at once; nothing more comes of it."""
        self._connection.drop()

    # -- whose turn it is

    def _turn(self, now: float) -> None:
        """Whom the two wait for now. The client is waited for first: as long as it does not read or has not said all,
        the member's silence is not its own."""
        flight, client, seconds = self._flight, self._flight.client, self._forwarding.timeout
        waits = ANSWER
        if client.blocked:
            waits = READING
        elif not flight.complete:
            waits, seconds = (SENDING, seconds) if self._full else (BODY, client.limits.body_time)
        elif client.half_closed:
            waits, seconds = CLOSED, min(seconds, HALF_CLOSED_SECONDS)
        flight.waits = waits
        client.deadline = now + seconds

    def _alive(self, now: float) -> None:
        """The member said something, so its silence begins anew."""
        flight = self._flight
        if flight.waits is ANSWER:
            flight.client.deadline = now + self._forwarding.timeout
        elif flight.waits is CLOSED:
            self._turn(now)

    def pause_sending(self) -> None:
        if not self._flight.complete:
            self._full = True
            self._flight.client.pause()
            self._turn(monotonic())

    def resume_sending(self) -> None:
        if not self._flight.complete:
            self._full = False
            self._turn(monotonic())
            self._flight.client.resume()

    def pause_answer(self) -> None:
        self._connection.pause()
        self._turn(monotonic())

    def resume_answer(self) -> None:
        self._turn(monotonic())
        self._connection.resume()

    # -- answered: the head of the final answer is there; its body follows

    def interim(self, answer: Answer) -> None:
        flight = self._flight
        self._alive(monotonic())
        self._count_head(answer)
        if flight.fields.http11 and answer.status != 100:
            flight.client.write(member_answer.interim(answer))

    def switched(self, answer: Answer, data: bytes) -> None:
        """The member agreed to another protocol: its 101 goes to the client, and the two speak for themselves."""
        flight = self._flight
        exchange, client = flight.exchange, flight.client
        exchange.answered = monotonic()
        exchange.answer, exchange.status = answer.raw, 101
        self._member.state.answered += 1
        self._count_head(answer)
        flight.started = True
        flight.upstream = None
        flight.waits = TUNNEL
        client.write(member_answer.switching(answer))
        idle = exchange.rules.site.site.tunnel_timeout
        flight.tunnel = Tunnel(client, self._connection, exchange, answer.upgrade, idle, flight.tunnelled)
        if data:
            flight.tunnel.upstream.pass_on(data)

    def answered(self, answer: Answer, data: bytes) -> None:
        flight, forwarding, member, state = self._flight, self._forwarding, self._member, self._member.state
        exchange, settings, page_for = flight.exchange, flight.settings, flight.page_for
        exchange.answered = now = monotonic()
        exchange.answer, exchange.status = answer.raw, answer.status
        state.answered += 1
        state.read += answer.raw.index(b"\r\n")  # _count_head, a call less for each request
        pool, own, route = forwarding.pool, flight.own_fields, exchange.route
        assert route is not None
        if pool.watched:
            passive_checks.answered(pool, member, now, answer.status, now - exchange.connected)
        if pool.issues and member.route and sticky.changed(pool, member, exchange.session):
            own = (*own, sticky.issued(pool, member))
        if flight.waits is ANSWER:
            flight.client.deadline = now + forwarding.timeout  # _alive, as above
        elif flight.complete:
            self._alive(now)
        else:
            self._connection.use_up()  # who answers before it has read all may take the rest for another request
        if page_for:
            if answer.status not in _PAGES:
                flight.respond(502, f"it was answered {answer.status}")
                return
            if answer.status == 200:
                exchange.status = page_for
        flight.started = True
        flight.keep = keep = flight.may_keep()
        if answer.status >= 400 and route.hides(answer.status):
            self._hide(answer, now)
            return
        came = len(data)
        if settings is not None and settings.offer is not None:
            answer, data = self._code(settings.offer, answer, data)
        rows, cookies = route.reverse, route.cookies
        ready_for: object = route if cookies else None
        steady = True
        if settings is not None:
            rows, cookies = settings.reverse + rows, settings.cookies + cookies
            ready_for = (route, settings)
            steady = settings.edits.steady_answer
        plain = flight.fields.http11 and answer.dated and answer.length >= 0 and not (own or page_for)
        plain = plain and steady and not (answer.addresses and rows)
        if plain and answer.ready and (answer.ready_for is ready_for or (settings and answer.ready_for == ready_for)):
            head = answer.ready if keep else member_answer.closing(answer.ready)
        else:
            server_name = exchange.rules.site.site.server_name
            base = member_answer.own_base(exchange.view, route, server_name) if answer.addresses else ""
            head, self._chunked, flight.keep = member_answer.head(
                answer,
                Recipient(flight.fields.http11, exchange.view.method == b"HEAD", keep),
                Reverse(rows, cookies, base),
                change=None
                if settings is None
                else partial(field_edits.answered, settings, exchange, own=own, length=answer.length),
                fields=own,
                status=exchange.status if page_for else 0,
            )
            if plain:
                answer.ready, answer.ready_for = head if keep else member_answer.lasting(head), ready_for
        if came:
            state.read += came
        if self._coded is not None:
            self._coded.begin(head, self._chunked, data)
            return
        if data:
            exchange.sent += len(data)
            head += b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data
        flight.client.write(head)

    def _code(self, offer: Offer, answer: Answer, data: bytes) -> tuple[Answer, bytes]:
        """The answer and what has come of its body, as they are where the site codes answers."""
        flight = self._flight
        found = member_answer.choice(offer, flight.exchange, answer)
        if not (found.varies or found.coding):
            return answer, data
        length = answer.length
        if found.coding:
            coding, level, length = found.coding, offer.levels[found.coding], UNTIL_CLOSE
            if flight.exchange.view.method == b"HEAD":
                pass
            elif len(data) == answer.length and len(data) <= coded_body.quick(coding, level):
                data = coded_body.whole(flight, coding, level, data)
                length = len(data)
            else:
                self._coded = CodedBody(flight, self._connection, coding, level)
        return member_answer.coded(answer, found, length), data

    def _hide(self, answer: Answer, now: float) -> None:
        """Send our page at once; what the member says is read and thrown away if it is short enough."""
        flight = self._flight
        if answer.status in (401, 426):
            flight.own_fields = (*flight.own_fields, *answer.challenges)
        if flight.settings is not None and flight.settings.page(answer.status) is not None:
            flight.started = False
            flight.respond(answer.status, "")
            return
        self._hidden = True
        flight.write_own(answer.status)
        if not 0 <= answer.length <= DISCARD:
            flight.drop_upstream()
            flight.done(now)

    def body(self, data: bytes) -> None:
        self._alive(monotonic())
        if not self._hidden:
            self._member.state.read += len(data)
            if self._coded is not None:
                self._coded.feed(data)
                return
            self._flight.exchange.sent += len(data)
            self._flight.client.write(b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data)

    def ended(self, reusable: bool) -> None:
        flight, member = self._flight, self._member.member
        flight.upstream = None
        now = monotonic()
        if reusable and flight.complete and not (member.disablereuse or self._alone):
            flight.state.upstreams.give_back(self._connection, now, member.ttl or IDLE_SECONDS)
        else:
            self._connection.drop()
        if self._coded is not None:
            self._coded.end()
            return
        if self._chunked and not self._hidden:
            flight.client.write(b"0\r\n\r\n")
        flight.done(now)

    def failed(self, why: str, unanswered: bool) -> None:
        self._flight.upstream = None
        self._forwarding.failed(why, unanswered)

    def broke(self, where: str, error: Exception) -> None:
        self._flight.broke(where, error)

    def _count_head(self, answer: Answer) -> None:
        """Of an answer's head httpd counts the status line alone (mod_proxy_http.c, "a real headers length")."""
        self._member.state.read += answer.raw.index(b"\r\n")
