"""The way of a request, in one place of some 790 lines because it is one story.

The phases are ``received → decided → elected → sent → answered → finished``.

A Flight is a request on its way. The connection (``front``) calls it with what the client sends, the upstream
connection (``runtime.upstreams.connection``) with what the upstream answers; in the common case everything from the
last byte of the head to the write upstream is one synchronous call, with no task, future or timer. A task exists only
to connect. docs/life-of-a-request.md tells the same story with the same words.

Whatever goes wrong ends in ``finished``, exactly once: gauges down, record written. Before the answer's head went to
the client a failure is a page of our own; after it, the connection can only be cut, so that nobody takes half an
answer for a whole one.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Coroutine
from functools import partial
from time import monotonic, time
from typing import TYPE_CHECKING

from proxy_core.balance import outcome, sticky
from proxy_core.balance.select import Full, choose
from proxy_core.balance.state import BoundMember, MemberKey, Pool
from proxy_core.http.hop_by_hop import IDEMPOTENT, RefusedRequest
from proxy_core.http.request_view import RequestView
from proxy_core.rules.decision import BoundRoute, Forward, Redirect
from proxy_core.rules.facts import FactKey, Facts, Need, Unknown
from proxy_core.rules.settings import Settings
from proxy_core.rules.text.request_key import key_of
from proxy_core.runtime.exchange import CLIENT_LEFT, Exchange
from proxy_core.runtime.rule_set import RuleSet
from proxy_core.runtime.upstreams.answer_head import Answer
from proxy_core.runtime.upstreams.connection import Upstream
from proxy_core.runtime.upstreams.idle_connections import IDLE_SECONDS, Unreachable
from proxy_core.serve import field_edits, fixed_bounds, member_answer
from proxy_core.serve.member_lines import Wants
from proxy_core.serve.own_answer import CONTINUE, again, reply
from proxy_core.serve.request_fields import CHUNKED, RequestFields
from proxy_core.serve.server_state import ServerState
from proxy_core.serve.tunnel import Tunnel
from proxy_core.serve.way import outgoing, way

if TYPE_CHECKING:
    from proxy_core.serve.client_connection import ClientConnection


_PAGES = frozenset((200, 301, 302, 303, 307, 308))
"""What a page for an error may be answered with: itself, or where else it is."""


class Flight:
    """One request between its client and an upstream. ``complete``: its body has come whole; ``started``: the head of
    an answer went to the client; ``over``: it is finished, and whatever still arrives is ignored. ``first`` is the
    flight whose error this one fetches the page for, if it is such a one: an internal redirect, which has an exchange
    of its own but no record."""

    __slots__ = (
        "_chunked", "_decision", "_extra", "_first", "_hidden", "_keep", "_key", "_pending", "_pool",
        "_queued", "_released", "_settings", "_tried", "_tunnel", "_upstream", "_waiting", "_worst", "client",
        "complete", "exchange", "fields", "in_line", "over", "service", "started", "timeout", "wants",
    )  # fmt: skip

    def __init__(
        self, service: ServerState, client: ClientConnection, fields: RequestFields, keep: bool, exchange: Exchange,
        body: bytes, first: Flight | None = None,
    ) -> None:  # fmt: skip
        self.service = service
        self.client = client
        self.fields = fields
        self.exchange = exchange
        self.complete = len(body) == fields.length
        self.started = False
        self.over = False
        self.timeout = 0.0
        self.wants: Wants = ("", ())
        self._chunked = False
        self._waiting: asyncio.Task[None] | None = None
        self._extra: tuple[bytes, ...] = client.bound.fields if first is None else first._extra
        self._first = first
        self._hidden = False
        self._keep = keep
        self._pending = [body] if body else []
        self.in_line = 0.0
        self._key = b""
        self._queued = False
        self._released = False
        self._settings: Settings | None = None
        self._tried: tuple[MemberKey, ...] = ()
        self._tunnel: Tunnel | None = None
        self._upstream: Upstream | None = None
        self._worst = 503

    # -- received: the head is whole and was not refused

    def received(self, rules: RuleSet) -> None:
        view = self.exchange.view
        if view.target == b"*":
            self._respond(200, "")
            return
        bounds = rules.site.limits
        if bounds.in_flight:
            try:
                self._queued = not self.service.gate.enter(self, bounds)
            except RefusedRequest as full:
                self.turn_away(full)
                return
            if self._queued:
                self.client.deadline = monotonic() + bounds.queue_time
                return
        self.proceed()

    def proceed(self) -> None:
        """There is room for it now, if there was none before."""
        self._queued = False
        rules = self.exchange.rules
        if rules.program.asks:
            self.exchange.facts = Facts(ask=self.service.outside.ask)
        self._decide()

    def _decide(self) -> None:
        exchange = self.exchange
        try:
            found = way(exchange, self.client.reader, self.fields, internal=self._first is not None)
        except Exception as error:
            self.service.crashed("deciding a request", error)
            self._respond(500, "deciding the request failed")
            return
        if isinstance(found, Need):
            self._fetch(found.key)
            return
        decision, exchange.host, self._settings, exchange.view, self.fields, exchange.notes, limit = found
        route, extras = decision.route, decision.extras
        if extras is not None:
            exchange.extras = extras
            self._extra = (*self._extra, *extras.fields) if self._extra else extras.fields
            for state in extras.hits:
                state.hits += 1
                state.last_hit = exchange.at
        if route is not None:
            exchange.route = route
            route.state.hits += 1
            route.state.last_hit = exchange.at
        if isinstance(decision, Forward):
            self.client.bound_body(decision.route.max_body)
            self.timeout = decision.route.timeout
            self._decision = decision
            self.decided()
        elif isinstance(decision, Redirect):
            self._respond(decision.status, "", decision.location)
        else:
            if limit:
                self.service.gate.reached[limit] += 1
            self._respond(decision.status, decision.cause)

    def _fetch(self, key: FactKey) -> None:
        """A rule needs to know something that takes waiting: get it, and decide again."""
        if len(self.exchange.facts.answers) >= fixed_bounds.FACTS:
            self._respond(500, f"rules asked for more than {fixed_bounds.FACTS} things")
            return
        self.client.deadline = math.inf  # getting an answer has a deadline of its own
        self._wait_for(self._fetched(key))

    async def _fetched(self, key: FactKey) -> None:
        try:
            answer = await self.service.outside.answer(key)
            self._waiting = None
            self.exchange.facts.answers[key] = answer
            self._decide()
        except Exception as error:
            self._waiting = None
            self.broke(f"asking for a {key[0]} of {key[1]}", error)

    # -- decided: a route takes it; who of its pool gets it?

    def decided(self) -> None:
        exchange = self.exchange
        name = self._decision.route.pool or ""
        # Who stands in line has no member yet, and waits for those in force: an edit that makes room helps it too.
        pool = self.service.current.rules.pools.get(name) if self.in_line else None
        self._pool = pool = pool or exchange.rules.pools[name]
        # From here to the last line there is no await: the choice and its mark on the member are one step.
        try:
            if pool.asks and not exchange.attempts:
                self._ask(pool)
            now = monotonic() if self._tried or self.in_line else exchange.started
            member = choose(pool, now, self._tried, exchange.session, self._key)
        except Full:
            self._queue(pool)
            return
        except Unknown as unknown:
            self._fetch(unknown.key)
            return
        if self.in_line:
            self._leave_line(now)
        if member is None:
            if not self._tried:
                exchange.cause = f"no member of {pool.name} takes requests"
            self._respond(self._worst, exchange.cause)
            return
        state = member.state
        state.busy += 1
        state.elected += 1
        exchange.member = member
        exchange.attempts += 1
        self.elected(member)

    def _ask(self, pool: Pool) -> None:
        """What the request itself says about who should get it."""
        exchange = self.exchange
        if pool.balancer.sticky is not None:
            exchange.session = sticky.session_route(pool.balancer.sticky, self._decision.target, exchange.head)
        if pool.method == "hash":
            name = exchange.rules.site.site.server_name
            self._key = key_of(pool.balancer.key, exchange.view, exchange.facts, exchange.extras, name)

    def _queue(self, pool: Pool) -> None:
        """Every member that could take it is at its limit: wait in line, if the line is not too long."""
        if self.in_line:
            return
        if not pool.balancer.timeout:
            self._busy(f"every member of {pool.name} is at its limit")
        elif self.service.waiting.length(pool.name) >= pool.balancer.queue:
            self._busy(f"{pool.balancer.queue} requests wait for {pool.name} already")
        else:
            self.in_line = monotonic()
            self.client.deadline = self.in_line + pool.balancer.timeout
            session = self.exchange.session
            self.wants = (session if session in pool.routes else "", self._tried)
            self.service.waiting.join(pool.name, self)

    def _busy(self, cause: str) -> None:
        self._extra = (*self._extra, *again(self._pool.balancer.timeout or 1.0))
        self._respond(503, cause)

    # -- elected: a member has it, and is busy with it until finished (or until it cannot be reached)

    def elected(self, member: BoundMember) -> None:
        self.timeout = member.member.timeout or self._decision.route.timeout
        self._upstream = upstream = self.service.upstreams.take(member.upstream)
        if upstream is not None:
            self.sent(upstream, member)
        else:
            self._connect(member)

    def _connect(self, member: BoundMember) -> None:
        self.client.deadline = math.inf  # connecting has a deadline of its own
        self._wait_for(self._connected(member))

    async def _connected(self, member: BoundMember) -> None:
        try:
            try:
                seconds = member.member.connect_timeout or self.exchange.rules.site.site.connect_timeout
                upstream = await self.service.upstreams.connect(member.upstream, seconds, member.member.keepalive)
            except Unreachable as error:
                self._waiting = None
                self._unreachable(member, error)
            else:
                self._waiting = None
                self._upstream = upstream
                self.sent(upstream, member)
        except Exception as error:
            self._waiting = None
            self.broke("connecting to a member", error)

    def _unreachable(self, member: BoundMember, error: Unreachable) -> None:
        """Nothing of the request was sent, so the next member may have it whatever its method is."""
        state = member.state
        state.busy -= 1
        self.exchange.member = None
        if not error.ours:
            state.errors += 1
            outcome.unreachable(self._pool, member, monotonic(), error.why, error.unresolved)
        self.exchange.cause = error.why
        self._worst = error.status
        self._next_member(member)

    def _next_member(self, member: BoundMember) -> None:
        """This one is of no use for the request (and is busy with it no longer)."""
        self.exchange.member = None
        self._tried += (member.key,)
        self.service.waiting.freed(self._pool.name)
        most = self._pool.balancer.maxattempts
        if most is not None and len(self._tried) > most:
            self._respond(self._worst, self.exchange.cause)
        else:
            self.decided()

    # -- sent: the head is on its way upstream, and the body as far as it has come

    def sent(self, upstream: Upstream, member: BoundMember) -> None:
        exchange, fields, client = self.exchange, self.fields, self.client
        view = exchange.view
        exchange.connected = now = monotonic()
        if member.state.last_error:
            outcome.worked(member, now)
        self._wait(now)
        exchange.cause = ""
        head, asked = outgoing(view, self._decision, fields, member)
        exchange.forwarded = head
        if self._pending:
            head = b"".join((head, *self._pending))
            self._pending.clear()
        elif fields.expect:
            client.write(CONTINUE)
        member.state.transferred += len(head)
        upstream.ask(self, head, view.method == b"HEAD", asked)
        if client.blocked:
            upstream.pause()
        if not self.complete:
            client.resume()
            client.body_deadline()

    def send_body(self, data: bytes, last: bool) -> None:
        """A piece of the request body from the client; ``last`` completes it. It buys the client time as soon as there
        is somebody to have it; what is waited for until then has a deadline of its own."""
        received = len(data)
        self.exchange.received += received
        if self.fields.length == CHUNKED:
            data = (b"%x\r\n%b\r\n" % (len(data), data) if data else b"") + (b"0\r\n\r\n" if last else b"")
        self.complete = last
        upstream = self._upstream
        if upstream is None:
            self._pending.append(data)
            self.client.pause()
        else:
            assert self.exchange.member is not None
            self.exchange.member.state.transferred += len(data)
            self.client.earn(received)
            upstream.write(data)
            if last:
                self._wait(monotonic())

    def pause_sending(self) -> None:
        if not self.complete:
            self.client.pause()
            self.client.deadline = monotonic() + self.timeout

    def resume_sending(self) -> None:
        if not self.complete:
            self.client.resume()
            self.client.body_deadline()

    # -- answered: the head of the final answer is there; its body follows

    def interim(self, answer: Answer) -> None:
        self._alive()
        self._read(answer)
        if self.fields.http11 and answer.status != 100 and not self.started:
            self.client.write(member_answer.interim(answer))

    def switched(self, answer: Answer, data: bytes) -> None:
        """The upstream agreed to another protocol: its 101 goes to the client, and the two speak for themselves."""
        exchange, client, upstream = self.exchange, self.client, self._upstream
        assert upstream is not None
        assert exchange.member is not None
        exchange.answered = monotonic()
        exchange.answer = answer.raw
        exchange.status = 101
        exchange.member.state.answered += 1
        self._read(answer)
        self.started = True
        self._upstream = None
        client.write(member_answer.switching(answer))
        idle = exchange.rules.site.site.tunnel_timeout
        self._tunnel = Tunnel(client, upstream, exchange, answer.upgrade, idle, self._tunnelled)
        if data:
            self._tunnel.upstream.pass_on(data)

    def _tunnelled(self, why: str) -> None:
        if not self.over:  # else it broke before it came about
            self.exchange.cause = why
            self.finished(monotonic())

    def stop(self) -> None:
        """The listener stops: what has an end comes to it, a tunnel is told."""
        if self._tunnel is not None:
            self._tunnel.stop()

    def answered(self, answer: Answer, data: bytes) -> None:
        exchange, client = self.exchange, self.client
        exchange.answered = now = monotonic()
        exchange.answer = answer.raw
        exchange.status = answer.status
        member, route = exchange.member, exchange.route
        assert member is not None
        assert route is not None
        member.state.answered += 1
        self._read(answer)
        pool, fields = self._pool, self._extra
        if pool.watched:
            outcome.answered(pool, member, now, answer.status, now - exchange.connected)
        if pool.issues and member.route and sticky.changed(pool, member, exchange.session):
            fields = (*fields, sticky.issued(pool, member))
        if self.complete:
            self._wait(now)
        elif self._upstream is not None:
            self._upstream.use_up()  # who answers before it has read all may take the rest for another request
        first = self._first
        if first is not None:
            if answer.status not in _PAGES:
                self._respond(502, f"it was answered {answer.status}")
                return
            if answer.status == 200:
                exchange.status = first.exchange.status
        self.started = True
        self._keep = keep = self._may_keep()
        if answer.status >= 400 and route.hides(answer.status):
            self._hide(answer)
            return
        http11 = self.fields.http11
        head_only = exchange.view.method == b"HEAD"
        settings, rows, cookies = self._settings, route.reverse, route.cookies
        by: object = route if cookies else None
        if settings is not None:
            rows, cookies = settings.reverse + rows, settings.cookies + cookies
            by = (route, settings)
        plain = keep and http11 and answer.dated and answer.length >= 0 and not fields and first is None
        plain = plain and not (answer.addresses and rows) and (settings is None or settings.edits.steady_answer)
        if plain and answer.ready and (answer.ready_for is by or (settings and answer.ready_for == by)):
            head = answer.ready
        else:
            base = self._ourselves(route) if answer.addresses else ""
            head, self._chunked, self._keep = member_answer.head(
                answer,
                http11=http11,
                head_only=head_only,
                keep=keep,
                rows=rows,
                cookies=cookies,
                base=base,
                change=None if settings is None else partial(field_edits.answered, settings, exchange, own=fields),
                fields=fields,
                status=0 if first is None else exchange.status,
            )
            if plain:
                answer.ready, answer.ready_for = head, by
        if data:
            exchange.sent += len(data)
            member.state.read += len(data)
            head += b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data
        client.write(head)

    def _ourselves(self, route: BoundRoute) -> str:
        """``scheme://host`` for addresses of our own: the host that the client used, in lower case as in httpd, or the
        one that counts in its place."""
        view = self.exchange.view
        host = (
            route.canonical.removesuffix(":443" if view.scheme == "https" else ":80")
            or view.host.decode("latin-1").lower()
        )
        return f"{view.scheme}://{host or self.exchange.rules.site.site.server_name}"

    def _may_keep(self) -> bool:
        """Whether the client's connection may go on after this answer."""
        return self._keep and self.complete and not self.client.bound.draining

    def _hide(self, answer: Answer) -> None:
        """Send our page at once; what the upstream says is read and thrown away if it is short enough."""
        if self._settings is not None and self._settings.page(answer.status) is not None:
            self.started = False
            if answer.status == 401:
                self._extra = (*self._extra, *answer.challenges)
            self._respond(answer.status, "")
            return
        head_only = self.exchange.view.method == b"HEAD"
        head, body = member_answer.override(
            answer, http11=self.fields.http11, head_only=head_only, keep=self._keep, fields=self._own(answer.status)
        )
        self.client.write(head + body)
        self.exchange.sent += len(body)
        self._hidden = True
        if not 0 <= answer.length <= fixed_bounds.DISCARD:
            self._drop_upstream()
            self._done(monotonic())

    def body(self, data: bytes) -> None:
        self._alive()
        if self._hidden:
            return
        exchange = self.exchange
        assert exchange.member is not None
        exchange.sent += len(data)
        exchange.member.state.read += len(data)
        self.client.write(b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data)

    def ended(self, reusable: bool) -> None:
        upstream, self._upstream = self._upstream, None
        assert upstream is not None
        now = monotonic()
        member = self.exchange.member
        if reusable and self.complete and member is not None and not member.member.disablereuse:
            self.service.upstreams.give_back(upstream, now, member.member.ttl or IDLE_SECONDS)
        else:
            upstream.drop()
        if self._chunked and not self._hidden:
            self.client.write(b"0\r\n\r\n")
        self._done(now)

    def pause_answer(self) -> None:
        """The client is slow to read, so the upstream has to wait."""
        self.client.deadline = monotonic() + self.timeout
        if self._upstream is not None:
            self._upstream.pause()

    def resume_answer(self) -> None:
        self.client.deadline = monotonic() + self.timeout
        if self._upstream is not None:
            self._upstream.resume()

    def _alive(self) -> None:
        """The upstream said something, so its silence begins anew."""
        if self.complete and not self.client.blocked:
            self._wait(monotonic())

    def _wait(self, now: float) -> None:
        """From now on the upstream may be silent as long as the route allows, or until a client that closed its side
        must be taken for gone."""
        silence = self.timeout
        if self.client.half_closed and silence > fixed_bounds.HALF_CLOSED_SECONDS:
            silence = fixed_bounds.HALF_CLOSED_SECONDS
        self.client.deadline = now + silence

    def _read(self, answer: Answer) -> None:
        """Of an answer's head httpd counts the status line alone (mod_proxy_http.c, "a real headers length")."""
        assert self.exchange.member is not None
        self.exchange.member.state.read += answer.raw.index(b"\r\n")

    # -- what goes wrong

    def _wait_for(self, what: Coroutine[None, None, None]) -> None:
        self._waiting = asyncio.get_running_loop().create_task(what)
        self._waiting.add_done_callback(self._waited)

    def _waited(self, task: asyncio.Task[None]) -> None:
        """Whoever gives a wait up and every wait that ends well says so first: this one was cancelled by others."""
        if task is self._waiting:
            self._waiting = None
            self._end(503, "what it waited for was cancelled")

    def failed(self, why: str, unanswered: bool) -> None:
        """The upstream connection is gone, or what came over it is not an answer."""
        self._upstream = None
        exchange, member = self.exchange, self.exchange.member
        assert member is not None
        member.state.errors += 1
        harmless = self.fields.length == 0 and exchange.view.method in IDEMPOTENT
        if unanswered and harmless and exchange.retries < fixed_bounds.RETRIES and self.service.may_retry():
            # Nothing was answered and doing it twice does no harm. An idle connection that closed while we wrote to it
            # says nothing about the member, so it is asked once more over a fresh one; the last time another is.
            exchange.retries += 1
            member.state.retries += 1
            if exchange.retries < fixed_bounds.RETRIES or len(self._pool.members) == 1:
                self._connect(member)
                return
            outcome.broke(self._pool, member, monotonic())
            member.state.busy -= 1
            exchange.cause, self._worst = why, 502
            self._next_member(member)
            return
        outcome.broke(self._pool, member, monotonic())
        self.fail(502, why)

    def expired(self) -> None:
        """A deadline passed. Whose silence it was decides what it is called."""
        if self._tunnel is not None:
            self._tunnel.expired()
            return
        member = self.exchange.member
        if self._queued:
            why = "it waited in the queue for queue_time while others were worked on"
            self.turn_away(RefusedRequest(503, why, "in_flight", 1.0))
        elif self.in_line:
            self._busy(f"no member of {self._pool.name} was free within {self._pool.balancer.timeout:g} s")
        elif not self.complete and not self.client.paused:
            self.service.gate.reached["body_time"] += 1
            self.fail(408, "the client stopped sending its request body")
        elif self.client.blocked:
            self.fail(CLIENT_LEFT, "the client stopped reading the answer")
        elif self.client.half_closed:
            self.fail(CLIENT_LEFT, "the client closed its side and the answer took too long")
        else:
            if member is not None:
                member.state.errors += 1
                outcome.silent(self._pool, member, monotonic(), self.timeout)
            self.fail(504, f"the upstream was silent for {self.timeout:g} s")

    def turn_away(self, refused: RefusedRequest) -> None:
        """A fast refusal by a limit: nothing has been worked on. The next request of the connection is another's,
        perhaps, so it goes on if it can."""
        self.service.gate.reached[refused.limit] += 1
        self.exchange.limit = refused.limit
        self._extra = (*self._extra, *again(refused.again))
        self._settings = self.exchange.rules.program.general
        self._reply(refused.status, refused.why)

    def broke(self, where: str, error: Exception) -> None:
        """A mistake of ours, which costs this one request."""
        self.service.crashed(where, error)
        self._end(500, f"{where} failed")

    def client_left(self) -> None:
        self._end(CLIENT_LEFT, "the client left before the end of the answer" if self.started else "the client left")

    def _end(self, status: int, cause: str) -> None:
        """``fail`` where nobody else is left to catch what goes wrong in it: then the connection goes too."""
        try:
            if not self.over:
                self.fail(status, cause)
                return
        except Exception as error:
            self.service.crashed("ending a request", error)
        self.client.cut()

    def give_up(self, cause: str) -> None:
        """The proxy wants it to end, tunnel or not."""
        if self._tunnel is not None:
            self._tunnel.why = cause
            self.client.cut()
        else:
            self.fail(503, cause)

    def refuse(self, status: int, cause: str) -> None:
        """``fail``, and the connection ends with it: nobody knows where the next request would begin."""
        self._keep = False
        self.fail(status, cause)

    def fail(self, status: int, cause: str) -> None:
        """End it: with a page of our own where the client has seen nothing yet, else by cutting the connection."""
        if self.over:
            return
        self._drop_upstream()
        if not self.started and status != CLIENT_LEFT:
            self._respond(status, cause)
            return
        if not self.started:
            self.exchange.status = status
        self.exchange.cause = cause
        self.finished(monotonic())
        self.client.cut()

    def _own(self, status: int) -> tuple[bytes, ...]:
        """Field lines that go with an answer of our own."""
        return field_edits.replied(self._settings, self.exchange, status, self._extra)

    def _respond(self, status: int, cause: str, moved: bytes = b"") -> None:
        """Answer it here; ``moved`` is the URL that a redirect names. An error may have a page that is a request of its
        own, but what goes wrong with that one gets the built-in page (``ap_die``)."""
        self._drop_upstream()
        first = self._first
        if first is None:
            row = self._settings.page(status) if self._settings is not None else None
            if row is not None and row.path is not None and self._redirected(status, cause, row.path):
                return
        elif not moved:
            self.exchange.cause = cause
            self._handed_back(first)
            first._reply(first.exchange.status, first.exchange.cause)
            return
        self._reply(status, cause, moved)

    def _redirected(self, status: int, cause: str, path: str) -> bool:
        """Whether another request asks for the page of an error now; the client has what comes of it."""
        exchange, client = self.exchange, self.client
        exchange.status, exchange.cause, exchange.replaced = status, cause, status
        try:
            view, fields = client.reader.redirected(exchange, self.fields, path)
        except RefusedRequest:
            return False
        self._release()
        self._leave_lines(monotonic())
        own = Exchange(exchange.rules, view, view.head, exchange.version, exchange.at, monotonic())
        client.flight = page = Flight(self.service, client, fields, self._may_keep(), own, b"", self)
        try:
            page.proceed()
        except Exception as error:
            page.broke("asking for the page of an error", error)
        return True

    def _handed_back(self, first: Flight) -> None:
        """The page has come, or will not: the rest is the first flight's again."""
        self.over = True
        self._release()
        self._leave_lines(monotonic())
        own, exchange = self.exchange, first.exchange
        exchange.attempts += own.attempts
        exchange.sent += own.sent
        if own.cause:
            exchange.cause += f"; its page {own.view.target.decode('latin-1')} failed: {own.cause}"
        self.client.flight = first

    def _reply(self, status: int, cause: str, moved: bytes = b"") -> None:
        """A page of our own, or a redirect. A request whose body has not been read costs its connection."""
        exchange = self.exchange
        page = field_edits.page(self._settings, exchange, status, self.service.outside.pages)
        exchange.status = status = page.status
        exchange.cause = cause
        self._keep = self._may_keep()
        head_only = exchange.view.method == b"HEAD"
        head, content = reply(
            status,
            keep=self._keep,
            http11=self.fields.http11,
            head_only=head_only,
            fields=self._own(status),
            moved=page.moved or moved,
            own=page.own,
        )
        exchange.sent += len(content)
        self.started = True
        self.client.write(head + content)
        self._done(monotonic())

    def _drop_upstream(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
        if self._upstream is not None:
            upstream, self._upstream = self._upstream, None
            upstream.drop()

    # -- finished: exactly once, whatever happened

    def finished(self, now: float) -> None:
        assert not self.over
        first = self._first
        if first is not None:
            first.exchange.status = self.exchange.status
            self._handed_back(first)
            first.finished(now)
            return
        self.over = True
        try:
            self._release()
            self._leave_lines(now)
        finally:
            self.service.record(self.exchange, now)
        gate = self.service.gate
        if gate.waiting:
            gate.room()

    def _release(self) -> None:
        """The member is busy with it no longer."""
        exchange, member = self.exchange, self.exchange.member
        if member is None or self._released:
            return
        self._released = True
        state = member.state
        state.busy -= 1
        state.sent += len(exchange.forwarded) + exchange.received
        state.received += len(exchange.answer) + exchange.sent
        if self.service.waiting:
            self.service.waiting.freed(self._pool.name)

    def _leave_lines(self, now: float) -> None:
        """It waits for nothing any more."""
        if self.in_line:
            self._leave_line(now)
        if self._queued:
            self._queued = False
            self.service.gate.leave(self)

    def _leave_line(self, now: float) -> None:
        self.service.waiting.leave(self._pool.name, self)
        self.exchange.queued += now - self.in_line
        self.in_line = 0.0

    def _done(self, now: float) -> None:
        self.finished(now)
        self.client.next(self._keep and self.complete, now)


def receive(
    service: ServerState, client: ClientConnection, rules: RuleSet, head: bytes, view: RequestView,
    fields: RequestFields, keep: bool, first: bytes, refused: RefusedRequest | None,
) -> None:  # fmt: skip
    """A request was read as far as its head goes: its record begins and its way starts. ``first`` is what came of a
    body with a length in the same breath; ``refused`` says why its client may not ask.

    ``rules`` were read for it, once; it keeps them to the end, whatever is swapped meanwhile.
    """
    exchange = Exchange(rules, view, head, "1.1" if fields.http11 else "1.0", time(), monotonic())
    flight = Flight(service, client, fields, keep, exchange, first)
    service.recorder.begin(exchange)
    client.flight = flight
    exchange.received = len(first)
    if refused is not None:
        flight.turn_away(refused)
        return
    if service.retries < fixed_bounds.RETRY_CREDIT:
        service.retries += fixed_bounds.RETRY_RATIO
    flight.received(rules)
