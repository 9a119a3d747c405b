"""Decided and elected: which member of a pool gets a request, and which one next when that one cannot be reached.

One Forwarding is one request's way to a member. It elects one, stands in line where all are at their limit, and
connects. It starts anew, with another member or over another connection, where nothing of the request can have been
worked on. What goes over the connection is an UpstreamRequest's.

Between the election and its mark on the member (``busy``, ``elected``) there is no await, so no other request can come
between them. The member is busy with the request until ``release``, whatever happens.
"""

from __future__ import annotations

from time import monotonic

from proxy_core.balance import passive_checks, sticky
from proxy_core.balance.choosing import Full, choose
from proxy_core.balance.member_state import MemberKey, UpstreamKey
from proxy_core.balance.pool import BoundMember, Pool
from proxy_core.rules.decision import Forward
from proxy_core.rules.facts import NOTHING, Facts, Unknown
from proxy_core.rules.hash_key import hash_key
from proxy_core.runtime.upstreams.connector import Unreachable
from proxy_core.serve.deadlines import CONNECT, MEMBER
from proxy_core.serve.member_tls import secured_key
from proxy_core.serve.open_request import OpenRequest
from proxy_core.serve.retries import RETRIES, repeatable
from proxy_core.serve.shadowed_request import upstream_request
from proxy_core.serve.upstream_request import UpstreamRequest


class Forwarding:
    """A request that a route takes, and the members of the route's pool."""

    __slots__ = ("_decision", "_flight", "_key", "_route", "_tried", "_worst", "member", "pool", "timeout")

    member: BoundMember | None
    """The member that is busy with it, None for none."""
    pool: Pool
    """As it was at the last election."""
    timeout: float
    """Seconds of silence that are borne: the member's, else the route's."""
    _key: bytes
    """What a balancer by hash goes by."""
    _tried: tuple[MemberKey, ...]
    """Members that could not take it."""
    _worst: int
    """The status of the answer when no member is left."""

    def __init__(self, flight: OpenRequest, decision: Forward) -> None:
        self._flight = flight
        self._decision = decision
        self._route = route = decision.route
        self._key = b""
        self._tried = ()
        self._worst = 503
        self.member = None
        self.timeout = route.timeout

    # -- decided: a route takes it; who of its pool gets it?

    def decided(self) -> None:
        """Elect a member, or wait for one, or for the fact that the balancer's key needs."""
        flight, exchange = self._flight, self._flight.exchange
        name = self._route.pool or ""
        # Who stands in line has no member yet, and waits for those in force: an edit that makes room helps it too.
        pool = flight.state.current.rules.pools.get(name) if flight.in_line else None
        self.pool = pool = pool or exchange.rules.pools[name]
        try:
            if pool.asks and not exchange.attempts:
                self._ask(pool)
            now = monotonic() if self._tried or flight.in_line else exchange.started
            member = choose(pool, now, self._tried, exchange.session, self._key)
        except Full:
            self._queue(pool)
            return
        except Unknown as unknown:
            if flight.in_line:  # an edit gave the balancer another key meanwhile
                flight.leave_line(monotonic())
            flight.fetch(unknown.key)
            return
        if flight.in_line:
            flight.leave_line(now)
        if member is None:
            if not self._tried:
                exchange.cause = f"no member of {pool.name} takes requests"
            flight.respond(self._worst, exchange.cause)
            return
        state = member.state
        state.busy += 1
        state.elected += 1
        self.member = exchange.member = member
        exchange.attempts += 1
        self.elected(member)

    def _ask(self, pool: Pool) -> None:
        """Take session and hash key from the request, as far as the pool goes by them. Raises Unknown."""
        flight, exchange = self._flight, self._flight.exchange
        if pool.balancer.sticky is not None:
            exchange.session = sticky.session_route(pool.balancer.sticky, self._decision.target, exchange.head)
        if pool.balancer.method == "hash":
            if exchange.facts is NOTHING:  # its rules ask for none, but the key may, and an edit may have brought it
                exchange.facts = Facts(ask=flight.state.outside.ask)
            name = exchange.rules.site.site.server_name
            self._key = hash_key(pool.balancer.key, exchange.view, exchange.facts, exchange.extras, name)

    def _queue(self, pool: Pool) -> None:
        """Every member that could take it is at its limit: wait in line, if the line is not too long."""
        flight, balancer = self._flight, pool.balancer
        if flight.in_line:
            return
        if not balancer.timeout:
            flight.busy(f"every member of {pool.name} is at its limit", 1.0)
        elif flight.state.lines.length(pool.name) >= balancer.queue:
            flight.busy(f"{balancer.queue} requests wait for {pool.name} already", balancer.timeout)
        else:
            session = flight.exchange.session
            wants = (session if session in pool.routes else "", self._tried)
            flight.stand(MEMBER, balancer.timeout, pool.name, wants)

    # -- elected: a member has it, and is busy with it until finished (or until it cannot be reached)

    def elected(self, member: BoundMember) -> None:
        self.timeout = member.member.timeout or self._route.timeout
        flight, kind = self._flight, self.request_kind()
        key = member.upstream if member.upstream.tls is None else self._secured(member)
        connection = flight.state.upstreams.take(key)
        if connection is not None:
            flight.upstream = request = kind(flight, self, member, connection)
            request.sent(self._decision)
        else:
            flight.wait_for(CONNECT, self._connected, member)

    async def _connected(self, member: BoundMember) -> None:
        flight = self._flight
        try:
            try:
                seconds = member.member.connect_timeout or flight.exchange.rules.site.site.connect_timeout
                upstreams, keepalive = flight.state.upstreams, member.member.keepalive
                key = member.upstream if member.upstream.tls is None else self._secured(member)
                kind = self.request_kind()
                connection = await upstreams.connect(key, seconds, keepalive)
            except Unreachable as error:
                flight.task = None
                self._unreachable(member, error)
            else:
                flight.task = None
                flight.upstream = request = kind(flight, self, member, connection)
                request.sent(self._decision)
        except Exception as error:
            flight.task = None
            flight.broke("connecting to a member", error)

    def request_kind(self) -> type[UpstreamRequest]:
        """What the request is to be over its connection."""
        shadow = self._route.shadow
        return UpstreamRequest if shadow is None else upstream_request(self._flight, shadow)

    def _secured(self, member: BoundMember) -> UpstreamKey:
        return secured_key(member, self._route, self._flight.fields.host)

    # -- once more, or somebody else

    def _unreachable(self, member: BoundMember, error: Unreachable) -> None:
        """Nothing of the request was sent, so the next member may have it whatever its method is."""
        if not error.ours:
            member.state.errors += 1
            passive_checks.unreachable(self.pool, member, monotonic(), error.why, error.unresolved)
        self._next_member(member, error.status, error.why)

    def failed(self, why: str, unanswered: bool) -> None:
        """The connection is gone, or what came over it is not an answer. ``unanswered``: it was closed, or lost,
        before any byte of one."""
        flight, member = self._flight, self.member
        exchange, retries = flight.exchange, flight.state.retries
        assert member is not None
        member.state.errors += 1
        # An idle connection that closed while we wrote to it says nothing about the member, so it is asked once more
        # over a fresh one; after that another is, if there is one.
        same = not exchange.retries
        harmless = unanswered and repeatable(exchange.view.method, flight.fields.length)
        if not (harmless and exchange.retries < RETRIES and (same or self._others()) and retries.spend()):
            passive_checks.broke(self.pool, member, monotonic())
            flight.fail(502, why)
            return
        exchange.retries += 1
        member.state.retries += 1
        if same:
            flight.wait_for(CONNECT, self._connected, member)
            return
        passive_checks.broke(self.pool, member, monotonic())
        self._next_member(member, 502, why)

    def _others(self) -> bool:
        """Whether a member is left that the request has not tried, and may."""
        most, tried = self.pool.balancer.maxattempts, len(self._tried) + 1
        return tried < len(self.pool.members) and (most is None or tried <= most)

    def _next_member(self, member: BoundMember, status: int, why: str) -> None:
        """This member cannot take the request. ``status`` is that of the answer when no other is left."""
        flight, most = self._flight, self.pool.balancer.maxattempts
        member.state.busy -= 1
        self.member = flight.exchange.member = None
        flight.exchange.cause, self._worst = why, status
        self._tried += (member.key,)
        flight.state.lines.freed(self.pool.name)
        if most is not None and len(self._tried) > most:
            flight.respond(status, why)
        else:
            self.decided()

    # -- the end

    def silent(self) -> None:
        """The member took too long, and is to blame."""
        if self.member is not None:
            self.member.state.errors += 1
            passive_checks.silent(self.pool, self.member, monotonic(), self.timeout)

    def rescued(self, status: int) -> bool:
        """Nothing is kept that could take the place of an error."""
        return False

    def expired(self) -> None:
        """It waits for no other request."""
        raise NotImplementedError

    def release(self) -> None:
        """The member is busy with it no longer."""
        member, self.member = self.member, None
        if member is not None:
            exchange, state, lines = self._flight.exchange, member.state, self._flight.state.lines
            state.busy -= 1
            state.sent += len(exchange.forwarded) + exchange.received
            state.received += len(exchange.answer) + exchange.sent
            if lines:
                lines.freed(self.pool.name)
