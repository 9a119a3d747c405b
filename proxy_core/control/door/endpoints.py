"""What the door has: one table of endpoints, from which it is served, and its manual and its OpenAPI file are made.

An endpoint is a method and a path with the types that go in and come out, so there is nothing to say twice: the door
reads queries and bodies as these types, the client reads answers as these types, and the manual shows their fields.
Whatever is refused is answered with a Refused, or a Stale. Nothing here serves, and nothing here knows aiohttp.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from proxy_core.control.door.peers import Peer
from proxy_core.control.editing.commands import Applied, Command, Preview
from proxy_core.control.editing.pending import LONGEST
from proxy_core.control.foreseen import Foreseen
from proxy_core.control.question import Explanation, Inspection, Question, TestOutcome
from proxy_core.control.view import Generation, IncidentNote, LastChange, SiteState, Snapshot
from proxy_core.control.watching.details import Details
from proxy_core.control.watching.events import Level
from proxy_core.control.watching.log_records import Record
from proxy_core.control.watching.troubles import Kind
from proxy_core.errors import Problem
from proxy_core.runtime.maps.source import MapState
from proxy_core.runtime.maps.text_file import MapRow

PROTOCOL = 1
"""Grows when a client of the one before would misunderstand something. New fields and endpoints leave it as it is."""

JSON, TEXT, LINES = "application/json", "text/plain; charset=utf-8", "application/x-ndjson"


class Hello(Struct, frozen=True, kw_only=True):
    """Who answers, and who asks."""

    name: str
    """rproxy"""
    version: str
    """Of the program."""
    protocol: int
    """Of the door."""
    generation: int
    """In force."""
    pid: int
    """The process that serves."""
    started: float = 0.0
    """When it began, in seconds of a clock that is never put back: with its number it is one process and no other."""
    file: str
    """The site file."""
    you: Peer
    """Who asks, as the kernel says."""


class SnapshotQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which of the seconds, for who has the others; or which moment of the last hour."""

    after: float = 0.0
    """Those that began later."""
    at: float = 0.0
    """The moment that is kept nearest to it, in seconds since the epoch; 0 for now."""


class DetailsQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of whom, and before which moment."""

    kind: Kind = "site"
    """member, route, rule, shape or site."""
    home: str = ""
    """The balancer of a member; routes or rewrites for a row of these lists."""
    name: str = ""
    """Its name or id, or the text of a shape."""
    at: float = 0.0
    """The moment, in seconds since the epoch; 0 for now."""


class HistoryQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which generations, for who has the others."""

    after: int = 0
    """Those with a greater number."""


class TermsQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The terms on which a text is taken."""

    confirm: Annotated[float, Meta(ge=0, le=LONGEST)] = 0.0
    """Seconds within which it is to be confirmed, or it takes itself back; 0: it stays."""
    force: bool = False
    """Take it though a row of [[tests]] that held fails by it."""


class RecordsQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which finished requests."""

    after: int = 0
    """Those with a greater number; below 0: the last so many."""
    before: int = 0
    """The last ones with a smaller number, in place of the first ones after one; 0 for these."""
    limit: int = 500
    """At most so many, 1 to 500, the oldest first."""
    last: int = 0
    """Of others than the last so many only those that went wrong; 0 for all."""
    failed: bool = False
    """Only those that went wrong (5xx, 499, cut) or were slow, which are kept for longer than others."""
    filter: str = ""
    """Only those that it holds for: status>=500 member=c path~^/api."""


class Records(Struct, frozen=True, kw_only=True):
    """Finished requests, oldest first. Who asks again after ``seen`` misses nothing that is still kept."""

    records: tuple[Record, ...]
    """Those that it was asked for."""
    seen: int
    """The number up to which was looked."""


class Past(Struct, frozen=True, kw_only=True):
    """The generations that are kept, oldest first, and what Undo and Redo would do."""

    generations: tuple[Generation, ...]
    """Each with its number, time, author, sentence and diff."""
    undo: Generation | None
    """What Undo would take back."""
    redo: Generation | None
    """What Redo would do again."""
    changes: tuple[LastChange, ...] = ()
    """The generations that made each row and table of the site what it is."""


class MapQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is asked of a map."""

    key: str | None = None
    """Look this key up; without it the entries of a txt or rnd map come."""


class MapContent(Struct, frozen=True, kw_only=True):
    """A map: what it says for a key (null for a miss), or its entries."""

    value: str | None = None
    """What it says for the key."""
    rows: tuple[MapRow, ...] = ()
    """Key, value and line of each entry."""


class NoteQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of what time."""

    since: Annotated[float, Meta(gt=0, le=86_400)] = 3600.0
    """Seconds back."""
    at: Annotated[float, Meta(ge=0)] = 0.0
    """From which moment of the last hour, in seconds since the epoch; 0 for now."""


class WatchQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From where on."""

    after: int | None = None
    """Tell of generations after this one first; without it what happens from now on."""


class WatchLine(Struct, frozen=True, kw_only=True):
    """One line of what happens."""

    at: float
    """Seconds since the epoch."""
    generation: int
    """In force then."""
    kind: str
    """What happened: config_applied, problem, problem_over, member_down, member_up, …; alive for a sign of life."""
    level: Level = "info"
    """How bad it is."""
    text: str = ""
    """The same as a sentence."""
    facts: dict[str, str | int] = {}
    """What it is about."""


class PurgeQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is thrown out; one of the three, or none for all."""

    url: str = ""
    """What was asked by this URL; one that begins with a slash is meant of every host."""
    prefix: str = ""
    """What was asked by URLs that begin so."""
    tag: str = ""
    """What has this in Cache-Tag or Surrogate-Key."""


class Purged(Struct, frozen=True, kw_only=True):
    """What was thrown out."""

    count: int
    """Answers."""


class Done(Struct, frozen=True, kw_only=True):
    """What is being done now."""

    sentence: str


class Endpoint(Struct, frozen=True):
    """One thing that can be asked."""

    name: str
    """Its handler and the client's method are called so."""
    method: Literal["GET", "POST", "PUT"]
    """Of HTTP."""
    path: str
    """With {…} for what stands for something."""
    about: str
    """Its manual, in a line."""
    answer: Any
    """The type of what comes, or JSON's type of text."""
    query: type[Struct] | None = None
    """What may stand behind the ``?``."""
    body: Any = None
    """The type of what is sent."""
    content: str = JSON
    """The type of what comes, as HTTP says it."""
    writes: bool = False
    """Only the service's own user and root may."""
    statuses: tuple[int, ...] = ()
    """What else may come than 200, 400, 403, 408, 413 and 429."""


ENDPOINTS = (
    Endpoint("hello", "GET", "/v1", "Who answers, and who asks.", Hello),
    Endpoint(
        "snapshot", "GET", "/v1/snapshot", "The numbers of this moment, or of one of the last hour.", Snapshot,
        SnapshotQuery,
    ),
    Endpoint(
        "details", "GET", "/v1/details", "What one member, route or rule did lately, on which paths.", Details,
        DetailsQuery,
    ),
    Endpoint("site", "GET", "/v1/site", "The site in force, as values and as text.", SiteState),
    Endpoint("text", "GET", "/v1/site.toml", "The text of the site in force.", str, content=TEXT),
    Endpoint(
        "put_text", "PUT", "/v1/site.toml",
        "Take a whole text as the site file. Nothing touches the disk before it is checked and in force.",
        Applied, TermsQuery, body=str, writes=True, statuses=(412, 422),
    ),
    Endpoint("problems", "GET", "/v1/problems", "What is wrong now.", tuple[Problem, ...]),
    Endpoint("tests", "GET", "/v1/tests", "What comes of each row of [[tests]] now.", tuple[TestOutcome, ...]),
    Endpoint("maps", "GET", "/v1/maps", "The maps of the site in force.", tuple[MapState, ...]),
    Endpoint(
        "map", "GET", "/v1/maps/{name}", "The entries of a map, or what it says for a key.", MapContent, MapQuery,
        statuses=(404,),
    ),
    Endpoint(
        "history", "GET", "/v1/history", "What was applied, by whom, and what undo would take back.", Past,
        HistoryQuery,
    ),
    Endpoint(
        "metrics", "GET", "/v1/metrics", "The numbers as Prometheus reads them.", str,
        content="text/plain; version=0.0.4; charset=utf-8",
    ),
    Endpoint("records", "GET", "/v1/records", "Finished requests, from a number on.", Records, RecordsQuery),
    Endpoint(
        "inspect", "GET", "/v1/inspect/{number}", "All that is known of one finished request; secrets are masked.",
        Inspection, statuses=(404,),
    ),
    Endpoint(
        "explain", "POST", "/v1/explain",
        "What would become of a request, and why. Only who may write may have services asked (ask).",
        Explanation, body=Question,
    ),
    Endpoint("preview", "POST", "/v1/preview", "What a command would do; touches nothing.", Preview, body=Command),
    Endpoint(
        "what_if", "POST", "/v1/what-if",
        "What a command would do to the requests that are kept: which would go elsewhere, who would have them.",
        Foreseen, body=Command, statuses=(422,),
    ),
    Endpoint(
        "submit", "POST", "/v1/submit", "Do a command. Applied: the next request is served by it.", Applied,
        body=Command, writes=True, statuses=(412, 422),
    ),
    Endpoint(
        "watch", "GET", "/v1/watch",
        "What happens, a line each, for as long as it is read; a sign of life every 10 seconds.",
        WatchLine, WatchQuery, content=LINES,
    ),
    Endpoint(
        "note", "POST", "/v1/note",
        "Write a note for a ticket: what is wrong, since when, which edits were made and what they did.",
        IncidentNote, NoteQuery, writes=True, statuses=(422,),
    ),
    Endpoint(
        "purge", "POST", "/v1/purge",
        "Throw kept answers out of the shared cache: those of a URL, of URLs that begin so, of a tag, or all.",
        Purged, PurgeQuery, writes=True,
    ),
    Endpoint(
        "stop", "POST", "/v1/stop", "Drain and stop the service, as SIGTERM does; a second time cuts.", Done,
        writes=True,
    ),
    Endpoint(
        "upgrade", "POST", "/v1/upgrade", "Let a new program take over without a lost request.", Done, writes=True,
        statuses=(501,),
    ),
)  # fmt: skip
"""Everything that the door has."""

STATUSES = {
    200: "Done; the body is the answer.",
    400: "What was asked is not understood.",
    403: "Who asks may only read.",
    404: "It is not there, or not any more.",
    405: "The path takes another method.",
    408: "The body did not come in time.",
    412: "Somebody else changed the site since If-Match: the body is a Stale, with the other's diff.",
    413: "The body is too long.",
    422: "Refused: the body says every problem, with line, column and what to do.",
    429: "Too many questions a second; ask again after Retry-After.",
    501: "This service cannot do that here.",
    503: "Too many connections of this user.",
}
"""What each status of an answer means."""
