"""Pages for errors that are in files: read when a site comes into force, kept in memory and looked after.

An error is no time to wait for a disk, so a request gets what is in memory. Files are read in a thread, and anew when
they change. One that cannot be read any more keeps its last content and becomes a problem. httpd opens the file of an
ErrorDocument at each request; what clients get is the same.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from proxy_core import regular_files
from proxy_core.config.model import Site
from proxy_core.errors import Problem

READ_SECONDS = 2.0
"""How long reading all files may take before the site goes on without."""
MOST_READ = 64 * 1024
"""Bytes of a file that are sent."""


class _Read(Struct, frozen=True):
    stamp: tuple[int, ...]
    content: bytes


class ErrorFiles:
    """``folder`` is the site file's, which names are relative to."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kept: dict[str, _Read] = {}
        self._task: asyncio.Task[None] | None = None
        self.problems: tuple[Problem, ...] = ()

    def get(self, name: str) -> bytes | None:
        """What the file says, None where it could not be read."""
        kept = self._kept.get(name)
        return kept.content if kept is not None else None

    async def read(self, site: Site) -> None:
        """Read what is new or has changed. Names that the site does not have stay, for whoever still asks."""
        if not any(row.file is not None for row in site.errors):
            self.problems = ()
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(READ_SECONDS):
                self._kept, self.problems = await asyncio.to_thread(_read, site, self._folder, dict(self._kept))

    def look_again(self, site: Site) -> None:
        """The same beside everything else, unless a look is under way."""
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self.read(site))


def unreadable(site: Site, folder: Path) -> tuple[Problem, ...]:
    """What is wrong with the files that a site names, without serving it."""
    return _read(site, folder, {})[1]


def _read(site: Site, folder: Path, kept: dict[str, _Read]) -> tuple[dict[str, _Read], tuple[Problem, ...]]:
    problems = []
    for row in site.errors:
        if row.file is None or not row.enabled:
            continue
        try:
            path = folder / row.file
            found = path.stat()
            stamp = found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_size
            if row.file not in kept or kept[row.file].stamp != stamp:
                with open(regular_files.descriptor(path), "rb") as file:
                    kept[row.file] = _Read(stamp, file.read(MOST_READ))
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            instead = "what it said last is sent" if row.file in kept else "the built-in page is sent instead"
            problems.append(
                Problem(
                    what=f"the page {row.file} cannot be read: {why}; {instead}",
                    todo="put the file there, or give the row a text",
                    severity="warning",
                    address=("errors", row.id, "file"),
                )
            )
    return kept, tuple(problems)
