"""Where the socket is, how it comes to be there, and who may connect."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from proxy_core.control.cli.ctl import EXIT_NOBODY, named_socket
from proxy_core.control.door import door as door_module
from proxy_core.control.door.client import Denied, DoorClient, NobodyThere
from proxy_core.control.door.peers import peer, user_name
from proxy_core.control.door.socket_path import LONGEST, Taken, answers, listening, remove, socket_path, sockets
from tests.control.door.harness import SITE, ask, open_door

GROUP, USER, STRANGER = 54321, 54322, 54323


def mode(path: Path) -> int:
    return stat.S_IMODE(os.lstat(path).st_mode)


def test_a_socket_is_for_its_owner_alone_from_the_moment_it_exists(tmp_path: Path) -> None:
    place, seen, over = tmp_path / "d.sock", set[int](), threading.Event()

    def look() -> None:
        while not over.is_set():
            for path in (place, *tmp_path.glob(".door-*/s")):
                try:
                    found = mode(path) if path == place else mode(path.parent)
                except OSError:
                    continue
                seen.add(found)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        for _ in range(200):
            with listening(place):
                pass
    finally:
        over.set()
        looking.join()
    assert seen <= {0o600, 0o700}
    assert [path.name for path in tmp_path.iterdir()] == ["d.sock"]


def test_a_socket_that_nobody_answers_on_is_replaced(tmp_path: Path) -> None:
    place = tmp_path / "d.sock"
    listening(place).close()
    assert not answers(place)
    with listening(place):
        assert answers(place)
        with pytest.raises(Taken, match="answers there already"):
            listening(place)


@pytest.mark.parametrize("kind", ["file", "folder", "link", "dangling"])
def test_what_is_no_socket_of_ours_is_left_alone(tmp_path: Path, kind: str) -> None:
    place, other = tmp_path / "d.sock", tmp_path / "other"
    if kind == "file":
        place.write_text("precious")
    elif kind == "folder":
        place.mkdir()
    else:
        place.symlink_to(other)
        if kind == "link":
            other.write_text("precious")
    before = os.lstat(place)
    with pytest.raises(Taken):
        listening(place)
    assert os.lstat(place).st_ino == before.st_ino
    assert kind != "link" or other.read_text() == "precious"


@pytest.mark.skipif(os.getuid() != 0, reason="makes a socket another user's, which only root can")
def test_a_socket_of_another_user_is_left_alone(tmp_path: Path) -> None:
    place = tmp_path / "d.sock"
    listening(place).close()
    os.chown(place, STRANGER, STRANGER)
    with pytest.raises(Taken, match="another user's"):
        listening(place)
    assert os.lstat(place).st_uid == STRANGER


def test_a_path_that_is_too_long_is_told(tmp_path: Path) -> None:
    with pytest.raises(Taken, match="--control"):
        listening(tmp_path / ("x" * LONGEST))


def test_only_ones_own_socket_is_taken_away_at_the_end(tmp_path: Path) -> None:
    place = tmp_path / "d.sock"
    listening(place).close()
    remove(place, os.lstat(place).st_ino + 1)
    assert place.exists()
    remove(place, os.lstat(place).st_ino)
    assert not place.exists()


def test_two_sites_of_one_name_have_two_sockets_and_a_name_of_its_own_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    one, other = socket_path(tmp_path / "a" / "site.toml"), socket_path(tmp_path / "b" / "site.toml")
    assert one != other
    assert one.name.startswith("site-")
    assert one.parent == other.parent == tmp_path
    assert socket_path(tmp_path / "site.toml", "shop") == tmp_path / "shop.sock"


def test_without_a_runtime_folder_it_is_beside_the_journal(monkeypatch: pytest.MonkeyPatch, state_folder: Path) -> None:
    monkeypatch.delenv("RUNTIME_DIRECTORY")
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert str(socket_path(Path("/x/site.toml"))).startswith(str(state_folder))
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/1000")
    assert socket_path(Path("/x/site.toml"), "n") == Path("/run/user/1000/rproxy/n.sock")


def test_the_sockets_that_answer_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    listening(tmp_path / "dead.sock").close()
    with listening(tmp_path / "live.sock"):
        assert tmp_path / "live.sock" in sockets()
        assert tmp_path / "dead.sock" not in sockets()


def test_the_kernel_says_who_is_at_the_other_end() -> None:
    one, other = socket.socketpair()
    with one, other:
        found = peer(one)
    assert (found.uid, found.gid, found.pid) == (os.getuid(), os.getgid(), os.getpid())
    assert user_name(os.getuid())
    assert user_name(STRANGER) == str(STRANGER)
    assert found.may_write


async def test_a_door_that_cannot_be_opened_is_a_problem_and_opens_when_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door_module, "LOOK_AGAIN", 0.05)
    place = tmp_path / "door.sock"
    place.write_text("precious")
    async with open_door(tmp_path) as there:
        assert any("no socket" in problem.what for problem in there.engine.problems())
        assert place.read_text() == "precious"
        place.unlink()
        async with asyncio.timeout(5):
            while there.door.problem is not None:
                await asyncio.sleep(0.01)
        assert (await ask(place, "GET", "/v1")).status == 200
    assert not place.exists()


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """One that other users may enter; pytest keeps its own to itself."""
    with TemporaryDirectory(prefix="door-") as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


CLIENT = """
import os, socket, sys
uid, gid, groups, path, request = int(sys.argv[1]), int(sys.argv[2]), eval(sys.argv[3]), sys.argv[4], sys.argv[5]
os.setgroups(groups); os.setgid(gid); os.setuid(uid)
s = socket.socket(socket.AF_UNIX)
try:
    s.connect(path)
except OSError as error:
    print(type(error).__name__); raise SystemExit
s.sendall(request.encode())
print(s.recv(4096).split()[1].decode())
"""


async def as_user(uid: int, groups: list[int], path: Path, request: str) -> str:
    raw = f"{request} HTTP/1.1\r\nHost: rproxy\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    words = ("-c", CLIENT, str(uid), str(uid), repr(groups), str(path), raw)
    asking = await asyncio.create_subprocess_exec(
        "/usr/bin/env", "-i", sys.executable, "-I", *words, stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(20):
        out, _ = await asking.communicate()
    return out.decode().strip()


@pytest.mark.skipif(os.getuid() != 0, reason="asks as other users, which only root can be")
async def test_members_of_the_group_read_and_others_cannot_connect(open_folder: Path) -> None:
    site = SITE.replace("[[routes]]", f'[control]\ngroup = "{GROUP}"\n\n[[routes]]', 1)
    async with open_door(open_folder, site) as there:
        assert mode(there.path) == 0o660
        assert os.lstat(there.path).st_gid == GROUP
        assert await as_user(USER, [GROUP], there.path, "GET /v1/snapshot") == "200"
        for writing in ("POST /v1/submit", "PUT /v1/site.toml", "POST /v1/stop", "POST /v1/upgrade"):
            assert await as_user(USER, [GROUP], there.path, writing) == "403"
        assert await as_user(STRANGER, [], there.path, "GET /v1/snapshot") == "PermissionError"
        assert not there.stopped.is_set()
        assert len(there.engine.history()) == 1


@pytest.mark.skipif(os.getuid() != 0, reason="asks as other users, which only root can be")
async def test_without_a_group_no_other_user_connects_and_one_that_is_named_later_may(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door_module, "LOOK_AGAIN", 0.05)
    async with open_door(open_folder) as there:
        assert mode(there.path) == 0o600
        assert await as_user(USER, [GROUP], there.path, "GET /v1") == "PermissionError"
        text = SITE.replace("[[routes]]", f'[control]\ngroup = "{GROUP}"\n\n[[routes]]', 1)
        assert (await ask(there.path, "PUT", "/v1/site.toml", text.encode())).status == 200
        async with asyncio.timeout(5):
            while not there.path.exists() or mode(there.path) != 0o660:
                await asyncio.sleep(0.01)
        assert await as_user(USER, [GROUP], there.path, "GET /v1") == "200"


async def test_a_client_has_typed_answers_and_says_when_nobody_is_there(tmp_path: Path) -> None:
    def talk(path: Path) -> None:
        client = DoorClient(path)
        state = client.site()
        assert client.hello().generation == state.generation == client.snapshot().generation == 1
        assert client.text() == state.text
        assert client.history().undo is None
        assert client.records(-5).records == ()
        assert client.inspect(1) is None
        assert next(client.watch(0)).kind == "alive"
        with pytest.raises(Denied, match="no map"):
            client.map("none")
        client.close()

    async with open_door(tmp_path) as there:
        await asyncio.to_thread(talk, there.path)
    with pytest.raises(NobodyThere, match=r"door\.sock"):
        DoorClient(tmp_path / "door.sock").hello()


def test_a_socket_here_is_named_without_its_folder_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("c.sock")
        assert named_socket("c.sock", "rproxy ctl", "-s ") == Path("c.sock")
    assert named_socket("other.sock", "rproxy ctl", "-s ") == EXIT_NOBODY
