"""What the door answers: a function for each row of ``ENDPOINTS``, by its name.

Each gets what was asked, read already as the types that the table says, and gives a value of the type that the table
says. HTTP is the door's business: nothing here knows a header, and nothing here waits for whoever asks.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol

from msgspec import Struct
from msgspec.structs import replace

from proxy_core import __version__
from proxy_core.control.door.endpoints import (
    PROTOCOL,
    Done,
    Hello,
    MapContent,
    Past,
    Purged,
    Records,
    WatchLine,
)
from proxy_core.control.door.peers import Peer
from proxy_core.control.door.watch import Watch
from proxy_core.control.editing.commands import Refused, Replace, Result
from proxy_core.control.view import EngineView, Snapshot
from proxy_core.control.watching.events import Sight
from proxy_core.control.watching.record_filter import BadFilter, compiled
from proxy_core.control.watching.troubles import Subject
from proxy_core.errors import Problem

STARTED = time.monotonic()
ROWS = 200
"""Records that are worked out in one go."""
SLICE = 0.002
"""Seconds of work after which requests have a turn."""
MOST_ROWS = 500


class Behind(EngineView, Protocol):
    """What is behind the door: an EngineView, with what only the process that serves can tell."""

    file: Path

    def sight(self) -> Sight: ...

    def metrics_text(self) -> str: ...


class OpenService(Struct, frozen=True, kw_only=True):
    """The service that answers."""

    behind: Behind
    watch: Watch
    stop: Callable[[], object]
    """Stop it, once the answer is on its way."""
    upgrade: Callable[[], Awaitable[str]] | None
    """Begin an upgrade and say what is being done; raises OSError or ValueError. None where there is no way."""


class Asked(Struct, frozen=True, kw_only=True):
    """What somebody asks."""

    peer: Peer
    """Who."""
    names: dict[str, str]
    """What stands in the path where the table has {…}."""
    query: Any
    """Of the type that the table says."""
    body: Any
    """Of the type that the table says."""
    on: int
    """The generation that If-Match says; 0 for none."""


class Refusal(Exception):
    """An answer that is no success: its status, and the Refused that is its body."""

    def __init__(self, status: int, what: str, todo: str = "") -> None:
        super().__init__(what)
        self.status = status
        self.body = Refused(problems=(Problem(what=what, todo=todo),))


Handler = Callable[[OpenService, Asked], Awaitable[Any]]


async def _hello(service: OpenService, asked: Asked) -> Hello:
    state = service.behind.site()
    return Hello(
        name="rproxy",
        version=__version__,
        protocol=PROTOCOL,
        generation=state.generation,
        pid=os.getpid(),
        started=STARTED,
        file=str(Path(state.file).absolute()),
        you=asked.peer,
    )


async def _snapshot(service: OpenService, asked: Asked) -> Snapshot:
    at, after = asked.query.at, asked.query.after
    snapshot = (service.behind.snapshot_at(at) if at else None) or service.behind.snapshot()
    return replace(snapshot, seconds=tuple(each for each in snapshot.seconds if each.at > after))


async def _details(service: OpenService, asked: Asked) -> Any:
    query = asked.query
    return await service.behind.details(Subject(query.kind, query.home, query.name), query.at)


async def _site(service: OpenService, _: Asked) -> Any:
    return service.behind.site()


async def _text(service: OpenService, _: Asked) -> str:
    return service.behind.site().text


async def _put_text(service: OpenService, asked: Asked) -> Result:
    terms = asked.query
    text = Replace(text=asked.body, confirm=terms.confirm, force=terms.force)
    return await service.behind.submit(text, asked.peer.name, asked.on)


async def _problems(service: OpenService, _: Asked) -> Any:
    return service.behind.problems()


async def _tests(service: OpenService, _: Asked) -> Any:
    return await service.behind.tests()


async def _maps(service: OpenService, _: Asked) -> Any:
    return service.behind.maps()


async def _map(service: OpenService, asked: Asked) -> MapContent:
    name, key, behind = asked.names["name"], asked.query.key, service.behind
    if all(each.name != name for each in behind.maps()):
        raise Refusal(404, f'there is no map "{name}"', "GET /v1/maps lists them")
    try:
        if key is not None:
            return MapContent(value=await behind.look_up(name, key))
        return MapContent(rows=await behind.map_rows(name))
    except OSError as error:
        raise Refusal(422, f"map {name} cannot be read: {error.strerror or error}") from None


async def _history(service: OpenService, asked: Asked) -> Past:
    behind = service.behind
    newer = tuple(each for each in behind.history() if each.number > asked.query.after)
    return Past(generations=newer, undo=behind.can_undo(), redo=behind.can_redo(), changes=behind.last_changes())


async def _metrics(service: OpenService, _: Asked) -> str:
    return service.behind.metrics_text()


async def _records(service: OpenService, asked: Asked) -> Records:
    query, behind = asked.query, service.behind
    if not 1 <= query.limit <= MOST_ROWS:
        raise Refusal(400, f"limit is {query.limit}", f"give 1 to {MOST_ROWS}")
    if not 0 <= query.last <= query.limit:
        raise Refusal(400, f"last is {query.last}", "give 0 to limit")
    try:
        holds = compiled(query.filter) if query.filter.strip() else None
    except BadFilter as error:
        raise Refusal(400, str(error), "see the filter language in docs/control.md") from None
    if query.before:
        older = behind.earlier(query.before, query.limit, query.failed) or ()
        return Records(records=tuple(filter(holds, older)), seen=query.before - 1)
    newest = behind.snapshot().newest_record
    seen = query.after if query.after >= 0 else max(0, newest + query.after)
    found = list[Any]()
    if query.last and seen < newest - query.last:
        older = behind.earlier(newest - query.last + 1, query.limit - query.last, failed=True) or ()
        found = [each for each in older if each.number > seen and (holds is None or holds(each))]
        seen = newest - query.last
    began = time.monotonic()
    while len(found) < query.limit:
        rows = behind.records(seen, ROWS if holds is not None else min(ROWS, query.limit - len(found)), query.failed)
        for row in rows:
            seen = row.number
            if holds is None or holds(row):
                found.append(row)
                if len(found) == query.limit:
                    break
            if time.monotonic() - began > SLICE:
                await asyncio.sleep(0)
                began = time.monotonic()
        if not rows:
            break
    return Records(records=tuple(found), seen=seen)


async def _inspect(service: OpenService, asked: Asked) -> Any:
    number = asked.names["number"]
    found = await service.behind.inspect(int(number)) if number.isdecimal() and len(number) < 20 else None
    if found is None:
        raise Refusal(404, f"request {number} is not kept", "GET /v1/records lists those that are")
    return found


async def _explain(service: OpenService, asked: Asked) -> Any:
    question = asked.body
    if question.ask and not asked.peer.may_write:
        raise Refusal(403, f"user {asked.peer.name} may have no service asked", "ask without ask")
    try:
        return await service.behind.explain(question)
    except ValueError as error:
        raise Refusal(400, f"{question.url}: {error}") from None


async def _preview(service: OpenService, asked: Asked) -> Any:
    return await service.behind.preview(asked.body)


async def _what_if(service: OpenService, asked: Asked) -> Any:
    try:
        return await service.behind.what_if(asked.body)
    except ValueError as error:
        raise Refusal(422, str(error)) from None


async def _submit(service: OpenService, asked: Asked) -> Result:
    return await service.behind.submit(asked.body, asked.peer.name, asked.on)


async def _watch(service: OpenService, asked: Asked) -> AsyncGenerator[WatchLine, None]:
    after = asked.query.after
    return service.watch.lines([g for g in service.behind.history() if after is not None and g.number > after])


async def _note(service: OpenService, asked: Asked) -> Any:
    try:
        return await service.behind.note(asked.query.since, asked.query.at)
    except OSError as error:
        raise Refusal(422, f"the note cannot be written: {error.strerror or error}") from None


async def _purge(service: OpenService, asked: Asked) -> Purged:
    query = asked.query
    return Purged(count=await service.behind.purge(query.url, query.prefix, query.tag))


async def _stop(service: OpenService, _: Asked) -> Done:
    asyncio.get_running_loop().call_later(0.05, service.stop)
    return Done(sentence="stopping: what is in flight may finish")


async def _upgrade(service: OpenService, _: Asked) -> Done:
    if service.upgrade is None:
        raise Refusal(501, "this service cannot be upgraded while it runs", "stop it, and start the new program")
    try:
        return Done(sentence=await service.upgrade())
    except (OSError, ValueError) as error:
        raise Refusal(501, f"not upgraded: {error}") from None


HANDLERS: dict[str, Handler] = {
    "details": _details, "explain": _explain, "hello": _hello, "history": _history, "inspect": _inspect, "map": _map,
    "maps": _maps, "metrics": _metrics, "note": _note, "preview": _preview, "problems": _problems, "purge": _purge,
    "put_text": _put_text, "records": _records, "site": _site, "snapshot": _snapshot, "stop": _stop, "submit": _submit,
    "tests": _tests, "text": _text, "upgrade": _upgrade, "watch": _watch, "what_if": _what_if,
}  # fmt: skip
"""The function of each endpoint."""
