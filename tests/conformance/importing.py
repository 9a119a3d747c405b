"""One configuration, two servers: the real Apache httpd on it, and our engine on what ``rproxy import`` makes of it.

Both stand before the same members, get the same raw requests, and what comes of each is compared: the answer's status
and fields, and what the member received. What may differ by nature (Date, Server, connections, the built-in pages'
words) is left out. In a configuration ``@one@`` is the port of the member one, ``@http@`` the port it is asked at,
``@more@`` a second one, and ``@folder@`` a folder with files of the case.
"""

from __future__ import annotations

import asyncio
import random
import re
import shutil
import socket
import socketserver
import ssl
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from threading import Thread

from msgspec.structs import replace

from proxy_core.apache.importer import import_file
from proxy_core.apache.report import ReportLine
from proxy_core.control.engine import Engine
from tests.conformance.apache import MODULES, running
from tests.conformance.echo import DEADLINE
from tests.ports import free_port

NAMES = ("one", "two", "three")
MODULES_LOADED = [
    "mpm_event", "authz_core", "authz_host", "authz_user", "authn_core", "authn_file", "auth_basic", "proxy",
    "proxy_http", "proxy_wstunnel", "slotmem_shm", "proxy_balancer", "lbmethod_byrequests", "lbmethod_bytraffic",
    "lbmethod_bybusyness", "proxy_hcheck", "rewrite", "headers", "setenvif", "env", "alias", "dir", "autoindex",
    "remoteip", "access_compat", "macro", "expires", "mime", "allowmethods", "ssl", "proxy_ajp", "proxy_fcgi",
    "proxy_scgi", "proxy_uwsgi",
]  # fmt: skip
_SELDOM = {
    "ssl": ("ssl", "https", "}s", "}x"), "proxy_ajp": ("ajp",), "proxy_fcgi": ("fcgi",), "proxy_scgi": ("scgi",),
    "proxy_uwsgi": ("uwsgi",), "proxy_hcheck": ("hc",), "macro": ("macro",), "remoteip": ("remoteip",),
    "expires": ("expires",), "allowmethods": ("allowmethods",),
}  # fmt: skip
"""Modules that are loaded where a configuration has one of these words: each takes time to start."""


def _loaded(conf: str) -> list[str]:
    """The modules of a configuration, as far as the system has them."""
    text = conf.lower()
    wanted = [name for name in MODULES_LOADED if any(word in text for word in _SELDOM.get(name, ("",)))]
    return [name for name in wanted if (MODULES / f"mod_{name}.so").exists()]


@dataclass(frozen=True)
class Case:
    """What a file in ``imports`` says: a configuration, then after a line "=== NAME" each a file of that name in
    @folder@ ("=== NAME -> TARGET" is a link), then after "=== requests" one request a line: a request line, then fields
    behind " | ", and the body behind "| > ". Host is a.test unless it says otherwise ("!Host": there is none); "3x "
    asks three times; "* 9 /a /b" asks nine made-up requests below these paths; a line "~ why" before a request says
    that it is answered in another way on purpose. ``differs`` are the numbers of these."""

    conf: str
    requests: Sequence[str]
    files: Mapping[str, str]
    differs: Mapping[int, str]


def case(text: str) -> Case:
    conf, *parts = re.split(r"^=== (.+)\n", text, flags=re.MULTILINE)
    files = dict(zip(parts[::2], parts[1::2], strict=True))
    requests: list[str] = []
    differs: dict[int, str] = {}
    for line in files.pop("requests").splitlines():
        times, _, request = re.fullmatch(r"(\d+)x (.*)|(.*)", line).expand(r"\1|\2\3").partition("|")  # type: ignore
        if line.startswith("~ "):
            differs[len(requests)] = line[2:]
        elif line.startswith("* "):
            requests += made_up(line)
        else:
            requests += [request] * int(times or 1)
    return Case(conf, requests, files, differs)


_SEGMENTS = [
    "x", "Y.html", "a%20b", "%41%7e", "%2Bz+", "..", ".", "", "%2e%2e", "%2E", "...", ".h", "..;", "[x]", "%e9%C3%a4",
    ";v=1", "~!$&'()*,", "a:b@c=d",
    "%25", "%253F", "%3F", "%2C", "a\\b|^`{}", '"<>', "%0a", "%zz", "%00", "%2F", "%2f..",
]  # fmt: skip
_QUERIES = ["", "", "", "?", "?a=b", "??a=b?c", "?a=%20&b=%zz", "?q=[x]|\\", "?%e9", "?/../x//y", "?a=http://x/"]
_HOSTS = ["a.test"] * 6 + ["A.TEST.", "a.test:80", "b.test:8080", "127.0.0.1", "[::1]", "[::1]:81", "a_b.test", "x"]


def made_up(line: str) -> list[str]:
    """Requests below some paths, always the same ones for the same line: odd segments, queries and hosts."""
    dice = random.Random(line)
    _, count, *prefixes = line.split()
    rows = []
    for _ in range(int(count)):
        segments = [dice.choice(_SEGMENTS) for _ in range(dice.choice((0, 1, 1, 2, 2, 3, 4)))]
        path = dice.choice(prefixes) + "".join("/" + each for each in segments) + dice.choice(_QUERIES)
        method = dice.choice(["GET"] * 6 + ["HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "REPORT", "X-OWN"])
        body = " | > a=b" if method in ("POST", "PUT", "PATCH") else ""
        rows.append(f"{method} {path} | Host: {dice.choice(_HOSTS)}{body}")
    return rows


CASES = {file.stem: case(file.read_text()) for file in sorted((Path(__file__).parent / "imports").glob("*.conf"))}


Both = tuple[dict[str, int], dict[str, int]]


class _Members(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 64
    allow_reuse_address = True


class _Told(socketserver.BaseRequestHandler):
    """Answers with what it received. X-Status asks for a status line, X-Say-1 and the like for fields, X-Raw for these
    very bytes instead, and X-Wait for silence before it, of that many seconds."""

    def handle(self) -> None:
        self.request.settimeout(DEADLINE)
        received = b""
        while b"\r\n\r\n" not in received:
            data = self.request.recv(65536)
            if not data:
                return
            received += data
        head, _, body = received.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        fields = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
        if fields.get("expect") == "100-continue":
            self.request.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        while len(body) < int(fields.get("content-length", 0)) and (data := self.request.recv(65536)):
            body += data
        while "transfer-encoding" in fields and not body.endswith(b"0\r\n\r\n") and (data := self.request.recv(65536)):
            body += data
        told = head + b"\r\n\r\n" + body
        status = fields.get("x-status", "200 OK")
        said = [value for name, value in fields.items() if name.startswith("x-say-")]
        time.sleep(float(fields.get("x-wait", 0)))
        if "x-raw" in fields:
            self.request.sendall(fields["x-raw"].replace("\\n", "\r\n").encode("latin-1"))
            return
        out = [f"HTTP/1.1 {status}", f"X-Upstream: {self.server.name}", *said, "Connection: close"]  # type: ignore
        self.request.sendall("\r\n".join([*out, f"Content-Length: {len(told)}", "", ""]).encode("latin-1") + told)


@contextmanager
def members() -> Iterator[dict[str, int]]:
    """Ports of the members, and of ``down``, which refuses connections."""
    with ExitStack() as stack:
        ports = {}
        for name in NAMES:
            server = stack.enter_context(_Members(("127.0.0.1", 0), _Told))
            server.name = name  # type: ignore[attr-defined]
            Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
            stack.callback(server.shutdown)
            ports[name] = server.server_address[1]
        bound = stack.enter_context(socket.socket())
        bound.bind(("127.0.0.1", 0))
        ports["down"] = bound.getsockname()[1]
        yield ports


def filled(text: str, ports: Mapping[str, int], folder: Path) -> str:
    text = text.replace("@folder@", str(folder))
    return re.sub(r"@(\w+)@", lambda found: str(ports.get(found[1], found[0])), text)


def put(folder: Path, files: Mapping[str, str], ports: Mapping[str, int]) -> None:
    """Files of a case into a folder; a name with " -> " is a link."""
    for name, content in files.items():
        file = folder / name.partition(" -> ")[0]
        for each in reversed([parent for parent in file.parents if not parent.exists()]):
            each.mkdir(mode=0o755)
        if " -> " in name:
            file.symlink_to(filled(name.partition(" -> ")[2], ports, folder))
            continue
        file.write_text(filled(content, ports, folder))
        file.chmod(0o755)


@contextmanager
def both(case: Case, ports: Mapping[str, int], losses: list[ReportLine] | None = None) -> Iterator[Both]:
    """The ports of Apache and of ours, each by name; ``losses`` is told what the import could not take over, with its
    line in the configuration of the case."""
    folder = Path(tempfile.mkdtemp(prefix="importing-"))
    folder.chmod(0o755)
    (folder / "www").mkdir(mode=0o755)
    put(folder, case.files, ports)
    try:
        more = free_port()

        def conf(own: Path) -> list[str]:
            text = filled(case.conf.replace("@http@", "80"), {**ports, "more": more}, folder)
            return ["TypesConfig /etc/mime.types", text]

        known = _loaded("".join([case.conf, *case.files.values()]))
        with ExitStack() as stack:
            theirs = {"more": more, "http": stack.enter_context(running(known, conf))}
            ours = {"more": free_port(), "http": free_port()}
            loaded = "".join(f"LoadModule {name}_module mod_{name}.so\n" for name in known)
            head = f"{loaded}ServerName localhost\nListen 127.0.0.1:{ours['http']}\nDocumentRoot {folder}/www\n"
            (folder / "httpd.conf").write_text(head + filled(case.conf, {**ports, **ours}, folder))
            made = import_file(folder / "httpd.conf", {}, True)
            (folder / "site.toml").write_text(made.text)
            if losses is not None:
                losses += [replace(loss, line=loss.line - head.count("\n")) for loss in made.report.losses]
            stack.enter_context(serving(folder / "site.toml"))
            yield theirs, ours
    finally:
        shutil.rmtree(folder)


@contextmanager
def serving(file: Path) -> Iterator[None]:
    """Our engine on a site file, in a thread."""
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def start() -> Engine:
        engine = Engine(file)
        await engine.start()
        return engine

    engine = asyncio.run_coroutine_threadsafe(start(), loop).result(DEADLINE)
    try:
        yield
    finally:
        asyncio.run_coroutine_threadsafe(engine.stop(0), loop).result(DEADLINE)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(DEADLINE)
        loop.close()


def raw(request: str) -> bytes:
    """A request of a case as bytes, one that ends its connection. ``\\r\\n`` in a body is written ``⏎``."""
    line, *fields = request.split(" | ")
    body = ""
    if fields and fields[-1].startswith("> "):
        body = fields.pop()[2:].replace("⏎", "\r\n")
    if not any(each.lower().startswith(("host:", "!host")) for each in fields):
        fields.insert(0, "Host: a.test")
    fields = [each for each in fields if each != "!Host"]
    line += "" if " HTTP/" in line else " HTTP/1.1"
    if body and not any(each.lower().startswith(("content-length", "transfer-encoding")) for each in fields):
        fields.append(f"Content-Length: {len(body)}")
    return "\r\n".join([line, *fields, "Connection: close", "", body]).encode("latin-1")


_NATURE = {"date", "server", "connection", "keep-alive", "content-length", "accept-ranges", "etag", "last-modified",
           "transfer-encoding", "content-type", "vary", "allow", "upgrade"}  # fmt: skip
_HOP = {"connection", "keep-alive"}


def _trimmed(line: str) -> str:
    name, _, value = line.partition(":")
    return f"{name}: {value.strip()}"


def _ages(line: str) -> str:
    """A field with spans of time for moments, in whole minutes: the two servers are not asked at the same one."""
    line = re.sub(r"(?i)(?<=max-age=)\d+", lambda found: f"{round(int(found[0]) / 60)} minutes", line)
    if not (moment := re.fullmatch(r"Expires: (\w{3}, .+ GMT)", line)):
        return line
    return f"Expires: in {round((parsedate_to_datetime(moment[1]).timestamp() - time.time()) / 60)} minutes"


def asked(port: int, request: str, secure: str = "") -> list[str]:
    """What came of a request, as lines: the status, the fields, and what the member received. ``secure`` is the name
    that is asked for over TLS."""
    with ExitStack() as stack:
        peer = stack.enter_context(socket.create_connection(("127.0.0.1", port), DEADLINE))
        if secure:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            peer = stack.enter_context(context.wrap_socket(peer, server_hostname=secure))
        peer.settimeout(DEADLINE)
        peer.sendall(raw(request.replace("@port@", str(port))))
        received = b""
        while data := peer.recv(65536):
            received += data
    text = received.replace(str(port).encode(), b"PORT").decode("latin-1")
    text = re.sub(r"\((Apache/[0-9.]+|rproxy)\)", "(product)", text)
    head, _, body = re.sub(r"\A(HTTP/1\.1 1\d\d .*?\r\n\r\n)+", "", text, flags=re.DOTALL).partition("\r\n\r\n")
    status, *fields = head.split("\r\n")
    fields = [_ages(each) for each in fields]
    own = not any(each.startswith("X-Upstream:") for each in fields)
    nature = _NATURE - {"content-type"} if own and status[9:12] == "200" else _NATURE
    kept = sorted(_trimmed(each) for each in fields if each.partition(":")[0].lower() not in nature)
    kept = [each for each in kept if each != "Content-Type: application/octet-stream"]  # httpd says no type then
    kept = [each.replace("text/html;charset=ISO-8859-1", "text/html;charset=UTF-8") for each in kept]  # of listings
    if any(each.lower() == "transfer-encoding: chunked" for each in fields):
        body = "".join(re.findall(r"[0-9a-f]+\r\n(.*?)\r\n(?=[0-9a-f]+\r\n|\Z)", body, re.DOTALL))
    if own:
        code = status.split(" ")[1] if " " in status else status
        if "<title>Index of " in body:
            body = " ".join(re.findall(r'<li><a href="([^"]*)"', body))
        page = "" if "<" in body and not code.startswith("3") else body
        return [code, *kept, page]
    line, *seen = [each.rstrip() for each in body.partition("\r\n\r\n")[0].split("\r\n")]
    told = sorted(_trimmed(each) for each in seen if each.partition(":")[0].lower() not in _HOP)
    return [status.partition(" ")[2], *kept, line, *told, body.partition("\r\n\r\n")[2]]
