"""Whoever reads a file that a site names is told at once when it is a pipe, a device, a folder or without end."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from proxy_core.config.editing.save import stamp
from proxy_core.config.model import ErrorPage, Site
from proxy_core.config.reading.document import read
from proxy_core.runtime.error_page_files import unreadable
from proxy_core.runtime.fact_lookups import look
from proxy_core.runtime.maps import dbm
from proxy_core.runtime.maps.source import MapTally
from proxy_core.runtime.maps.tables import TextMap


def endless(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)


NO_FILES: dict[str, Callable[[Path], object]] = {
    "a pipe": os.mkfifo,
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a circle of links": lambda path: path.symlink_to(path),
    "a folder": os.mkdir,
    "an endless file": endless,
}


def refused(reading: Callable[[], object]) -> bool:
    try:
        reading()
    except (OSError, dbm.BadDbmFile):
        return True
    return False


READERS: dict[str, Callable[[Path], bool]] = {
    "a site file": lambda path: read(path).broken,
    "the version of a site file": lambda path: refused(lambda: stamp(path)),
    "a text map": lambda path: refused(TextMap(path, MapTally())._read),
    "a DBM map": lambda path: refused(lambda: dbm.files(path, "auto")),
    "a pair of DBM files": lambda path: refused(lambda: dbm.fetch("sdbm", (path, path), b"k")),
}


@pytest.mark.parametrize("kind", NO_FILES)
@pytest.mark.parametrize("reader", READERS)
def test_what_is_no_file_is_refused_at_once(tmp_path: Path, reader: str, kind: str) -> None:
    NO_FILES[kind](tmp_path / "named")
    if reader != "a pair of DBM files" or kind != "an endless file":  # it has no such key
        assert READERS[reader](tmp_path / "named")


@pytest.mark.parametrize("kind", [kind for kind in NO_FILES if kind != "an endless file"])
def test_a_page_or_an_expression_that_reads_no_file_has_nothing(tmp_path: Path, kind: str) -> None:
    NO_FILES[kind](tmp_path / "named")
    [problem] = unreadable(Site(errors=(ErrorPage(id="e", status=404, file="named"),)), tmp_path)
    assert "the page named cannot be read" in problem.what
    assert look("content", str(tmp_path / "named")) is None
