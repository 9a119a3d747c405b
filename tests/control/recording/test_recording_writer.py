"""The thread writes what it is given, keeps what the disk does not take, and counts what it has no room for."""

from __future__ import annotations

import asyncio
import resource
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from proxy_core.config.model import Recording
from proxy_core.control.recording import recording_writer
from proxy_core.control.recording.recording_writer import RecordingWriter
from proxy_core.control.recording.sampling import Sampled
from tests.control.recording.harness import asked, finished, integrity
from tests.waiting import until

SETTINGS = Recording(file="a.rec", size=4 << 20)


@contextmanager
def recording(path: Path, settings: Recording = SETTINGS) -> Iterator[RecordingWriter]:
    writer = RecordingWriter(path, settings)
    try:
        yield writer
    finally:
        writer.end()
        writer.join()


def some(count: int = 1) -> list[Sampled]:
    """Requests of just now."""
    return [Sampled(finished(at=time.time() + n / 1e3), 1) for n in range(count)]


def recorded(path: Path) -> int:
    """How many requests are in the file; -1 while it is none."""
    try:
        return int(asked(path, "SELECT count(*) FROM requests")[0][0])
    except sqlite3.OperationalError:
        return -1


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording_writer, "AGAIN", 0.01)


def test_what_was_handed_over_is_in_the_file_when_the_thread_has_ended(tmp_path: Path) -> None:
    with recording(tmp_path / "a.rec") as writer:
        for _ in range(5):
            writer.hand({"requests": some(40)})
        writer.hand({"seconds": []})
    assert (recorded(tmp_path / "a.rec"), writer.lost, writer.trouble) == (200, {}, "")


def test_what_is_handed_over_faster_than_it_is_written_is_counted_as_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording_writer, "WAITING", 100)
    (tmp_path / "a.rec").write_text("another program's")  # so that nothing is written
    with recording(tmp_path / "a.rec") as writer:
        for _ in range(5):
            writer.hand({"requests": some(40)})
        assert writer.lost == {"requests": 120}
    assert writer.lost == {"requests": 200}  # at its end, what waited is lost too


async def test_a_full_disk_damages_nothing_is_told_and_is_gone_on_from(tmp_path: Path) -> None:
    path, soft = tmp_path / "a.rec", resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with recording(path) as writer:
        writer.hand({"requests": some(300)})
        await until(lambda: recorded(path) == 300)
        resource.setrlimit(resource.RLIMIT_FSIZE, (path.with_name("a.rec-wal").stat().st_size, soft[1]))
        try:
            writer.hand({"requests": some(200)})
            await until(lambda: writer.trouble)
            assert writer.trouble in ("database or disk is full", "disk I/O error")
            assert recorded(path) == 300
            assert integrity(path) == "ok"
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, soft)
            signal.signal(signal.SIGXFSZ, before)
        await until(lambda: recorded(path) == 500)
        await until(lambda: not writer.trouble)
    assert integrity(path) == "ok"
    assert writer.lost == {}


async def test_another_programs_file_is_told_and_left_alone_until_it_is_moved_away(tmp_path: Path) -> None:
    path = tmp_path / "a.rec"
    path.write_text("another program's")
    with recording(path) as writer:
        writer.hand({"requests": some()})
        await until(lambda: writer.trouble)
        assert writer.trouble.startswith("it is no recording of rproxy, and nothing is written to it")
        path.rename(tmp_path / "theirs")
        await until(lambda: path.exists() and not writer.trouble)
    assert recorded(path) == 1
    assert (tmp_path / "theirs").read_text() == "another program's"


async def test_a_file_that_was_taken_away_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "a.rec"
    with recording(path) as writer:
        writer.hand({"requests": some(3)})
        await until(lambda: recorded(path) == 3)
        for each in tmp_path.iterdir():
            each.unlink()
        writer.hand({"requests": some(2)})
    assert recorded(path) == 2


@pytest.mark.parametrize(
    "mistake", [Sampled(cast(Any, object()), 1), Sampled(finished(), cast(Any, object()))], ids=["no row", "no value"]
)
async def test_a_mistake_of_ours_costs_the_portion_that_it_is_in(tmp_path: Path, mistake: Sampled) -> None:
    with recording(tmp_path / "a.rec") as writer:
        writer.hand({"requests": some(2)})
        writer.hand({"requests": [mistake]})
        writer.hand({"requests": some(1)})
        await until(lambda: recorded(tmp_path / "a.rec") == 3)
    assert writer.lost == {"requests": 1}


def test_the_next_writer_waits_for_the_one_before_it(tmp_path: Path) -> None:
    path = tmp_path / "a.rec"
    first = RecordingWriter(path, SETTINGS)
    first.hand({"requests": some(500)})
    first.end()
    second = RecordingWriter(path, Recording(file="a.rec", size=8 << 20), None, first)
    second.hand({"requests": some(1)})
    second.end()
    second.join()
    assert recorded(path) == 501


async def test_while_the_thread_writes_and_converts_the_loop_goes_on(tmp_path: Path) -> None:
    """A flood of errors, each with its head, is slices of half a millisecond to the loop, never one long wait."""
    worst, end = 0.0, False

    async def beat() -> None:
        nonlocal worst
        while not end:
            began = time.monotonic()
            await asyncio.sleep(0.001)
            worst = max(worst, time.monotonic() - began)

    beating = asyncio.create_task(beat())
    with recording(tmp_path / "a.rec") as writer:
        writer.hand({"requests": [Sampled(finished(at=time.time(), status=500), 1) for _ in range(2_000)]})
        await until(lambda: writer._taken == 2_000)
        end = True
        await beating
    assert worst < 0.25


def test_a_file_that_is_broken_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.rec"
    with recording(path) as writer:
        writer.hand({"requests": some(10)})
    raw = bytearray(path.read_bytes())
    raw[4096:] = bytes(len(raw) - 4096)
    path.write_bytes(raw)
    with recording(path) as writer:
        writer.hand({"requests": some(10)})
        time.sleep(0.05)
    assert "malformed" in writer.trouble
    with pytest.raises(sqlite3.DatabaseError):
        recorded(path)
