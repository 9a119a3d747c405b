"""What a console keeps of a site for the next time it is opened: small, one file, lost without harm.

It lies with the journal of the site, or, for a console that is attached, where the journal of a file of that name would
lie. Nothing that serves reads it.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from msgspec import DecodeError, Struct
from msgspec.json import decode, encode

from proxy_core import regular_files
from rproxy_tui.traces import keep_file, state_folder

NAME = "console.json"
MOST = 64 * 1024
"""Bytes that the file may have."""


class Remembered(Struct, frozen=True, kw_only=True):
    """What is kept."""

    filter: str = ""
    """The last filter of the Traffic page."""


def remembered(file: str) -> Remembered:
    """What is kept of a site file; what cannot be read is nothing."""
    try:
        return decode(regular_files.content(state_folder(Path(file)) / NAME, MOST), type=Remembered)
    except (OSError, DecodeError):
        return Remembered()


def remember(file: str, what: Remembered) -> None:
    """Keep it; a folder that cannot be written costs that alone."""
    with suppress(OSError):
        keep_file(state_folder(Path(file)), NAME, encode(what).decode())
