"""``check`` and the start tell what a site names and is not there, at the place of the value, in the order of lines."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from proxy_core.control import named_things
from proxy_core.control.cli.__main__ import main
from proxy_core.runtime.maps.programs import MapProgram

HTTP = '[listeners.http]\naddress = "127.0.0.1:0"\n'
ROUTE = '[[routes]]\npath = "/"\nproxy = "http://127.0.0.1:9/"\n'
PEM = "[[listeners.s.tls.certificates]]\n"
TLS = '[listeners.s]\naddress = "127.0.0.1:0"\n' + PEM
USED = "[[rewrites]]\npattern = '^/m/(.*)'\nsubstitution = '${m:$1|/}'\nflags = ['PT']\n"
AUTH = '[auth.a]\nrealm = "x"\nfile = "%s"\n[site]\nauth = "a"\nrequire = ["valid-user"]\n'

# fmt: off
CASES: list[tuple[str, str, list[str]]] = [
    ("a certificate that is not there, and another",
     TLS + "cert = 'no.pem'\n" + PEM + "cert = 'not/there.pem'\n" + ROUTE,
     ["4:8: no.pem cannot be read: No such file", "6:8: not/there.pem cannot be read: No such file"]),
    ("a key that is not there", TLS + "cert = 'good.pem'\nkey = 'no.key'\n" + ROUTE,
     ["5:7: no.key cannot be read: No such file"]),
    ("a key of another certificate", TLS + "cert = 'good.pem'\nkey = 'other.key'\n" + ROUTE,
     ["5:7: other.key is not the key of the certificate in good.pem"]),
    ("a certificate that is none", TLS + "cert = 'file'\nkey = 'good.key'\n" + ROUTE,
     ["4:8: file and good.key are not a certificate"]),
    ("a certificate that has ended", TLS + "cert = 'old.pem'\nkey = 'old.key'\n" + ROUTE,
     ["4:8: warning: certificate certificates of listener s ended on"]),
    ("a pipe for a certificate", TLS + "cert = 'pipe'\n" + ROUTE, ["4:8: pipe cannot be read: not a regular"]),
    ("authorities of clients that are not there",
     "[listeners.s]\naddress = '127.0.0.1:0'\n[listeners.s.tls]\nclient_ca = 'no.pem'\ncertificates = ["
     "{ cert = 'good.pem', key = 'good.key' }]\n" + ROUTE, ["4:13: no.pem cannot be read"]),
    ("what is shown to members", HTTP + "[upstream_tls]\nca = 'no.pem'\n" + ROUTE,
     ["4:6: warning: no.pem cannot be read"]),
    ("a password file that is not there", HTTP + AUTH % "nope" + ROUTE,
     ["5:8: warning: nope cannot be read: no such file"]),
    ("a password file without a user", HTTP + AUTH % "empty" + ROUTE, ["5:8: warning: there is no user in empty"]),
    ("a recording that is another program's file", HTTP + "[recording]\nfile = 'file'\n" + ROUTE,
     ["4:8: recording file: it is no recording of rproxy"]),
    ("a recording in a folder that is not there", HTTP + "[recording]\nfile = 'no/a.rec'\n" + ROUTE,
     ["4:8: recording "]),
    ("a pipe for a password file", HTTP + AUTH % "pipe" + ROUTE, ["5:8: warning: pipe cannot be read: not a regular"]),
    ("a map that is not there", HTTP + "[maps.m]\ntype = 'txt'\nfile = 'nomap'\n" + USED + ROUTE,
     ["5:8: map m: nomap: no such file"]),
    ("a DBM file that is none", HTTP + "[maps.m]\ntype = 'dbm'\nfile = 'file'\n" + USED + ROUTE,
     ["5:8: map m: file: "]),
    ("a database that is not there",
     HTTP + "[maps.m]\ntype = 'dbd'\ndsn = 'sqlite:no.db'\nquery = 'SELECT 1 WHERE k = %s'\n" + USED + ROUTE,
     ["5:7: map m: sqlite:no.db: no such file"]),
    ("a program that is not there", HTTP + "[maps.m]\ntype = 'prg'\ncommand = ['./no', 'x']\n" + USED + ROUTE,
     ["5:11: map m: ./no x: no such file"]),
    ("a program that may not be started", HTTP + "[maps.m]\ntype = 'prg'\ncommand = ['./file']\n" + USED + ROUTE,
     ["5:11: map m: ./file: permission denied"]),
    ("folders that are not there",
     HTTP + "[site]\ndocument_root = 'no'\n[[routes]]\npath = '/v'\nfolder = 'nofolder'\n[hosts.h]\nnames = ['h']\n"
     "document_root = 'none'\n" + ROUTE,
     ["4:17: warning: there is no no:", "7:10: warning: there is no nofolder", "10:17: warning: there is no none"]),
    ("a folder for the log that is not there", HTTP + "[access_log]\nfile = 'nodir/access.log'\n" + ROUTE,
     ["4:8: access log {}/nodir/access.log: No such file"]),
    ("a log that is a folder", HTTP + "[access_log]\nfile = 'folder'\n" + ROUTE,
     ["4:8: access log {}/folder: Is a dir"]),
    ("a page that is not there", HTTP + "[[errors]]\nstatus = ['503']\nfile = 'nope.html'\n" + ROUTE,
     ["5:8: warning: the page nope.html cannot be read"]),
    ("a socket that is not there", HTTP + "[[routes]]\npath = '/u'\nproxy = 'unix:/nosock|http://x/u'\n",
     ["5:9: warning: there is no socket /nosock"]),
    ("a name that nobody knows", HTTP + "[[routes]]\npath = '/n'\nproxy = 'http://no.example/n'\n",
     ["5:9: warning: no name server knows no.example now"]),
    ("what is named beside what else is wrong, in the order of lines",
     HTTP + "[console]\ntheme = 1\n" + TLS + "cert = 'no.pem'\n[[routes]]\npath_regex = '(a+)+$('\nproxy = 'ftp://x'\n"
     "[access_log]\nfile = 'nodir/log'\n[[routes]]\npath = '/x'\nfolder = 'nofolder'\nexcep = true\n",
     ["4:9: theme cannot be 1", "8:8: no.pem cannot be read", "10:14: the pattern (a+)+$( does not compile",
      "11:9: the scheme of ftp://x is ftp", "13:8: access log {}/nodir/log", "16:10: warning: there is no nofolder",
      "17:1: \"excep\" is no key"]),
    ("patterns that run away and texts that do not end",
     HTTP + "[[routes]]\npath_regex = '(a+)+$'\nproxy = 'http://127.0.0.1:9'\n[[env]]\nname = 'X'\n"
     "from = '%{REMOTE_ADDR'\ncapture = '['\n[[rewrites]]\npattern = '^/(.*$'\nsubstitution = '/x'\nflags = ['Q']\n",
     ["4:14: warning: the pattern (a+)+$ repeats", "8:8: warning: %{ is never closed", "9:11: the pattern [ does not",
      "11:11: the pattern ^/(.*$ does not", "13:9: there is no flag \"Q\""]),
    ("names in other letters", HTTP + "[[routes]]\npath = '/'\nproxy = 'http://bücher.example/'\n[hosts.\"bücher.example\"]\n"
     "names = ['x']\n",
     ['5:9: "bücher.example" in "http://bücher.example/" is not a host name: it is written as xn--bcher-kva.example',
      '6:1: "bücher.example" cannot be a name in hosts']),
    ("a pattern of a row that does nothing",
     HTTP + "[[routes]]\npath_regex = '('\n[[locations]]\nhost = 'no'\n" + ROUTE,
     ["3:1: the route does nothing", "4:14: the pattern ( does not compile", "5:1: the row does not say",
      '6:8: there is no host "no"']),
    ("all that is there", HTTP + TLS + "cert = 'good.pem'\nkey = 'good.key'\n" + AUTH % "users"
     + "[maps.m]\ntype = 'txt'\nfile = 'file'\n" + USED + "[access_log]\nfile = 'access.log'\n[[routes]]\npath = '/f'\n"
     "folder = 'folder'\n[[routes]]\npath = '/'\nproxy = 'http://localhost:9/'\n", []),
]
# fmt: on


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    authority = trustme.CA()
    ended = datetime.now(UTC) - timedelta(days=1)
    issued = {"good": authority.issue_cert("h"), "other": authority.issue_cert("h")}
    issued["old"] = authority.issue_cert("h", not_after=ended)
    for name, each in issued.items():
        each.cert_chain_pems[0].write_to_path(tmp_path / f"{name}.pem")
        each.private_key_pem.write_to_path(tmp_path / f"{name}.key")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty").touch()
    (tmp_path / "file").write_text("a b\n")
    (tmp_path / "users").write_text("anna:$2y$05$x\n")

    def known(host: str, *_: object, **__: object) -> list[object]:
        if host == "no.example":
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return []

    monkeypatch.setattr(socket, "getaddrinfo", known)
    return tmp_path


@pytest.mark.parametrize(("text", "wanted"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_check_tells_what_is_named_and_wrong(
    folder: Path, text: str, wanted: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    file = folder / "x.toml"
    file.write_text(text)
    status = main(["check", str(file)])
    told = [line.removeprefix(f"{file}:") for line in capsys.readouterr().out.splitlines()]
    lines = [line for line in told if "sound" not in line]
    starts = [each.format(folder) if "{}" in each else each for each in wanted]
    assert [line[: len(start)] for line, start in zip(lines, starts, strict=True)] == starts, lines
    assert status == (2 if any("warning:" not in line for line in lines) else 0)
    assert not (folder / "access.log").exists(), "check makes nothing"


def test_check_starts_no_program(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = folder / "program"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    (folder / "x.toml").write_text(HTTP + "[maps.m]\ntype = 'prg'\ncommand = ['./program']\n" + USED + ROUTE)
    monkeypatch.setattr(MapProgram, "open", lambda _: pytest.fail("it is started"))
    assert main(["check", str(folder / "x.toml")]) == 0


def test_a_name_server_that_does_not_answer_keeps_nobody_waiting(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answered = threading.Event()
    monkeypatch.setattr(named_things, "_SECONDS", 0.05)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answered.wait(30))
    (folder / "x.toml").write_text(HTTP + ROUTE.replace("127.0.0.1", "slow.example"))
    assert main(["check", str(folder / "x.toml")]) == 0
    answered.set()
    assert "slow.example" not in capsys.readouterr().out


def test_the_start_tells_the_lines_of_check_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = folder / "x.toml"
    file.write_text(
        HTTP + TLS + "cert = 'old.pem'\nkey = 'old.key'\n[listeners.t]\naddress = '127.0.0.1:0'\n"
        "[[listeners.t.tls.certificates]]\ncert = 'no.pem'\n[maps.m]\ntype = 'txt'\nfile = 'nomap'\n" + USED
        + AUTH % "nope" + "[access_log]\nfile = 'nodir/access.log'\n[[errors]]\nstatus = ['503']\nfile = 'no.html'\n"
        + ROUTE + "[[routes]]\npath = '/never'\nfolder = 'folder'\n"
    )  # fmt: skip
    assert main(["check", str(file)]) == 2
    wanted = [line.partition(": ")[2].removeprefix("warning: ") for line in capsys.readouterr().out.splitlines()]
    command = [sys.executable, "-m", "proxy_core.control.cli", str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("rproxy: ready on http http://127.0.0.1:")
        finally:
            process.terminate()
        _, told = process.communicate(timeout=20)
    assert process.returncode == 0
    assert len(wanted) == 7
    lines = [line for line in told.splitlines() if str(file) in line]
    assert [line.partition(f"{file}:")[2].partition(": ")[2] for line in lines] == wanted
    assert all(told.count(line.partition(", ")[0]) == 1 for line in wanted), told


def test_a_start_that_is_refused_tells_the_lines_of_check(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = folder / "x.toml"
    file.write_text(HTTP + "[access_log]\nfile = 'nodir/access.log'\n[site]\ntimeout = 0\n" + ROUTE)
    assert main(["check", str(file)]) == 2
    wanted = capsys.readouterr().out
    assert main([str(file)]) == 2
    assert capsys.readouterr().err == wanted
    assert len(wanted.splitlines()) == 2
