"""Who refuses what, and who forwards what: the rows of tests.e2e.messages put to us, nginx, HAProxy and Apache.

``python -m tests.conformance.strictness`` prints the table of docs/threat-model.md. Each row goes over a connection of
its own with a good request behind it; a raw upstream notes every byte that reaches it. Read as *refused* is what never
reached the upstream, or only after an error was answered. It is no part of the suite: Debian's nginx and HAProxy must
be there, and the proxies are asked one after the other. What it must show is held by the suite's own tests.
"""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Thread

from tests.conformance import apache
from tests.conformance.rproxy import serving_in_a_thread
from tests.e2e.harness import site
from tests.e2e.messages import FORWARDED, MADE, REFUSED, SECOND
from tests.ports import free_port

PATIENCE = 0.6
"""Seconds of silence after which an asker takes a connection for answered."""

NGINX = """
worker_processes 1; daemon off; error_log {folder}/error.log; pid {folder}/pid; {user}
events {{ worker_connections 256; }}
http {{ access_log off; server {{ listen 127.0.0.1:{port};
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder}; uwsgi_temp_path {folder};
  scgi_temp_path {folder};
  location / {{ proxy_pass http://127.0.0.1:{upstream}; proxy_http_version 1.1; proxy_set_header Connection ""; }} }} }}
"""
HAPROXY = """
global
  maxconn 256
defaults
  mode http
  timeout connect 2s
  timeout client 2s
  timeout server 2s
frontend f
  bind 127.0.0.1:{port}
  default_backend b
backend b
  server s 127.0.0.1:{upstream}
"""


class Recorder:
    """A raw upstream that notes what it receives, gives its ``answer`` to each head, and closes."""

    def __init__(self) -> None:
        self.received: list[bytearray] = []
        self.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._socket.getsockname()[1]
        Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            peer, _ = self._socket.accept()
            Thread(target=self._talk, args=(peer,), daemon=True).start()

    def _talk(self, peer: socket.socket) -> None:
        peer.settimeout(PATIENCE)
        received = bytearray()
        try:
            while b"\r\n\r\n" not in received and (data := peer.recv(65536)):
                received += data
            self.received.append(received)
            peer.sendall(self.answer)
            peer.shutdown(socket.SHUT_WR)
            while data := peer.recv(65536):
                received += data
        except OSError:
            pass
        finally:
            peer.close()


def asked(port: int, raw: bytes) -> bytes:
    """Send, and return what comes until the other side closes or is silent."""
    answer = b""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as peer:
        peer.settimeout(PATIENCE)
        try:
            peer.sendall(raw)
            while data := peer.recv(65536):
                answer += data
        except OSError:
            pass
    return answer


@contextmanager
def process(command: str, template: str, upstream: int, *arguments: str) -> Iterator[int]:
    """A server that is started from a configuration and stopped by its id; its port."""
    binary = shutil.which(command, path="/usr/sbin:/usr/bin:/usr/local/sbin")
    assert binary, f"{command} is not installed: apt-get install {command}"
    folder = Path(tempfile.mkdtemp(prefix="strictness-"))
    port = free_port()
    file = folder / "conf"
    user = "user root;" if command == "nginx" else ""
    file.write_text(template.format(folder=folder, port=port, upstream=upstream, user=user))
    server = subprocess.Popen([binary, *arguments, str(file)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(500):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.01)
        yield port
    finally:
        server.terminate()
        server.wait(10)
        shutil.rmtree(folder)


def proxies(stack: ExitStack, upstream: int) -> dict[str, int]:
    """The ports of all four, ours first."""
    route = [f'ProxyPass "/" "http://127.0.0.1:{upstream}/"']
    return {
        "rproxy": stack.enter_context(serving_in_a_thread(site(upstream))),
        "nginx": stack.enter_context(process("nginx", NGINX, upstream, "-c")),
        "HAProxy": stack.enter_context(process("haproxy", HAPROXY, upstream, "-db", "-f")),
        "Apache": stack.enter_context(
            apache.running(["mpm_event", "authz_core", "proxy", "proxy_http"], lambda _: route)
        ),
    }


def outcome(recorder: Recorder, port: int, raw: bytes) -> tuple[str, bytes]:
    """What the client was told first ("-" for nothing), and what reached the upstream of the first request."""
    recorder.received.clear()
    answer = asked(port, raw + SECOND)
    status = re.match(rb"HTTP/1\.[01] (\d+)", answer)
    time.sleep(0.002)
    seen = b"".join(bytes(part) for part in recorder.received[:1] if not part.startswith(b"GET /second"))
    return (status[1].decode() if status else "-"), seen


KINDS = {
    "chunks": rb"(?s).*Transfer-Encoding: chunked\r\n\r\n",
    "transfer codings": rb"(?s).*Transfer-Encoding",
    "lengths": rb"(?s).*Content-Length",
    "request lines, targets, versions": rb"(?![A-Z_-]+ (?:/[\w.?-]*|http://\S+) HTTP/1\.[01]\r?\n)",
    "Host": rb"(?s)(?!.*Host: a\b[\r\n])|.*Host.*Host",
    "Max-Forwards and Expect": rb"(?s).*(?:Max-Forwards|Expect)",
    "fields and line ends": rb"",
}
"""Kinds of messages: the first whose pattern matches."""


def main(show: Callable[[str], object] = print) -> None:
    rows = [(raw, True) for _, raw in (*REFUSED, *MADE)] + [(raw, False) for raw, _ in FORWARDED]
    recorder = Recorder()
    with ExitStack() as stack:
        ports = proxies(stack, recorder.port)
        found = [(raw, bad, {name: outcome(recorder, port, raw) for name, port in ports.items()}) for raw, bad in rows]
    show("| forwarded | messages | " + " | ".join(ports) + " |")
    show("|---|---|" + "---|" * len(ports))
    for kind in [*KINDS, "all of these", "good ones"]:
        chosen = [
            each
            for raw, bad, each in found
            if bad != (kind == "good ones") and kind in (_kind(raw), "all of these", "good ones")
        ]
        passed = " | ".join(str(sum(bool(each[name][1]) for each in chosen)) for name in ports)
        show(f"| {kind} | {len(chosen)} | {passed} |")
    show("\nForwarded by us though another refuses it:")
    for raw, _, each in found:
        refusing = [name for name in ports if each[name][0] >= "400"]
        if each["rproxy"][1] and refusing:
            show(f"- {raw[:100]!r}: {', '.join(f'{name} {each[name][0]}' for name in refusing)}")
    show("\nForwarded by another though we refuse it:")
    for raw, _, each in found:
        passing = [name for name in ports if each[name][1]]
        if passing and not each["rproxy"][1]:
            show(f"- {raw[:100]!r}: {', '.join(passing)}")


def _kind(raw: bytes) -> str:
    return next(kind for kind, pattern in KINDS.items() if re.match(pattern, raw))


if __name__ == "__main__":
    sys.exit(main())
