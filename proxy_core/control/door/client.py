"""The other side of the door: questions to a service that runs, with typed answers. Blocking.

It is made of the same table as the door, so what one sends the other reads. One client has one connection and is for
one thread at a time; a connection that the service closed meanwhile is made anew, once, for questions that change
nothing. Who watches has a connection for that alone.
"""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote, urlencode

from msgspec import DecodeError, to_builtins
from msgspec.json import decode, encode

from proxy_core.control.door.endpoints import (
    ENDPOINTS,
    Done,
    Endpoint,
    Hello,
    MapContent,
    MapQuery,
    NoteQuery,
    Past,
    Purged,
    PurgeQuery,
    Records,
    RecordsQuery,
    SnapshotQuery,
    WatchLine,
    WatchQuery,
)
from proxy_core.control.editing.commands import Command, Preview, Refused, Result, Stale
from proxy_core.control.foreseen import Foreseen
from proxy_core.control.question import Explanation, Inspection, Question, TestOutcome
from proxy_core.control.view import IncidentNote, SiteState, Snapshot
from proxy_core.errors import Problem
from proxy_core.runtime.maps.source import MapState

TIMEOUT = 30.0
"""Seconds without a byte after which a service is given up; in a watch a sign of life comes more often."""
UPGRADED_WITHIN = 90.0
"""The same for an upgrade."""
ENDPOINT_OF = {each.name: each for each in ENDPOINTS}


class NobodyThere(Exception):
    """Nobody answers at the socket, or not as a service does; the words say why."""


class Denied(Exception):
    """What was asked was refused; ``refused`` says why, in problems."""

    def __init__(self, status: int, refused: Refused) -> None:
        super().__init__("; ".join(map(str, refused.problems)))
        self.status = status
        self.refused = refused


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("rproxy", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class DoorClient:
    """A client of the service whose socket is at ``path``. Every method raises NobodyThere, and Denied."""

    def __init__(self, path: Path, timeout: float = TIMEOUT) -> None:
        self.path = path
        self._timeout = timeout
        self._kept: _Connection | None = None

    def close(self) -> None:
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def hello(self) -> Hello:
        return cast(Hello, self._ask("hello"))

    def snapshot(self, at: float = 0.0) -> Snapshot:
        """The numbers of now, or of the moment that is kept nearest to ``at``."""
        return cast(Snapshot, self._ask("snapshot", query=SnapshotQuery(at=at)))

    def site(self) -> SiteState:
        return cast(SiteState, self._ask("site"))

    def text(self) -> str:
        return cast(str, self._ask("text"))

    def put_text(self, text: str, on: int = 0) -> Result:
        return self._done("put_text", text.encode(), on)

    def problems(self) -> tuple[Problem, ...]:
        return cast(tuple[Problem, ...], self._ask("problems"))

    def tests(self) -> tuple[TestOutcome, ...]:
        return cast(tuple[TestOutcome, ...], self._ask("tests"))

    def maps(self) -> tuple[MapState, ...]:
        return cast(tuple[MapState, ...], self._ask("maps"))

    def map(self, name: str, key: str | None = None) -> MapContent:
        return cast(MapContent, self._ask("map", names={"name": name}, query=MapQuery(key=key)))

    def history(self) -> Past:
        return cast(Past, self._ask("history"))

    def records(self, after: int = 0, limit: int = 500, filter: str = "") -> Records:
        return cast(Records, self._ask("records", query=RecordsQuery(after=after, limit=limit, filter=filter)))

    def inspect(self, number: int) -> Inspection | None:
        """None when the request has left the ring."""
        try:
            return cast(Inspection, self._ask("inspect", names={"number": str(number)}))
        except Denied as denied:
            if denied.status == 404:
                return None
            raise

    def explain(self, question: Question) -> Explanation:
        return cast(Explanation, self._ask("explain", body=encode(question)))

    def preview(self, command: Command) -> Preview:
        return cast(Preview, self._ask("preview", body=encode(command)))

    def what_if(self, command: Command) -> Foreseen:
        return cast(Foreseen, self._ask("what_if", body=encode(command)))

    def submit(self, command: Command, on: int = 0) -> Result:
        return self._done("submit", encode(command), on)

    def note(self, since: float, at: float = 0.0) -> IncidentNote:
        return cast(IncidentNote, self._ask("note", query=NoteQuery(since=since, at=at), body=b""))

    def purge(self, url: str = "", prefix: str = "", tag: str = "") -> Purged:
        return cast(Purged, self._ask("purge", query=PurgeQuery(url=url, prefix=prefix, tag=tag), body=b""))

    def stop(self) -> Done:
        return cast(Done, self._ask("stop", body=b""))

    def upgrade(self) -> Done:
        """The answer comes when the new program serves."""
        with closing(DoorClient(self.path, UPGRADED_WITHIN)) as patient:
            return cast(Done, patient._ask("upgrade", body=b""))

    def watch(self, after: int | None = None) -> Iterator[WatchLine]:
        """What happens, until the service ends or whoever reads has enough."""
        endpoint = ENDPOINT_OF["watch"]
        with closing(_Connection(self.path, self._timeout)) as connection:
            try:
                answer = self._sent(connection, endpoint, url_of(endpoint, {}, WatchQuery(after=after)), None, {})
                if answer.status != 200:
                    raise denial(answer.status, answer.read())
                while line := answer.readline():
                    yield decode(line, type=WatchLine)
            except (OSError, http.client.HTTPException, DecodeError) as error:
                raise self._nobody(error) from None

    # ---- HTTP

    def _done(self, name: str, body: bytes, on: int) -> Result:
        """What a command came to: refusals are answers here."""
        try:
            return cast(Result, self._ask(name, body=body, on=on))
        except Denied as denied:
            if denied.status in (412, 422):
                return cast(Result, denied.refused)
            raise

    def _ask(
        self, name: str, *, names: Mapping[str, str] | None = None, query: Any = None, body: bytes | None = None,
        on: int = 0,
    ) -> Any:  # fmt: skip
        endpoint = ENDPOINT_OF[name]
        url = url_of(endpoint, names or {}, query)
        fields = {"If-Match": f'"{on}"'} if on else {}
        for again in (not endpoint.writes and self._kept is not None, False):
            if self._kept is None:
                self._kept = _Connection(self.path, self._timeout)
            try:
                answer = self._sent(self._kept, endpoint, url, body, fields)
                data = answer.read()
                break
            except (OSError, http.client.HTTPException) as error:
                self.close()
                if not again:
                    raise self._nobody(error) from None
        if answer.will_close:
            self.close()
        if answer.status != 200:
            raise denial(answer.status, data)
        if endpoint.answer is str:
            return data.decode()
        try:
            return decode(data, type=endpoint.answer)
        except DecodeError as error:
            raise self._nobody(error) from None

    def _sent(
        self, connection: _Connection, endpoint: Endpoint, url: str, body: bytes | None, fields: Mapping[str, str]
    ) -> http.client.HTTPResponse:
        connection.request(endpoint.method, url, body, dict(fields))
        return connection.getresponse()

    def _nobody(self, error: Exception) -> NobodyThere:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error) or type(error).__name__
        return NobodyThere(f"no service answers at {self.path}: {why}")


def url_of(endpoint: Endpoint, names: Mapping[str, str], query: Any) -> str:
    """Path and query of a question."""
    path = endpoint.path
    for name, value in names.items():
        path = path.replace(f"{{{name}}}", quote(value, safe=""))
    said = {} if query is None else {key: value for key, value in to_builtins(query).items() if value is not None}
    return f"{path}?{urlencode(said)}" if said else path


def denial(status: int, data: bytes) -> Denied:
    """What an answer says that is no success."""
    try:
        return Denied(status, decode(data, type=Refused | Stale))
    except DecodeError:
        return Denied(status, Refused(problems=(Problem(what=f"the service answered {status}"),)))
