"""Members that are silent, break off or talk nonsense: the real Apache httpd and ours tell clients the same status.

Each fault is a script of a member over raw sockets: what it says to a request, and how it ends. Where the two differ on
purpose, both answers stand here, and docs/semantics.md says why.
"""

from __future__ import annotations

import socket
import socketserver
import struct
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from threading import Thread

import pytest

from tests.conformance.echo import DEADLINE, head_of
from tests.conformance.importing import Both, both, case

pytestmark = pytest.mark.apache

Talk = Callable[[socket.socket], None]


def silent(peer: socket.socket) -> None:
    """Until the other side closes."""
    peer.settimeout(DEADLINE)
    while peer.recv(65536):
        pass


def closes(peer: socket.socket) -> None:
    """Nothing: the connection is closed behind every script."""


def resets(peer: socket.socket) -> None:
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def says(data: bytes, then: Talk) -> Talk:
    def talk(peer: socket.socket) -> None:
        head_of(peer)
        peer.sendall(data)
        then(peer)

    return talk


def reads_nothing(peer: socket.socket) -> None:
    peer.settimeout(DEADLINE)
    peer.recv(1, socket.MSG_PEEK)
    _OPEN.append(peer.dup())


_OPEN: list[socket.socket] = []
"""Connections that nobody reads from and nobody closes."""

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
FAULTS: dict[str, Talk] = {
    "never-answers": says(b"", silent),
    "closes": says(b"", closes),
    "resets": says(b"", resets),
    "closes-unread": closes,
    "half-a-status-line-silent": says(b"HTTP/1.1 2", silent),
    "half-a-status-line-closes": says(b"HTTP/1.1 2", closes),
    "status-line-silent": says(OK, silent),
    "status-line-closes": says(OK, closes),
    "half-a-field-silent": says(OK + b"X-A: 1\r\nX-Upst", silent),
    "half-a-field-closes": says(OK + b"X-A: 1\r\nX-Upst", closes),
    "half-a-head-resets": says(OK + b"X-A: 1\r\n", resets),
    "interim-silent": says(b"HTTP/1.1 100 Continue\r\n\r\n", silent),
    "interim-closes": says(b"HTTP/1.1 100 Continue\r\n\r\n", closes),
    "another-version": says(b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n", closes),
    "no-field": says(OK + b"no field\r\nContent-Length: 0\r\n\r\n", closes),
    "no-length": says(OK + b"Content-Length: x\r\n\r\nabc", closes),
    "half-a-body-silent": says(OK + b"Content-Length: 10\r\n\r\nhello", silent),
    "half-a-body-closes": says(OK + b"Content-Length: 10\r\n\r\nhello", closes),
    "no-body-silent": says(OK + b"Content-Length: 10\r\n\r\n", silent),
    "no-body-closes": says(OK + b"Content-Length: 10\r\n\r\n", closes),
    "chunks-silent": says(CHUNKED, silent),
    "chunks-closes": says(CHUNKED, closes),
    "chunks-garbage": says(CHUNKED + b"xyz\r\n", closes),
    "garbage": says(b"garbage\r\n\r\n", closes),
    "no-status": says(b"HTTP/1.1 abc OK\r\n\r\n", closes),
    "no-name": says(OK + b": x\r\nContent-Length: 0\r\n\r\n", closes),
    "two-lengths": says(OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nabc", closes),
    "unknown-coding": says(OK + b"Transfer-Encoding: gzip\r\n\r\nabc", closes),
    "first-chunk-garbage": says(OK + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\nhello\r\n", closes),
    "takes-no-body": reads_nothing,
    "does-not-accept": closes,
    "refuses": closes,
    "has-no-address": closes,
}
ON_PURPOSE = {
    "garbage": ("200", "502"),
    "no-status": ("200", "502"),
    "no-name": ("500", "502"),
    "two-lengths": ("200", "502"),
    "unknown-coding": ("200", "502"),
    "first-chunk-garbage": ("502", "200"),
    "has-no-address": ("500", "503"),
}
"""What Apache says, and what we do."""
BODY = 30_000_000
"""Bytes that no buffer of a system takes."""


class _Members(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 64
    talk: Talk

    def shutdown_request(self, request: object) -> None:
        assert isinstance(request, socket.socket)
        request.close()  # and no shutdown before it, which would say goodbye


class _Script(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        with suppress(OSError):
            self.server.talk(self.request)  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def servers() -> Iterator[Both]:
    with ExitStack() as stack:
        ports = {}
        for name, talk in FAULTS.items():
            server = stack.enter_context(_Members(("127.0.0.1", 0), _Script))
            server.talk = talk
            Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
            stack.callback(server.shutdown)
            ports[name] = server.server_address[1]
        for name in ("does-not-accept", "refuses"):
            bound = stack.enter_context(socket.socket())
            bound.bind(("127.0.0.1", 0))
            ports[name] = bound.getsockname()[1]
            if name == "does-not-accept":
                bound.listen(0)  # and a queue that is full: the system drops who comes next
                for _ in range(3):
                    waiting = stack.enter_context(closing(socket.socket()))
                    waiting.setblocking(False)
                    waiting.connect_ex(("127.0.0.1", ports[name]))
        targets = {name: f"127.0.0.1:{port}" for name, port in ports.items()} | {"has-no-address": "nowhere.invalid"}
        lines = [f"ProxyPass /{name}/ http://{where}/ connectiontimeout=400ms" for name, where in targets.items()]
        with both(case("\n".join(["ProxyTimeout 1", *lines, "=== requests\n"])), {}) as ports_of_both:
            yield ports_of_both
        while _OPEN:
            _OPEN.pop().close()


def ask(port: int, name: str, body: int) -> tuple[str, bool]:
    """The status, and whether all of the answer came that its head promised."""
    length = f"Content-Length: {body}\r\n" if body else ""
    head = f"{'POST' if body else 'GET'} /{name}/ HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n{length}\r\n"
    received = b""
    with socket.create_connection(("127.0.0.1", port), DEADLINE) as peer:
        with suppress(OSError):  # it was answered before it was whole
            peer.sendall(head.encode() + b"x" * body)
        with suppress(ConnectionResetError):
            while data := peer.recv(65536):
                received += data
    answered, _, rest = received.partition(b"\r\n\r\n")
    whole = rest.endswith(b"0\r\n\r\n") if b"chunked" in answered else b"Content-Length: 10" not in answered
    return answered[9:12].decode(), whole


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_a_member_is_told_as_apache_tells_it(servers: Both, name: str) -> None:
    body = BODY if name == "takes-no-body" else 0
    with ThreadPoolExecutor() as pool:
        theirs, ours = pool.map(lambda ports: ask(ports["http"], name, body), servers)
    if name in ON_PURPOSE:
        assert (theirs[0], ours[0]) == ON_PURPOSE[name]
    else:
        assert ours == theirs


@pytest.mark.parametrize("name", ["never-answers", "closes", "half-a-field-silent", "refuses", "does-not-accept"])
def test_and_so_it_is_of_a_request_with_a_body(servers: Both, name: str) -> None:
    theirs, ours = (ask(ports["http"], name, 3) for ports in servers)
    assert ours == theirs
