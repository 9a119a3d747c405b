"""Passwords: whether a user of an htpasswd file has the one that was sent.

A password is judged in a thread of its own few, for judging one is slow by design (bcrypt), and never for longer than
the deadline; what was found is kept for a while, by a digest that is of no use outside of this process, so that each
further request pays a look-up. A file that has changed is read anew, within a second. A user that is not in the file
costs as much as one that is. The forms are those of apr_password_validate: bcrypt, apr1, SHA-1, and crypt(3) where
the system has it. A password is never kept, logged or shown.
"""

from __future__ import annotations

import asyncio
import base64
import ctypes
import ctypes.util
import hashlib
import hmac
import os
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from threading import Lock
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

Stamp = tuple[int, int, int]


class File(NamedTuple):
    """An htpasswd file as it was read: the first line of each user counts (``ap_getword`` to the next colon)."""

    stamp: Stamp
    users: dict[bytes, bytes]
    looked: float


class Passwords:
    """``failed`` counts what was wrong. Files are relative to ``folder``."""

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
        known = (name, file.stamp, self._digest(asked))
        right = self._known.get(known)
        if right is None:
            user, _, password = asked.encode("latin-1").partition(b":")
            right = is_of(file.users, user, password)
            self._known[known] = right
            while len(self._known) > MOST:
                self._known.popitem(last=False)
        return right

    def _read(self, name: str) -> File:
        with (self._folder / name).open("rb") as file:
            found = os.fstat(file.fileno())
            stamp = (found.st_ino, found.st_size, found.st_mtime_ns)
            known = self._files.get(name)
            users = known.users if known is not None and known.stamp == stamp else users_in(file.read(_MOST_BYTES))
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
    """Whether a password is the one of which this was kept; False for a form that nobody here knows."""
    if b"\0" in password:
        return False
    for start, form in FORMS.items():
        if kept.startswith(start):
            return form(kept, password)
    return False


def _bcrypt(kept: bytes, password: bytes) -> bool:
    try:
        return bcrypt.checkpw(password[:72], kept)
    except ValueError:
        return False


def _apr1(kept: bytes, password: bytes) -> bool:
    salt = kept.split(b"$")[2][:8] if kept.count(b"$") >= 3 else b""
    return hmac.compare_digest(apr1(password, salt), kept)


def _sha(kept: bytes, password: bytes) -> bool:
    made = base64.b64encode(hashlib.sha1(password, usedforsecurity=False).digest())
    return hmac.compare_digest(b"{SHA}" + made, kept)


def _crypt(kept: bytes, password: bytes) -> bool:
    made = crypt(password, kept)
    return made is not None and hmac.compare_digest(made, kept)


FORMS: dict[bytes, Callable[[bytes, bytes], bool]] = {
    b"$2y$": _bcrypt,
    b"$2b$": _bcrypt,
    b"$2a$": _bcrypt,
    b"$apr1$": _apr1,
    b"{SHA}": _sha,
    b"": _crypt,
}
"""By how it begins."""


_ALPHABET = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def apr1(password: bytes, salt: bytes) -> bytes:
    """Apache's variant of Poul-Henning Kamp's MD5 crypt (apr_md5_encode): a thousand rounds, and the digest's bytes in
    an order of their own, in a base 64 of their own."""

    def md5(data: bytes) -> bytes:
        return hashlib.md5(data, usedforsecurity=False).digest()

    inner = md5(password + salt + password)
    size = len(password)
    start = password + b"$apr1$" + salt + (inner * (size // 16 + 1))[:size]
    bits = size
    while bits:
        start += b"\0" if bits & 1 else password[:1]
        bits >>= 1
    made = md5(start)
    for step in range(1000):
        made = md5(
            (password if step & 1 else made)
            + (salt if step % 3 else b"")
            + (password if step % 7 else b"")
            + (made if step & 1 else password)
        )
    groups = [(made[a], made[a + 6], made[a + 12 if a < 4 else 5], 4) for a in range(5)] + [(0, 0, made[11], 2)]
    text = bytearray()
    for high, middle, low, characters in groups:
        value = high << 16 | middle << 8 | low
        for _ in range(characters):
            text.append(_ALPHABET[value & 63])
            value >>= 6
    return b"$apr1$" + salt + b"$" + bytes(text)


_crypt_lock = Lock()


@lru_cache(1)
def _libcrypt() -> Callable[[bytes, bytes], bytes | None] | None:
    """crypt(3) of the system, which keeps its answer in one place for all threads."""
    name = ctypes.util.find_library("crypt")
    if name is None:
        return None
    try:
        function = ctypes.CDLL(name).crypt
    except (OSError, AttributeError):
        return None
    function.argtypes, function.restype = [ctypes.c_char_p, ctypes.c_char_p], ctypes.c_char_p
    return function


def crypt(password: bytes, setting: bytes) -> bytes | None:
    """What crypt(3) makes of a password, None where the system has none or knows no such setting."""
    function = _libcrypt()
    if function is None or not setting:
        return None
    with _crypt_lock:
        return function(password, setting)
