"""The maps of the site in force, and what they keep while sites come and go.

A source lives as long as some map of the site reads the very same thing: the same file, command, or database and
query. Its name in the site does not matter, so renaming a map starts no program and forgets no answer, and its
numbers outlive even taking it out. As with listeners, what a new site needs is opened first, which can fail; putting
it in force cannot, and until then nothing that serves is touched.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from msgspec import Struct, field

from proxy_core import regular_files
from proxy_core.config.model import MapType, RewriteMap, Site
from proxy_core.errors import Problem, Severity
from proxy_core.http.target import as_bytes_text
from proxy_core.runtime.maps import text_file
from proxy_core.runtime.maps.functions import FUNCTIONS
from proxy_core.runtime.maps.programs import MapProgram, startable
from proxy_core.runtime.maps.source import WAIT, Known, MapState, MapTally, Source, words
from proxy_core.runtime.maps.sql import Database, Postgres, Query, Sqlite
from proxy_core.runtime.maps.tables import MOST_READ, DbmMap, FunctionMap, TextMap

Key = tuple[str, ...]
"""What makes two maps one source: the type, and what it reads."""

WHAT: dict[MapType, str] = {
    "txt": "file", "rnd": "file", "dbm": "file", "int": "function", "prg": "command", "dbd": "dsn", "fastdbd": "dsn",
}  # fmt: skip
"""The field that says what a map of the type reads."""

_PASSWORD = re.compile(r"(?<=:)[^:@/]*(?=@)|(?<=password=)[^&\s]*")


class OpenedMap(Struct, frozen=True):
    """A map as the site in force names it."""

    settings: RewriteMap
    key: Key
    source: Source
    tally: MapTally


class PreparedMaps(Struct, eq=False):
    """The maps of a site that is not in force yet. ``problems`` say what could not be opened; a map with a problem
    can be put in force all the same and gets well by itself when the reason goes away."""

    maps: dict[str, OpenedMap]
    problems: tuple[Problem, ...]
    made: dict[Key, Source] = field(default_factory=dict)


class MapStore:
    """Lives as long as the engine. ``said`` takes what map programs write to standard error; ``choose`` picks one of
    several values."""

    def __init__(
        self,
        said: Callable[[Problem], None] = lambda problem: None,
        choose: Callable[[Sequence[str]], str] = random.choice,
    ) -> None:
        self._said = said
        self._choose = choose
        self._maps: dict[str, OpenedMap] = {}
        self._sources: dict[Key, Source] = {}
        self._tallies: dict[Key, MapTally] = {}
        self._closing: set[asyncio.Task[None]] = set()

    # ---- asking

    def ask(self, name: str, key: str, counted: bool = True) -> Known:
        """The answer of the map ``name``, if it needs no waiting: (True, value), the value None for a miss; else
        (False, None). A map that does not exist misses. ``counted`` says that it is a lookup of a rule."""
        opened = self._maps.get(name)
        if opened is None:
            return True, None
        known, value = opened.source.ask(key)
        return (True, self._answered(opened, value, counted)) if known else WAIT

    async def answer(self, name: str, key: str, counted: bool = True) -> str | None:
        """The same, waiting for it, but no longer than the map's timeout."""
        opened = self._maps.get(name)
        if opened is None:
            return None
        return self._answered(opened, await opened.source.answer(key, opened.settings.timeout), counted)

    def _answered(self, opened: OpenedMap, value: str | None, counted: bool) -> str | None:
        """What a rule gets: of a rnd map one of the values of the key, where an empty one is a miss."""
        if value is not None and opened.settings.type == "rnd":
            value = self._choose(value.split("|")) or None
        if counted and value is None:
            opened.tally.misses += 1
        elif counted:
            opened.tally.hits += 1
        return value

    # ---- for people

    def uncounted(self) -> Uncounted:
        """The same maps for whoever only wants to know: what it asks is no lookup of a rule, and is not counted."""
        return Uncounted(self)

    def beforehand(self, prepared: PreparedMaps) -> Uncounted:
        """The maps of a site that is not in force yet, as ``uncounted``."""
        store = MapStore(self._said, self._choose)
        store._maps = prepared.maps
        return Uncounted(store)

    def states(self) -> tuple[MapState, ...]:
        """Every map of the site in force, in the order of the site."""
        return tuple(
            MapState(
                name=name,
                type=opened.settings.type,
                reads=_reads(opened.settings),
                entries=opened.source.entries,
                changed_at=opened.source.changed,
                **asdict(opened.tally),
            )
            for name, opened in self._maps.items()
        )

    def problems(self) -> tuple[Problem, ...]:
        """A warning for each map that something is wrong with now: its requests get their defaults."""
        return tuple(
            _problem(
                name,
                opened.settings,
                opened.tally.fault,
                "mend it: until then its rules take their defaults",
                "warning",
            )
            for name, opened in self._maps.items()
            if opened.tally.fault
        )

    async def look(self, name: str, key: str) -> str | None:
        """What ``answer`` would say, for people and in their spelling; it counts as no lookup."""
        known, value = self.ask(name, as_bytes_text(key), counted=False)
        if not known:
            value = await self.answer(name, as_bytes_text(key), counted=False)
        return None if value is None else value.encode("latin-1").decode(errors="replace")

    async def rows(self, name: str) -> tuple[text_file.MapRow, ...]:
        """The entries of a txt or rnd map in the order of its file, those that are never reached as well; of other
        maps none. Raises OSError when the file cannot be read."""
        opened = self._maps.get(name)
        if opened is None or opened.settings.type not in ("txt", "rnd"):
            return ()
        if not isinstance(opened.source, TextMap):
            return tuple(text_file.MapRow(key, value, 0) for key, value in opened.settings.entries.items())
        content = await asyncio.to_thread(regular_files.content, opened.source.path, MOST_READ)
        return text_file.rows(content.decode(errors="replace"))

    # ---- swapping

    async def prepare(self, site: Site, folder: Path) -> PreparedMaps:
        """Open what the maps of ``site`` need and no map in force has open; ``folder`` is the site file's."""
        prepared = PreparedMaps({}, ())
        problems: list[Problem] = []
        for name, settings in site.maps.items():
            key = _key(name, settings, folder)
            tally = self._tallies.setdefault(key, MapTally())
            known = prepared.made.get(key) or (None if key[0] == "inline" else self._sources.get(key))
            try:
                source = known or self._made(name, settings, folder, tally)
                prepared.made[key] = source
                prepared.maps[name] = OpenedMap(settings, key, source, tally)
                if known is None:
                    await source.open()
            except (OSError, ValueError) as error:
                tally.fault = words(error)
                problems.append(_problem(name, settings, words(error), _TODO[settings.type]))
        prepared.problems = tuple(problems)
        return prepared

    def commit(self, prepared: PreparedMaps) -> None:
        """Put the maps in force; sources that no map reads any more are closed in the background."""
        old, self._maps, self._sources = self._sources, prepared.maps, prepared.made
        self._close([source for key, source in old.items() if self._sources.get(key) is not source])

    def discard(self, prepared: PreparedMaps) -> None:
        """Close what was opened for a site that will not be in force."""
        self._close([source for key, source in prepared.made.items() if self._sources.get(key) is not source])

    def _close(self, sources: list[Source]) -> None:
        for source in sources:
            task = asyncio.create_task(source.close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """Close everything and wait until it is closed: no program outlives the engine."""
        sources, self._maps, self._sources = list(self._sources.values()), {}, {}
        self._close(sources)
        await asyncio.gather(*self._closing, return_exceptions=True)

    def _made(self, name: str, settings: RewriteMap, folder: Path, tally: MapTally) -> Source:
        """A source that is not open yet. Raises ValueError for settings that make none."""
        match settings.type:
            case "int" if settings.function is not None:
                return FunctionMap(FUNCTIONS[settings.function])
            case "txt" | "rnd" if not settings.file:
                table = {as_bytes_text(key): as_bytes_text(value) for key, value in settings.entries.items()}
                return FunctionMap(table.get, len(table))
            case "txt" | "rnd":
                return TextMap(folder / settings.file, tally)
            case "dbm" if settings.file:
                return DbmMap(folder / settings.file, settings.format, tally)
            case "prg" if settings.command:
                return MapProgram(settings.command, folder, tally, lambda line: self._heard(settings, line))
            case "dbd" | "fastdbd" if settings.dsn and settings.query:
                return Query(_database(settings, folder), settings.type == "fastdbd", tally, self._choose)
        raise ValueError(f"a map of type {settings.type} needs {WHAT[settings.type]}")

    def _heard(self, settings: RewriteMap, line: str) -> None:
        self._said(Problem(what=f"the map program says: {line}", severity="warning", file=settings.command[0]))


class Uncounted(Struct, frozen=True):
    """Maps asked as rules ask them, and not counted."""

    maps: MapStore

    def ask(self, name: str, key: str) -> Known:
        return self.maps.ask(name, key, counted=False)

    async def answer(self, name: str, key: str) -> str | None:
        return await self.maps.answer(name, key, counted=False)


_TODO: dict[MapType, str] = {
    "txt": "make the file, or correct its name",
    "rnd": "make the file, or correct its name",
    "dbm": "make it with httxt2dbm, or correct its name",
    "int": "name a function: toupper, tolower, escape or unescape",
    "prg": "correct the command, or make the program executable",
    "dbd": "correct dsn and query, or start the database",
    "fastdbd": "correct dsn and query, or start the database",
}


async def unopenable(site: Site, folder: Path) -> tuple[Problem, ...]:
    """What ``MapStore.prepare`` would not open of the maps of a site, as far as that can be told without starting a
    program or asking a database."""
    store, problems = MapStore(), []
    for name, settings in site.maps.items():
        source: Source | None = None
        try:
            source = store._made(name, settings, folder, MapTally())
            if settings.type == "prg":
                startable(settings.command, folder)
            elif settings.dsn.startswith("sqlite:"):
                (folder / settings.dsn[7:]).stat()
            elif not settings.dsn:
                await source.open()
        except (OSError, ValueError) as error:
            problems.append(_problem(name, settings, words(error), _TODO[settings.type]))
        finally:
            if source is not None:
                await source.close()
    return tuple(problems)


def _problem(name: str, settings: RewriteMap, why: str, todo: str, severity: Severity = "error") -> Problem:
    what = f"map {name}: {_reads(settings)}: {why}"
    return Problem(what=what, todo=todo, severity=severity, address=("maps", name, WHAT[settings.type]))


def _database(settings: RewriteMap, folder: Path) -> Database:
    scheme, _, rest = settings.dsn.partition(":")
    if scheme == "sqlite":
        return Sqlite(folder / rest, settings.query)
    if scheme in ("postgresql", "postgres"):
        return Postgres(settings.dsn, settings.query)
    raise ValueError(f'"{scheme}" is no database that maps can ask: write sqlite:FILE or postgresql://…')


def _key(name: str, settings: RewriteMap, folder: Path) -> Key:
    """Timeouts are left out: they may change while the source stays."""
    match settings.type:
        case "txt" | "rnd" if not settings.file:
            return ("inline", name)
        case "txt" | "rnd":
            return (settings.type, str(folder / settings.file))
        case "dbm":
            return ("dbm", str(folder / settings.file), settings.format)
        case "int":
            return ("int", settings.function or "")
        case "prg":
            return ("prg", str(folder), *settings.command)
    dsn = settings.dsn
    return (settings.type, str(folder / dsn[7:]) if dsn.startswith("sqlite:") else dsn, settings.query)


def _reads(settings: RewriteMap) -> str:
    """What a map reads, in a word or two."""
    match settings.type:
        case "txt" | "rnd" if not settings.file:
            return "entries"
        case "prg":
            return " ".join(settings.command)
        case "int":
            return settings.function or ""
        case "dbd" | "fastdbd":
            return _PASSWORD.sub("…", settings.dsn)
    return settings.file
