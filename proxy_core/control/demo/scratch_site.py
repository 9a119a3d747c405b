"""The site file that a demo writes to: a copy in a folder of its own, whose listeners have ports that are free."""

from __future__ import annotations

import contextlib
import errno
import glob
import shutil
import socket
import tempfile
from pathlib import Path

from proxy_core.config.editing.save import save, stamp
from proxy_core.config.editing.site_edits import Edit, Set, edited
from proxy_core.config.reading.document import read
from proxy_core.errors import Problem
from proxy_core.http.target import endpoint


def scratch_copy(site_file: Path) -> Path:
    """A copy of the site file, and of the files of its maps that stand beside it or below, in a new temporary folder,
    which stays there to be compared. OSError when it cannot."""
    folder = Path(tempfile.mkdtemp(prefix="rproxy-demo-"))
    site = read(site_file).site
    for settings in site.maps.values() if site else ():
        name = Path(settings.file)
        if not settings.file or name.is_absolute() or ".." in name.parts:
            continue
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        for each in (site_file.parent / name).parent.glob(f"{glob.escape(name.name)}*"):  # NAME.pag and NAME.dir, too
            if each.is_file():
                shutil.copy(each, (folder / name).parent / each.name)
    return Path(shutil.copy(site_file, folder / site_file.name))


def move_listeners(copy: Path) -> tuple[Problem, ...]:
    """Give each listener of the copy whose port is taken one that is free; a warning for each that says so.

    A file with errors is left as it is, for whoever serves it to list them.
    """
    document = read(copy)
    edits: list[Edit] = []
    moved = []
    for name, listener in document.site.listeners.items() if document.site else ():
        with contextlib.suppress(OSError, ValueError):
            free = _instead(listener.address)
            if free != listener.address:
                edits.append(Set(("listeners", name, "address"), free))
                what = f"{listener.address} is taken: this demo listens on {free}"
                moved.append(
                    Problem(
                        what=what, todo="the sample itself is as it was", severity="warning", address=edits[-1].address
                    )
                )
    if edits:
        save(copy, edited(document, edits).text, stamp(copy))
    return tuple(moved)


def _instead(address: str) -> str:
    """The address itself, or one of the same host with a free port when another program has it."""
    host, port = endpoint(address)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        with socket.create_server((host, 0), family=family) as probe:
            return f"{address.rpartition(':')[0]}:{probe.getsockname()[1]}"
    return address
