"""``rproxy`` as a process: what it prints, what it exits with, and what it does on each signal."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import trustme

from proxy_core.control.cli import __main__ as cli
from proxy_core.control.door.socket_path import socket_path

SITE = """\
version = 1
[listeners.http]
address = "127.0.0.1:0"
[access_log]
file = "access.log"
[[routes]]
id = "r"
path = "/r"
proxy = "http://127.0.0.1:9"
"""


def rproxy(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "proxy_core.control.cli", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ})


@contextmanager
def serving(file: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    process = rproxy(str(file))
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("rproxy: ready on http http://127.0.0.1:"), line + str(process.poll())
        yield process, int(line.split("127.0.0.1:")[1].split()[0])
    finally:
        process.kill()
        process.communicate()


def test_a_service_that_was_killed_leaves_a_socket_that_the_next_one_replaces(tmp_path: Path) -> None:
    file, place = tmp_path / "site.toml", tmp_path / "door.sock"
    file.write_text(SITE)

    def asked(word: str) -> int:
        return cli.main(["ctl", "-s", str(place), word])

    for stopping in (False, True):
        process = rproxy(str(file), "--control", str(place))
        with process:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("rproxy: ready")
            assert asked("status") == 0
            if stopping:
                assert asked("stop") == 0
                assert process.wait(20) == 0
            else:
                process.kill()
                process.wait()
        assert place.exists() is not stopping
        assert asked("status") == 5


def test_a_service_can_be_without_a_door(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    file.write_text(SITE)
    with rproxy(str(file), "--no-control") as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("rproxy: ready")
        assert not socket_path(file).exists()
        process.terminate()
        assert process.wait(20) == 0


def ask(port: int, path: str) -> int:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n".encode())
        return int(client.recv(65536).split()[1])


def until(condition: object, seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "site.toml"
    path.write_text(SITE)
    return path


def test_check_lists_every_problem_as_file_line_column_and_exits_2(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    file.write_text('version = 1\nlisteners = 3\n[[routes]]\npath = "/a"\nproxi = "http://a"\n')
    process = rproxy("check", str(file))
    out, err = process.communicate(timeout=30)
    assert process.returncode == 2
    assert err == ""
    lines = out.splitlines()
    assert len(lines) >= 2
    assert all(line.startswith(f"{file}:") for line in lines)
    assert any(line.startswith(f"{file}:5:1: ") and "proxy?" in line for line in lines), out


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[", b"version = 2", b"a\x00b"])
def test_no_content_of_a_file_gives_a_traceback(
    tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "site.toml"
    file.write_bytes(content)
    assert cli.main(["check", str(file)]) == 2
    told = capsys.readouterr()
    assert str(file) in told.out + told.err
    assert "Traceback" not in told.out + told.err


@pytest.mark.parametrize("arguments", [["check"], []], ids=["check", "start"])
def test_a_site_that_nothing_can_reach_is_an_error(
    file: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text("version = 1\n")
    assert cli.main([*arguments, str(file)]) == 2
    told = capsys.readouterr()
    assert f"{file}:1:1: the site has no listener, so nothing can reach it" in told.out + told.err


def test_check_warns_of_a_page_that_is_not_there(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (file.parent / "here.html").write_text("here")
    given = ('file = "here.html"', 'file = "gone.html"', 'path = "/r/x"', 'path = "/nowhere"')
    file.write_text(SITE + "".join(f'[[errors]]\nstatus = ["{404 + n}"]\n{page}\n' for n, page in enumerate(given)))
    assert cli.main(["check", str(file)]) == 0
    gone, nowhere, last = sorted(capsys.readouterr().out.splitlines(), key=lambda line: "sound" in line)
    assert "2 warnings" in last
    assert "no route takes /nowhere" in gone + nowhere
    assert "gone.html cannot be read" in gone + nowhere


def test_a_reader_that_has_seen_enough_of_check_is_no_traceback(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    file.write_text("".join(f'[[routes]]\nproxi = "{n}"\n' for n in range(2000)))
    process = rproxy("check", str(file))
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (2, "")


@pytest.mark.parametrize("name", ["absent.toml", "."])
def test_a_file_that_cannot_be_read_is_said_and_exits_2(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([str(tmp_path / name)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err
    assert str(tmp_path) in err


@pytest.mark.parametrize(
    ("given", "unneeded"),
    [("check", ("proxy_core.apache", "proxy_core.serve", "uvloop")), ("explain", ("proxy_core.apache", "uvloop"))],
)
def test_a_command_imports_only_what_it_needs(file: Path, given: str, unneeded: tuple[str, ...]) -> None:
    code = (
        "import sys; from proxy_core.control.cli.__main__ import main; "
        f"main([{given!r}, {str(file)!r}, *(['/r'] if {given == 'explain'} else [])]); print(*sys.modules, sep='\\n')"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not [name for name in out.splitlines() if name.startswith(unneeded)]


def test_sigterm_drains_and_exits_0(file: Path) -> None:
    with serving(file) as (process, port):
        assert ask(port, "/none") == 404
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=15) == 0


def test_sighup_takes_the_file_as_it_stands_and_keeps_the_running_site_when_it_is_broken(file: Path) -> None:
    with serving(file) as (process, port):
        assert ask(port, "/new") == 404
        unused = '[balancers.unused.members.a]\nurl = "http://127.0.0.1:9"\n'
        file.write_text(SITE.replace('path = "/r"', 'path = "/new"') + unused)
        process.send_signal(signal.SIGHUP)
        until(lambda: ask(port, "/new") == 503)
        file.write_text("broken [")
        process.send_signal(signal.SIGHUP)
        assert ask(port, "/new") == 503
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=15)
        assert f"{file}:1:" in err
        assert "no route uses balancer unused" in err, "what an applied file warns of is told too"
        assert "the running site stays" in err
        assert "Traceback" not in err


class Telling:
    """A proxy without a console whose lines on standard error are read as they come."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.lines: list[str] = []
        assert process.stderr is not None
        self._source = process.stderr
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        with suppress(ValueError):  # closed at the end
            self.lines += iter(self._source.readline, "")

    def until(self, *words: str) -> str:
        """The line that has all these words, once it was told."""
        found: list[str] = []

        def told() -> bool:
            found[:] = [line for line in self.lines if all(word in line for word in words)]
            return bool(found)

        until(told, 20)
        return found[-1]


def test_what_happens_without_a_console_is_told_on_standard_error(file: Path) -> None:
    text = SITE.replace('"access.log"', '"/dev/full"') + "[limits]\nrequest_line = 128\n"
    file.write_text(text)
    with serving(file) as (process, port):
        told = Telling(process)
        assert ask(port, "/r") == 503
        assert ask(port, "/" + "x" * 200) == 414
        told.until(" info ", "generation 1 is in force")
        told.until(" info ", "listener http accepts on http://127.0.0.1:")
        told.until(" warning ", "127.0.0.1:9", "refused")
        told.until(" error ", "/dev/full: No space left on device")
        told.until(" warning ", "limit request_line turned away 1,")
        file.write_text(text.replace('"/r"', '"/new"'))
        told.until(" info ", "generation 2 is in force: site file edited on disk: routes.r.path (file)")
        file.write_text("nonsense =\nx = \x1b[31m\n")
        told.until(" error ", "not taken", "the running site stays (generation 2)")
        told.until(" error ", f"{file}:1:11: ")
        file.unlink()
        told.until(" error ", str(file), "No such file")
        file.write_text(text.replace('"/r"', '"/new"'))
        told.until(" info ", "again the one in force")
        process.send_signal(signal.SIGHUP)
        told.until(" info ", "reloaded: nothing changed (generation 2)")
        process.send_signal(signal.SIGTERM)
        told.until(" info ", "stopped, 0 cut")
        form = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (info|warning|error) ")
        assert all(map(form.match, told.lines))
        assert all(line.removesuffix("\n").isprintable() for line in told.lines)
        assert sum("/dev/full" in line for line in told.lines) == 1, "told once, and not each second"


def test_standard_error_is_json_lines_where_the_site_says_so(file: Path) -> None:
    file.write_text(SITE + '[log]\nformat = "json"\nlevel = "warning"\n')
    with serving(file) as (process, _):
        told = Telling(process)
        file.write_text("")
        told.until("config_refused_why")
        events = [json.loads(line) for line in told.lines]
        assert {event["level"] for event in events} <= {"warning", "error"}
        assert any(event.get("line") == 1 and event.get("file") == str(file) for event in events)


def test_a_proxy_that_can_bind_no_listener_ends_with_status_1(file: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        file.write_text(SITE.replace("127.0.0.1:0", f"127.0.0.1:{port}"))
        process = rproxy(str(file))
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (1, "")
    assert f"{file}:3:" in err
    assert "no listener could be bound" in err


def test_the_ready_line_says_where_it_is_https(file: Path) -> None:
    issued = trustme.CA().issue_cert("localhost")
    issued.cert_chain_pems[0].write_to_path(file.parent / "cert.pem")
    issued.private_key_pem.write_to_path(file.parent / "key.pem")
    tls = '[[listeners.secure.tls.certificates]]\ncert = "cert.pem"\nkey = "key.pem"\n'
    file.write_text(SITE + f'[listeners.secure]\naddress = "127.0.0.1:0"\n{tls}')
    process = rproxy(str(file))
    try:
        assert process.stdout is not None
        plain, secure = (rf"{name}://127\.0\.0\.1:\d+" for name in ("http", "https"))
        assert re.match(rf"rproxy: ready on http {plain}, secure {secure} \(", process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


def test_an_empty_site_starts_when_that_is_asked_for(file: Path) -> None:
    file.write_text("version = 1\n")
    process = rproxy("--allow-empty", str(file))
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("rproxy: ready on nowhere (generation 1")
    finally:
        process.kill()
        process.communicate()


def test_sigusr1_opens_the_access_log_anew(file: Path) -> None:
    log = file.parent / "access.log"
    with serving(file) as (process, port):
        ask(port, "/one")
        until(lambda: log.exists() and "/one" in log.read_text())
        log.rename(log.with_suffix(".old"))
        process.send_signal(signal.SIGUSR1)
        until(log.exists)
        ask(port, "/two")
        until(lambda: "/two" in log.read_text())


def test_what_standard_output_does_not_take_is_told_and_is_no_success(file: Path) -> None:
    command = [sys.executable, "-m", "proxy_core.control.cli", "check", str(file)]
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=30, check=False)
    assert ended.returncode == 1
    assert ended.stderr == "standard output cannot be written: No space left on device\n"


def test_a_hang_up_right_behind_the_line_that_says_ready_is_heeded(file: Path) -> None:
    with serving(file) as (process, port):
        process.send_signal(signal.SIGHUP)
        assert ask(port, "/r") == 503
        assert process.poll() is None


def test_explain_reads_files_of_the_site_from_its_folder(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    more = "[auth.staff]\nrealm = 'Staff'\nfile = 'users'\n[[locations]]\nrequire = ['valid-user']\nauth = 'staff'\n"
    file.write_text(f"{SITE}{more}path = '/r'\n")
    (file.parent / "users").write_text("anna:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n")
    assert cli.main(["explain", str(file), "/r", "-H", "Authorization: Basic YW5uYTpzZWNyZXQ="]) == 0
    assert "cannot be read" not in (told := capsys.readouterr().out)
    assert "forwarded" in told
