"""Where the door's socket is, how it comes to be there, and which others are there.

A socket is made and given its mode in a folder that nobody else can enter, listens, and is then renamed to its place,
so at no moment could anybody connect who may not. A place is taken only where nothing is, or a socket of one's own
that nobody answers on. A file, a folder, a link or somebody else's socket is left alone. Who looks and replaces holds
a lock on the folder meanwhile. Everything here blocks for a moment at most.
"""

from __future__ import annotations

import errno
import fcntl
import grp
import hashlib
import os
import re
import socket
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from proxy_core.control.editing.history import journal_of

LONGEST = 103
"""Bytes that the path of a unix socket may have everywhere (sun_path has 104 on macOS, 108 on Linux)."""
BACKLOG = 64
ANSWERS_WITHIN = 1.0
"""Seconds that somebody who listens may take to accept: the kernel does it for them."""


class Taken(OSError):
    """The place of the socket is not ours to take; the words say why and what to do."""


def socket_path(file: Path, name: str = "") -> Path:
    """Where the door of a site file is: NAME.sock, NAME being ``name`` or the file's stem with a short hash."""
    real = file.resolve()
    own = name or f"{re.sub(r'[^A-Za-z0-9_.-]', '-', real.stem)[:40]}-{hashlib.sha256(bytes(real)).hexdigest()[:8]}"
    return (runtime_folder() or journal_of(file).parent) / f"{own}.sock"


def runtime_folder() -> Path | None:
    """The folder for sockets: what systemd made for the service (RuntimeDirectory=), root's, or the user's; None where
    there is none."""
    if given := os.environ.get("RUNTIME_DIRECTORY"):
        return Path(given.partition(":")[0])
    if os.geteuid() == 0:
        return Path("/run/rproxy")
    if own := os.environ.get("XDG_RUNTIME_DIR"):
        return Path(own) / "rproxy"
    return None


def sockets() -> list[Path]:
    """The sockets of services that run here and that this user might ask, by name."""
    state = journal_of(Path("/site.toml")).parent.parent
    folders = [Path("/run/rproxy"), *state.glob("*")]
    if (own := runtime_folder()) is not None:
        folders.insert(0, own)
    found = {path: None for folder in folders for path in _listed(folder) if answers(path)}
    return sorted(found)


def _listed(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.glob("*.sock") if path.is_socket() and not path.is_symlink()]
    except OSError:
        return []


def answers(path: Path) -> bool:
    """Whether somebody accepts connections on the socket. Raises nothing: what cannot be asked does not answer."""
    with socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(ANSWERS_WITHIN)
        try:
            asking.connect(str(path))
        except BlockingIOError:  # its line is full, so somebody holds it
            return True
        except OSError as error:
            return error.errno in (errno.EAGAIN, errno.EACCES, errno.EPERM) or isinstance(error, TimeoutError)
    return True


def listening(path: Path, group: str = "") -> socket.socket:
    """A listening socket at ``path``, for its owner alone, or for a group too. Raises Taken, and OSError and KeyError
    with words for people."""
    if len(os.fsencode(path)) > LONGEST:
        raise Taken(errno.ENAMETOOLONG, f"a socket's path has at most {LONGEST} bytes: give a shorter one (--control)")
    number = group_number(group)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o755 if path.parent == Path("/run/rproxy") else 0o700)
    with _locked(path.parent), tempfile.TemporaryDirectory(prefix=".door-", dir=path.parent) as private:
        _judge(path)
        made = Path(private) / "s"
        opened = socket.socket(socket.AF_UNIX)
        try:
            opened.setblocking(False)
            _bind(opened, made)
            admit(made, number)
            opened.listen(BACKLOG)
            os.rename(made, path)
        except BaseException:
            opened.close()
            raise
        return opened


def _bind(opened: socket.socket, made: Path) -> None:
    """Bind below the folder that is open, where the whole path would be too long."""
    if len(os.fsencode(made)) <= LONGEST:
        opened.bind(str(made))
        return
    folder = os.open(made.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        opened.bind(f"/proc/self/fd/{folder}/{made.name}")
    finally:
        os.close(folder)


def admit(path: Path, group: int | None) -> None:
    """Let the owner connect, and a group where one is named."""
    if group is not None:
        os.chown(path, -1, group, follow_symlinks=False)
    os.chmod(path, 0o600 if group is None else 0o660)


def group_number(group: str) -> int | None:
    """The number of a group, None for no name. Raises KeyError with words for people."""
    if not group:
        return None
    if group.isdecimal():
        return int(group)
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise KeyError(f'there is no group "{group}" on this machine: make it, or correct [control] group') from None


def remove(path: Path, inode: int) -> None:
    """Take the socket away, if it is still the one with this inode."""
    with suppress(OSError):
        if os.lstat(path).st_ino == inode:
            path.unlink()


def _judge(path: Path) -> None:
    """Raise Taken where the place is not ours to take."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        kind = "a symbolic link" if stat.S_ISLNK(found.st_mode) else "no socket"
        raise Taken(errno.EEXIST, f"what is there is {kind}: take it away, or choose another place (--control)")
    if found.st_uid != os.geteuid():
        raise Taken(errno.EEXIST, "the socket there is another user's: choose another place (--control)")
    if answers(path):
        raise Taken(errno.EADDRINUSE, "a service answers there already: attach to it, or choose another place")


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with suppress(OSError):  # a filesystem without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
