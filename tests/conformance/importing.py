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
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

from msgspec.structs import replace

from proxy_core.apache.importer import import_file
from proxy_core.apache.report import ReportLine
from proxy_core.control.conform.asking import asked, raw
from proxy_core.control.conform.members import StubMember, answering
from proxy_core.control.engine import Engine
from tests.conformance.apache import MODULES, running
from tests.conformance.echo import DEADLINE
from tests.ports import free_port

__all__ = ["CASES", "asked", "both", "case", "filled", "free_port", "members", "raw", "serving"]

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


@contextmanager
def members() -> Iterator[dict[str, int]]:
    """Ports of the members, and of ``down``, which refuses connections."""
    with ExitStack() as stack:
        ports = {}
        for name in NAMES:
            stub = StubMember(name)
            stack.enter_context(answering(stub))
            ports[name] = stub.port
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
