"""The file keeps within its size and age, belongs to one user, and is never another program's."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from proxy_core.control.recording.recording_file import NoRecording, NoRoom, RecordingFile
from proxy_core.control.recording.schema import APPLICATION, TABLES, VERSION
from tests.control.recording.harness import asked, bytes_of, integrity, request_row

SMALLEST = 4 << 20


@contextmanager
def opened(path: Path, size: int = SMALLEST, keep: float = 86_400.0) -> Iterator[RecordingFile]:
    file = RecordingFile(path, size, keep)
    try:
        yield file
    finally:
        file.close()


def filled(file: RecordingFile, path: Path, rows: int, length: int, seconds: float = 3_600.0) -> int:
    """Write so many rows of the last ``seconds``; the most bytes that there were after any transaction."""
    began, most = time.time() - seconds, 0
    made = (request_row(began + n * seconds / rows, length) for n in range(rows))
    for chunk in file.chunks(("requests", row) for row in made):
        file.write(chunk)
        most = max(most, bytes_of(path))
    return most


@pytest.mark.parametrize(("rows", "length"), [(4_000, 400), (1_200, 2_000)])
def test_the_file_is_never_longer_than_its_size_and_gives_up_the_oldest(tmp_path: Path, rows: int, length: int) -> None:
    path = tmp_path / "a.rec"
    with opened(path) as file:
        most = filled(file, path, rows, length)
        assert SMALLEST * 0.8 < most <= SMALLEST
        ((first, last, count),) = asked(path, 'SELECT min("row"), max("row"), count(*) FROM requests')
        assert (last, count) == (rows, last - first + 1)
        assert 0 < count < rows
    assert integrity(path) == "ok"
    assert bytes_of(path) <= SMALLEST


def test_sqlite_itself_keeps_the_bound_where_nothing_was_deleted_ahead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.rec"
    with opened(path) as file:
        monkeypatch.setattr(file, "_used", lambda: 0)
        with pytest.raises(sqlite3.OperationalError, match="full"):
            filled(file, path, 1_200, 2_000)
        assert bytes_of(path) <= SMALLEST
    assert integrity(path) == "ok"


def test_a_file_whose_size_is_lowered_shrinks_and_keeps_the_newest(tmp_path: Path) -> None:
    path = tmp_path / "a.rec"
    with opened(path, 2 * SMALLEST) as file:
        filled(file, path, 2_000, 2_000)
    assert bytes_of(path) > SMALLEST
    with opened(path) as file:
        assert bytes_of(path) <= SMALLEST
        assert filled(file, path, 20, 2_000, 0.1) <= SMALLEST
        assert asked(path, 'SELECT max("row") FROM requests') == [(2_020,)]
    assert integrity(path) == "ok"


def test_what_is_older_than_it_may_be_is_deleted_from_every_table(tmp_path: Path) -> None:
    path, now = tmp_path / "a.rec", time.time()
    ages = (500.0, 61.0, 59.0, 0.0)
    with opened(path, keep=600.0) as file:
        for table, columns in TABLES.items():
            rows = [
                tuple(now - age if name in ("at", "ended") else n for name in columns) for n, age in enumerate(ages)
            ]
            file.write([(table, rows)])
    with opened(path, keep=60.0):
        counts = {table: asked(path, f"SELECT count(*) FROM {table}")[0][0] for table in TABLES}
    # The generation that was in force when the rest begins is needed for it.
    assert counts == {"requests": 2, "seconds": 2, "steps": 2, "events": 2, "generations": 3, "moments": 2}


def test_a_reader_who_does_not_let_go_stops_the_recording_and_never_makes_it_longer(tmp_path: Path) -> None:
    path = tmp_path / "a.rec"
    with opened(path) as file:
        filled(file, path, 10, 10)
        reader = sqlite3.connect(path, isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM requests").fetchone()
        file._database.execute("PRAGMA busy_timeout=10")
        with pytest.raises((NoRoom, sqlite3.OperationalError)):
            filled(file, path, 5_000, 150)
        assert bytes_of(path) <= SMALLEST
        reader.close()
        filled(file, path, 10, 10)


def test_the_file_is_for_its_owner_alone_and_so_is_what_sqlite_keeps_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "a.rec"
    path.touch(0o644)
    with opened(path) as file:
        filled(file, path, 1, 1)
        modes = {each.name: each.stat().st_mode & 0o777 for each in tmp_path.iterdir()}
    assert modes == {"a.rec": 0o600, "a.rec-wal": 0o600, "a.rec-shm": 0o600}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_where_root_serves_the_file_is_whose_the_site_file_is(tmp_path: Path) -> None:
    site, path = tmp_path / "site.toml", tmp_path / "a.rec"
    site.touch()
    os.chown(site, 65_534, 65_534)
    file = RecordingFile(path, SMALLEST, 60.0, site.stat())
    file.write([("requests", [request_row(time.time())])])
    owners = {(each.stat().st_uid, each.stat().st_gid) for each in tmp_path.iterdir()}
    file.close()
    assert owners == {(65_534, 65_534)}


def foreign(path: Path, **header: int) -> None:
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE mine (a)")
    for name, value in header.items():
        database.execute(f"PRAGMA {name}={value}")
    database.commit()
    database.close()


@pytest.mark.parametrize(("words", "header"), [
    ("no recording of rproxy", None),
    ("no recording of rproxy", {}),
    ("no recording of rproxy", {"application_id": 7, "user_version": VERSION}),
    ("a later rproxy made it", {"application_id": APPLICATION, "user_version": VERSION + 1}),
])  # fmt: skip
def test_a_file_that_is_no_recording_of_ours_is_refused_in_words_and_stays_as_it_is(
    tmp_path: Path, words: str, header: dict[str, int] | None
) -> None:
    path = tmp_path / "a.rec"
    if header is None:
        path.write_text("a letter to my mother")
    else:
        foreign(path, **header)
    before = path.read_bytes()
    with pytest.raises(NoRecording, match=words):
        RecordingFile(path, SMALLEST, 60.0)
    assert path.read_bytes() == before
