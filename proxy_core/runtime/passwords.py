"""Passwords: whether a user of an htpasswd file has the one that was sent.

Judging a password is slow by design (bcrypt), so it is done in threads of its own, two at a time, and nobody waits for
longer than the deadline. What was found is kept under a digest that is of no use outside of this process: a known
answer waits for no judgement, and wrong passwords push out no right one. What is not known stands in line, where
clients take turns; the same password that is asked twice meanwhile is judged once. Who has no place in line, or is not
judged in time, is told that there is too much to do (``OVERLOADED``), never that the password is wrong.

A file that has changed is read anew within a second. A user that is not in the file costs as much as one that is. The
forms are those that htpasswd writes, but for plain text: bcrypt, apr1, SHA-1 and crypt (DES, MD5, SHA-256, SHA-512);
forms that only the system's crypt(3) knows, such as yescrypt, are refused. bcrypt and libpass judge them, in constant
time. libpass holds the interpreter while it works, so its thread rests after each for a few times as long: the requests
of others keep most of the processor. A password is never kept, logged or shown.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections import OrderedDict
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from time import monotonic, thread_time
from typing import NamedTuple

from msgspec import Struct

from proxy_core import regular_files
from proxy_core.rules.access.authorization import OVERLOADED
from proxy_core.rules.access.networks import seen_as
from proxy_core.runtime.fair_line import FairLine

SECONDS = 5.0
"""How long an answer may take, with all that wait before it."""
FRESH = 1.0
"""Seconds for which a file that was looked at is taken for unchanged."""
MOST = 4096
"""Right answers kept, and wrong ones."""
WAITING = 256
"""Passwords that may wait to be judged."""
RESTS = 4.0
"""How many times as long as it took a thread rests after a judgement that held the interpreter."""
_THREADS = 2
_MOST_BYTES = 16 << 20
_BCRYPT = (b"$2y$", b"$2b$", b"$2a$")

Stamp = tuple[int, ...]


class File(Struct, frozen=True):
    """An htpasswd file as it was read: the first line of each user counts (``ap_getword`` to the next colon)."""

    stamp: Stamp
    users: dict[bytes, bytes]
    looked: float


Question = tuple[str, Stamp, bytes]
"""The file, its version, and the digest of user and password."""


class Judgement(NamedTuple):
    """A password that waits to be judged, ``until`` nobody waits any longer; ``verdict`` gets what is said of it."""

    question: Question
    users: dict[bytes, bytes]
    asked: str
    until: float
    verdict: asyncio.Future[str]


class Passwords:
    """``failed`` counts wrong passwords, ``unjudged`` those that were too many. Files are relative to ``folder``."""

    def __init__(self, folder: Path = Path()) -> None:
        self.failed = 0
        self.unjudged = 0
        self._folder = folder
        self._files: dict[str, File] = {}
        self._looks: dict[str, asyncio.Task[File | None]] = {}
        self._known: dict[str, OrderedDict[Question, None]] = {"1": OrderedDict(), "": OrderedDict()}
        self._line: FairLine[Judgement] = FairLine(WAITING)
        self._open: dict[Question, asyncio.Future[str]] = {}
        self._judges: set[asyncio.Task[None]] = set()
        self._secret = os.urandom(32)
        self._threads: ThreadPoolExecutor | None = None

    def ask(self, name: str, asked: str) -> tuple[bool, str | None]:
        """What is known of ``user:password`` without waiting."""
        file = self._files.get(name)
        if file is None or monotonic() - file.looked > FRESH:
            return False, None
        said = self._kept((name, file.stamp, self._digest(asked)))
        return (False, None) if said is None else (True, self._counted(said))

    async def answer(self, name: str, asked: str, client: str = "") -> str | None:
        """ "1" for the right password, "" for a wrong one or an unknown user, OVERLOADED where that is not found out in
        time, None where the file cannot be read. ``client`` is who sends it, and takes turns with others."""
        try:
            async with asyncio.timeout(SECONDS):
                file = await self._looked_at(name)
                if file is None:
                    return None
                question = (name, file.stamp, self._digest(asked))
                said = self._kept(question)
                if said is None:
                    said = await asyncio.shield(self._verdict(question, file.users, asked, client))
        except TimeoutError:
            said = OVERLOADED
        return self._counted(said)

    def _counted(self, said: str) -> str:
        self.failed += not said
        self.unjudged += said == OVERLOADED
        return said

    def _digest(self, asked: str) -> bytes:
        return hashlib.blake2b(asked.encode("latin-1"), key=self._secret, digest_size=32).digest()

    # -- what is known

    def _kept(self, question: Question) -> str | None:
        for said, answers in self._known.items():
            if question in answers:
                answers.move_to_end(question)
                return said
        return None

    def _keep(self, question: Question, said: str) -> None:
        answers = self._known[said]
        answers[question] = None
        if len(answers) > MOST:
            answers.popitem(last=False)

    # -- the file

    async def _looked_at(self, name: str) -> File | None:
        """The file as it is now, or was within FRESH; None where it cannot be read. Who ask at once share a look."""
        file = self._files.get(name)
        if file is not None and monotonic() - file.looked <= FRESH:
            return file
        look = self._looks.get(name)
        if look is None:
            look = self._looks[name] = asyncio.create_task(self._look(name))
        return await asyncio.shield(look)

    async def _look(self, name: str) -> File | None:
        try:
            file = self._files[name] = await asyncio.get_running_loop().run_in_executor(self._pool(), self._read, name)
            return file
        except OSError:
            return None
        finally:
            del self._looks[name]

    def users(self, name: str) -> Collection[bytes]:
        """Who is in a file. Raises OSError for one that cannot be read."""
        return self._read(name).users

    def _read(self, name: str) -> File:
        """In a thread. Raises OSError."""
        with open(regular_files.descriptor(self._folder / name), "rb") as file:
            found = os.fstat(file.fileno())
            stamp = (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
            before = self._files.get(name)
            users = before.users if before is not None and before.stamp == stamp else users_in(file.read(_MOST_BYTES))
        return File(stamp, users, monotonic())

    def _pool(self) -> ThreadPoolExecutor:
        if self._threads is None:  # one more than judge, so that a look at a file waits for no judgement
            self._threads = ThreadPoolExecutor(_THREADS + 1, "passwords")
        return self._threads

    # -- judging

    def _verdict(self, question: Question, users: dict[bytes, bytes], asked: str, client: str) -> asyncio.Future[str]:
        verdict = self._open.get(question)
        if verdict is not None:
            return verdict
        verdict = asyncio.get_running_loop().create_future()
        judgement = Judgement(question, users, asked, monotonic() + SECONDS, verdict)
        lost = self._line.join(seen_as(client), judgement)
        if lost is not judgement:
            self._open[question] = verdict
            if len(self._judges) < _THREADS:
                task = asyncio.create_task(self._judge())
                self._judges.add(task)
                task.add_done_callback(self._judges.discard)
        if lost is not None:
            self._open.pop(lost.question, None)
            lost.verdict.set_result(OVERLOADED)
        return verdict

    async def _judge(self) -> None:
        """Judge what is in line, until nothing is."""
        loop = asyncio.get_running_loop()
        while (next_one := self._line.leave()) is not None:
            question, users, asked, until, verdict = next_one
            said, held = OVERLOADED, 0.0
            try:
                if monotonic() < until:
                    said, held = await loop.run_in_executor(self._pool(), _judged, users, asked)
                    self._keep(question, said)
            except Exception as error:
                verdict.set_exception(error)
            finally:
                del self._open[question]
                if not verdict.done():
                    verdict.set_result(said)
            await asyncio.sleep(held * RESTS)


def _judged(users: dict[bytes, bytes], asked: str) -> tuple[str, float]:
    """What is to be said of a password, and for how many seconds the interpreter was held for it; in a thread."""
    user, _, password = asked.encode("latin-1").partition(b":")
    began = thread_time()
    right = is_of(users, user, password)
    free = tried(users, user).startswith(_BCRYPT)
    return "1" if right else "", 0.0 if free else thread_time() - began


def users_in(content: bytes) -> dict[bytes, bytes]:
    """The users of an htpasswd file with what is kept of their passwords."""
    users: dict[bytes, bytes] = {}
    for line in content.splitlines():
        user, colon, rest = line.partition(b":")
        if colon and not line.startswith(b"#"):
            users.setdefault(user, rest.partition(b":")[0].strip())
    return users


def tried(users: dict[bytes, bytes], user: bytes) -> bytes:
    """What a user's password is tried against: for one that is not there another's, so that it takes as long."""
    return users.get(user, next(iter(users.values()), b""))


def is_of(users: dict[bytes, bytes], user: bytes, password: bytes) -> bool:
    """Whether it is the user's password."""
    return verify(tried(users, user), password) and user in users


def verify(kept: bytes, password: bytes) -> bool:
    """Whether ``kept`` was made of this password; False for a form that is none of those above."""
    try:
        if kept.startswith(_BCRYPT):
            import bcrypt

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
