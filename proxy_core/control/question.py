"""A request that somebody wonders about, and what is said of it, as plain data that any wire can carry."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from proxy_core.control.watching.log_records import Record


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
    """It is still being typed: nobody is asked for each letter of it."""
    ask: bool = False
    """Services of [forward_auth] are really asked."""
    generation: int = 0
    """The one whose rules are asked, as the journal has them; 0 for the one in force."""


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
    """The rules in the order in which they were tried; behind them the rows that change fields and give pages."""
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
    member: str = ""
    """The member that gets it, where there is no choice: the only one, or its session's."""
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
    generation: int = 0
    """Whose rules they are; 0 for those of a file that nobody serves."""


class Otherwise(Struct, frozen=True):
    """One thing that a test expects and does not get; both as text, "" for none."""

    name: str
    expected: str
    got: str


class TestOutcome(Struct, frozen=True):
    """What came of a row of [[tests]]."""

    id: str
    """Of the row."""
    request: str
    """As the row says it."""
    otherwise: tuple[Otherwise, ...]
    """What is not as expected, nothing for a test that holds."""
    sentence: str
    """What becomes of the request, in words."""


class Inspection(Struct, frozen=True, kw_only=True):
    """All that is known of one request: both heads as they went over the wire ("" where none did), and its way
    through the rules and facts that it ran under. Secrets are masked."""

    record: Record
    request_head: str
    forwarded_head: str
    answer_head: str
    explanation: Explanation
