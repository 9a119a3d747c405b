"""The server: listeners, connections, and the one coarse timer that looks at every deadline.

The engine prepares the listeners of a new site, swaps the rules, and commits; whatever can fail has failed in
``prepare``. Nothing here decides where a request goes (``flight``) or reads one (``client_connection``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from math import inf
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from msgspec import Struct, field

from proxy_core.balance.member_health import cut_off
from proxy_core.config.model import Listener
from proxy_core.errors import Problem
from proxy_core.runtime.certificates import BadTls, Secure, server_side, stamp_of
from proxy_core.runtime.fact_lookups import Outside
from proxy_core.runtime.forward_auth import Services
from proxy_core.runtime.process_limits import raise_descriptor_limit
from proxy_core.runtime.recent_requests import Recorder
from proxy_core.runtime.registry import Registry
from proxy_core.runtime.rule_set import Current
from proxy_core.runtime.upstreams.connector import Upstreams
from proxy_core.serve.answer_cache import AnswerCache
from proxy_core.serve.bound_listener import BoundListener, key
from proxy_core.serve.buffers import WRITE_BUFFER
from proxy_core.serve.client_connection import ClientConnection
from proxy_core.serve.client_limits import Admission
from proxy_core.serve.deadlines import SWEEP_SECONDS
from proxy_core.serve.listeners import ListenError, bind, is_plain, problem_of
from proxy_core.serve.listening_sockets import InheritedSockets
from proxy_core.serve.proxy_protocol import Ends
from proxy_core.serve.server_state import ServerState
from proxy_core.serve.shadow_copies import Shadows

if TYPE_CHECKING:
    from proxy_core.serve.local_files import LocalFiles

_RESERVE = 64
"""Descriptors that are kept from clients and upstreams."""
_UPSTREAMS = 4096
"""Descriptors that are kept for members where there are many; half of them where there are few."""
_GRACE = 0.25
"""Seconds that an idle connection stays open when draining, for a request that is on its way already."""
_LOOK = 2.0
"""Seconds between two looks at the files of certificates."""
_LATE = 1.0
"""A sweep that is later than this found the loop blocked: the deadlines move along with it."""


class PreparedListeners(Struct):
    """Listeners of a site to come: ``kept`` go on, ``new`` are bound and wait; ``uses`` says what holds for each."""

    kept: list[BoundListener] = field(default_factory=list)
    new: list[BoundListener] = field(default_factory=list)
    uses: dict[BoundListener, tuple[str, Listener, Secure | None]] = field(default_factory=dict)


class ProxyServer:
    def __init__(
        self,
        current: Current,
        recorder: Recorder,
        registry: Registry,
        log: Callable[..., None],
        outside: Outside | None = None,
        folder: Path = Path(),
        private: tuple[Path, ...] = (),
    ) -> None:
        """``folder`` is that of the site file, to which the files that it names are relative. ``private`` are
        those that are never served beside them: the site file itself, and what is kept of it."""
        self.upstreams = Upstreams(WRITE_BUFFER, folder=folder)
        self._state = ServerState(current, recorder, self.upstreams, log, outside or Outside(folder=folder))
        self._state.outside.private = private
        self.cache = self._state.cache = AnswerCache(folder)
        self.upstreams.inside = lambda: self._served_files().connect()
        self._files: LocalFiles | None = None
        self._private = private
        self.services = self._state.outside.services = Services(self.upstreams)
        self._registry = registry
        self.listeners: list[BoundListener] = []
        self._clients: set[ClientConnection] = set()
        self._sweeper: asyncio.TimerHandle | None = None
        self._swept = 0.0
        self._folder = folder
        self._looked = 0.0
        self.look_every = _LOOK
        self.retired = False
        self.inherited = InheritedSockets()
        """Sockets that listen already, for listeners with their addresses."""

    async def prepare(self, listeners: Mapping[str, Listener]) -> PreparedListeners:
        """Bind what is new. Raises ListenError with every address that cannot be had, and leaves nothing bound."""
        if self._sweeper is None:
            # Each may need a second one upstream while it asks for something.
            free = raise_descriptor_limit() - _RESERVE
            self._state.most_clients = max(1, free - min(free // 2, _UPSTREAMS))
            self._sweep()
        prepared = PreparedListeners()
        problems = []
        known = {key(bound.name, bound.address): bound for bound in self.listeners if not bound.draining}
        for name, listener in listeners.items():
            try:
                there = known.get(key(name, listener.address))
                secure = self._secure(there, listener)
                if there is not None and is_plain(there.settings) == is_plain(listener):
                    bound = there
                    prepared.kept.append(bound)
                else:
                    # One that learns or forgets TLS is another listener, on the same sockets: nobody is refused.
                    open_already = [sock.dup() for sock in there.sockets] if there is not None else []
                    bound = await bind(name, listener, self._enter, open_already, self.inherited)
                    prepared.new.append(bound)
                prepared.uses[bound] = name, listener, secure
            except BadTls as bad:
                problems.append(bad.problem(("listeners", name, "tls")))
            except (OSError, ValueError) as error:
                problems.append(problem_of(name, listener, error, self.inherited))
        if problems:
            self.discard(prepared)
            raise ListenError(tuple(problems))
        return prepared

    def commit(self, prepared: PreparedListeners) -> None:
        """The prepared listeners are in force: new ones accept, gone ones drain."""
        self.services.forget()
        self.shadows.adopt(self._state.current.rules)
        self.cache.adopt(self._state.current.rules.site)
        if self._state.current.rules.program.roots:
            self._served_files()
        kept = set(prepared.kept)
        trusted = self._state.policy(self._state.current.rules).trusted
        for bound, (name, listener, secure) in prepared.uses.items():
            bound.use(name, listener, secure, trusted)
        for bound in self.listeners:
            if bound not in kept and not bound.draining:
                self._stop(bound, self._state.current.rules.site.site.drain_timeout)
        for bound in prepared.new:
            bound.start()
        draining = [bound for bound in self.listeners if bound.draining]
        self.listeners = prepared.kept + prepared.new + draining

    def refresh_names(self, now: float) -> None:
        """Have the names of the members in force asked for anew where that is due."""
        rules = self._state.current.rules
        hosts = {member.upstream.host for pool in rules.pools.values() for member in pool.members}
        self.upstreams.resolver.refresh(hosts, rules.site.site.address_ttl, now)

    def _enter(self, bound: BoundListener, ends: Ends | None) -> ClientConnection:
        return ClientConnection(self._state, self._clients, bound, ends)

    def _secure(self, there: BoundListener | None, listener: Listener) -> Secure | None:
        """What a listener will speak TLS with: what it has, where neither settings nor files changed. Raises BadTls."""
        if listener.tls is None:
            return None
        has = there.secure if there is not None else None
        if has is not None and has.settings == listener.tls and has.stamp == stamp_of(listener.tls, self._folder):
            return has
        return server_side(listener.tls, self._folder)

    def _served_files(self) -> LocalFiles:
        """What serves files; it is loaded when the first site comes into force that has some."""
        if self._files is None:
            from proxy_core.serve.local_files import LocalFiles

            self._files = LocalFiles(lambda: self._state.current.rules.program, self._folder, self._private)
        return self._files

    def discard(self, prepared: PreparedListeners) -> None:
        """The prepared site is not applied: let go of what was bound for it."""
        for bound in prepared.new:
            bound.stop()

    @property
    def shadows(self) -> Shadows:
        """Copies of requests, and in what their answers differ."""
        return self._state.shadows

    @property
    def admission(self) -> Admission:
        """Who is kept out, and how many are inside."""
        return self._state.admission

    def unready(self) -> str:
        """Why no request should be sent here, "" where it may."""
        if any(not bound.draining for bound in self.listeners):
            return ""
        return "no request is taken: this process drains, or has no listener"

    def reached(self) -> dict[str, int]:
        """How often each limit was reached, by its name; passwords: how often one was wrong, passwords_unjudged: how
        often there were too many."""
        passwords = self._state.outside.passwords
        asked = {"passwords": passwords.failed, "passwords_unjudged": passwords.unjudged}
        return {**self._state.admission.reached, **{name: count for name, count in asked.items() if count}}

    async def drain(self, seconds: float) -> int:
        """Stop accepting and let what is in flight finish for at most ``seconds``; returns how many were cut."""
        for bound in self.listeners:
            if not bound.draining or bound.cut_at == inf:
                self._stop(bound, seconds + 1)  # who is left is cut here, and counted
        clients = self._clients
        await self.empty(seconds)
        left = [client for client in clients if client.flight is not None]
        for client in list(clients):
            client.cut()
        return len(left)

    def retire(self) -> None:
        """Another process accepts on these sockets from now on. Kept connections serve their next request, which is
        their last; nobody is cut, and no tunnel is told to end."""
        self.retired = True
        for bound in self.listeners:
            if not bound.draining:
                bound.stop()
                bound.cut_at = inf

    @property
    def upgrade_timeout(self) -> float:
        """Seconds that the site in force gives to what is left after ``retire``."""
        return self._state.current.rules.site.site.upgrade_timeout

    async def empty(self, seconds: float) -> None:
        """Wait until no client is left, for at most ``seconds``."""
        end = monotonic() + seconds
        while self._clients and monotonic() < end:  # noqa: ASYNC110 - no request pays for a notice
            await asyncio.sleep(0.02)

    async def close(self) -> None:
        """Stop at once: cut what is open, and free every socket and timer."""
        for bound in self.listeners:
            bound.stop()
        for client in list(self._clients):
            client.cut()
        self.services.close()
        self._state.shadows.close()
        self.cache.close()
        self._state.upstreams.close()
        if self._files is not None:
            await self._files.close()
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        await asyncio.sleep(0)  # connection_lost of what was cut
        self.listeners = []

    def problems(self) -> list[Problem]:
        """What is wrong with certificates now: files that cannot be used, ends that are near."""
        now = datetime.now(UTC)
        found = [bound.trouble for bound in self.listeners if bound.trouble is not None]
        for bound in self.listeners:
            if bound.secure is not None:
                found += bound.secure.warnings(bound.name, now)
        return found

    def _renew(self, bound: BoundListener) -> None:
        """Take the certificate files of a listener when they have changed; when they are broken, keep what it has."""
        has = bound.secure
        if has is None or bound.draining:
            return
        seen = stamp_of(has.settings, self._folder)
        if seen in (has.stamp, bound.seen):
            return
        bound.seen = seen
        try:
            bound.secure = server_side(has.settings, self._folder)
            bound.trouble = None
            bound.renewed += 1
        except BadTls as bad:
            bound.trouble = Problem(
                what=f"listener {bound.name}: {bad}; it goes on with what it had",
                todo="mend the file: it is taken as soon as it is whole",
                address=("listeners", bound.name, "tls", *bad.field),
            )

    def _stop(self, bound: BoundListener, seconds: float) -> None:
        bound.stop()
        now = monotonic()
        bound.cut_at = now + seconds
        for client in self._clients:
            if client.bound is not bound:
                continue
            if client.idle:
                client.deadline = min(client.deadline, now + _GRACE)
            elif client.flight is not None:
                client.flight.stop()

    def _cut_drained(self, now: float) -> None:
        """End the requests of members that have drained for as long as their balancer allows."""
        late = {
            state.key: state.drain_timeout
            for state in self._registry.members.values()
            if state.busy and cut_off(state, now)
        }
        for client in list(self._clients) if late else ():
            flight = client.flight
            if flight is not None and flight.exchange.member is not None and flight.exchange.member.key in late:
                flight.give_up(f"its member was drained for {late[flight.exchange.member.key]:g} s")

    def _sweep(self) -> None:
        # First of all, so that nothing that goes wrong here can be the end of all deadlines.
        self._sweeper = asyncio.get_running_loop().call_later(SWEEP_SECONDS, self._sweep)
        now = monotonic()
        late = now - self._swept - SWEEP_SECONDS if self._swept else 0.0
        self._swept = now
        clients = self._clients
        if late > _LATE:
            # Nobody was heard while the loop stood still; silence is not theirs.
            for client in clients:
                client.deadline += late
        for client in [client for client in clients if client.deadline < now]:
            try:
                client.expired()
            except Exception as error:
                self._state.crashed("ending what took too long", error)
                client.cut()
        self._state.upstreams.sweep(now)
        self._cut_drained(now)
        for place in list(self._state.lines):
            self._state.lines.freed(place)  # a limit may have been raised
        if now - self._looked >= self.look_every:
            self._looked = now
            for bound in self.listeners:
                self._renew(bound)
        gone = [bound for bound in self.listeners if bound.draining and (not bound.connections or bound.cut_at < now)]
        for bound in gone:
            for client in [client for client in clients if client.bound is bound]:
                client.cut()
            self.listeners.remove(bound)
            for heir in self.listeners:
                if heir.name == bound.name and not heir.draining:
                    heir.turned_away += bound.turned_away  # counters of a name never go down
