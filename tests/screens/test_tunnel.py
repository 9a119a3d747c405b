"""Where ssh:// leads: what is said of the machine and the service, and what becomes of the ssh that goes there.

The ssh is a script of a few lines, which keeps to what ssh(1) says of the options that are used: it forwards a socket
by a link to it, and runs what it is asked to run here.
"""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from rproxy_tui import tunnel
from rproxy_tui.tunnel import NoTunnel, SshTunnel, chosen, far
from tests.control.door.harness import open_door
from tests.control.door.remote import attached, until


@pytest.mark.parametrize(
    ("said", "machine", "name"),
    [
        ("ssh://host", "ssh://host", ""),
        ("ssh://ops@host:2222/shop", "ssh://ops@host:2222", "shop"),
        ("ssh://host//run/rproxy/a%20b.sock", "ssh://host", "/run/rproxy/a b.sock"),
        ("ssh://[::1]:22/", "ssh://[::1]:22", ""),
    ],
)
def test_a_place_is_a_machine_and_a_name(said: str, machine: str, name: str) -> None:
    assert far(said) == (machine, name)


@pytest.mark.parametrize("said", ["ssh://", "ssh:///shop", "ssh://-oProxyCommand=x/", "ssh://-l@host", "ssh://h:99999"])
def test_what_names_no_machine_is_refused_before_ssh_sees_it(said: str) -> None:
    with pytest.raises(NoTunnel):
        far(said)


SOCKETS = ["/run/rproxy/shop.sock", "/run/user/7/rproxy/blog.sock"]


def test_of_the_sockets_there_the_named_one_is_taken_or_the_only_one() -> None:
    assert chosen(SOCKETS, "shop") == chosen(SOCKETS, "shop.sock") == SOCKETS[0]
    assert chosen(SOCKETS[1:], "") == SOCKETS[1]
    with pytest.raises(NoTunnel, match="several services run there"):
        chosen(SOCKETS, "")
    with pytest.raises(NoTunnel, match="no service is called wiki there; there are:"):
        chosen(SOCKETS, "wiki")
    with pytest.raises(NoTunnel, match="no service runs there"):
        chosen([], "")


SSH = """\
#!/bin/sh
echo "$@" >> "$SSH_CALLS"
asked="$*"
while [ $# -gt 0 ]; do
  case "$1" in
    -S) control=$2; shift ;;
    -E) log=$2; shift ;;
    -L)
      if rm "$SSH_CALLS.forwards-nothing" 2>/dev/null; then exit 255; fi
      ln -s "${2#*:}" "${2%%:*}"; exit ;;
    --) shift 2; break ;;
  esac
  shift
done
case "$asked" in
  "-C -N "*)
    if [ -n "$SSH_FAILS" ]; then echo "Permission denied (publickey)." > "$log"; exit 255; fi
    : > "$control"; exec sleep 600 ;;
  *) exec sh -c "$*" ;;
esac
"""


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """What ssh was called with. Sockets over there are in ``run/rproxy`` beside it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "bin").mkdir()
        (folder / "bin" / "ssh").write_text(SSH)
        (folder / "bin" / "ssh").chmod(0o755)
        (folder / "run" / "rproxy").mkdir(parents=True)
        monkeypatch.setenv("PATH", f"{folder / 'bin'}:{os.environ['PATH']}")
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder / "run"))
        monkeypatch.setenv("SSH_CALLS", str(folder / "calls"))
        yield folder / "calls"


async def test_the_socket_of_the_other_machine_is_brought_here_and_goes_with_its_ssh(calls: Path) -> None:
    async with open_door(calls.parent, place=calls.parent / "run" / "rproxy" / "looks.sock"):
        brought = SshTunnel(far("ssh://ops@host:2222/looks"))
        await brought.open()
        try:
            async with attached(brought.path) as view:
                assert view.site().generation == 1
        finally:
            await brought.close()
        assert not brought.path.parent.exists()
        master = brought._master
        assert master is not None
        assert master.returncode is not None
        said = calls.read_text()
        assert "ControlMaster=yes" in said
        assert "-- ssh://ops@host:2222" in said
        assert "BatchMode" not in said


@pytest.mark.parametrize("starts", [1, 2])
async def test_an_ssh_that_ends_is_started_again_without_questions_until_one_forwards_the_socket(
    calls: Path, monkeypatch: pytest.MonkeyPatch, starts: int
) -> None:
    monkeypatch.setattr(tunnel, "AGAIN", 0.02)
    async with open_door(calls.parent, place=calls.parent / "run" / "rproxy" / "looks.sock"):
        brought = SshTunnel(far("ssh://host/looks"))
        await brought.open()
        try:
            first = brought._master
            assert first is not None
            if starts > 1:
                Path(f"{calls}.forwards-nothing").touch()
            os.kill(first.pid, signal.SIGKILL)
            await until(lambda: brought._master is not first, "another ssh")
            await until(lambda: calls.read_text().count("-O forward") == 1 + starts, "the socket was forwarded again")
            await until(brought.path.exists, "the socket is here")
            async with attached(brought.path) as view:
                assert view.site().generation == 1
        finally:
            await brought.close()
        again = [call for call in calls.read_text().splitlines() if "BatchMode=yes" in call]
        assert len(again) == starts


@pytest.mark.parametrize(
    ("fails", "name", "why"),
    [("1", "", "ssh to ssh://host failed: Permission denied"), ("", "wiki", "no service is called wiki there")],
)
async def test_what_ssh_or_the_other_machine_says_is_told(
    calls: Path, monkeypatch: pytest.MonkeyPatch, fails: str, name: str, why: str
) -> None:
    monkeypatch.setenv("SSH_FAILS", fails)
    brought = SshTunnel(far(f"ssh://host/{name}"))
    with pytest.raises(NoTunnel, match=why):
        await brought.open()
    await brought.close()
    assert not brought.path.parent.exists()


async def test_a_machine_without_ssh_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    brought = SshTunnel(far("ssh://host"))
    with pytest.raises(NoTunnel, match="ssh cannot be started"):
        await brought.open()
    await brought.close()
