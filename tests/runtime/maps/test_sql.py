"""SQL maps, asked of a real SQLite file; PostgreSQL's part is asked of a driver that stands in for psycopg."""

from __future__ import annotations

import sqlite3
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from proxy_core.config.model import RewriteMap
from proxy_core.runtime.maps.sql import marks
from tests.runtime.maps.helpers import asked, maps_in_force, maps_of

QUERY = "SELECT target FROM moved WHERE path = %s"
ROWS = [("a", "1"), ("many", "x"), ("many", "y"), ("many", None), ("empty", ""), ("null", None), ("\xe9", "\xfc"),
        ("number", 7), ("blob", b"\xff")]  # fmt: skip


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    yield from filled(tmp_path / "m.db")


def filled(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE moved (path, target)")
    connection.executemany("INSERT INTO moved VALUES (?, ?)", ROWS)
    connection.commit()
    yield connection
    connection.close()


@pytest.mark.parametrize("kind", ["dbd", "fastdbd"])
@pytest.mark.parametrize(
    ("key", "value"),
    [
        pytest.param("a", "1", id="the first column"),
        pytest.param("b", None, id="no row is a miss"),
        pytest.param("empty", "", id="an empty text is a hit"),
        pytest.param("null", None, id="NULL is no value"),
        pytest.param("number", "7", id="numbers are text"),
        pytest.param("blob", "\xff", id="bytes stay bytes"),
        pytest.param("\xc3\xa9", "\xc3\xbc", id="text is UTF-8"),
        pytest.param("\xff", None, id="what is no UTF-8 misses"),
        pytest.param("' OR '1'='1", None, id="the key is a parameter"),
    ],
)
async def test_a_query_answers(
    database: sqlite3.Connection, tmp_path: Path, kind: str, key: str, value: str | None
) -> None:
    async with maps_of(tmp_path, type=kind, dsn="sqlite:m.db", query=QUERY) as maps:
        assert [await asked(maps, key), await asked(maps, key)] == [value, value]
        assert maps.states()[0].errors == 0


async def test_of_several_rows_one_is_taken_at_random(database: sqlite3.Connection, tmp_path: Path) -> None:
    offered: list[list[str]] = []
    named = {"m": RewriteMap(type="dbd", dsn="sqlite:m.db", query=QUERY)}
    async with maps_in_force(tmp_path, named, choose=lambda found: offered.append([*found]) or found[-1]) as maps:
        assert await asked(maps, "many") == "y"
        assert offered == [["x", "y"]]


async def test_dbd_asks_each_time_and_fastdbd_only_once_for_hits_and_misses(
    database: sqlite3.Connection, tmp_path: Path
) -> None:
    named = {kind: RewriteMap(type=kind, dsn="sqlite:m.db", query=QUERY) for kind in ("dbd", "fastdbd")}
    async with maps_in_force(tmp_path, named) as maps:
        assert [await asked(maps, key, name) for name in named for key in ("a", "new")] == ["1", None, "1", None]
        database.execute("UPDATE moved SET target = '2' WHERE path = 'a'")
        database.execute("INSERT INTO moved VALUES ('new', '3')")
        database.commit()
        assert [await asked(maps, key, name) for name in named for key in ("a", "new")] == ["2", "3", "1", None]
        assert maps.ask("fastdbd", "a") == (True, "1")


async def test_a_query_that_takes_too_long_is_stopped_and_the_next_one_is_answered(
    database: sqlite3.Connection, tmp_path: Path
) -> None:
    query = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE %s = 'slow') SELECT count(*) FROM n"
    async with maps_of(tmp_path, type="dbd", dsn="sqlite:m.db", query=query, timeout=0.2) as maps:
        assert await asked(maps, "slow") is None
        assert await asked(maps, "fast") == "1"
        assert maps.states()[0].errors == 1


async def test_a_database_that_is_gone_misses_says_so_and_is_opened_anew(
    database: sqlite3.Connection, tmp_path: Path
) -> None:
    async with maps_of(tmp_path, type="fastdbd", dsn="sqlite:m.db", query=QUERY) as maps:
        (tmp_path / "m.db").rename(tmp_path / "old.db")
        assert await asked(maps, "a") is None
        assert "no such file" in maps.problems()[0].what
        (tmp_path / "old.db").rename(tmp_path / "m.db")
        assert await asked(maps, "a") == "1"
        assert maps.problems() == ()


async def test_a_database_file_that_was_replaced_is_seen(database: sqlite3.Connection, tmp_path: Path) -> None:
    async with maps_of(tmp_path, type="dbd", dsn="sqlite:m.db", query=QUERY) as maps:
        assert await asked(maps, "a") == "1"
        new = sqlite3.connect(tmp_path / "new.db")
        new.execute("CREATE TABLE moved AS SELECT 'a' AS path, '9' AS target")
        new.commit()
        new.close()
        (tmp_path / "new.db").rename(tmp_path / "m.db")
        assert await asked(maps, "a") == "9"


async def test_a_query_never_writes(database: sqlite3.Connection, tmp_path: Path) -> None:
    query = "INSERT INTO moved VALUES (%s, '1') RETURNING target"
    site_maps = {"m": RewriteMap(type="dbd", dsn="sqlite:m.db", query=query)}
    with pytest.raises(AssertionError, match="readonly"):
        async with maps_in_force(tmp_path, site_maps):
            pass


@pytest.mark.parametrize(("query", "count"), [("SELECT %s", 1), ("SELECT %s || %s", 2), ("SELECT '%%s'", 0)])
def test_the_marks_of_a_query_are_counted(query: str, count: int) -> None:
    assert marks(query) == count


class Postgres:
    """Stands in for psycopg: a connection that answers from ROWS, and can be made to break."""

    def __init__(self) -> None:
        self.opened = 0
        self.down = self.broken = False
        self.asked: list[tuple[str, tuple[str, ...]]] = []

    async def connect(self, dsn: str, autocommit: bool) -> Postgres:
        if self.down:
            raise OSError(f"connection to {dsn} refused")
        self.opened += 1
        self.broken = False
        return self

    async def execute(self, query: str, keys: tuple[str, ...]) -> Postgres:
        if self.broken:
            raise RuntimeError("server closed the connection unexpectedly")
        self.asked.append((query, keys))
        return self

    async def fetchall(self) -> list[tuple[Any]]:
        return [(target,) for path, target in ROWS if path == self.asked[-1][1][0]]

    async def close(self) -> None:
        return


@pytest.fixture
def postgres(monkeypatch: pytest.MonkeyPatch) -> Postgres:
    server = Postgres()
    module: Any = types.ModuleType("psycopg")
    module.AsyncConnection = server
    monkeypatch.setitem(sys.modules, "psycopg", module)
    return server


DSN = "postgresql://user:secret@db/site?password=secret&port=1"


async def test_postgresql_is_asked_with_the_key_as_a_parameter_over_a_connection_that_stays(postgres: Postgres) -> None:
    async with maps_of(Path(), type="dbd", dsn=DSN, query=QUERY) as maps:
        assert [await asked(maps, key) for key in ("a", "b", "empty")] == ["1", None, ""]
        assert postgres.asked[1] == (QUERY, ("a",))
        assert postgres.opened == 1
        assert "secret" not in maps.states()[0].reads


async def test_a_postgresql_that_was_restarted_costs_no_answer_and_one_that_is_down_says_so(postgres: Postgres) -> None:
    async with maps_of(Path(), type="dbd", dsn=DSN, query=QUERY) as maps:
        postgres.broken = True
        assert await asked(maps, "a") == "1"
        postgres.broken = postgres.down = True
        assert await asked(maps, "a") is None
        assert "refused" in maps.problems()[0].what
        postgres.down = False
        assert await asked(maps, "a") == "1"


async def test_without_psycopg_the_problem_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(AssertionError, match=r"rproxy-tui\[postgres\]"):
        async with maps_of(Path(), type="dbd", dsn=DSN, query=QUERY):
            pass
