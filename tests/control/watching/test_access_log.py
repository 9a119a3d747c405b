"""The access log says what httpd would say, and no trouble with its file ever reaches the traffic."""

from __future__ import annotations

import errno
import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy_core.balance.member_state import MemberKey
from proxy_core.config.model import AccessLog, AccessLogRow, Host, Site
from proxy_core.control.watching import access_log, log_format
from proxy_core.control.watching.access_log import AccessLogs
from proxy_core.http.request_view import RequestView
from proxy_core.runtime import recent_requests as recorder_module
from proxy_core.runtime.compile_site import compile_site
from proxy_core.runtime.exchange import Exchange
from proxy_core.runtime.recent_requests import Recorder
from proxy_core.runtime.registry import Registry
from tests import bound

HEAD = (
    b"GET /apache_pb.gif HTTP/1.0\r\nHost: x\r\n"
    b"Referer: http://www.example.com/start.html\r\nUser-Agent: Mozilla/4.08 [en]\r\n\r\n"
)


@pytest.fixture(autouse=True)
def _zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Seven hours behind UTC, the zone of the manual's own example."""
    monkeypatch.setenv("TZ", "XXX7")
    time.tzset()
    log_format.clf_time.cache_clear()
    yield
    monkeypatch.undo()
    time.tzset()
    log_format.clf_time.cache_clear()


RULES = bound.rules(7)


def exchange(head: bytes = HEAD, **changes: Any) -> Exchange:
    made = Exchange(
        rules=RULES,
        view=RequestView(b"GET", b"/apache_pb.gif", b"x", "127.0.0.1"),
        head=head,
        version="HTTP/1.0",
        at=971211336.25,
        started=100.0,
        status=200,
        sent=2326,
    )
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def served(recorder: Recorder, count: int = 1, **changes: Any) -> None:
    for _ in range(count):
        one = exchange(**changes)
        recorder.begin(one)
        recorder.finish(one, 100.5)


def opened(recorder: Recorder, folder: Path, **settings: Any) -> AccessLogs:
    log = AccessLogs(recorder, folder)
    log.adopt(Site(access_log=AccessLog(file="access.log", **settings)))
    return log


class Unreadable(dict[str, str]):
    def items(self) -> Any:
        raise ZeroDivisionError


def test_a_mistake_over_one_request_does_not_stop_the_log(tmp_path: Path) -> None:
    recorder = Recorder()
    log = opened(recorder, tmp_path, format="%{who}n")
    served(recorder, notes=Unreadable(who="eve"))
    with pytest.raises(ZeroDivisionError):
        log.write()
    served(recorder, notes={"who": "eve"})
    log.write()
    assert (tmp_path / "access.log").read_text() == "eve\n"


def test_common_is_the_line_of_the_httpd_manual() -> None:
    line = b'127.0.0.1 - - [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif HTTP/1.0" 200 2326\n'
    assert access_log.common(exchange()) == line


def test_combined_adds_referer_and_user_agent() -> None:
    assert access_log.combined(exchange()) == (
        b'127.0.0.1 - - [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif HTTP/1.0" 200 2326 '
        b'"http://www.example.com/start.html" "Mozilla/4.08 [en]"\n'
    )


@pytest.mark.parametrize(
    ("head", "tail"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", b'"-" "-"'),
        (b"GET / HTTP/1.1\r\nUser-Agent: \r\nReferer:\r\n\r\n", b'"" ""'),
        (b"GET / HTTP/1.1\r\nREFERER:a\r\nreferer:  b \t\r\n\r\n", b'"a, b" "-"'),
        (b"GET / HTTP/1.1\r\nX-Referer: a\r\nReferers: b\r\n\r\n", b'"-" "-"'),
        (b'GET / HTTP/1.1\r\nUser-Agent: a"b\\c\r\n\r\n', b'"-" "a\\"b\\\\c"'),
        (b"GET / HTTP/1.1\r\nUser-Agent: \x1b[2J\x07\tx\x7f\xc3\xa9\r\n\r\n", rb'"-" "\x1b[2J\x07\tx\x7f\xc3\xa9"'),
    ],
)
def test_fields_are_found_whatever_their_case_and_escaped_as_httpd_does(head: bytes, tail: bytes) -> None:
    assert access_log.combined(exchange(head)).endswith(b" " + tail + b"\n")


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"sent": 0}, rb'"GET /apache_pb.gif HTTP/1.0" 200 -'),
        ({"head": b""}, rb'"-" 200 2326'),
        ({"head": b'GET /a"b\x00 HTTP/1.1\r\n\r\n'}, rb'"GET /a\"b\x00 HTTP/1.1" 200 2326'),
        ({"head": b"GET http://h/p HTTP/1.1\nHost: h\n\n"}, rb'"GET http://h/p HTTP/1.1" 200 2326'),
        ({"status": 0, "sent": 0}, rb'"GET /apache_pb.gif HTTP/1.0" - -'),
    ],
)
def test_what_is_missing_is_a_dash_and_the_request_line_is_the_one_that_came(changes: Any, line: bytes) -> None:
    assert access_log.common(exchange(**changes)).endswith(line + b"\n")


@given(st.binary(max_size=60))
def test_nothing_a_client_sends_can_break_out_of_its_quotes(junk: bytes) -> None:
    junk = junk.replace(b"\r", b"").replace(b"\n", b"")
    line = access_log.combined(exchange(b"GET /" + junk + b" HTTP/1.1\r\nUser-Agent: x" + junk + b"\r\n\r\n"))
    assert re.fullmatch(rb'127\.0\.0\.1 - - \[[^\]]+\] "(\\.|[^"\\])*" 200 2326 "-" "(\\.|[^"\\])*"\n', line), line
    assert all(32 <= byte < 127 for byte in line[:-1])


@given(st.text(max_size=60).filter(lambda text: "\n" not in text and "\r" not in text))
def test_nothing_a_client_sends_steers_a_terminal_that_shows_json(junk: str) -> None:
    raw = junk.encode("utf-8", "surrogatepass")
    line = access_log.json(exchange(b"GET / HTTP/1.1\r\nUser-Agent: x" + raw + b"x\r\n\r\n"))
    assert all(32 <= byte <= 127 for byte in line[:-1])
    assert json.loads(line)["user_agent"] == "x" + raw.decode("utf-8", "backslashreplace") + "x"


def test_json_carries_route_member_and_times() -> None:
    key = MemberKey("backend", "a")
    seen = exchange(
        route=bound.route("service"),
        member=bound.member(key),
        attempts=2, retries=1, queued=0.125,
        connected=100.25, answered=0.0, finished=100.5, received=5, cause="it \x1b said",
    )  # fmt: skip
    line = access_log.json(seen)
    assert line.count(b"\n") == 1
    assert json.loads(line) == {
        "at": "2000-10-10T20:55:36.250Z", "client": "127.0.0.1", "method": "GET", "target": "/apache_pb.gif",
        "host": "x", "status": 200, "sent": 2326, "received": 5, "route": "service", "rule": "",
        "balancer": "backend", "member": "a", "attempts": 2, "retries": 1, "generation": 7, "queued": 125.0,
        "waited": 250.0, "first": None, "total": 500.0,
        "cause": "it \x1b said", "cache": "", "age": 0,
        "referer": "http://www.example.com/start.html", "user_agent": "Mozilla/4.08 [en]",
    }  # fmt: skip


def test_each_request_is_written_once_and_what_was_there_before_is_kept(tmp_path: Path) -> None:
    (tmp_path / "access.log").write_text("old\n")
    recorder = Recorder()
    served(recorder, 3)
    log = opened(recorder, tmp_path, format="common")
    served(recorder, 2)
    log.write()
    log.write()
    served(recorder)
    log.close()
    lines = (tmp_path / "access.log").read_text().splitlines()
    assert lines[0] == "old"
    assert len(lines) == 1 + 3


def test_a_format_of_the_sites_own_is_what_the_file_gets(tmp_path: Path) -> None:
    recorder = Recorder()
    log = opened(recorder, tmp_path, format="%>s %B %{total}x %{User-Agent}i")
    served(recorder)
    log.close()
    assert (tmp_path / "access.log").read_text() == "200 2326 500.000 Mozilla/4.08 [en]\n"


def test_reopening_finishes_the_old_file_and_goes_on_in_a_new_one(tmp_path: Path) -> None:
    recorder = Recorder()
    log = opened(recorder, tmp_path)
    served(recorder, 2)
    os.rename(tmp_path / "access.log", tmp_path / "access.log.1")
    log.reopen()
    served(recorder)
    log.close()
    assert (tmp_path / "access.log.1").read_text().count("\n") == 2
    assert (tmp_path / "access.log").read_text().count("\n") == 1


def test_a_missing_folder_is_a_problem_until_it_is_there_and_then_nothing_is_lost(tmp_path: Path) -> None:
    recorder = Recorder()
    log = opened(recorder, tmp_path / "logs")
    served(recorder, 3)
    log.write()
    assert log.problems
    assert "No such file or directory" in str(log.problems)
    (tmp_path / "logs").mkdir()
    log.write()
    assert not log.problems
    assert (tmp_path / "logs" / "access.log").read_text().count("\n") == 3
    log.close()


def test_a_full_disk_tears_no_line_and_the_log_goes_on_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder()
    log = opened(recorder, tmp_path, format="common")
    served(recorder, 4)
    room, write = 100, os.write

    def full(file: int, data: bytes) -> int:
        nonlocal room
        if not room:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = write(file, data[:room])
        room -= written
        return written

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        log.write()
        assert "No space left on device" in str(log.problems)
        served(recorder, 2)
        log.write()
    log.write()
    log.write()
    assert not log.problems
    lines = (tmp_path / "access.log").read_bytes().splitlines(keepends=True)
    assert len(lines) == 6
    assert all(re.fullmatch(rb"127.* 200 2326\n", line) for line in lines)
    log.close()


def test_requests_that_left_the_ring_unwritten_are_counted_until_it_is_reopened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "RING_REQUESTS", 10)
    recorder = Recorder()
    log = opened(recorder, tmp_path)
    served(recorder, 25)
    log.write()
    log.write()
    assert log.problems
    assert "15 requests were not written" in str(log.problems)
    assert log.problems[0].severity == "warning"
    assert (tmp_path / "access.log").read_text().count("\n") == 10
    log.reopen()
    assert not log.problems
    log.close()


def test_one_write_is_bounded_and_closing_writes_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_log, "BATCH", 4)
    recorder = Recorder()
    log = opened(recorder, tmp_path)
    served(recorder, 11)
    log.write()
    assert (tmp_path / "access.log").read_text().count("\n") == 4
    log.close()
    assert (tmp_path / "access.log").read_text().count("\n") == 11


def test_a_pipe_that_nobody_reads_never_blocks_the_loop(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "access.log")
    recorder = Recorder()
    log = opened(recorder, tmp_path)
    served(recorder)
    log.write()
    assert log.problems
    reader = os.open(tmp_path / "access.log", os.O_RDONLY | os.O_NONBLOCK)
    served(recorder, 2_000)
    log.write()
    assert "does not keep up" in str(log.problems)
    read = b""
    while log.problems:
        read += os.read(reader, 1 << 20)
        log.write()
    read += os.read(reader, 1 << 20)
    assert read.count(b"\n") == 2_001
    os.close(reader)
    log.close()


def test_standard_output_is_left_alone_while_a_console_has_it(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    recorder = Recorder()
    headless = AccessLogs(recorder, tmp_path)
    beside_a_console = AccessLogs(recorder, tmp_path, console=True)
    for log in (headless, beside_a_console):
        log.adopt(Site(access_log=AccessLog(file="-", format="common")))
    served(recorder)
    for log in (headless, beside_a_console):
        log.write()
        log.close()
    assert capfdbinary.readouterr().out.count(b"GET /apache_pb.gif") == 1
    assert not headless.problems
    assert "name a file" in str(beside_a_console.problems)


PROGRAM = compile_site(
    Site(hosts={"shop": Host(names=("shop",)), "mail": Host(names=("mail",))}), Registry(), 1
).program
SERVER, SHOP, MAIL = PROGRAM.server, PROGRAM.hosts["shop"], PROGRAM.hosts["mail"]


def several(folder: Path, *rows: AccessLogRow, **first: Any) -> dict[str, list[int]]:
    """The statuses that each file has after requests 1 to 6: of shop, mail and no host in turn."""
    recorder = Recorder()
    logs = AccessLogs(recorder, folder)
    log = AccessLog(**{"file": "server", "format": "%s", **first}) if first.get("file", "server") else None
    logs.adopt(Site(access_log=log, access_logs=rows))
    for number in range(1, 7):
        served(recorder, status=number, host=(SERVER, SHOP, MAIL)[number % 3])
    logs.close()
    assert not logs.problems
    return {each.name: [*map(int, each.read_text().split())] for each in folder.iterdir()}


def row(name: str, **settings: Any) -> AccessLogRow:
    return AccessLogRow(**{"id": name, "file": name, "format": "%s", **settings})


def test_each_log_of_the_server_has_each_request(tmp_path: Path) -> None:
    every = [1, 2, 3, 4, 5, 6]
    assert several(tmp_path, row("other"), row("off", enabled=False)) == {"server": every, "other": every}


def test_a_host_with_logs_of_its_own_is_in_no_log_of_the_servers_but_in_those_for_every_host(tmp_path: Path) -> None:
    rows = (row("shop", host="shop"), row("other"), row("all", every_host=True))
    found = several(tmp_path, *rows)
    assert found == {"shop": [1, 4], "server": [2, 3, 5, 6], "other": [2, 3, 5, 6], "all": [1, 2, 3, 4, 5, 6]}


def test_logs_of_several_hosts_may_share_a_file_and_its_lines_stay_in_order(tmp_path: Path) -> None:
    rows = (
        row("a", file="both", host="shop"),
        row("b", file="both", host="mail"),
        row("c", file="server", host="mail"),
    )
    assert several(tmp_path, *rows) == {"both": [1, 2, 4, 5], "server": [2, 3, 5, 6]}


def test_one_log_may_stand_twice_in_one_file(tmp_path: Path) -> None:
    assert several(tmp_path, row("again", file="server"))["server"] == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6]


def test_without_a_log_of_the_server_only_hosts_have_some(tmp_path: Path) -> None:
    assert several(tmp_path, row("shop", host="shop"), file="") == {"shop": [1, 4]}


def test_trouble_with_one_file_holds_up_no_other_and_is_told_where_it_is(tmp_path: Path) -> None:
    recorder = Recorder()
    logs = AccessLogs(recorder, tmp_path)
    logs.adopt(Site(access_log=AccessLog(file="good", format="%s"), access_logs=(row("bad", file="no/such/folder"),)))
    served(recorder, 3)
    logs.write()
    assert (tmp_path / "good").read_text() == "200\n" * 3
    assert [each.address for each in logs.problems] == [("access_logs", "bad", "file")]
    (tmp_path / "no" / "such").mkdir(parents=True)
    logs.write()
    assert (tmp_path / "no" / "such" / "folder").read_text() == "200\n" * 3
    assert not logs.problems


def test_an_edit_of_one_log_leaves_the_others_where_they_are(tmp_path: Path) -> None:
    recorder = Recorder()
    logs = AccessLogs(recorder, tmp_path)
    kept = AccessLog(file="kept", format="%s")
    logs.adopt(Site(access_log=kept, access_logs=(row("old"),)))
    served(recorder)
    logs.adopt(Site(access_log=kept, access_logs=(row("new"),)))
    served(recorder, status=201)
    logs.close()
    found = {each.name: each.read_text().split() for each in tmp_path.iterdir()}
    assert found == {"kept": ["200", "201"], "old": ["200"], "new": ["201"]}
