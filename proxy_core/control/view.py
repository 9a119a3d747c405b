"""EngineView: all that a console may know of a proxy, and the one door for commands.

The console pulls; the data path never pushes. Everything here is plain data that msgspec can carry over a wire, so
that a console in the same process and one at the far end of a socket see the same.
"""

from __future__ import annotations

from typing import Literal, Protocol

from msgspec import Struct

from proxy_core.balance.condition import Health
from proxy_core.config.model import Site
from proxy_core.control.editing.commands import Command, Preview, Result
from proxy_core.control.watching.request_records import Record
from proxy_core.control.watching.snapshot import (
    Check,
    ListenerState,
    MemberLoad,
    Name,
    Percentiles,
    RouteLoad,
    Saved,
    Second,
    Snapshot,
)
from proxy_core.errors import Problem
from proxy_core.runtime.maps.source import MapState
from proxy_core.runtime.maps.text_file import MapRow

__all__ = [
    "Check", "EngineView", "Explanation", "Generation", "Health", "Inspection", "ListenerState",
    "MemberLoad", "Name", "Percentiles", "Question", "Record", "RouteLoad", "Saved", "Second", "Setting", "SiteState",
    "Snapshot", "Verdict",
]  # fmt: skip


class Verdict(Struct, frozen=True, kw_only=True):
    """One rule that was tried for a request, in order: ``verdict`` is "match", "no match" or "skipped". ``details``
    are lines about how it came to that: conditions with their values, captures, answers of maps, variables."""

    address: tuple[str, ...]
    verdict: Literal["match", "no match", "skipped"]
    reason: str
    details: tuple[str, ...] = ()


class Question(Struct, frozen=True, kw_only=True):
    """A request that somebody wonders about."""

    url: str
    """A path, or a URL whose host and port stand for Host and listener."""
    method: str = "GET"
    """As it stands in the request line."""
    client: str = "127.0.0.1"
    """The address that it comes from."""
    fields: tuple[str, ...] = ()
    """Lines of its head ("User-Agent: curl")."""
    listener: str = ""
    """Name of the listener that it comes in at; "" for the one that the URL tells."""
    unfinished: bool = False
    """It is still being typed: programs and databases are not asked for each letter of it."""


class Setting(Struct, frozen=True, kw_only=True):
    """An option that holds for a request, its value in words, and where it was said."""

    name: str
    value: str
    address: tuple[str, ...]


class Explanation(Struct, frozen=True, kw_only=True):
    """What becomes of a request, and why."""

    request: str
    """Method and URL, as they were asked."""
    client: str
    """The address that it comes from."""
    listener: str
    """Name of the listener that it comes in at."""
    steps: tuple[Verdict, ...]
    """The rules in the order in which they were tried; behind those that decided, the rows that change fields and give
    pages."""
    outcome: Literal["forward", "redirect", "respond"]
    """What kind of end it comes to."""
    sentence: str
    """The outcome in words."""
    status: int = 0
    """Of an answer or redirect of our own; 0 where it is forwarded."""
    rule: tuple[str, ...] = ()
    """Address of the row that decided."""
    location: str = ""
    """Where a redirect leads."""
    pool: str = ""
    """The balancer, or the origin of the server, that it is forwarded to."""
    target: str = ""
    """What is asked of the member: path and query."""
    forwarded: str = ""
    """The head as it would go to ``pool``, masked."""
    fields: tuple[str, ...] = ()
    """What rules do to the fields of the answer."""
    environment: dict[str, str] = {}
    """Variables that rules have set."""
    facts: tuple[tuple[str, str, str, str | None], ...] = ()
    """What was asked of maps and files, each with the answer; "" and null differ."""
    settings: tuple[Setting, ...] = ()
    """The options that hold for it."""


class Inspection(Struct, frozen=True, kw_only=True):
    """All that is known of one request: both heads as they went over the wire ("" where none did), and its way
    through the rules and facts that it ran under. Secrets are masked."""

    record: Record
    request_head: str
    forwarded_head: str
    answer_head: str
    explanation: Explanation


class Generation(Struct, frozen=True, kw_only=True):
    """One applied state of the site file. ``at`` is in seconds since the epoch; ``author`` is "console", "file",
    "start", "signal" or a client's own name; ``diff`` shows the site file and map files. A generation that is amended
    keeps its number."""

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
