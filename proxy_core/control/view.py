"""EngineView: all that a console may know of a proxy, and the one door for commands.

The console pulls; the data path never pushes. All is plain data that msgspec can carry, so that a console here and one
at the far end of a socket see the same. Values named ``at`` are seconds since the epoch; durations are seconds.
"""

from __future__ import annotations

from typing import Literal, Protocol

from msgspec import Struct

from proxy_core.balance.member_health import Health
from proxy_core.config.model import MemberRole, MemberStatus, Site
from proxy_core.control.editing.commands import Command, Preview, Result
from proxy_core.control.editing.pending import Pending
from proxy_core.control.foreseen import Foreseen
from proxy_core.control.question import Explanation, Inspection, Question, TestOutcome
from proxy_core.control.watching.cache_load import CacheLoad
from proxy_core.control.watching.details import Details
from proxy_core.control.watching.effects import GenerationEffect
from proxy_core.control.watching.log_records import Record
from proxy_core.control.watching.shadow_loads import ShadowLoad
from proxy_core.control.watching.troubles import Subject, Trouble
from proxy_core.errors import Address, Problem
from proxy_core.runtime.maps.source import MapState
from proxy_core.runtime.maps.text_file import MapRow

Saved = Literal["saved", "unsaved", "failed", "drift"]
"""saved: on disk, fsynced. unsaved: applied, not yet on disk, or waiting to be confirmed. failed: the disk refused it
(see problems). drift: somebody else changed the file, and it has errors, or there were unsaved changes: Reload takes
theirs, Merge puts ours on top of theirs, Keep writes ours."""

Classes = tuple[int, ...]
"""Finished requests by first digit of the status, from 1xx to 5xx; () for none."""


class Percentiles(Struct, frozen=True, array_like=True):
    """Seconds until the answer was complete, over the last minute; -1 where nothing was measured."""

    p50: float = -1.0
    p95: float = -1.0
    p99: float = -1.0


class Check(Struct, frozen=True, kw_only=True):
    """Active checks of a member; ``at`` is 0 before the first. ``streak`` results in a row came out as the last."""

    at: float
    passed: bool
    result: str
    streak: int
    next_in: float


class Name(Struct, frozen=True, kw_only=True):
    """A member's name resolved: ``age`` seconds ago its addresses were confirmed; why asking fails since, or ""."""

    addresses: tuple[str, ...]
    age: float
    trouble: str


class MemberLoad(Struct, frozen=True, kw_only=True):
    """One member now."""

    balancer: str
    """Empty for a server that a route names by its URL."""
    member: str
    """Its name in the balancer, or the origin of its URL."""
    url: str
    """As the site says it; "-" for one that is retired."""
    weight: float
    """As the site says it."""
    status: MemberStatus
    """What the site says that it may get."""
    health: Health
    """What was seen of it."""
    retry_in: float
    """Seconds until it is tried again after an error, or its ejection ends; 0 when neither holds."""
    last_error: str
    """What its last connection failed for, in words; "" when it did not."""
    retired: bool
    """It is no longer in the site, and has requests left."""
    busy: int
    """Requests that it has now."""
    oldest: float
    """Seconds since the oldest of them began."""
    elected: int
    """Attempts that it was chosen for, since it exists."""
    rate: float
    """Attempts a second, over the last five."""
    promised: float
    """The part of the balancer's requests that the weights say, 0 to 1."""
    share: float
    """The part that it was elected for in the last minute, 0 to 1."""
    sent: int
    """Bytes to it, since it exists."""
    received: int
    """Bytes from it, since it exists."""
    errors: int
    """Connections and answers that failed, since it exists."""
    latency: Percentiles
    """Of its answers in the last minute."""
    per_second: tuple[int, ...]
    """Its answers in each second of the last minute, oldest first."""
    classes: Classes = ()
    """Its answers since it exists."""
    retries: int = 0
    """Requests that were sent again because their connection broke, since it exists."""
    ejections: int = 0
    """Times that it was ejected for bad answers, since it exists."""
    check: Check | None = None
    """None where nothing is checked."""
    name: Name | None = None
    """None where the URL has an address."""
    role: MemberRole = "regular"
    """When it may be chosen at all: regular, spare or standby."""
    lbset: int = 0
    """Its set; the lowest that has somebody well is chosen from."""
    ramp: float = 1.0
    """The part of its weight that it has by now in slow start, 0 to 1."""
    drained: bool = False
    """It takes no new requests, not even those of sessions, and has none left: it is safe to stop."""
    ill: str = ""
    """How it shows that it is worse than its peers ("5xx, slow"); "" where it does not."""
    cut_in: float = -1.0
    """Seconds that the requests of a member that drains may still take; -1 for no end."""
    part_4xx: float = -1.0
    """The part of its requests of the last minute that ended with a status of 4xx; -1 where there were none."""
    part_5xx: float = -1.0
    """The same for 5xx and for answers that were cut."""
    known: bool = True
    """False in a moment that is past where its state was not kept: only what its requests tell is known."""

    @property
    def well(self) -> bool:
        return self.health in ("up", "unknown")


class RouteLoad(Struct, frozen=True, kw_only=True):
    """What one route or rewrite rule did since its id exists."""

    id: str
    """The id of its row."""
    hits: int
    """Decisions that it took part in."""
    last_hit_at: float
    """When it last did; 0 for never."""
    requests: int = 0
    """Requests that it forwarded and that are finished."""
    in_flight: int = 0
    """Requests that it forwarded and that are not."""
    classes: Classes = ()
    """Those requests by class of their status."""
    sent: int = 0
    """Body bytes to clients."""
    received: int = 0
    """Body bytes from clients."""
    rate: float = 0.0
    """Finished requests a second, over the last five."""
    latency: Percentiles = Percentiles()
    """Of those of the last minute."""
    part_4xx: float = -1.0
    """The part of the last minute's requests that ended with a status of 4xx; -1 where there were none."""
    part_5xx: float = -1.0
    """The same for 5xx and for answers that were cut."""


class Second(Struct, frozen=True, array_like=True):
    """One second of the whole site."""

    at: float
    """When it began, in seconds since the epoch."""
    requests: int
    """Requests that finished in it."""
    status_4xx: int
    """Those of them with a status of 4xx."""
    status_5xx: int
    """Those of them with a status of 5xx."""
    p50: float
    """Seconds in which half of them were complete; -1 where there were none."""
    p95: float
    """The same for 95 of 100."""
    p99: float
    """The same for 99 of 100."""
    generation: int
    """The newest that was applied in it; 0 for none."""


class ListenerState(Struct, frozen=True, kw_only=True):
    """One bound listener."""

    name: str
    """Its name in the site."""
    address: str
    """As the site says it."""
    port: int
    """The real one where the site says 0."""
    connections: int
    """Connections that are open now."""
    draining: bool
    """It accepts no more, and waits for those that are open."""
    turned_away: int = 0
    """Connections that ended before HTTP: no PROXY header, no handshake, or too late."""
    tls: bool = False
    """It speaks TLS."""
    renewed: int = 0
    """Times that changed certificate files were taken."""
    expires: float = 0.0
    """When the first of its certificates ends, in seconds since the epoch; 0 where it has none."""
    stale: bool = False
    """Its certificate files cannot be used: it goes on with what it had."""

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.address.rpartition(':')[0] or '*'}:{self.port}"


class Snapshot(Struct, frozen=True, kw_only=True):
    """The numbers of this moment, or of one that is past: then what was not kept is -1."""

    at: float
    """When it was taken, in seconds since the epoch."""
    uptime: float
    """Seconds since the start."""
    generation: int
    """Of the rule set in force."""
    revision: int = 0
    """As in SiteState: who keeps a copy of the site asks for it anew when this has changed."""
    saved: Saved
    """How the site file on disk stands to what is in force."""
    requests: int
    """Finished since the start."""
    in_flight: int
    """Requests that are not finished."""
    connections: int
    """Open connections of clients."""
    rate: float
    """Finished requests a second, over the last five."""
    rate_4xx: float
    """Those of them with a status of 4xx."""
    rate_5xx: float
    """Those of them with a status of 5xx."""
    latency: Percentiles
    """Of all requests of the last minute."""
    lateness: float
    """Seconds that the event loop was late at worst in the last second."""
    newest_record: int
    """Number of the newest Record."""
    members: tuple[MemberLoad, ...]
    """Those in force in the order of the file, then those removed that have requests left."""
    routes: tuple[RouteLoad, ...]
    """Each route of the site, in its order."""
    rewrites: tuple[RouteLoad, ...] = ()
    """Each rewrite rule of the site, in its order."""
    listeners: tuple[ListenerState, ...]
    """Those that accept, and those that drain."""
    seconds: tuple[Second, ...]
    """Those that are kept, oldest first."""
    demo: bool
    """Demo members were started."""
    limited: dict[str, int] = {}
    """How often each of [limits] was reached, and "deny" for who is denied or banned."""
    troubles: tuple[Trouble, ...] = ()
    """What is wrong, as the numbers say, worst first."""
    past: bool = False
    """It is a moment of the last hour."""
    pending: Pending | None = None
    """The change in force that waits to be confirmed, None for none."""
    shadows: tuple[ShadowLoad, ...] = ()
    """What copies of requests have shown, by route; nothing of it is known of the past."""
    cache: CacheLoad | None = None
    """What the shared cache does, None where no route and no location has one; nothing of it is known of the past."""


class Generation(Struct, frozen=True, kw_only=True):
    """One applied state of the site file. A generation that is amended keeps its number."""

    number: int
    """Counts what was applied."""
    at: float
    """When it came into force."""
    author: str
    """"console", "file", "start", "signal" or a client's own name."""
    sentence: str
    """What was changed, in words."""
    diff: str
    """The same as lines of the site file and of map files."""
    effect: GenerationEffect | None = None
    """How requests ended before it and after; None where that is not known."""


class LastChange(Struct, frozen=True, kw_only=True):
    """The generations that made a row or table of the site what it is, newest first, and when the newest came into
    force."""

    address: Address
    generations: tuple[int, ...]
    at: float


class IncidentNote(Struct, frozen=True, kw_only=True):
    """A note that was written."""

    folder: str
    """Where it is, on the machine that serves."""
    files: tuple[str, ...]
    """The names of its files."""
    text: str
    """Its README.md."""


class SiteState(Struct, frozen=True, kw_only=True):
    """The site as applied, and its text. ``revision`` counts what was applied, also what amends a generation."""

    generation: int
    revision: int
    site: Site
    text: str
    file: str


class EngineView(Protocol):
    """What a console holds. Reading is immediate, cheap enough for 10 Hz. What is awaited may raise OSError, with words
    for people, where the engine is far away; changes and previews say it in problems."""

    def snapshot(self) -> Snapshot: ...
    def snapshot_at(self, at: float) -> Snapshot | None:
        """The moment nearest to ``at`` that is kept (``past``), or that of now where none is. None while it is on its
        way."""

    def site(self) -> SiteState: ...
    def last_changes(self) -> tuple[LastChange, ...]:
        """What changed each row and table of the site last, as far as generations are kept."""

    def can_redo(self) -> Generation | None: ...
    def can_undo(self) -> Generation | None:
        """What Undo would take back, None for nothing."""

    def records(self, after: int, limit: int = 500, failed: bool = False) -> tuple[Record, ...]:
        """The first ``limit`` finished requests after that number, oldest first: who reads on misses nothing. What
        went wrong or was slow is kept for longer than the rest; ``failed`` asks for that alone."""

    def earlier(self, before: int, limit: int = 500, failed: bool = False) -> tuple[Record, ...] | None:
        """The last of those with a smaller number, ``limit`` at most, oldest first; () for none any more, None while
        they are on their way."""

    async def details(self, subject: Subject, at: float = 0.0) -> Details:
        """What a member, route or rule did lately, or before a moment that is past. Raises OSError."""

    async def inspect(self, number: int) -> Inspection | None:
        """None when the request is no longer kept. What is inspected stays, until a hundred others were."""

    async def explain(self, question: Question) -> Explanation:
        """What would become of a request now, and why. Raises ValueError for what is no URL."""

    def problems(self) -> tuple[Problem, ...]:
        """What is wrong now: warnings of the site, a save that failed, a member that refuses connections."""

    async def what_if(self, command: Command) -> Foreseen:
        """What the command would do to the requests that are kept. Raises ValueError for what would be refused."""

    async def note(self, since: float, at: float = 0.0) -> IncidentNote:
        """Write a note of the ``since`` seconds before ``at``, an epoch second or 0 for now. Raises OSError."""

    async def purge(self, url: str = "", prefix: str = "", tag: str = "") -> int:
        """Throw out what is kept of a URL, of URLs that begin so, of a tag, or all; how many. Raises OSError."""

    async def tests(self) -> tuple[TestOutcome, ...]:
        """What comes of each row of [[tests]] now. Raises OSError."""

    def maps(self) -> tuple[MapState, ...]:
        """The maps of the site in force, in its order."""

    async def map_rows(self, name: str) -> tuple[MapRow, ...]:
        """The entries of a txt or rnd map in the order of its file; of others none. Raises OSError."""

    async def look_up(self, name: str, key: str) -> str | None:
        """What the map ``name`` says for ``key`` now, None for a miss. It counts as no lookup."""

    def history(self) -> tuple[Generation, ...]:
        """Oldest first, at most 200."""

    async def preview(self, command: Command) -> Preview:
        """What the command would do; touches nothing."""

    async def submit(self, command: Command, author: str = "console", on: int = 0) -> Result:
        """``on``: the generation that it was made on; on another one nothing is done."""

    async def start_demo(self) -> str:
        """Start a small upstream for every loopback member that refuses connections; the answer says which."""
