"""What a console at the far end of the door asks of the service each time: requests, trials, notes, maps.

Nothing is kept here. A service that does not answer, or refuses, is told in words.
"""

from __future__ import annotations

from typing import Any, cast

from msgspec.json import encode

from proxy_core.control.door.async_client import CutOff, DoorLine
from proxy_core.control.door.client import Denied, NobodyThere
from proxy_core.control.door.endpoints import DetailsQuery, MapContent, MapQuery, NoteQuery, Purged, PurgeQuery
from proxy_core.control.editing.commands import Command, Preview
from proxy_core.control.foreseen import Foreseen
from proxy_core.control.question import Explanation, Inspection, Question, TestOutcome
from proxy_core.control.view import IncidentNote
from proxy_core.control.watching.details import Details
from proxy_core.control.watching.troubles import Subject
from proxy_core.errors import Problem
from proxy_core.runtime.maps.text_file import MapRow


class FarAnswers:
    """The part of an EngineView that is asked of the service behind ``line``."""

    def __init__(self, line: DoorLine) -> None:
        self.line = line

    async def details(self, subject: Subject, at: float = 0.0) -> Details:
        query = DetailsQuery(kind=subject.kind, home=subject.home, name=subject.name, at=at)
        return cast(Details, await self._asked_now("details", query=query))

    async def inspect(self, number: int) -> Inspection | None:
        try:
            return cast(Inspection, await self.line.ask("inspect", names={"number": str(number)}))
        except Denied as refusal:
            if refusal.status == 404:
                return None
            raise OSError(str(refusal)) from None
        except NobodyThere as error:
            raise OSError(str(error)) from None

    async def explain(self, question: Question) -> Explanation:
        try:
            return cast(Explanation, await self.line.ask("explain", body=encode(question)))
        except (Denied, NobodyThere) as error:
            raise ValueError(str(error)) from None

    async def what_if(self, command: Command) -> Foreseen:
        try:
            return cast(Foreseen, await self.line.ask("what_if", body=encode(command)))
        except (Denied, NobodyThere) as error:
            raise ValueError(str(error)) from None

    async def note(self, since: float, at: float = 0.0) -> IncidentNote:
        return cast(IncidentNote, await self._asked_now("note", query=NoteQuery(since=since, at=at), body=b""))

    async def purge(self, url: str = "", prefix: str = "", tag: str = "") -> int:
        query = PurgeQuery(url=url, prefix=prefix, tag=tag)
        return cast(Purged, await self._asked_now("purge", query=query, body=b"")).count

    async def tests(self) -> tuple[TestOutcome, ...]:
        return cast(tuple[TestOutcome, ...], await self._asked_now("tests"))

    async def map_rows(self, name: str) -> tuple[MapRow, ...]:
        return (await self._map(name, None)).rows

    async def look_up(self, name: str, key: str) -> str | None:
        return (await self._map(name, key)).value

    async def _map(self, name: str, key: str | None) -> MapContent:
        return cast(MapContent, await self._asked_now("map", names={"name": name}, query=MapQuery(key=key)))

    async def _asked_now(self, endpoint: str, **given: Any) -> object:
        try:
            return await self.line.ask(endpoint, **given)
        except (Denied, NobodyThere) as error:
            raise OSError(str(error)) from None

    async def preview(self, command: Command) -> Preview:
        try:
            return cast(Preview, await self.line.ask("preview", body=encode(command)))
        except (Denied, NobodyThere) as error:
            return Preview(diff="", problems=unanswered(error))


def unanswered(error: Denied | NobodyThere) -> tuple[Problem, ...]:
    """Why something was not done, or may not have been."""
    if isinstance(error, Denied):
        return error.refused.problems
    if isinstance(error, CutOff):
        return (Problem(what=str(error), todo="look at History whether it was done, once the service answers"),)
    return (Problem(what=str(error), todo="nothing was changed"),)
