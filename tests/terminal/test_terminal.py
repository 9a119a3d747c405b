"""The console in a real terminal, under load: whatever happens to the terminal or the console, requests do not notice.

A terminal that stops reading, one that hangs up, a page that fails, a person who leaves. Latency bounds are far above
what is measured, and far below what a blocked loop would show (the length of the stall).
"""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from proxy_core.control.door.client import DoorClient
from proxy_core.control.door.peers import user_name
from proxy_core.control.door.socket_path import answers, socket_path
from proxy_core.control.editing.commands import Applied
from proxy_core.control.editing.ctl_words import parse
from tests.terminal.terminal import PROGRAM, SITE, Load, Terminal, member, percentile, until

PAINTED = "req/s"
WHOLE = "Dashboard"
"""Words of the first row, which is painted only with the whole screen."""
FAILING = """\
import rproxy_tui.app
from rproxy_tui.page import Page

class Failing(Page):
    heading, key = "Failing", "7"
    def pull(self, snapshot):
        raise RuntimeError("this page fails")

rproxy_tui.app.ConsoleApp.MODES["7"] = Failing
"""
Start = Callable[..., Terminal]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start ``rproxy-tui`` in a terminal on a small site; wait until it is painted."""
    started: list[Terminal] = []
    with member() as port:
        file = tmp_path / "site.toml"
        file.write_text(SITE.format(port=port))

        def begin(**options: object) -> Terminal:
            terminal = Terminal(file, **options)  # type: ignore[arg-type]
            started.append(terminal)
            terminal.shows(PAINTED, 30)
            return terminal

        yield begin
        for terminal in started:
            terminal.kill()


@pytest.mark.parametrize("seconds", [4.0, pytest.param(30.0, marks=pytest.mark.soak)])
def test_a_terminal_that_stops_reading_delays_no_request_and_gets_a_whole_picture_afterwards(
    start: Start, seconds: float
) -> None:
    began = time.monotonic()
    terminal = start(size=(400, 100))
    seconds = max(seconds, 2 * (time.monotonic() - began))  # a slow machine takes longer to fill what holds pictures
    with Load(terminal.port()) as load:
        load.answered(50)
        calm = list(load.latencies)
        with terminal.stalled():
            terminal.press("1234")  # whole pages: more than any buffer on the way holds
            time.sleep(seconds)
            terminal.forget()
        stalled = load.latencies[len(calm) :]
        terminal.shows("the terminal had stopped reading")
        terminal.shows(WHOLE)
        terminal.press("q")
        terminal.shows("Quit while requests are served?")
        terminal.press("n")
        assert not load.failures
    assert len(stalled) > seconds * 5
    assert max(stalled) < seconds * 0.75, "a request waited for the terminal"
    for name, latencies in (("calm", calm), ("stalled", stalled)):
        print(f"{name}: p50 {percentile(latencies, 0.5):.1f}, p99 {percentile(latencies, 0.99):.1f} ms", end="; ")
    assert terminal.stop() == 0


@pytest.mark.parametrize("shell", [False, True], ids=["told by SIGHUP", "told by reading alone"])
def test_a_terminal_that_hangs_up_ends_the_console_and_not_the_proxy(start: Start, shell: bool) -> None:
    terminal = start(shell=shell)
    with Load(terminal.port()) as load:
        load.answered(20)
        terminal.hang_up()
        until(lambda: not any("pts" in file for file in terminal.files()), "the console is gone")
        load.answered(50)
        assert max(load.latencies) < 3
    time.sleep(0.3)
    before = terminal.cpu()
    time.sleep(1.0)
    assert terminal.cpu() - before < 0.1, "nobody asks and nobody looks, and it uses the processor"
    assert terminal.stop() == 0


def test_an_upgrade_of_a_process_with_a_terminal_is_refused_in_words_and_ends_nothing(start: Start) -> None:
    terminal = start()
    with Load(terminal.port()) as load:
        load.answered(10)
        os.kill(terminal.pid, signal.SIGUSR2)
        time.sleep(0.2)  # signals have no answer
        terminal.press("p")
        terminal.shows("can be upgraded")
        load.answered(30)
        assert not load.failures
    assert terminal.stop() == 0


def test_a_page_that_fails_ends_the_console_and_not_the_proxy_and_enter_opens_it_again(
    start: Start, tmp_path: Path
) -> None:
    terminal = start(program=FAILING + PROGRAM)
    with Load(terminal.port()) as load:
        load.answered(10)
        terminal.forget()
        terminal.press("7")
        terminal.shows("the console crashed: RuntimeError('this page fails')")
        terminal.shows("Enter opens the console again")
        (trace,) = (tmp_path / "state").rglob("console-crash-*.txt")
        assert str(trace) in terminal.output
        assert "RuntimeError: this page fails" in trace.read_text()
        load.answered(20)
        terminal.forget()
        terminal.press("\n")
        terminal.shows(PAINTED)
        load.answered(20)
        assert max(load.latencies) < 3
    assert terminal.stop() == 0


def test_leaving_gives_the_terminal_back_and_serves_on_when_asked_to(start: Start) -> None:
    terminal = start()
    with Load(terminal.port()) as load:
        load.answered(100)
        terminal.press("q")
        terminal.shows("Quit while requests are served?")
        terminal.forget()
        terminal.press("s")
        terminal.shows("\x1b[?1049l")
        terminal.shows("Ctrl-C stops the proxy")
        load.answered(20)
    terminal.press("\x03")
    assert terminal.process.wait(10) == 0


@pytest.mark.parametrize(
    "start_new", [["setsid", "-w"], ["sh", "-c", '"$@" < /dev/null', "sh"]], ids=["setsid", "null"]
)
def test_without_a_terminal_of_its_own_it_says_what_to_do_instead(tmp_path: Path, start_new: list[str]) -> None:
    master, slave = pty.openpty()
    try:
        command = [*start_new, sys.executable, "-c", PROGRAM, str(tmp_path / "site.toml")]
        ended = subprocess.run(command, stdin=slave, capture_output=True, timeout=60, text=True)
    finally:
        os.close(master)
        os.close(slave)
    assert ended.returncode == 2
    assert (
        ended.stderr
        == f"rproxy-tui: needs a terminal in the foreground; `rproxy {tmp_path}/site.toml` serves without one\n"
    )


def test_the_demo_needs_no_file_and_says_where_its_edits_are(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    terminal = start(program=PROGRAM.replace("main()", "main(['--demo'])"))
    terminal.shows("GET")  # its own traffic has begun
    terminal.press("q")
    asks, told = "Quit while requests are served?", "the demo's edits are in "
    until(lambda: asks in terminal.output or told in terminal.output, "it asks, or nothing was served just then")
    if told not in terminal.output:
        terminal.press("c")
    terminal.shows(f"the demo's edits are in {tmp_path}/rproxy-demo-")
    assert terminal.process.wait(10) == 0


def test_a_site_with_errors_is_answered_with_its_problems_and_no_trace(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    file.write_text('version = 1\n\n[[routes]]\npath = "/"\nproxi = "http://127.0.0.1:1/"\n')
    terminal = Terminal(file)
    terminal.shows("site.toml:5:1", 30)
    assert terminal.process.wait(10) == 2
    assert "Traceback" not in terminal.output


def test_the_service_under_a_console_is_asked_changed_and_stopped_through_its_door(
    start: Start, tmp_path: Path
) -> None:
    terminal = start()
    place = socket_path(tmp_path / "site.toml")
    until(lambda: answers(place), "the door is open")
    client = DoorClient(place)
    assert client.hello().pid == terminal.pid
    assert isinstance(client.submit(parse(["set", "site.timeout", "30"]), client.hello().generation), Applied)
    terminal.press("7")
    terminal.shows("set site.timeout to 30")
    terminal.shows(user_name(os.getuid()))
    assert client.stop().sentence
    client.close()
    assert terminal.process.wait(20) == 0
    assert not place.exists()


ATTACH = "import sys; from rproxy_tui.__main__ import main; sys.exit(main(['attach', *sys.argv[1:]]))"


def test_a_console_that_is_attached_detaches_or_is_killed_and_the_service_serves_on(
    start: Start, tmp_path: Path
) -> None:
    service = start()
    place = socket_path(tmp_path / "site.toml")
    until(lambda: answers(place), "the door is open")
    one, other = Terminal(place, program=ATTACH), Terminal(place, program=ATTACH)
    try:
        with Load(service.port()) as load:
            for each in (one, other):
                each.shows("ms line", 30)
            one.press("q")
            one.shows("detached, the service serves on")
            assert one.process.wait(10) == 0
            other.kill()
            load.answered(50)
            assert not load.failures
    finally:
        one.kill()
        other.kill()
    assert service.stop() == 0


def memory(pid: int) -> float:
    """MiB that a process has resident."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


@pytest.mark.soak
def test_a_console_that_stands_still_for_a_minute_holds_nothing_up_and_is_not_waited_for_in_memory(
    start: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    service = start()
    place = socket_path(tmp_path / "site.toml")
    until(lambda: answers(place), "the door is open")
    console = Terminal(place, program=ATTACH)
    try:
        with Load(service.port()) as load:
            console.shows("ms line", 30)
            load.answered(500)

            def grown() -> float:
                """MiB that the service grows by in a minute, also by the requests that it remembers."""
                before, end = memory(service.pid), time.monotonic() + 60
                while time.monotonic() < end:
                    load.answered(50)
                return memory(service.pid) - before

            read = grown()
            os.kill(console.pid, signal.SIGSTOP)
            unread = grown()
            os.kill(console.pid, signal.SIGCONT)
            console.forget()
            console.shows("ms line", 30)
            console.kill()
            load.answered(50)
        worst = percentile(load.latencies, 0.99)
        with capsys.disabled():
            print(f"\na console stands still: {len(load.latencies)} requests, {len(load.failures)} failed, ", end="")
            print(f"p99 {worst:.1f} ms; {read:.1f} MiB more in the minute before it, {unread:.1f} in that minute")
        assert unread < read + 4, "what the service keeps for it"
    finally:
        console.kill()
    assert service.stop() == 0


def test_a_site_that_is_served_already_is_offered_to_attach_to(start: Start, tmp_path: Path) -> None:
    service = start()
    until(lambda: answers(socket_path(tmp_path / "site.toml")), "the door is open")
    second = Terminal(tmp_path / "site.toml")
    try:
        second.shows(f"is served already, by process {service.pid}", 30)
        second.shows("Attach to it?")
        second.press("y\n")
        second.shows("ms line", 30)
        service.stop()
        second.shows("no answer", 30)
        second.press("q")
        assert second.process.wait(10) == 0
    finally:
        second.kill()


ILL = f"""\
import logging
from proxy_core.control.door.remote_view import RemoteView
problems = RemoteView.problems
def logged(self):
    logging.getLogger("asyncio").error("a fault of a library")
    return problems(self)
RemoteView.problems = logged
{FAILING}
{ATTACH}"""


def test_what_libraries_of_an_attached_console_log_and_the_trace_of_its_crash_go_to_files(
    start: Start, tmp_path: Path
) -> None:
    service = start()
    place = socket_path(tmp_path / "site.toml")
    until(lambda: answers(place), "the door is open")
    console = Terminal(place, program=ILL)
    try:
        console.shows("ms line", 30)
        console.press("7")
        console.shows("the console crashed")
        console.shows("The trace is in ")
        assert console.process.wait(10) == 1
        assert "a fault of a library" not in console.output
        kept = place.parent / "state" / "rproxy"
        (log,) = kept.glob("console.log")
        assert "a fault of a library" in log.read_text()
        (trace,) = kept.glob("console-crash-*.txt")
        assert "this page fails" in trace.read_text()
    finally:
        console.kill()
    assert service.stop() == 0
