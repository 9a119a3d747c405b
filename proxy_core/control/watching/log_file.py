"""Where logs go: how their files are opened, and what is wrong where they cannot be.

Apart from what writes records, so that who only asks whether a log could be written loads nothing that serves. Nothing
here makes a file or waits for a reader.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from proxy_core.errors import Address, Problem

FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK


def unwritten(name: str, trouble: str, address: Address, kind: str = "access log") -> Problem:
    """The problem of a log or a recording that cannot be written; ``address`` is where the site names its file."""
    todo = "make room or mend it: it goes on by itself; requests are served meanwhile"
    return Problem(what=f"{kind} {name}: {trouble}", todo=todo, address=address)


def unwritable(path: Path, address: Address, kind: str = "access log") -> Iterator[Problem]:
    """Why such a file could not be written, found out without making it."""
    try:
        os.close(os.open(path, FLAGS & ~os.O_CREAT))
    except FileNotFoundError as error:
        if not path.parent.is_dir():
            yield unwritten(str(path), os.strerror(error.errno or errno.ENOENT), address, kind)
        elif not os.access(path.parent, os.W_OK | os.X_OK):
            yield unwritten(str(path), os.strerror(errno.EACCES), address, kind)
    except OSError as error:
        yield unwritten(str(path), error.strerror or str(error), address, kind)


def own_descriptor(number: int) -> int:
    """A descriptor of our own for what a standard one leads to. A pipe or terminal is opened anew, so that it can be
    written without blocking while nobody else's description changes. A file never blocks, and a socket (systemd's
    journal) cannot be opened anew: both are shared as they are. Raises OSError."""
    kind = os.fstat(number).st_mode
    if stat.S_ISREG(kind) or stat.S_ISSOCK(kind):
        return os.dup(number)
    return os.open(f"/dev/fd/{number}", FLAGS & ~os.O_CREAT)
