"""Where incident notes are kept: a folder each, in the state folder of the site, beside its journal. Nobody else may
read there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from time import localtime, strftime

from proxy_core.control.editing.history import journal_of


def kept(site_file: Path, at: float, files: Mapping[str, str]) -> Path:
    """Write the files of a note made at an epoch second; gives their folder. Raises OSError. Blocks."""
    notes = journal_of(site_file).parent / "notes"
    notes.mkdir(parents=True, exist_ok=True, mode=0o700)
    stem = strftime("%Y-%m-%d-%H%M%S", localtime(at))
    for number in count(1):
        folder = notes / (stem if number == 1 else f"{stem}-{number}")
        try:
            folder.mkdir(mode=0o700)
            break
        except FileExistsError:
            continue
    for name, text in files.items():
        descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as out:
            out.write(text)
    return folder
