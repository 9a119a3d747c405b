"""Asks the services of [forward_auth] whether requests may go on (``rules.access.forward_auth`` says what, and what an
answer means).

An ask goes the way of a request: the same pools, names, connections and reading of answers, and what comes of it counts
for the member as of any request. It never holds a body, and never takes longer than the service's ``timeout``. Whatever
is not clearly an answer admits nobody.

Asks that are equal, word for word, share one answer while it is awaited, and with ``cache`` a 2xx for some seconds. An
answer with a cookie for the client is for one client alone: those that waited for it ask themselves. Nothing that was
told is kept, but for a digest that is of no use outside of this process.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections import OrderedDict
from collections.abc import Coroutine
from dataclasses import dataclass
from time import monotonic
from typing import Final

from msgspec import Struct

from proxy_core.balance import passive_checks
from proxy_core.balance.choosing import Full, choose
from proxy_core.balance.member_state import MemberKey
from proxy_core.balance.pool import BoundMember, Pool
from proxy_core.config.model import ForwardAuth, Site
from proxy_core.errors import Problem
from proxy_core.rules.access.forward_auth import ServiceAnswer, spelled, understood
from proxy_core.runtime.member_asking import MemberAsk
from proxy_core.runtime.rule_set import RuleSet
from proxy_core.runtime.upstreams.connection import Upstream
from proxy_core.runtime.upstreams.connector import Unreachable, Upstreams
from proxy_core.runtime.upstreams.response_head import Answer
from proxy_core.runtime.upstreams.whole_answer import Unheard, WholeAnswer

BODY: Final = 64 * 1024
"""Bytes that a refusal may have; of a 2xx nobody wants to see the body."""
MOST: Final = 4096
"""Answers that are kept."""
MOST_CHARACTERS: Final = 8 * 1024
"""Length of the longest answer that is kept."""


@dataclass(slots=True)
class ServiceTally:
    """Numbers of one service, kept across swaps."""

    admitted: int = 0
    """Asks that it let through."""
    refused: int = 0
    """Asks that it refused or redirected."""
    failed: int = 0
    """Asks without an answer that counts."""
    kept: int = 0
    """Requests that a kept answer let through."""
    shared: int = 0
    """Requests that shared the answer to another one's ask."""
    fault: str = ""
    """Why the last ask had no answer that counts; "" where it had one."""
    settings: ForwardAuth | None = None
    """What was asked last: of another service under this name nothing is known yet."""


class ServiceState(Struct, frozen=True, kw_only=True):
    """One service now, for people."""

    name: str
    """Its name in the site."""
    admitted: int
    """As in ServiceTally."""
    refused: int
    """As in ServiceTally."""
    failed: int
    """As in ServiceTally."""
    kept: int
    """As in ServiceTally."""
    shared: int
    """As in ServiceTally."""
    fault: str
    """As in ServiceTally."""


Digest = bytes
Kept = OrderedDict[Digest, tuple[float, str]]
"""Answers as facts have them, with the moment (monotonic) until which they hold."""


class Services:
    """``attempts`` counts the members that asks were given to."""

    def __init__(self, upstreams: Upstreams) -> None:
        self.attempts = 0
        self._upstreams = upstreams
        self._tallies: dict[str, ServiceTally] = {}
        self._kept: Kept = OrderedDict()
        self._open: dict[tuple[ForwardAuth, Digest], asyncio.Task[ServiceAnswer]] = {}
        self._tasks: set[asyncio.Task[ServiceAnswer]] = set()
        self._secret = os.urandom(32)

    def ask(self, name: str, asked: str) -> tuple[bool, str | None]:
        """What is known without waiting."""
        if not self._kept:
            return False, None
        until, answer = self._kept.get(self._digest(name, asked), (0.0, ""))
        if until <= monotonic():
            return False, None
        self._tally(name).kept += 1
        return True, answer

    async def answer(self, rules: RuleSet, name: str, asked: str) -> str:
        """The answer to a fact, whatever comes of asking. ``rules`` are those of the request: their service is asked,
        through their pools."""
        settings = rules.site.forward_auth[name]
        key = settings, self._digest(name, asked)
        task = self._open.get(key)
        if task is not None:
            said = await asyncio.shield(task)
            if not said.personal:
                self._tally(name).shared += 1
                return spelled(said)
            return spelled(await asyncio.shield(self._start(self._asked(rules, name, asked))))
        task = self._open[key] = self._start(self._keeping(rules, name, asked, self._kept))
        task.add_done_callback(lambda _: self._open.pop(key, None))
        return spelled(await asyncio.shield(task))

    def _start(self, asking: Coroutine[None, None, ServiceAnswer]) -> asyncio.Task[ServiceAnswer]:
        """A task of its own: who gives up waiting leaves the asking to others, and is no fault of the service."""
        task = asyncio.create_task(asking)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def forget(self) -> None:
        """Another site is in force: nothing that was kept holds any longer, nor what is being asked."""
        self._kept = OrderedDict()

    def states(self, site: Site) -> tuple[ServiceState, ...]:
        """Those of a site, in its order."""
        tallies = ((name, self._tally(name), self._fault(site, name)) for name in site.forward_auth)
        return tuple(
            ServiceState(
                name=name, admitted=tally.admitted, refused=tally.refused, failed=tally.failed, kept=tally.kept,
                shared=tally.shared, fault=fault,
            )
            for name, tally, fault in tallies
        )  # fmt: skip

    def problems(self, site: Site) -> list[Problem]:
        """The services of a site whose last ask had no answer that counts."""
        faults = [(name, self._fault(site, name)) for name in site.forward_auth]
        todo = "start it, or mend its url; it is asked again by the next request"
        return [
            Problem(
                what=f"forward_auth {name} lets nobody in, 503 is answered: {fault}", todo=todo,
                address=("forward_auth", name),
            )
            for name, fault in faults if fault
        ]  # fmt: skip

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()

    def _tally(self, name: str) -> ServiceTally:
        return self._tallies.setdefault(name, ServiceTally())

    def _fault(self, site: Site, name: str) -> str:
        tally = self._tally(name)
        return tally.fault if tally.settings == site.forward_auth[name] else ""

    def _digest(self, name: str, asked: str) -> Digest:
        told = f"{name}\n{asked}".encode()
        return hashlib.blake2b(told, key=self._secret, digest_size=32).digest()

    # -- asking

    async def _keeping(self, rules: RuleSet, name: str, asked: str, kept: Kept) -> ServiceAnswer:
        seconds = rules.site.forward_auth[name].cache
        said = await self._asked(rules, name, asked)
        answer = spelled(said)
        if seconds and said.lasting and len(answer) <= MOST_CHARACTERS:
            kept[self._digest(name, asked)] = monotonic() + seconds, answer
            if len(kept) > MOST:
                kept.popitem(last=False)
        return said

    async def _asked(self, rules: RuleSet, name: str, asked: str) -> ServiceAnswer:
        settings, tally = rules.site.forward_auth[name], self._tally(name)
        try:
            async with asyncio.timeout(settings.timeout):
                answer, ear = await self._of_a_member(rules, settings, asked)
        except TimeoutError:
            said = ServiceAnswer(0, f"no whole answer came within {settings.timeout:g} s")
        except (Unreachable, Unheard) as error:
            said = ServiceAnswer(0, error.why)
        else:
            said = understood(settings, answer.status, answer.lines[1:], bytes(ear.body_bytes))
            if ear.longer and said.status and not said.admits:
                said = ServiceAnswer(0, f"it refuses with more than {BODY} bytes")
        tally.fault, tally.settings = said.why, settings
        tally.admitted += said.admits
        tally.refused += bool(said.status) and not said.admits
        tally.failed += not said.status
        return said

    async def _of_a_member(self, rules: RuleSet, settings: ForwardAuth, asked: str) -> tuple[Answer, WholeAnswer]:
        """What a member answers. One that cannot be reached has got nothing, so the next is asked; half of the time is
        left for it. Raises Unreachable and Unheard."""
        where, _, told = asked.partition("\r\n")
        name, _, target = where.rpartition(" ")
        pool = rules.pools[name]
        tried: tuple[MemberKey, ...] = ()
        last = Unreachable(f"no member of {name} takes requests")
        while True:
            try:
                member = choose(pool, monotonic(), tried, key=asked.encode())
            except Full:
                raise Unreachable(f"every member of {name} is at its limit") from None
            if member is None:
                raise last
            state, most = member.state, member.member.connect_timeout or rules.site.site.connect_timeout
            state.busy += 1
            state.elected += 1
            self.attempts += 1
            try:
                return await self._of(pool, member, f"{target}\r\n{told}", min(most, settings.timeout / 2))
            except Unreachable as error:
                last, tried = error, (*tried, member.key)
                if not error.ours:
                    state.errors += 1
                    passive_checks.unreachable(pool, member, monotonic(), error.why, error.unresolved)
            finally:
                state.busy -= 1

    async def _of(self, pool: Pool, member: BoundMember, asked: str, seconds: float) -> tuple[Answer, WholeAnswer]:
        target, _, told = asked.partition("\r\n")
        host = b"" if told.startswith("Host: ") else b"Host: %b\r\n" % member.host
        lines = target.encode(), host, told.encode("latin-1")
        head = b"GET %b%b HTTP/1.1\r\n%b%b\r\n\r\n" % (member.base, *lines)
        asking = MemberAsk(self._upstreams, pool, member)
        idle = self._upstreams.take(member.upstream)
        try:
            if idle is not None:
                try:
                    return await _heard(asking, idle, head)
                except Unheard as error:  # an idle connection that closed meanwhile says nothing about the member
                    if not error.unanswered:
                        raise
            fresh = await self._upstreams.connect(member.upstream, seconds, member.member.keepalive)
            return await _heard(asking, fresh, head)
        except Unheard:
            asking.broke()
            raise


async def _heard(asking: MemberAsk, connection: Upstream, head: bytes) -> tuple[Answer, WholeAnswer]:
    """What comes over a connection. Raises Unheard."""
    ear = WholeAnswer(BODY, waits=False)
    return await asking.over(connection, head, ear), ear
