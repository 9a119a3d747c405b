"""What a console leaves behind on disk: the log of libraries, and the trace of its own crash.

On standard error either would land in the middle of the picture. Nothing here ever waits for a terminal, and a folder
that cannot be written costs the log, not the console.
"""

from __future__ import annotations

import logging
import tempfile
import time
import traceback
from contextlib import suppress
from pathlib import Path

from proxy_core.control.editing.history import journal_of


def state_folder(file: Path | None = None) -> Path:
    """Where a site's journal lives, and what its console leaves behind; without a site, where those of all are."""
    return journal_of(file).parent if file is not None else journal_of(Path("/site.toml")).parent.parent


def log_to(folder: Path) -> None:
    """Send what libraries log to a file in the folder."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        handler: logging.Handler = logging.FileHandler(folder / "console.log", delay=True)
    except OSError:
        handler = logging.NullHandler()
    logging.getLogger().addHandler(handler)


def keep_file(folder: Path, name: str, text: str) -> Path:
    """Write a text to a file in the folder that its owner alone may read; ``name`` may hold the time (strftime). Raises
    OSError."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    place = folder / time.strftime(name)
    place.touch(mode=0o600)
    place.write_text(text)
    return place


def keep_trace(error: BaseException, folder: Path) -> str:
    """Write the trace of a crash to a file in the folder, or in that for temporary files, and say to which."""
    text = "".join(traceback.format_exception(error))
    for place in (folder, Path(tempfile.gettempdir())):
        with suppress(OSError):
            return str(keep_file(place, "console-crash-%Y%m%d-%H%M%S.txt", text))
    return f"no file could be written; it is:\n{text}"
