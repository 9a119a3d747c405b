"""Stub members: raw servers on loopback that answer with what they received.

X-Status asks for a status line, X-Say-1 and the like for fields, X-Raw for these very bytes instead, and X-Wait for
silence before it, of that many seconds. Nothing is tidied up on the way. Threads, not a loop: they are asked by servers
in other processes while whoever asks these waits.
"""

from __future__ import annotations

import socket
import socketserver
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

from proxy_core.control.conform.asking import DEADLINE


class StubMember(socketserver.ThreadingTCPServer):
    """A stub on a port of 127.0.0.1 (0: any that is free) that calls itself ``name``."""

    daemon_threads = True
    request_queue_size = 64
    allow_reuse_address = True

    def __init__(self, name: str, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Told)
        self.name = name

    @property
    def port(self) -> int:
        """Where it listens."""
        found: int = self.server_address[1]
        return found


class StubSocket(socketserver.ThreadingUnixStreamServer):
    """A stub on a socket in the file system."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, name: str, file: Path) -> None:
        super().__init__(str(file), _Told)
        self.name = name


class _Told(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        peer: socket.socket = self.request
        peer.settimeout(DEADLINE)
        received = b""
        while b"\r\n\r\n" not in received:
            data = peer.recv(65536)
            if not data:
                return
            received += data
        head, _, body = received.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        fields = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
        if fields.get("expect") == "100-continue":
            peer.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        while len(body) < int(fields.get("content-length", 0)) and (data := peer.recv(65536)):
            body += data
        while "transfer-encoding" in fields and not body.endswith(b"0\r\n\r\n") and (data := peer.recv(65536)):
            body += data
        told = head + b"\r\n\r\n" + body
        status = fields.get("x-status", "200 OK")
        said = [value for name, value in fields.items() if name.startswith("x-say-")]
        time.sleep(float(fields.get("x-wait", 0)))
        if "x-raw" in fields:
            peer.sendall(fields["x-raw"].replace("\\n", "\r\n").encode("latin-1"))
            return
        own: StubMember | StubSocket = self.server  # type: ignore[assignment]
        out = [f"HTTP/1.1 {status}", f"X-Upstream: {own.name}", *said, "Connection: close"]
        peer.sendall("\r\n".join([*out, f"Content-Length: {len(told)}", "", ""]).encode("latin-1") + told)


@contextmanager
def answering(stub: StubMember | StubSocket) -> Iterator[None]:
    """A stub that answers in threads of its own."""
    with stub:
        Thread(target=stub.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield
        finally:
            stub.shutdown()
