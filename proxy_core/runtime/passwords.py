"""Passwords: whether a user of an htpasswd file has the one that was sent.

Judging a password is slow by design (bcrypt), so it is done in two threads of its own and never takes longer than the
deadline. What was found is kept for a while under a digest that is of no use outside of this process, so each further
request costs a look-up. A file that has changed is read anew within a second. A user that is not in the file costs as
much as one that is. The forms are those that htpasswd writes, but for plain text: bcrypt, apr1, SHA-1 and crypt (DES,
MD5, SHA-256, SHA-512); forms that only the system's crypt(3) knows, such as yescrypt, are refused. bcrypt and libpass
judge them, in constant time. A password is never kept, logged or shown.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
from collections import OrderedDict
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from time import monotonic
from typing import NamedTuple

import bcrypt

SECONDS = 5.0
"""How long an answer may take, with all that wait before it."""
FRESH = 1.0
"""Seconds for which a file that was looked at is taken for unchanged."""
MOST = 4096
"""Answers kept."""
_THREADS = 2
_MOST_BYTES = 16 << 20

Stamp = tuple[int, ...]


class File(NamedTuple):
    """An htpasswd file as it was read: the first line of each user counts (``ap_getword`` to the next colon)."""

    stamp: Stamp
    users: dict[bytes, bytes]
    looked: float


class Passwords:
    """``failed`` counts wrong passwords. Files are relative to ``folder``."""

    def __init__(self, folder: Path = Path()) -> None:
        self.failed = 0
        self._folder = folder
        self._files: dict[str, File] = {}
        self._known: OrderedDict[tuple[str, Stamp, bytes], bool] = OrderedDict()
        self._secret = os.urandom(32)
        self._threads: ThreadPoolExecutor | None = None

    def ask(self, name: str, asked: str) -> tuple[bool, str | None]:
        """What is known of ``user:password`` without waiting."""
        file = self._files.get(name)
        if file is None or monotonic() - file.looked > FRESH:
            return False, None
        right = self._known.get((name, file.stamp, self._digest(asked)))
        return (False, None) if right is None else (True, self._said(right))

    async def answer(self, name: str, asked: str) -> str | None:
        """ "1" for the right password, "" for a wrong one or an unknown user, None where that cannot be found out."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(_THREADS, "passwords")
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(SECONDS):
                right = await loop.run_in_executor(self._threads, self._judged, name, asked)
        except (OSError, TimeoutError):
            return None
        return self._said(right)

    def _said(self, right: bool) -> str:
        self.failed += not right
        return "1" if right else ""

    def _digest(self, asked: str) -> bytes:
        return hashlib.blake2b(asked.encode("latin-1"), key=self._secret, digest_size=32).digest()

    def _judged(self, name: str, asked: str) -> bool:
        """In a thread. Raises OSError for a file that cannot be read."""
        file = self._files[name] = self._read(name)
        key = (name, file.stamp, self._digest(asked))
        right = self._known.get(key)
        if right is None:
            user, _, password = asked.encode("latin-1").partition(b":")
            right = is_of(file.users, user, password)
            self._known[key] = right
            while len(self._known) > MOST:
                self._known.popitem(last=False)
        return right

    def users(self, name: str) -> Collection[bytes]:
        """Who is in a file. Raises OSError and ValueError for one that cannot be read."""
        return self._read(name).users

    def _read(self, name: str) -> File:
        path = self._folder / name
        if path.exists() and not path.is_file():  # opening a pipe, say, could wait for ever
            raise OSError(errno.EINVAL, "not a regular file")
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            stamp = (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
            before = self._files.get(name)
            users = before.users if before is not None and before.stamp == stamp else users_in(file.read(_MOST_BYTES))
        return File(stamp, users, monotonic())


def users_in(content: bytes) -> dict[bytes, bytes]:
    """The users of an htpasswd file with what is kept of their passwords."""
    users: dict[bytes, bytes] = {}
    for line in content.splitlines():
        user, colon, rest = line.partition(b":")
        if colon and not line.startswith(b"#"):
            users.setdefault(user, rest.partition(b":")[0].strip())
    return users


def is_of(users: dict[bytes, bytes], user: bytes, password: bytes) -> bool:
    """Whether it is the user's password; for a user that is not there another's is tried, so that it takes as long."""
    kept = users.get(user)
    if kept is None:
        verify(next(iter(users.values()), b""), password)
        return False
    return verify(kept, password)


def verify(kept: bytes, password: bytes) -> bool:
    """Whether ``kept`` was made of this password; False for a form that is none of those above."""
    try:
        if kept.startswith((b"$2y$", b"$2b$", b"$2a$")):
            return b"\0" not in password and bcrypt.checkpw(password[:72], kept)
        return _libpass()(password, kept)
    except ValueError:
        return False


@cache
def _libpass() -> Callable[[bytes, bytes], bool]:
    """Judges every form but bcrypt. Whoever has no passwords does not pay for the import."""
    from passlib.context import CryptContext

    forms = ["apr_md5_crypt", "ldap_sha1", "sha512_crypt", "sha256_crypt", "md5_crypt", "des_crypt"]
    judge: Callable[[bytes, bytes], bool] = CryptContext(forms).verify
    return judge
