"""What deciding a request may have to ask the outside: maps, files, passwords, names of clients, services, the clock,
the environment.

Deciding is pure, so a rule never fetches anything: it looks the answer up in the request's Facts. Where the answer is
missing the decision is a ``Need``: whoever decides gets the answer, adds it and decides again. Answers that can be had
without waiting (text tables, internal functions) come from ``ask`` in the middle of deciding. All answers stay with the
request, so that explaining it later replays the very decision that was taken.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from msgspec import Struct, field

FactKey = tuple[str, str, str]
"""(kind, name, key): ("map", "hashchar2backend", "4"); ("file", "-f", "/srv/x"); ("time", "", "").

Keys and answers are texts with one character for each byte (latin-1), as paths are in ``http.target``."""

Ask = Callable[[FactKey], tuple[bool, str | None]]
"""(True, answer) when it is known at once, None being "there is none"; (False, None) when it takes waiting."""


Lost = Callable[[str], bool]
"""Whether nobody knows any more what a request said in a field, by its lower-case name; of "", whether other fields may
have been there."""


class Need(NamedTuple):
    """A Decision: get the answer for ``key``, add it to the facts, and decide again."""

    key: FactKey


class Unknown(Exception):
    """The facts do not hold ``key``. Raised in the middle of deciding, and turned into a Need at its top."""

    def __init__(self, key: FactKey) -> None:
        super().__init__(key)
        self.key = key


class Facts(Struct, eq=False):
    """The answers that one request got, in the order in which it asked. Without ``ask`` nothing else is known. ``lost``
    says what is not known of the request itself, where it is one of a recording."""

    answers: dict[FactKey, str | None] = field(default_factory=dict)
    ask: Ask | None = None
    lost: Lost | None = None

    def answer(self, kind: str, name: str, key: str) -> str | None:
        """The answer, None for "there is none". Raises Unknown where it takes waiting."""
        fact = (kind, name, key)
        if fact in self.answers:
            return self.answers[fact]
        known, answer = self.ask(fact) if self.ask is not None else (False, None)
        if not known:
            raise Unknown(fact)
        self.answers[fact] = answer
        return answer


MOST_ANSWERS: Final = 64
"""Answers of maps and files that the rules of one request may ask for."""

NOTHING = Facts()
"""The facts of requests whose rules ask for none."""
