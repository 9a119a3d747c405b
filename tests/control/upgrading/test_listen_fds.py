"""Descriptors that a process is started with: whose they are, what they are, and that nobody else inherits them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import ExitStack

import pytest

START = "import os, sys; os.environ['LISTEN_PID'] = sys.argv[1] if sys.argv[1] != 'ours' else str(os.getpid()); "
START += "exec(sys.argv[2])"
LOOK = """
from proxy_core.control.upgrading.listen_fds import given
found = given(os.environ)
names = [(each.name, each.socket.type.name, os.get_inheritable(each.socket.fileno())) for each in found.sockets]
print(names, found.control is not None, found.channel is not None, found.lock, sorted(set(os.environ) & {
    "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"}))
"""


def looks(count: str, names: str, pid: str = "ours") -> str:
    """What a process says that gets a listener, a datagram socket, a connected one, the control socket and a file."""
    with ExitStack() as stack:
        listens = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        datagrams = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        one, other = socket.socketpair()
        stack.enter_context(one)
        stack.enter_context(other)
        door = stack.enter_context(socket.socket(socket.AF_UNIX))
        door.bind("")
        door.listen()
        file = stack.enter_context(open(os.devnull))
        given = [each.fileno() for each in (listens, datagrams, one, door, file)]
        # Put where the protocol has them, by a process that has nothing else there.
        moved = "".join(f"os.dup2({number + 100}, {3 + place}); " for place, number in enumerate(given))
        move = "".join(f"os.dup2({number}, {number + 100}); " for number in given) + moved
        command = [sys.executable, "-c", "import os; " + move + "os.execv(__import__('sys').executable, "
                   f"[{sys.executable!r}, '-c', {START!r}, {pid!r}, {LOOK!r}])"]  # fmt: skip
        environment = {**os.environ, "LISTEN_FDS": count, "LISTEN_FDNAMES": names}
        done = subprocess.run(command, pass_fds=given, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_each_is_found_by_what_it_is_and_nobody_inherits_it() -> None:
    said = looks("5", "http::x:@control:@lock")
    assert said == "[('http', 'SOCK_STREAM', False), ('', 'SOCK_DGRAM', False)] True False 7 []"


def test_the_socket_to_the_process_before_is_known_by_its_name() -> None:
    assert looks("5", "http:@heartbeat:@channel:@control:@lock").endswith("True True 7 []")


@pytest.mark.parametrize(
    ("count", "pid", "found"),
    [("1", "1", 0), ("", "ours", 0), ("x", "ours", 0), ("1", "ours", 1), ("1", "", 1), ("90", "ours", 2)],
)
def test_what_is_meant_for_another_process_or_is_not_there_is_let_be(count: str, pid: str, found: int) -> None:
    assert looks(count, "", pid).count("SOCK_") == found
