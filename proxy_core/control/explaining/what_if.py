"""What a change would do: requests that came are sent through the rules that would be in force, and nothing else is.

Each kept request goes the very way that serves (``serve.way``), by the rules in force and by those of the change, with
the head as it came. What its rules asked of the outside is answered as it was then; a map that the change touches is
asked anew. Where an answer is not known any more the request cannot be judged, and is counted so.

Then both pools are run through in the order in which the requests came, with the methods that serve (``balance``), on
states of their own: turns begin anew, members that are out now stay out. For methods that go by load this is a model: a
request has as many bytes as it had, and lasts as long as one that its member really had, taken in turn; where a member
had none, as long as it did. Nothing here counts, waits or changes anything that serves; ``foresee`` gives others a
turn every few milliseconds.
"""

from __future__ import annotations

from asyncio import sleep
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from heapq import heappop, heappush
from itertools import count
from operator import attrgetter
from time import monotonic
from typing import Final, NamedTuple, TypeVar

from proxy_core.balance.choosing import Full, choose
from proxy_core.balance.lbmethods import measured
from proxy_core.balance.member_health import usable
from proxy_core.balance.member_state import MemberKey, MemberState
from proxy_core.balance.pool import BoundMember, Pool
from proxy_core.balance.sticky import session, session_route
from proxy_core.control.foreseen import Foreseen, MemberShift, SessionShift, WayShift
from proxy_core.control.watching.in_turns import passing
from proxy_core.http.hop_by_hop import RefusedRequest
from proxy_core.http.target import readable
from proxy_core.printable import printable
from proxy_core.rules.decision import Forward, Redirect, Trace
from proxy_core.rules.facts import FactKey, Facts, Need, Unknown
from proxy_core.rules.hash_key import hash_key
from proxy_core.runtime.exchange import Exchange
from proxy_core.runtime.path_shapes import shape_of
from proxy_core.runtime.rule_set import RuleSet
from proxy_core.secret_values import masked
from proxy_core.serve.client_policy import client_policy
from proxy_core.serve.known_blocks import KnownBlocks
from proxy_core.serve.request_head import RequestReader, ascii_line
from proxy_core.serve.way import way

SLICE: Final = 0.001
"""Seconds of work after which others have a turn."""
MOST_WAYS: Final = 20
"""Ways that are told."""
MOST_KINDS: Final = 2000
"""Ways that are told apart."""
SAMPLES: Final = 3
"""Requests that are told of each."""
LONGEST: Final = 160
"""Characters of a sample."""
BY_LOAD: Final = frozenset(("bytraffic", "bybusyness", "latency", "heartbeat"))
"""Methods that go by what members have, or report."""

AskMap = Callable[[str, str], tuple[bool, str | None]]
"""What a map says for a key: (True, answer) where that is known at once."""


class Place(NamedTuple):
    """Where a request goes: a pool and a target, or a status and a location."""

    status: int
    pool: str
    where: bytes


class Gone(NamedTuple):
    """A request that has gone its way."""

    place: Place
    route: str
    """What its session names, "" for none."""
    session: str | bytes
    """What tells its session, or key, from others; "" for none."""
    key: bytes
    """What method hash goes by."""


class TriedRules:
    """The rules in force, or those of a change. ``ask`` asks their maps; ``anew`` are the maps of which no answer of
    then counts."""

    def __init__(self, rules: RuleSet, ask: AskMap, anew: Collection[str] = ()) -> None:
        self.rules = rules
        self._ask, self._anew = ask, anew
        self._policy = client_policy(rules.site)
        self._policies = {name: self._policy.through(each) for name, each in rules.site.listeners.items()}
        self._blocks = KnownBlocks()

    def gone(self, exchange: Exchange) -> Gone | None:
        """Where a request goes that came; None where that cannot be told."""
        view, connection = exchange.view, exchange.view.connection
        reader = RequestReader(connection.peer or view.client, connection, (), self._blocks)
        try:
            came, fields = reader.read(ascii_line(exchange.head), self._policies.get(connection.listener, self._policy))
        except RefusedRequest as refused:
            return Gone(Place(refused.status, "", b""), "", "", b"")
        facts = self._facts(exchange)
        whole: Trace | None = None if facts.lost is None else []  # what is lost is no key of what is remembered
        found = way(replace(exchange, rules=self.rules, view=came, facts=facts), reader, fields, whole)
        if isinstance(found, Need):
            return None
        decision = found.decision
        if not isinstance(decision, Forward):
            where = decision.location if isinstance(decision, Redirect) else b""
            return Gone(Place(decision.status, "", where), "", "", b"")
        pool = self.rules.pools[decision.route.pool or ""]
        named, key = "", b""
        sticky = pool.balancer.sticky
        if sticky is not None:
            if facts.lost is not None and sticky.cookie and facts.lost("cookie"):
                return None
            named = session_route(sticky, decision.target, exchange.head)
        if pool.balancer.method == "hash":
            try:
                name = self.rules.site.site.server_name
                key = hash_key(pool.balancer.key, found.view, facts, decision.extras, name)
            except Unknown:
                return None
        whose = session(sticky, decision.target, exchange.head) if sticky is not None and named else key
        return Gone(Place(0, pool.name, decision.target), named, whose, key)

    def _facts(self, exchange: Exchange) -> Facts:
        """The answers of then, and what is known without them."""
        then = exchange.facts.answers

        def ask(fact: FactKey) -> tuple[bool, str | None]:
            kind, name, key = fact
            if kind == "time":
                return True, str(int(exchange.at))
            return self._ask(name, key) if kind == "map" else (False, None)

        kept = {fact: answer for fact, answer in then.items() if fact[0] != "map" or fact[1] not in self._anew}
        return Facts(kept, ask, exchange.facts.lost)


class Lasting(NamedTuple):
    """How long a request was under way: until its answer began (0 for never), and until it was over; in seconds."""

    began: float
    ended: float


def lasting(exchange: Exchange) -> Lasting:
    began = exchange.answered - exchange.started if exchange.answered else 0.0
    return Lasting(began, max(exchange.finished - exchange.started, 0.0))


class Standing(NamedTuple):
    """How members stand."""

    now: Callable[[MemberKey], MemberState | None]
    """The state that serves."""
    at: float
    """The moment that it is looked at, monotonic."""
    lasted: Mapping[MemberKey, Sequence[Lasting]]
    """How long the kept requests of each member were under way."""


class Turns:
    """The pools of a side, run through by requests in the order in which they came."""

    def __init__(self, pools: Mapping[str, Pool], standing: Standing) -> None:
        self.got = Counter[MemberKey]()
        self.whose: dict[tuple[str, str | bytes], MemberKey] = {}
        """The member that each session or key came to last."""
        self._pools, self._standing = pools, standing
        self._known: dict[str, Pool] = {}
        self._busy: list[tuple[float, int, BoundMember, Exchange, float]] = []
        """By when they are over: who has what, and when its answer begins."""
        self._order = count()

    def take(self, exchange: Exchange, gone: Gone, times: int = 1) -> None:
        """One more request comes, which stands for so many."""
        while self._busy and self._busy[0][0] <= exchange.started:
            self._over(*self._busy[0][2:])
            heappop(self._busy)
        pool = self._known.get(gone.place.pool) or self._opened(gone.place.pool)
        try:
            member = choose(pool, exchange.started, (), gone.route, gone.key)
        except Full:  # it would wait; who gets it then nobody knows
            return
        if member is None:
            return
        self.got[member.key] += times
        if gone.session:
            self.whose[gone.place.pool, gone.session] = member.key
        member.state.busy += 1
        member.state.elected += 1
        member.state.transferred += len(exchange.forwarded) + exchange.received
        lasted = self._standing.lasted.get(member.key)
        took = lasted[member.state.elected % len(lasted)] if lasted else lasting(exchange)
        answered = exchange.started + took.began if took.began else 0.0
        heappush(self._busy, (exchange.started + took.ended, next(self._order), member, exchange, answered))

    def _over(self, member: BoundMember, exchange: Exchange, answered: float) -> None:
        state = member.state
        state.busy -= 1
        state.read += len(exchange.answer) + exchange.sent
        if answered:
            measured(state, answered - exchange.started, answered)

    def _opened(self, name: str) -> Pool:
        """A pool whose members are as they are now: who is out stays out."""
        pool = self._known[name] = self._pools[name]
        for member in pool.members:
            now = self._standing.now(member.key)
            if now is not None:
                real = BoundMember(member.key, member.member, member.upstream, b"", b"", member.factor, now)
                member.state.failing = not pool.direct and not usable(real, self._standing.at)
                member.state.beat = now.beat
                member.state.latency, member.state.latency_at = now.latency, now.latency_at
        return pool


async def foresee(
    requests: Sequence[Exchange],
    before: TriedRules,
    after: TriedRules,
    now: Callable[[MemberKey], MemberState | None],
    at: float,
    times: Callable[[Exchange], int] = lambda exchange: 1,
) -> Foreseen:
    """What the change from ``before`` to ``after`` would do to ``requests``. The rule sets have states of their own;
    ``now`` gives those that serve, ``at`` is the moment (monotonic). Each request stands for so many ``times``."""
    kept = await passing(requests, lambda each: bool(each.view.head))
    await sleep(0)
    kept.sort(key=attrgetter("started"))
    await sleep(0)
    ways: dict[tuple[str, str], tuple[int, list[str]]] = {}
    judged = unjudged = elsewhere = more = 0
    lasted: dict[MemberKey, list[Lasting]] = {}
    async for exchange in _by_turns(kept):
        if exchange.member is not None:
            lasted.setdefault(exchange.member.key, []).append(lasting(exchange))
    standing = Standing(now, at, lasted)
    turns = Turns(before.rules.pools, standing), Turns(after.rules.pools, standing)
    async for exchange in _by_turns(kept):
        was, will, many = before.gone(exchange), after.gone(exchange), times(exchange)
        if was is None or will is None:
            unjudged += many
            continue
        judged += many
        for side, gone in zip(turns, (was, will), strict=True):
            if not gone.place.status:
                side.take(exchange, gone, many)
        if was.place != will.place:
            elsewhere += many
            names = _names(exchange, was.place, will.place)
            if names not in ways and len(ways) >= MOST_KINDS:
                more += many
                continue
            number, samples = ways.get(names, (0, []))
            if len(samples) < SAMPLES:
                samples.append(_sample(exchange, will.place))
            ways[names] = (number + many, samples)
    told = sorted(ways.items(), key=lambda each: -each[1][0])
    return Foreseen(
        judged=judged,
        elsewhere=elsewhere,
        unjudged=unjudged,
        since=kept[0].at if kept else 0.0,
        ways=tuple(
            WayShift(before=names[0], after=names[1], requests=number, samples=tuple(samples))
            for names, (number, samples) in told[:MOST_WAYS]
        ),
        more=more + sum(number for _, (number, _) in told[MOST_WAYS:]),
        members=tuple(_members(before.rules, after.rules, *turns)),
        sessions=await _sessions(*turns),
        by_load=tuple(name for name, each in after.rules.site.balancers.items() if each.method in BY_LOAD),
    )


Each = TypeVar("Each")


async def _by_turns(rows: Iterable[Each]) -> AsyncIterator[Each]:
    """Each of them; whoever waits has a turn every few milliseconds."""
    began = monotonic()
    for row in rows:
        yield row
        if monotonic() - began > SLICE:
            await sleep(0)
            began = monotonic()


def _members(before: RuleSet, after: RuleSet, was: Turns, will: Turns) -> Iterator[MemberShift]:
    pools = (pool for rules in (after, before) for pool in rules.pools.values())
    known = dict.fromkeys(member.key for pool in pools for member in pool.members)
    for key in known:
        if was.got[key] or will.got[key]:
            yield MemberShift(balancer=key.balancer, member=key.member, before=was.got[key], after=will.got[key])


async def _sessions(was: Turns, will: Turns) -> tuple[SessionShift, ...]:
    """What becomes of the sessions and keys that a pool has on both sides."""
    both, moved = Counter[str](), Counter[str]()
    async for whose, member in _by_turns(was.whose.items()):
        if (other := will.whose.get(whose)) is not None:
            both[whose[0]] += 1
            moved[whose[0]] += member != other
    return tuple(SessionShift(balancer=pool, moved=moved[pool], sessions=count) for pool, count in both.items())


def _names(exchange: Exchange, was: Place, will: Place) -> tuple[str, str]:
    """The two places, as far apart as one has to look: pools, else shapes of targets."""
    deep = was.pool == will.pool and was.status == will.status
    return _name(exchange, was, deep), _name(exchange, will, deep)


def _name(exchange: Exchange, place: Place, deep: bool) -> str:
    if not place.status and not deep:
        return printable(place.pool)
    if place.status and not place.where:
        return str(place.status)
    shape = shape_of(exchange.view.method, place.where).partition(" ")[2]
    origin = place.where.partition(b"://")
    host = f"{origin[0].decode('latin-1')}://{origin[2].partition(b'/')[0].decode('latin-1')}" if origin[1] else ""
    return printable(f"{place.status or place.pool} {host}{shape}")


def _sample(exchange: Exchange, will: Place) -> str:
    view = exchange.view
    said = f"{readable(view.method)} {readable(view.host)}{readable(view.target)}"
    to = f" → {readable(will.where)}" if will.where else f" → {will.status}"
    text = printable(masked(said + to))
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
