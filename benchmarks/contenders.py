"""The proxies that are compared: this one, other checkouts and interpreters of it, and those that are installed.

Each runs pinned to one core, with two members behind it, which are nginx where it is installed, else small ones of our
own. A checkout runs in its own tree, where its modules are found first: what is installed elsewhere never takes its
place.
"""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks import configurations
from benchmarks.configurations import RECORDING, Commands, Ends, Writer, found, nginx_head
from benchmarks.floor import floor
from benchmarks.machine import OTHER_CORE, PROXY_CORE, ROOT, free_ports, running, wait_for
from benchmarks.rows import SIZES, Work

OURS = "rproxy"


class Contender(NamedTuple):
    """``home``: the folder that its command runs in; None: that of its configuration."""

    name: str
    version: str
    write: Writer
    home: Path | None = None


class Running(NamedTuple):
    name: str
    pid: int
    port: int
    secure: int


class Upstream(NamedTuple):
    ports: list[int]
    secured: list[int]
    certificate: Path


def contenders(
    only: str | None = None,
    trees: list[str] | None = None,
    pythons: list[str] | None = None,
    recording: bool = False,
) -> list[Contender]:
    """This checkout; the same with a recording; others of it; what is installed for other interpreters; and the other
    proxies that are there, or those of them that ``only`` names, which may be the floor as well."""
    ours = _rproxy(OURS, sys.executable, ROOT)
    chosen = [ours]
    if recording:
        chosen.append(ours._replace(name=f"{OURS}:recording", write=configurations.rproxy(sys.executable, RECORDING)))
    places: list[tuple[str, str, Path | None]] = [
        (Path(tree).resolve().name, sys.executable, Path(tree).resolve()) for tree in trees or []
    ]
    # Not resolved: a venv is known by the link that leads out of it.
    installed = [Path(python).absolute() for python in pythons or []]
    places += [(python.parent.parent.name, str(python), None) for python in installed]
    for number, (name, python, home) in enumerate(places):
        again = any(name == other for other, *_ in places[:number])
        chosen.append(_rproxy(f"{OURS}:{name}{f'-{number + 1}' if again else ''}", python, home))
    for name, programs, version, write in (
        ("apache", ("apache2", "httpd"), "-v", configurations.apache),
        ("nginx", ("nginx",), "-v", configurations.nginx),
        ("haproxy", ("haproxy",), "-v", configurations.haproxy),
        ("caddy", ("caddy",), "version", configurations.caddy),
    ):
        if (program := found(*programs)) and (only is None or name in only.split(",")):
            said = re.search(r"\d+\.\d+\.\d+", _said(program, version))
            chosen.append(Contender(name, said[0] if said else "", write))
    if "floor" in (only or "").split(","):
        chosen.append(Contender("floor", "a bare proxy over uvloop", floor, ROOT))
    return chosen


def commit(tree: Path) -> str:
    return _said("git", "-C", str(tree), "describe", "--always", "--dirty")


_ASK = """
import json, pathlib, platform, sys, sysconfig
import proxy_core
words = " ".join(str(sysconfig.get_config_var(name)) for name in
                 ("CONFIG_ARGS", "PY_CORE_CFLAGS", "PY_CFLAGS_NODIST", "PY_CORE_LDFLAGS"))
folder = pathlib.Path(proxy_core.__file__).parent
print(json.dumps({
    "folder": str(folder),
    "version": proxy_core.__version__,
    "python": platform.python_implementation() + " " + platform.python_version(),
    "PGO": "--enable-optimizations" in words or "-fprofile-use" in words,
    "LTO": "--with-lto" in words or "-flto" in words,
    "compiled": any(folder.rglob("*.so")),
}))
"""


def _rproxy(name: str, python: str, home: Path | None) -> Contender:
    """One of ours, having asked its interpreter how it was built and where it finds the modules."""
    try:
        asked = subprocess.run(
            [python, "-c", _ASK], cwd=home or "/", capture_output=True, text=True, timeout=20, check=False
        )
    except OSError as error:
        raise SystemExit(f"{home or python} cannot be run: {error.strerror}") from None
    if asked.returncode:
        raise SystemExit(f"{python} cannot run rproxy: {asked.stderr.strip().splitlines()[-1]}")
    told = json.loads(asked.stdout)
    folder = Path(told["folder"])
    if home is not None and not folder.is_relative_to(home):
        raise SystemExit(f"{python} finds proxy_core in {folder} and not in {home}, which is no checkout of rproxy")
    built = ", ".join(f"{'with' if told[word] else 'without'} {word}" for word in ("PGO", "LTO"))
    code = "compiled" if told["compiled"] else "pure"
    what = f"installed {told['version']}" if "site-packages" in folder.parts else commit(folder.parent)
    return Contender(name, f"{what} {code}, {told['python']} {built}", configurations.rproxy(python), home)


@contextlib.contextmanager
def started(contender: Contender, folder: Path, to: Upstream, work: Work) -> Iterator[Running]:
    """Run a contender in a folder of its own and wait until it accepts."""
    commands, ends = prepared(contender, folder, to, work)
    with running(commands.run, PROXY_CORE, folder, home=contender.home or folder) as pid:
        wait_for(ends.port, folder)
        yield Running(contender.name, pid, ends.port, ends.secure)


def prepared(contender: Contender, folder: Path, to: Upstream, work: Work) -> tuple[Commands, Ends]:
    """Its configuration in a new folder that servers can read after they have given up being root."""
    folder.mkdir()
    folder.chmod(0o755)
    port, secure = free_ports(2)
    ends = Ends(port, secure, *to)
    return contender.write(folder, ends, work), ends


@contextlib.contextmanager
def upstream(folder: Path, own: bool = False) -> Iterator[Upstream]:
    """Two members that answer GET with as much as the path says, and POST of /app/1k with 1 KiB; and the same over TLS.
    ``own``: ours."""
    folder.mkdir()
    folder.chmod(0o755)
    ports, pem = free_ports(4), certificate(folder)
    program = "" if own else found("nginx")
    if program:
        (folder / "app").mkdir()
        for path, size in SIZES.items():
            (folder / path[1:]).write_bytes(b"x" * size)
        listens = "\n".join(f"    listen 127.0.0.1:{port}{' ssl' * (port in ports[2:])};" for port in ports)
        config = folder / "nginx.conf"
        config.write_text(f"""{nginx_head(folder)}
  access_log off;
  sendfile on;
  open_file_cache max=10;
  server {{
{listens}
    ssl_certificate {pem};
    ssl_certificate_key {pem};
    location = /app/1k {{ return 200 "{"x" * SIZES["/app/1k"]}"; }}
    location / {{ root {folder}; }}
  }}
}}
""")
        command = [program, "-c", str(config), "-p", str(folder)]
    else:
        secured = [f"{port}:{pem}" for port in ports[2:]]
        command = [sys.executable, "-m", "benchmarks.upstream", *map(str, ports[:2]), *secured]
    with running(command, OTHER_CORE, folder):
        for port in ports:
            wait_for(port, folder)
        yield Upstream(ports[:2], ports[2:], pem)


def certificate(folder: Path) -> Path:
    """A certificate of its own authority for 127.0.0.1, with its key in the same file."""
    path = folder / "certificate.pem"
    command = ("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
               "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1,DNS:127.0.0.1",
               "-keyout", str(path), "-out", "-")  # fmt: skip
    made = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout
    with path.open("a") as file:
        file.write(made)
    path.chmod(0o644)  # for servers that have given up being root; it is worth nothing after this
    return path


def _said(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False, cwd=ROOT)
    return (done.stdout + done.stderr).strip()
