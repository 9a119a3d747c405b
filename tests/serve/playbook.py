"""Scripts for a flight: what happens to it, and what is then seen of it. No socket, no clock but the script's own.

The flight, the rules, the lines and the protocol that reads a member's answers are the real ones. The client
connection, the transports, connecting and the answers that rules ask for are played here. A step is a function of the
Play; ``sees`` is the one that looks. In the manner of mitmproxy's Playbook.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import pytest

from proxy_core.config.model import Listener, Site
from proxy_core.errors import Problem
from proxy_core.http.hop_by_hop import RefusedRequest
from proxy_core.http.request_view import Connection
from proxy_core.rules.facts import FactKey
from proxy_core.runtime.compile_site import adopt, compile_site
from proxy_core.runtime.exchange import Exchange
from proxy_core.runtime.fact_lookups import Outside
from proxy_core.runtime.recent_requests import Recorder
from proxy_core.runtime.registry import Registry
from proxy_core.runtime.rule_set import Current, RuleSet
from proxy_core.runtime.upstreams.connection import Upstream
from proxy_core.runtime.upstreams.connector import Unreachable, Upstreams
from proxy_core.serve import deadlines, error_document
from proxy_core.serve.bound_listener import BoundListener
from proxy_core.serve.flight import Flight
from proxy_core.serve.request_head import RequestReader
from proxy_core.serve.server_state import ServerState
from tests.builds import replaceable

Step = Callable[["Play"], object]
Bytes = bytes | int
"""What was written: these very bytes, or to a client one answer with this status, to members so many heads."""


class Wire(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.open = True
        self.reads = True
        self.ended = False
        self.protocol: Any = None

    def write(self, data: Any) -> None:
        self.written += data

    def writelines(self, list_of_data: Any) -> None:
        raise NotImplementedError

    def is_closing(self) -> bool:
        return not self.open

    def abort(self) -> None:
        self.open = False

    close = abort

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.ended = True

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...
    def pause_reading(self) -> None:
        self.reads = False

    def resume_reading(self) -> None:
        self.reads = True

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol


class Client:
    """The client's side. ``after`` is what became of the connection: "", "cut", "kept" or "closed"; ``held`` are
    pieces of a body that came while it was paused."""

    def __init__(self, play: Play) -> None:
        self._play = play
        self.bound = BoundListener("http", ":80", 80, Listener(address=":80"))
        self.limits = play.rules.site.limits
        self.deadline = 0.0
        self.blocked = self.half_closed = self.paused = False
        self.flight: Flight | None = None
        self.wire = Wire()
        self.write: Callable[[bytes], None] = self.wire.write
        self.after = ""
        self.held: list[tuple[bytes, bool]] = []
        self.reader = RequestReader("192.0.2.1", Connection("http", "192.0.2.2", 80, 1, MappingProxyType({})))

    @property
    def idle(self) -> bool:
        return self.flight is None

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False
        while self.held and not self.paused:
            assert self.flight is not None
            self.flight.send_body(*self.held.pop(0))

    def bound_body(self, own: int | None) -> None: ...

    def fetch_page(self, path: str) -> bool:
        return error_document.fetch(self._play.state, self, path)

    def next(self, keep: bool, now: float) -> None:
        self.flight = None
        self.after = "kept" if keep else "closed"

    def cut(self) -> None:
        self.after = "cut"

    def hand_over(self) -> tuple[asyncio.Transport, bytes]:
        return self.wire, b""

    def expired(self) -> None:
        assert self.flight is not None
        self.flight.expired()

    def connection_lost(self, exc: Exception | None) -> None:
        self.after = self.after or "closed"


class Connecting(Upstreams):
    """Connections that come about when the script says so. ``opened`` are all that there were."""

    def __init__(self) -> None:
        super().__init__(1 << 18)
        self.asked: list[asyncio.Future[Upstream]] = []
        self.opened: list[Upstream] = []

    def fresh(self, key: Any) -> Upstream:
        made = Upstream(key)
        made.connection_made(Wire())
        self.opened.append(made)
        return made

    async def connect(self, key: Any, seconds: float, keepalive: bool = False) -> Upstream:
        self.asked.append(asyncio.get_running_loop().create_future())
        await self.asked[-1]
        return self.fresh(key)


class Sources(Outside):
    """Maps whose answers come when the script says so."""

    def __init__(self) -> None:
        super().__init__(None, Path())
        self.asked: list[asyncio.Future[str | None]] = []

    def ask(self, fact: FactKey) -> tuple[bool, str | None]:
        return False, None

    async def answer(self, fact: FactKey, rules: RuleSet, client: str = "") -> str | None:
        self.asked.append(asyncio.get_running_loop().create_future())
        return await self.asked[-1]


class Play:
    """One request after the other on one client connection, and what is seen of it."""

    def __init__(self, site: Site, idle: bool) -> None:
        self.now = 1000.0
        self.problems: list[Problem] = []
        self.registry, self.recorder = Registry(), Recorder()
        self.rules = compile_site(site, self.registry, 1)
        adopt(self.rules, self.registry, self.now)
        self.upstreams, self.outside = Connecting(), Sources()
        self.state = ServerState(
            Current(self.rules), self.recorder, self.upstreams, lambda problem, _: self.problems.append(problem),
            self.outside,
        )  # fmt: skip
        self.client = Client(self)
        self.clients = [self.client]
        self.last = self.up = b""
        self._read: Counter[int] = Counter()
        for pool in self.rules.pools.values() if idle else ():
            for member in pool.members:
                self.upstreams.give_back(self.upstreams.fresh(member.upstream), 1e9)

    @property
    def flight(self) -> Flight:
        assert isinstance(self.client.flight, Flight)
        return self.client.flight

    @property
    def connection(self) -> Upstream:
        """The one over which something is asked, or was last."""
        return next((each for each in self.upstreams.opened if each.receiver is not None), self.upstreams.opened[-1])

    def fresh(self, wire: Wire) -> bytes:
        """What was written since somebody looked."""
        seen = self._read[id(wire)]
        self._read[id(wire)] = len(wire.written)
        return wire.written[seen:]

    def seen(self, name: str) -> Any:
        """What can be looked at, by its name."""
        exchange = self.recorder.ring[-1] if self.client.flight is None else self.flight.exchange
        states = self.registry.members.values()
        match name:
            case "client":
                fresh = self.fresh(self.client.wire)
                self.last = fresh or self.last
                return fresh
            case "has":  # what was written to the client last, in part
                return self.last
            case "upstream":
                self.up = b"".join(self.fresh(cast(Wire, each.transport)) for each in self.upstreams.opened)
                return self.up
            case "body":  # of what was written to a member just now
                return self.up.partition(b"\r\n\r\n")[2]
            case "waits":
                return next(name.lower() for name, wait in vars(deadlines).items() if wait is self.flight.waits)
            case "seconds":
                return round(self.client.deadline - self.now, 3)
            case "after" | "paused":
                return getattr(self.client, name)
            case "member_reads":  # whether we read from the member
                return cast(Wire, self.connection.transport).reads
            case "member_open":
                return cast(Wire, self.connection.transport).open
            case "cancelled":
                return self.upstreams.asked[-1].cancelled()
            case "standing":
                return sum(self.state.lines.length(place) for place in self.state.lines)
            case "member_retries" | "member_sent" | "member_received":
                return sum(getattr(state, name.removeprefix("member_")) for state in states)
            case "idle":
                return sum(len(stack) for stack in self.upstreams.idle.values())
            case "asked":
                return len(self.upstreams.asked)
            case "reached":
                return dict(self.state.admission.reached)
            case "problems":
                return len(self.problems)
            case "errors" | "elected" | "busy" | "answered" | "read" | "transferred":
                return sum(getattr(state, name) for state in states)
            case "in_error":
                return sorted(state.key.member for state in states if state.error_at)
            case "hits":
                return sum(route.hits for route in self.registry.rules.values())
            case _:
                return getattr(exchange, name)

    def at_rest(self) -> None:
        """What holds whenever nothing is in flight."""
        assert not self.recorder.live
        assert not self.state.lines
        assert all(state.busy == 0 for state in self.registry.members.values())
        assert all(not each.transport.is_closing() for stack in self.upstreams.idle.values() for each in stack)
        in_use = [each for each in self.upstreams.opened if not each.closed and each.receiver is not None]
        assert not in_use


# -- what happens


def asks(head: bytes, body: bytes = b"", refused: RefusedRequest | None = None) -> Step:
    """The client sends a head; ``body`` is what came of a body with a length in the same breath."""

    def step(play: Play) -> None:
        client = play.client
        view, fields = client.reader.read(head, play.state.policy(play.rules))
        exchange = Exchange(play.state.current.rules, view, head, "1.1" if fields.http11 else "1.0", 0.0, play.now)
        client.after = ""
        try:
            complete, own = len(body) == fields.length, client.bound.fields
            client.flight = Flight(play.state, client, exchange, fields, fields.keep, own, complete, body)
            play.recorder.begin(exchange)
            client.flight.received(refused)
        except Exception as error:  # as the connection that reads it does
            play.state.crashed("reading a request", error)
            play.flight.refuse(500, "reading the request failed")

    return step


def sends(data: bytes, last: bool = False) -> Step:
    """The client sends a piece of its body."""
    return lambda play: play.flight.send_body(data, last)


def holds(*pieces: tuple[bytes, bool]) -> Step:
    """The client has sent pieces of its body, which are read as soon as it is resumed."""
    return lambda play: play.client.held.extend(pieces)


def leaves(play: Play) -> None:
    """The client's connection is gone."""
    play.flight.client_left()
    play.client.flight = None


def half_closes(play: Play) -> None:
    """The client ends its sending."""
    play.client.half_closed = True
    play.flight.half_closed()


def reads_no_more(play: Play) -> None:
    """The client stops reading: the buffer towards it is full."""
    play.client.blocked = True
    if play.flight.upstream is not None:
        play.flight.upstream.pause_answer()


def reads_on(play: Play) -> None:
    play.client.blocked = False
    if play.flight.upstream is not None:
        play.flight.upstream.resume_answer()


def says(data: bytes) -> Step:
    """The member answers."""
    return lambda play: play.connection.data_received(data)


def closes(play: Play) -> None:
    """The member closes its connection."""
    play.connection.connection_lost(None)


def breaks(play: Play) -> None:
    """The member's connection is reset."""
    play.connection.connection_lost(ConnectionResetError())


def takes_no_more(play: Play) -> None:
    """The member stops reading: the buffer towards it is full."""
    play.connection.pause_writing()


def takes_more(play: Play) -> None:
    play.connection.resume_writing()


def accepts(play: Play) -> None:
    """The connection that is waited for comes about."""
    play.upstreams.asked[-1].set_result(cast(Any, None))


def refuses(why: str = "m refused the connection", status: int = 503, ours: bool = False) -> Step:
    """The connection that is waited for does not come about."""
    return lambda play: play.upstreams.asked[-1].set_exception(Unreachable(why, status, ours=ours))


def tells(answer: str | None) -> Step:
    """The answer that a rule asked for is there."""
    return lambda play: play.outside.asked[-1].set_result(answer)


def passes(seconds: float) -> Step:
    """Time passes, and the sweep looks at the deadline."""

    def step(play: Play) -> None:
        play.now += seconds
        if play.client.flight is not None and play.client.deadline < play.now:
            play.client.expired()

    return step


def cancels(play: Play) -> None:
    """What it waits for is cancelled by others."""
    assert play.flight.task is not None
    play.flight.task.cancel()


def drains(play: Play) -> None:
    """The listener stops."""
    play.client.bound.draining = True
    play.flight.stop()


def gives_up(cause: str) -> Step:
    """The member has drained for as long as it may."""
    return lambda play: play.flight.give_up(cause)


def edits(site: Site) -> Step:
    """Another site comes into force, and who stands in line has a try, as at every sweep."""

    def step(play: Play) -> None:
        play.rules = compile_site(site, play.registry, play.rules.generation + 1, play.rules)
        adopt(play.rules, play.registry, play.now)
        play.state.current.rules = play.rules
        for place in play.state.lines:
            play.state.lines.freed(place)

    return step


def breaking(what: Any, name: str) -> Step:
    """From now on calling this is a mistake of ours."""

    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("put in by a script")

    def step(play: Play) -> None:
        whole = getattr(what, name)
        replaceable(whole)
        play._patched = (what, name, whole)
        setattr(what, name, broken)

    return step


def makes_a_mistake(where: str) -> Step:
    """A mistake of ours is made over it."""

    def step(play: Play) -> None:
        try:
            raise ZeroDivisionError("put in by a script")
        except ZeroDivisionError as error:
            play.flight.broke(where, error)

    return step


def is_edited(site: Site) -> Step:
    """Another site comes into force."""

    def step(play: Play) -> None:
        play.state.current.rules = rules = compile_site(site, play.registry, 2)
        adopt(rules, play.registry, play.now)

    return step


def on_another_connection(number: int) -> Step:
    """From now on it is about another client."""

    def step(play: Play) -> None:
        while len(play.clients) <= number:
            play.clients.append(Client(play))
        play.client = play.clients[number]

    return step


def sees(client: Bytes = b"", upstream: Bytes = b"", **expected: Any) -> Step:
    """What is there now. What was written to either side since the last look must be given, for it is nothing where it
    is not; everything else may be."""

    def step(play: Play) -> None:
        for name, wanted in {"client": client, "upstream": upstream, **expected}.items():
            found = play.seen(name)
            if isinstance(wanted, int) and name == "client":
                assert found.count(b"HTTP/1.") == 1, f"{found!r} is not one answer"
                found = int(found[9:12])
            elif isinstance(wanted, int) and name == "upstream":
                found = found.count(b" HTTP/1.1\r\nHost: ")  # how many heads of requests
            if name == "has":
                assert wanted in found, f"{wanted!r} is not in {found!r}"
                continue
            assert found == wanted, f"{name} is {found!r}, not {wanted!r}"

    return step


async def run(site: Site, idle: bool, steps: tuple[Step, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Play a script; ``idle``: there is an idle connection to every member."""
    play = Play(site, idle)
    for name, module in list(sys.modules.items()):
        if name.startswith("proxy_core.") and getattr(module, "monotonic", None) is time.monotonic:
            monkeypatch.setattr(module, "monotonic", lambda: play.now)
    try:
        for number, step in enumerate(steps, 1):
            try:
                step(play)
                for _ in range(5):
                    await asyncio.sleep(0)  # tasks and callbacks have their turn; no time passes
            except AssertionError as error:
                raise AssertionError(f"step {number}: {error}") from error
        if all(client.flight is None for client in play.clients):
            play.at_rest()
    finally:
        if hasattr(play, "_patched"):
            setattr(*play._patched)
