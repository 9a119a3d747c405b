"""EngineView, in some 330 lines of plain data: all that a console may know of a proxy, and the one door for commands.

The console pulls; the data path never pushes. Everything here is plain data that msgspec can carry over a wire, so
that a console in the same process and one at the far end of a socket see the same. Clock values named ``at`` are
seconds since the epoch, for people; durations are seconds.
"""

from __future__ import annotations

from typing import Literal, Protocol

from msgspec import Struct

from proxy_core.balance.condition import Health
from proxy_core.config.model import MemberRole, MemberStatus, Site
from proxy_core.control.editing.commands import Command, Preview, Result
from proxy_core.errors import Problem
from proxy_core.runtime.maps.source import MapState
from proxy_core.runtime.maps.text_file import MapRow

Saved = Literal["saved", "unsaved", "failed", "drift"]
"""saved: on disk, fsynced. unsaved: applied, not yet on disk. failed: the disk refused it (see problems).
drift: somebody else changed the file and it was not simply taken over (it has errors, or there were unsaved changes):
Reload takes theirs, Merge makes the unsaved changes on top of theirs, Keep writes ours."""

Classes = tuple[int, ...]
"""Finished requests by first digit of the status, from 1xx to 5xx; () for none."""


class Percentiles(Struct, frozen=True, array_like=True):
    """Seconds until the answer was complete, over the last minute; -1 where nothing was measured."""

    p50: float = -1.0
    p95: float = -1.0
    p99: float = -1.0


class Check(Struct, frozen=True, kw_only=True):
    """Active checks of a member. ``at`` is 0 before the first one is done; ``streak`` counts results in a row that came
    out as the last; the next begins ``next_in`` seconds from now."""

    at: float
    passed: bool
    result: str
    streak: int
    next_in: float


class Name(Struct, frozen=True, kw_only=True):
    """A member's name resolved. ``age`` is how long ago its addresses were confirmed; ``trouble`` says why asking for
    them fails since then, "" if it does not."""

    addresses: tuple[str, ...]
    age: float
    trouble: str


class MemberLoad(Struct, frozen=True, kw_only=True):
    """One member now. ``promised`` and ``share`` are fractions of the balancer's requests: what the weights say, and
    what was elected in the last minute. ``per_second`` is the last minute of answers, oldest first. ``check`` is None
    where nothing is checked, ``name`` where the URL has an address.

    ``ramp`` is the part of its weight that a member in slow start has by now. ``drained``: it takes no new requests,
    not even those of sessions, and has none left, so it is safe to stop; ``cut_in`` is how many seconds those left may
    still take, -1 for no end.
    ``ejections`` and ``retries`` count since the member exists."""

    balancer: str
    member: str
    url: str
    weight: float
    status: MemberStatus
    health: Health
    retry_in: float
    last_error: str
    retired: bool
    busy: int
    oldest: float
    elected: int
    rate: float
    promised: float
    share: float
    sent: int
    received: int
    errors: int
    latency: Percentiles
    per_second: tuple[int, ...]
    classes: Classes = ()
    retries: int = 0
    ejections: int = 0
    check: Check | None = None
    name: Name | None = None
    role: MemberRole = "regular"
    lbset: int = 0
    ramp: float = 1.0
    drained: bool = False
    cut_in: float = -1.0

    @property
    def well(self) -> bool:
        """Whether nothing is known that speaks against the member."""
        return self.health in ("up", "unknown")


class RouteLoad(Struct, frozen=True, kw_only=True):
    """What one route or rewrite rule did since its id exists. ``hits`` counts decisions; ``last_hit_at`` is 0 for
    never. Of what it forwarded: ``requests`` that are finished, by ``classes`` of status; ``sent`` and ``received`` are
    body bytes to and from clients; ``rate`` and ``latency`` are those of the last seconds and minute."""

    id: str
    hits: int
    last_hit_at: float
    requests: int = 0
    in_flight: int = 0
    classes: Classes = ()
    sent: int = 0
    received: int = 0
    rate: float = 0.0
    latency: Percentiles = Percentiles()


class Second(Struct, frozen=True, array_like=True):
    """One second of the whole site. ``generation`` is the newest that was applied in it (0: none)."""

    at: float
    requests: int
    status_4xx: int
    status_5xx: int
    p50: float
    p95: float
    p99: float
    generation: int


class ListenerState(Struct, frozen=True, kw_only=True):
    """One bound listener; ``port`` is the real one where the site says 0, ``turned_away`` counts the connections that
    ended before HTTP: no PROXY header, no handshake, or too late."""

    name: str
    address: str
    port: int
    connections: int
    draining: bool
    turned_away: int = 0


class Snapshot(Struct, frozen=True, kw_only=True):
    """The numbers of this moment. ``lateness`` is how late the event loop was at worst in the last second; ``limited``
    says how often each of [limits] was reached, and "deny" for who is denied or banned."""

    at: float
    uptime: float
    generation: int
    saved: Saved
    requests: int
    in_flight: int
    connections: int
    rate: float
    rate_4xx: float
    rate_5xx: float
    latency: Percentiles
    lateness: float
    newest_record: int
    members: tuple[MemberLoad, ...]
    routes: tuple[RouteLoad, ...]
    rewrites: tuple[RouteLoad, ...] = ()
    listeners: tuple[ListenerState, ...]
    seconds: tuple[Second, ...]
    demo: bool
    limited: dict[str, int] = {}


class Record(Struct, frozen=True, kw_only=True):
    """A finished request, as the log shows it. ``number`` grows by one a request and never comes back.

    ``status`` 499 means that the client left before the answer; ``cause`` says what went wrong, in words, "" for
    nothing. Times: ``waited`` until a connection upstream was there, ``first`` until the head of the answer came,
    ``total`` until all was sent; -1 where it never came to that. ``attempts`` counts members that were chosen for it,
    ``retries`` how often it was sent again because a connection broke; ``queued`` is how long it waited in line.
    """

    number: int
    at: float
    client: str
    method: str
    target: str
    host: str
    version: str
    status: int
    received: int
    sent: int
    route: str
    balancer: str
    member: str
    attempts: int
    generation: int
    waited: float
    first: float
    total: float
    cause: str
    referer: str
    user_agent: str
    retries: int = 0
    queued: float = 0.0


class Verdict(Struct, frozen=True, kw_only=True):
    """One rule that was tried for a request, in order: ``verdict`` is "match", "no match" or "skipped". ``details``
    are lines about how it came to that: conditions with their values, captures, answers of maps, variables."""

    address: tuple[str, ...]
    verdict: Literal["match", "no match", "skipped"]
    reason: str
    details: tuple[str, ...] = ()


class Question(Struct, frozen=True, kw_only=True):
    """A request that somebody wonders about. ``url`` is a path, or a URL whose host and port stand for Host and
    listener; ``fields`` are lines of its head ("User-Agent: curl"). While it is ``unfinished``, programs and databases
    are not asked for each letter of it."""

    url: str
    method: str = "GET"
    client: str = "127.0.0.1"
    fields: tuple[str, ...] = ()
    listener: str = ""
    unfinished: bool = False


class Setting(Struct, frozen=True, kw_only=True):
    """An option that holds for a request, its value in words, and where it was said."""

    name: str
    value: str
    address: tuple[str, ...]


class Explanation(Struct, frozen=True, kw_only=True):
    """``steps`` are the rules in the order in which they were tried. ``outcome`` is what comes of it, ``sentence`` the
    same in words. ``forwarded`` is the head as it would go to ``pool`` (masked), ``fields`` what rules add to the
    answer, ``facts`` what was asked of maps and files, each with the answer ("" and null differ), ``settings`` the
    options that hold for it. Behind the rules that decided stand the rows that change fields and give pages."""

    request: str
    client: str
    listener: str
    steps: tuple[Verdict, ...]
    outcome: Literal["forward", "redirect", "respond"]
    sentence: str
    status: int = 0
    rule: tuple[str, ...] = ()
    location: str = ""
    pool: str = ""
    target: str = ""
    forwarded: str = ""
    fields: tuple[str, ...] = ()
    environment: dict[str, str] = {}
    facts: tuple[tuple[str, str, str, str | None], ...] = ()
    settings: tuple[Setting, ...] = ()


class Inspection(Struct, frozen=True, kw_only=True):
    """All that is known of one request: both heads as they went over the wire ("" where none did), and its way
    through the rules and facts that it ran under. Secrets are masked."""

    record: Record
    request_head: str
    forwarded_head: str
    answer_head: str
    explanation: Explanation


class Generation(Struct, frozen=True, kw_only=True):
    """One applied state of the site file. ``author`` is "console", "file", "start" or a client's own name."""

    number: int
    at: float
    author: str
    sentence: str
    diff: str


class SiteState(Struct, frozen=True, kw_only=True):
    """The site as applied, and the text that spells it."""

    generation: int
    site: Site
    text: str
    file: str


class EngineView(Protocol):
    """What a console holds. Reading is immediate and cheap enough for 10 Hz; only changes are awaited."""

    def snapshot(self) -> Snapshot: ...

    def records(self, after: int, limit: int = 500) -> tuple[Record, ...]:
        """The first ``limit`` finished requests with a number greater than ``after``, oldest first: who reads on from
        the last number it got misses nothing that is still in the ring."""
        ...

    def inspect(self, number: int) -> Inspection | None:
        """None when the request has left the ring."""
        ...

    async def explain(self, question: Question) -> Explanation:
        """What would become of a request now, and why; nothing is sent to any member. Raises ValueError for what is
        no URL."""
        ...

    def site(self) -> SiteState: ...

    def problems(self) -> tuple[Problem, ...]:
        """What is wrong now: warnings of the site, a file on disk that does not parse, a save that failed, a member
        that refuses connections."""
        ...

    def maps(self) -> tuple[MapState, ...]:
        """The maps of the site in force, in its order."""
        ...

    async def map_rows(self, name: str) -> tuple[MapRow, ...]:
        """The entries of a txt or rnd map, in the order of its file, those that are never reached as well; of other
        maps none. Raises OSError when the file cannot be read."""
        ...

    async def look_up(self, name: str, key: str) -> str | None:
        """What the map ``name`` says for ``key`` now, None for a miss. It counts as no lookup."""
        ...

    def history(self) -> tuple[Generation, ...]:
        """Oldest first, at most 200."""
        ...

    def can_undo(self) -> str:
        """The sentence of what Undo would take back, "" for nothing."""
        ...

    def can_redo(self) -> str: ...

    async def preview(self, command: Command) -> Preview:
        """What the command would do; touches nothing."""
        ...

    async def submit(self, command: Command, author: str = "console") -> Result: ...

    async def start_demo(self) -> str:
        """Start a small upstream for every loopback member that refuses connections; the answer says which."""
        ...
