"""The site file that a demo writes to: a copy in a folder of its own, whose listeners have ports that are free."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from proxy_core.config.editing.save import save, stamp
from proxy_core.config.editing.site_edits import Edit, Set, edited
from proxy_core.config.reading.document import read
from proxy_core.errors import Problem
from proxy_core.http.target import endpoint


def sample() -> Path:
    """The sample that is served where no file is given: a wheel has it beside this module, a clone in samples."""
    beside = Path(__file__).with_name("samples")
    return (beside if beside.is_dir() else Path(__file__).parents[3] / "samples") / "site.toml"


def scratch_copy(site_file: Path) -> Path:
    """A copy of the site file, and of what it names that stands beside it or below, in a new temporary folder, which
    stays there to be compared. Folders are links to those of the site. OSError when it cannot."""
    folder = Path(tempfile.mkdtemp(prefix="rproxy-demo-"))
    names = [name for text in _texts(read(site_file).data) for name in (text, f"{text}.pag", f"{text}.dir")]  # of DBM
    inside = [name for name in names if not os.path.isabs(name) and ".." not in Path(name).parts and Path(name).name]
    for name in inside:
        if os.path.isfile(site_file.parent / name):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(site_file.parent / name, folder / name)
    for name in inside:
        if os.path.isdir(site_file.parent / name) and not (folder / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).symlink_to((site_file.parent / name).resolve())
    return Path(shutil.copy(site_file, folder / site_file.name))


def _texts(data: object) -> Iterator[str]:
    """Every text in the data of a site, whichever option it is of: any may be the name of a file."""
    if isinstance(data, str):
        yield data
    elif isinstance(data, Mapping | list):
        for each in data.values() if isinstance(data, Mapping) else data:
            yield from _texts(each)


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
