"""One site, two servers: our engine on it, and the real Apache httpd on what ``rproxy export`` makes of it.

The configuration is used as it comes, in a folder of its own; only the ports are others. In a site ``@http@`` and
``@more@`` stand for ports that are listened on, other names for those of members, ``@folder@`` for the folder.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from proxy_core.apache.export import export_site
from proxy_core.config.reading.document import parse
from tests.conformance.echo import DEADLINE
from tests.conformance.importing import filled, free_port, put, serving
from tests.programs import program

Ports = dict[str, int]


@contextmanager
def both(
    text: Callable[[Path, Ports], str], ports: Mapping[str, int], files: Mapping[str, str]
) -> Iterator[tuple[Ports, Ports]]:
    """The ports of Apache and of ours, each by name. ``text`` makes the site file for a folder and its ports."""
    folder = Path(tempfile.mkdtemp(prefix="exporting-"))
    folder.chmod(0o755)
    put(folder, files, ports)
    try:
        ours: Ports = {"http": free_port(), "more": free_port()}
        (folder / "site.toml").write_text(text(folder, {**ports, **ours}))
        with serving(folder / "site.toml"), _apache(folder, lambda own: text(folder, {**ports, **own})) as theirs:
            yield theirs, ours
    finally:
        shutil.rmtree(folder)


@contextmanager
def _apache(folder: Path, text: Callable[[Ports], str]) -> Iterator[Ports]:
    """httpd takes no port 0: some that were free a moment ago are tried, and others when they are gone."""
    for _ in range(5):
        theirs = {name: free_port() for name in ("http", "more")}
        site = parse(text(theirs)).site
        assert site is not None
        made = export_site(site, folder / "site.toml", folder)
        for file, content in {**made.files, folder / "httpd.conf": made.text}.items():
            file.write_text(content)
        with httpd(folder / "httpd.conf", folder / "httpd.pid") as runs:
            if runs:
                yield theirs
                return
    said = [file.read_text() for name in ("output", "error.log") if (file := folder / name).exists()]
    raise AssertionError("\n".join(["httpd does not start:", *said]))


@contextmanager
def httpd(file: Path, pid: Path) -> Iterator[bool]:
    """httpd on a configuration that names this file for its process id; whether it runs."""
    binary = program("apache2")
    with (file.parent / "output").open("ab") as output:
        server = subprocess.Popen([binary, "-f", file, "-DFOREGROUND"], stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + DEADLINE
        while server.poll() is None and time.monotonic() < deadline and not pid.exists():
            time.sleep(0.01)
        yield server.poll() is None and pid.exists()
    finally:
        server.terminate()
        server.wait(DEADLINE)


def site_of(text: str) -> Callable[[Path, Ports], str]:
    """A site file with its ports and folder filled in."""
    return lambda folder, ports: filled(text, ports, folder)
