"""The real Apache httpd as an asker: the same sites, spelled as httpd.conf, one virtual host for each.

It runs in the foreground from a folder of its own, on a port that was free, as the only authority on what Apache
means; it is stopped by its process id.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from proxy_core.config.model import Balancer, Site
from tests.conformance.echo import DEADLINE
from tests.ports import free_port
from tests.programs import program
from tests.semantics.askers import Answered, Asked, Asker
from tests.semantics.askers import head as head_of

MODULES = Path("/usr/lib/apache2/modules")
LOADED = ["mpm_event", "authz_core", "proxy", "proxy_http", "slotmem_shm", "proxy_balancer", "lbmethod_byrequests"]

SLASHES = {"refuse": "Off", "decode": "On", "keep": "NoDecode"}


def spelled(name: str, site: Site) -> str:
    """The site as a virtual host: ProxyPass, its ProxyPassReverse and the balancers."""
    lines = [f"<VirtualHost *>\nServerName {name}.test"]
    for balancer, group in site.balancers.items():
        lines += [f"<Proxy balancer://{balancer}>", *_balancer(group), "</Proxy>"]
    lines.append(f"AllowEncodedSlashes {SLASHES[site.site.encoded_slashes]}")
    lines.append(f"MergeSlashes {'On' if site.site.merge_slashes else 'Off'}")
    for row in site.routes:
        directive, taken = ("ProxyPass", row.path) if row.path is not None else ("ProxyPassMatch", row.path_regex)
        more = " nocanon" if row.nocanon else ""
        more += f" mapping={row.mapping}" if row.mapping != "decoded" else ""
        lines.append(f'{directive} "{taken}" "{row.proxy or "!"}"{more}')
    prefixes = [row for row in site.routes if row.proxy is not None and row.path is not None]
    lines += [f'ProxyPassReverse "{row.path}" "{row.proxy}"' for row in prefixes]
    return "\n".join([*lines, "</VirtualHost>"])


_STATUS = {"enabled": "", "draining": "+N", "disabled": "+D", "stopped": "+S"}
_ROLE = {"regular": "", "spare": "+R", "standby": "+H"}


def _balancer(group: Balancer) -> Iterator[str]:
    for member in group.members.values():
        status = _STATUS[member.status] + _ROLE[member.role] + "+I" * member.ignore_errors
        words = {
            "loadfactor": f"{member.weight:g}",
            "retry": f"{member.retry:g}",
            "lbset": member.lbset or "",
            "route": member.route,
            "redirect": member.redirect,
            "status": status,
        }
        yield f'BalancerMember "{member.url}" ' + " ".join(f"{key}={value}" for key, value in words.items() if value)
    sticky, set_ = group.sticky, {"lbmethod": group.method, "failonstatus": ",".join(group.failonstatus)}
    if sticky is not None:
        set_["stickysession"] = "|".join(filter(None, (sticky.cookie, sticky.param)))
        set_["stickysessionsep"] = "" if sticky.separator == "." else sticky.separator or "Off"
        set_["scolonpathdelim"] = "On" * sticky.scolonpathdelim
        set_["nofailover"] = "On" * sticky.nofailover
    if group.maxattempts is not None:
        set_["maxattempts"] = str(group.maxattempts)
    yield "ProxySet " + " ".join(f"{key}={value}" for key, value in set_.items() if value)


@contextmanager
def apache(sites: Mapping[str, Site]) -> Iterator[Asker]:
    """An asker of a running httpd that serves these sites."""
    with running(LOADED, lambda folder: [spelled(name, site) for name, site in sites.items()]) as port:
        yield partial(over_the_wire, port)


@contextmanager
def running(modules: Sequence[str], directives: Callable[[Path], Sequence[str]]) -> Iterator[int]:
    """The port of a running httpd with these directives, which may name files of its folder: ``www`` is served."""
    binary = program("apache2")
    folder = Path(tempfile.mkdtemp(prefix="conformance-"))
    folder.chmod(0o755)
    (folder / "www").mkdir(mode=0o755)
    try:
        server, port = _started(binary, folder, modules, directives(folder))
        try:
            yield port
        finally:
            server.terminate()
            server.wait(DEADLINE)
    finally:
        shutil.rmtree(folder)


def _started(
    binary: str, folder: Path, modules: Sequence[str], directives: Sequence[str]
) -> tuple[subprocess.Popen[bytes], int]:
    """httpd takes no port 0: it is told one."""
    port = free_port()
    (folder / "httpd.conf").write_text("\n".join([*_beginning(folder, port, modules), *directives, ""]))
    with (folder / "output").open("wb") as output:
        server = subprocess.Popen([binary, "-f", f"{folder}/httpd.conf", "-DFOREGROUND"], stdout=output, stderr=output)
    deadline = time.monotonic() + DEADLINE
    while server.poll() is None and time.monotonic() < deadline:
        if (folder / "pid").exists():
            return server, port
        time.sleep(0.01)
    server.kill()
    server.wait()
    said = [file.read_text() for name in ("output", "error.log") if (file := folder / name).exists()]
    raise AssertionError("\n".join(["httpd does not start:", *said]))


def _beginning(folder: Path, port: int, modules: Sequence[str]) -> list[str]:
    return [
        *(f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in modules),
        f"ServerName localhost\nListen 127.0.0.1:{port}\nPidFile {folder}/pid\nErrorLog {folder}/error.log",
        f"DefaultRuntimeDir {folder}\nDocumentRoot {folder}/www\nLogLevel warn\nServerLimit 1",
        "StartServers 1\nThreadsPerChild 8\nMaxRequestWorkers 8\nMinSpareThreads 1\nMaxSpareThreads 8",
        *(["User www-data\nGroup www-data"] if os.getuid() == 0 else []),
    ]


def exchanged(port: int, request: str) -> str:
    """All that whatever HTTP server listens on a port says to this until it closes; both as bytes, spelled in
    Latin-1."""
    with socket.create_connection(("127.0.0.1", port), DEADLINE) as peer:
        peer.sendall(request.encode("latin-1"))
        received = b""
        while data := peer.recv(65536):
            received += data
    return received.decode("latin-1")


def over_the_wire(port: int, asked: Asked) -> Answered:
    """What came of a request of the tables."""
    head, _, body = exchanged(port, head_of(asked).decode("latin-1")).partition("\r\n\r\n")
    status_line, *lines = head.split("\r\n")
    answer = {line.partition(": ")[0].lower(): line.partition(": ")[2] for line in lines}
    if "x-upstream" not in answer:
        return Answered(" ".join([status_line.split(" ")[1], *([answer["location"]] if "location" in answer else [])]))
    location = answer.get("location", "").replace(f"http://{asked.site}.test", "~", 1)
    return Answered(f"{answer['x-upstream']} {body}", location)
