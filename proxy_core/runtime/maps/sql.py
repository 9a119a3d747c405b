"""SQL maps: a query with the key as its parameter, as httpd's ``dbd:`` and ``fastdbd:`` maps.

The value is the first column; of several rows one is taken at random, each as likely; NULL is no value and '' is one
(``lookup_map_dbd`` in mod_rewrite.c). The key is always a parameter and never part of the query's text. fastdbd keeps
every answer, misses too, as long as the map lives; what failed is never kept. SQLite is asked in a thread of its own;
PostgreSQL over a few connections of psycopg, which is only needed where it is used.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import random
import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from proxy_core.runtime.maps.source import WAIT, Kept, Known, MapTally, Source, words

if TYPE_CHECKING:
    import sqlite3

MOST_CONNECTIONS = 8
"""Connections to PostgreSQL that one map uses at most."""
_OPENING = 10.0
"""Seconds that getting a database ready may take."""

_MARK = re.compile(r"%(.?)", re.DOTALL)

Choose = Callable[[Sequence[str]], str]


class Database(Protocol):
    async def select(self, key: str, timeout: float) -> list[Any]:
        """The first column of every row. Raises OSError, ValueError or the library's own error."""

    async def close(self) -> None: ...


class Query(Source):
    """A query on a database; ``fast`` keeps the answers."""

    def __init__(self, database: Database, fast: bool, tally: MapTally, choose: Choose = random.choice) -> None:
        self._database = database
        self._tally = tally
        self._choose = choose
        self._kept = Kept() if fast else None

    async def open(self) -> None:
        """Ask once, for nothing: finds a database that is away and a query that is wrong. Raises ValueError."""
        try:
            async with asyncio.timeout(_OPENING):
                await self._database.select("", _OPENING)
        except TimeoutError:
            raise ValueError(f"the database did not answer within {_OPENING:g} s") from None
        except Exception as error:
            raise ValueError(words(error)) from error

    def ask(self, key: str) -> Known:
        return self._kept.get(key) if self._kept is not None else WAIT

    async def answer(self, key: str, timeout: float) -> str | None:
        try:
            text = key.encode("latin-1").decode()
        except UnicodeDecodeError:  # no text of a database is spelled like that
            return None
        try:
            async with asyncio.timeout(timeout):
                values = await self._database.select(text, timeout)
        except TimeoutError:
            self._tally.failed(f"the database did not answer within {timeout:g} s", time.time())
            return None
        except Exception as error:  # of whatever library: a database that fails must cost a default, never a request
            self._tally.failed(words(error), time.time())
            return None
        self._tally.fault = ""
        found = [_text(value) for value in values if value is not None]
        answer = self._choose(found) if found else None
        if self._kept is not None:
            self._kept.keep(key, answer)
        return answer

    async def close(self) -> None:
        await self._database.close()


def _text(value: Any) -> str:
    """A column as a map's answer, one character for each byte."""
    return (value if isinstance(value, bytes) else str(value).encode()).decode("latin-1")


def marks(query: str) -> int:
    """How often the key goes into the query. Raises ValueError for a % that is neither %s nor %%."""
    found = [match[1] for match in _MARK.finditer(query)]
    if unknown := next((mark for mark in found if mark not in ("s", "%")), None):
        raise ValueError(f"%{unknown} means nothing in a query: %s is the key, %% a percent sign")
    return found.count("s")


class Sqlite:
    """An SQLite file, opened for reading alone. A file that was replaced is opened anew."""

    def __init__(self, path: Path, query: str) -> None:
        self._path = path
        self._keys = marks(query)
        self._query = _MARK.sub(lambda match: "?" if match[1] == "s" else "%", query)
        self._connection: sqlite3.Connection | None = None
        self._inode = (0, 0)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="map-sqlite")

    async def select(self, key: str, timeout: float) -> list[Any]:
        deadline = time.monotonic() + timeout
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._select, key, deadline)

    def _select(self, key: str, deadline: float) -> list[Any]:
        import sqlite3

        connection = self._connected()
        connection.set_progress_handler(lambda: time.monotonic() > deadline, 10_000)
        try:
            return [row[0] for row in connection.execute(self._query, (key,) * self._keys)]
        except sqlite3.Error:
            self._disconnect()
            raise

    def _connected(self) -> sqlite3.Connection:
        status = os.stat(self._path)
        if self._connection is not None and self._inode != (status.st_dev, status.st_ino):
            self._disconnect()
        if self._connection is None:
            import sqlite3  # whoever has no such map does not pay for it

            self._connection = sqlite3.connect(f"{self._path.absolute().as_uri()}?mode=ro", uri=True)
            self._inode = (status.st_dev, status.st_ino)
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._disconnect)
        self._thread.shutdown(wait=False)


class Postgres:
    """A PostgreSQL database. A connection on which anything went wrong is not used again."""

    def __init__(self, dsn: str, query: str) -> None:
        self._dsn = dsn
        self._query = query
        self._keys = marks(query)
        self._idle: list[Any] = []
        self._places = asyncio.Semaphore(MOST_CONNECTIONS)

    async def select(self, key: str, timeout: float) -> list[Any]:
        async with self._places:
            while True:
                reused = bool(self._idle)
                connection = self._idle.pop() if reused else await self._connect()
                try:
                    cursor = await connection.execute(self._query, (key,) * self._keys)
                    found = [row[0] for row in await cursor.fetchall()]
                except BaseException:
                    lost = reused and connection.broken  # the server went away while nobody asked
                    await connection.close()
                    if not lost:
                        raise
                else:
                    self._idle.append(connection)
                    return found

    async def _connect(self) -> Any:
        try:
            psycopg = importlib.import_module("psycopg")
        except ImportError:
            raise ValueError("PostgreSQL needs psycopg: pip install 'rproxy-tui[postgres]'") from None
        return await psycopg.AsyncConnection.connect(self._dsn, autocommit=True)

    async def close(self) -> None:
        while self._idle:
            await self._idle.pop().close()
