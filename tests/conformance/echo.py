"""Echo upstreams for conformance: raw servers that say who they are and what target they saw.

Each answers one request a connection with its name and the request target as it came over the wire, and with the
Location that the request's X-Answer-Location asks for; X-Answer-More makes it longer by so many bytes, and X-Saw says
how many came, head and body. Nothing is tidied up on the way. Threads, not a loop: they are
asked by servers in other processes while tests block.
"""

from __future__ import annotations

import socket
import socketserver
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from threading import Thread

DEADLINE = 10.0
"""Seconds after which a silent peer is a failure."""


class _Echo(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, name: str) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.name = name


class _Answer(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        head, _, body = head_of(self.request).partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        if not lines[0]:
            return
        named = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
        awaited = int(named.get("content-length", 0))
        while len(body) < awaited and (data := self.request.recv(65536)):
            body += data
        target = lines[0].split(" ", 1)[1].rpartition(" ")[0]
        said = target + "x" * int(named.get("x-answer-more", 0))
        fields = [f"X-Upstream: {self.server.name}", "Connection: close", f"Content-Length: {len(said)}"]
        fields += [f"X-Saw: {len(head) + 4 + len(body)}"]
        fields += [f"Location: {x.partition(': ')[2]}" for x in lines if x.lower().startswith("x-answer-location:")]
        status = f"{named['x-answer-status']} Said" if "x-answer-status" in named else "200 OK"
        self.request.sendall((f"HTTP/1.1 {status}\r\n" + "\r\n".join(fields) + "\r\n\r\n" + said).encode("latin-1"))


def head_of(peer: socket.socket) -> bytes:
    """What a peer sends until an empty line or its end."""
    peer.settimeout(DEADLINE)
    received = b""
    while b"\r\n\r\n" not in received and (data := peer.recv(65536)):
        received += data
    return received


class _Heads(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        head = head_of(self.request)
        lines = head.decode("latin-1").split("\r\n")
        said = [x.partition(": ")[2] for x in lines if x.lower().startswith("x-say-")]
        fields = [*said, "Connection: close", f"Content-Length: {len(head)}"]
        self.request.sendall("\r\n".join(["HTTP/1.1 200 OK", *fields, "", ""]).encode("latin-1") + head)


@contextmanager
def heads() -> Iterator[int]:
    """The port of a server that answers with the head that it saw, and with the fields that X-Say-1 … ask for."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Heads) as server:
        server.daemon_threads = True
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()


@contextmanager
def upstreams(names: Sequence[str], down: str) -> Iterator[Mapping[str, int]]:
    """Ports of an echo for each name, and under ``down`` a port that refuses connections as long as this lasts."""
    with ExitStack() as stack:
        ports = {}
        for name in names:
            echo = stack.enter_context(_Echo(name))
            Thread(target=echo.serve_forever, args=(0.05,), daemon=True).start()
            stack.callback(echo.shutdown)
            ports[name] = echo.server_address[1]
        bound = stack.enter_context(socket.socket())
        bound.bind(("127.0.0.1", 0))
        ports[down] = bound.getsockname()[1]
        yield ports
