"""Lines on standard error: their forms, what a terminal must not get, and a reader that does not read."""

from __future__ import annotations

import json
import logging
import os
import select
import socket
import threading
from collections.abc import Iterable
from pathlib import Path

import pytest
from msgspec.structs import replace

from proxy_core.config.model import Log
from proxy_core.control.watching import event_log
from proxy_core.control.watching.event_log import EventLog, LibraryHandler, LineSink, in_journal, spelled
from proxy_core.control.watching.events import Event, Sight
from proxy_core.control.watching.floods import MOST
from proxy_core.errors import Problem

TEXT, JSON = Log(), Log(format="json")
DOWN = Event(level="warning", kind="member_down", text="member b/a is down", facts={"balancer": "b", "member": "a"})
POISON = "\x1b]0;owned\x07\x9b31m\x7f\r\n\u202eevil\x00"


class Collected(LineSink):
    """A standard error that keeps what it gets."""

    def __init__(self) -> None:
        self.lost = 0
        self.lines: list[str] = []

    def write(self, lines: Iterable[str]) -> None:
        self.lines += lines

    def missing(self) -> int:
        return 0


def test_a_line_of_text_has_its_time_and_its_level() -> None:
    assert spelled(DOWN, TEXT, 0.25, False) == ["1970-01-01T00:00:00.250Z warning member b/a is down"]


def test_a_line_of_json_has_what_the_event_is_about() -> None:
    (line,) = spelled(DOWN, JSON, 0.25, False)
    assert json.loads(line) == {
        "at": "1970-01-01T00:00:00.250Z", "level": "warning", "event": "member_down",
        "message": "member b/a is down", "balancer": "b", "member": "a",
    }  # fmt: skip


@pytest.mark.parametrize(("level", "prefix"), [("error", "<3>"), ("warning", "<4>"), ("info", "<6>")])
def test_the_journal_gets_the_level_and_no_time(level, prefix: str) -> None:
    event = Event(level=level, kind="k", text="words")
    assert spelled(event, TEXT, 0.0, True) == [f"{prefix}words"]
    assert spelled(event, JSON, 0.0, True)[0].startswith(prefix + "{")


@pytest.mark.parametrize("settings", [TEXT, JSON], ids=["text", "json"])
@pytest.mark.parametrize("journal", [False, True])
def test_no_control_byte_of_somebody_else_reaches_the_terminal(settings: Log, journal: bool) -> None:
    event = Event(level="error", kind="k", text=POISON, facts={"sentence": POISON}, trace=f"{POISON}\n{POISON}")
    for line in spelled(event, settings, 0.0, journal):
        assert line.isprintable()
        assert line.encode("ascii")


def test_a_trace_is_lines_of_text_or_a_field() -> None:
    event = Event(level="error", kind="k", text="failed", trace="one\ntwo\n")
    assert [line.split()[-1] for line in spelled(event, TEXT, 0.0, False)] == ["failed", "one", "two"]
    assert json.loads(spelled(event, JSON, 0.0, False)[0])["trace"] == "one\ntwo\n"


def test_less_than_the_level_is_not_said() -> None:
    sink = Collected()
    log = EventLog(sink)
    log.see(Sight(settings=Log(level="error")))
    log.tell(DOWN, Event(level="error", kind="k", text="worse"))
    assert [line.split(" ")[-1] for line in sink.lines] == ["worse"]


def test_only_so_many_events_of_one_look_are_told() -> None:
    sink = Collected()
    problems = tuple(Problem(what="x" * n) for n in range(1, 1001))
    EventLog(sink).see(Sight(remarks=problems))
    assert len(sink.lines) == event_log.AT_ONCE + 1
    assert "800 more events" in sink.lines[-1]


def test_a_refusal_is_told_again_when_somebody_asks_again() -> None:
    sink = Collected()
    log = EventLog(sink)
    refused = Sight(saved="drift", refused=(Problem(what="no value"),))
    log.see(refused)
    log.see(refused)
    assert len(sink.lines) == 2
    log.refused(refused, refused.refused)
    assert len(sink.lines) == 4


def test_a_refusal_that_is_none_of_the_file_is_told_too_and_settles_nothing_later() -> None:
    sink = Collected()
    log = EventLog(sink)
    log.see(Sight())
    log.refused(Sight(), (Problem(what="generation 2 waits to be confirmed", todo="confirm it"),))
    log.see(Sight())
    assert [line.split("error ")[-1].strip() for line in sink.lines] == [
        "not reloaded: generation 2 waits to be confirmed, confirm it"
    ]


def test_what_libraries_log_is_told_with_its_trace() -> None:
    sink = Collected()
    handler = LibraryHandler(EventLog(sink))
    logger = logging.Logger("aiohttp.server")
    logger.addHandler(handler)
    logger.info("nothing")
    try:
        raise ValueError("a mistake")
    except ValueError:
        logger.exception("it failed")
    assert sink.lines[0].endswith("error   it failed")
    assert sink.lines[-1].endswith("ValueError: a mistake")


def test_a_reader_that_does_not_read_delays_nobody_and_is_told_what_it_missed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(event_log, "KEPT", 4096)
    reading, writing = os.pipe()
    sink = LineSink(writing)
    log = EventLog(sink)
    for _ in range(3000):
        log.tell(Event(level="info", kind="k", text="x" * 100))
    assert sink.lost > 1000
    got = b""
    for _ in range(3):
        while select.select([reading], [], [], 0)[0]:
            got += os.read(reading, 65536)
        log.see(Sight())
    assert f"{sink.lost} lines of this log were lost".encode() in got
    assert all(line.endswith(b"x") or b"were lost" in line for line in got.splitlines()), "no line is torn"
    sink.close()
    os.close(reading)
    os.close(writing)


def test_a_full_pipe_of_another_user_which_cannot_be_opened_anew_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def denied(number: int) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(event_log, "own_descriptor", denied)
    reading, writing = os.pipe()
    sink = LineSink(writing)
    telling = threading.Thread(
        target=lambda: [EventLog(sink).tell(replace(DOWN, text="x" * 9000)) for _ in range(100)], daemon=True
    )
    telling.start()
    telling.join(10)
    assert not telling.is_alive()
    assert sink.lost > 50
    got = os.read(reading, 1 << 20)
    assert os.get_blocking(writing), "it is shared, and keeps its mode"
    assert got.count(b"\n") >= 5
    sink.close()
    os.close(reading)
    os.close(writing)


def test_what_a_library_says_at_each_connection_is_told_a_few_times() -> None:
    sink = Collected()
    logger = logging.Logger("asyncio")
    logger.addHandler(LibraryHandler(EventLog(sink)))
    for number in range(10_000):
        logger.error("accept failed: %d", number)
    assert len(sink.lines) == MOST


def test_nobody_who_reads_any_more_is_no_error() -> None:
    reading, writing = os.pipe()
    sink = LineSink(writing)
    os.close(reading)
    EventLog(sink).tell(DOWN)
    assert sink.lost == 1
    sink.close()
    os.close(writing)


def test_a_socket_that_is_full_is_not_waited_for_and_keeps_its_mode() -> None:
    ours, theirs = socket.socketpair()
    sink = LineSink(ours.fileno())
    log = EventLog(sink)
    for _ in range(20_000):
        log.tell(Event(level="info", kind="k", text="x" * 200))
    assert sink.lost
    assert ours.getblocking()
    sink.close()
    ours.close()
    theirs.close()


def test_the_journal_is_known_by_its_device_and_inode(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with (tmp_path / "journal").open("w") as file:
        found = os.fstat(file.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{found.st_dev}:{found.st_ino}")
        assert in_journal(file.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{found.st_dev}:{found.st_ino + 1}")
        assert not in_journal(file.fileno())
        monkeypatch.delenv("JOURNAL_STREAM")
        assert not in_journal(file.fileno())
