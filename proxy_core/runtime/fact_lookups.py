"""Looks up the facts that rules ask for: maps, files, passwords, names and addresses, services, the clock, the
environment.

``ask`` gives what needs no waiting and is called in the middle of deciding. ``answer`` waits, off the request path and
never for longer than its deadline: a fact that does not come in time is taken for absent, and the request goes on
without it; but where a password is not judged or a service is silent, nobody is let in. Files are looked at in a
thread, for a file system that hangs must hang nobody else.
"""

from __future__ import annotations

import asyncio
import os
import stat
import time
from pathlib import Path
from typing import Protocol

from proxy_core import regular_files
from proxy_core.rules.facts import FactKey
from proxy_core.runtime import served_files
from proxy_core.runtime.error_page_files import ErrorFiles
from proxy_core.runtime.forward_auth import Services
from proxy_core.runtime.name_lookups import NameLookups, addresses, confirmed
from proxy_core.runtime.passwords import Passwords
from proxy_core.runtime.rule_set import RuleSet

FILE_SECONDS = 2.0
"""How long a look at a file may take."""


class MapAnswers(Protocol):
    """The maps of the site in force (``runtime.maps``)."""

    def ask(self, name: str, key: str) -> tuple[bool, str | None]: ...

    async def answer(self, name: str, key: str) -> str | None: ...


class Outside:
    """Everything that rules may ask for, and the ``pages`` for errors that are in files; ``folder`` is the site file's,
    which those are relative to. Without ``services`` no service is asked. ``private`` files are in no listing, besides
    those that the site names."""

    def __init__(self, maps: MapAnswers | None = None, folder: Path = Path()) -> None:
        self._maps = maps
        self._folder = folder
        self.passwords = Passwords(folder)
        self.names = {"host": NameLookups(confirmed), "addresses": NameLookups(addresses)}
        self.pages = ErrorFiles(folder)
        self.services: Services | None = None
        self.private: tuple[Path, ...] = ()

    def ask(self, fact: FactKey) -> tuple[bool, str | None]:
        """(True, answer) for what is known at once, (False, None) for what takes waiting."""
        kind, name, key = fact
        match kind:
            case "map":
                return self._maps.ask(name, key) if self._maps is not None else (True, None)
            case "time":
                return True, str(int(time.time()))
            case "whole":
                return True, os.path.normpath(os.path.join(os.fsencode(self._folder.absolute()).decode("latin-1"), key))
            case "osenv":
                return True, os.environ.get(name)
            case "password":
                return self.passwords.ask(name, key)
            case "host" | "addresses":
                return self.names[kind].ask(key)
            case "forward_auth" if self.services is not None:
                return self.services.ask(name, key)
            case "file" | "links" | "listing" | "turn" | "forward_auth":
                return False, None
        return True, None

    async def answer(self, fact: FactKey, rules: RuleSet, client: str = "") -> str | None:
        """The answer, None for "there is none"; never raises for what the outside does. ``rules`` are those that ask,
        ``client`` is for whom."""
        kind, name, key = fact
        if kind == "map":
            assert self._maps is not None
            return await self._maps.answer(name, key)
        if kind == "password":
            return await self.passwords.answer(name, key, client)
        if kind in self.names:
            return await self.names[kind].answer(key)
        if kind == "forward_auth":
            return await self.services.answer(rules, name, key) if self.services is not None else None
        if kind == "turn":
            await asyncio.sleep(0)
            return ""
        try:
            async with asyncio.timeout(FILE_SECONDS):
                if kind == "listing":
                    private = (*self.private, *(self._folder / each for each in rules.program.private))
                    return await asyncio.to_thread(served_files.listing, self._folder, name, key, private)
                if kind == "links":
                    return await asyncio.to_thread(served_files.refused_link, self._folder, name.split(","), key)
                return await asyncio.to_thread(look, name, str(self._folder / key))
        except TimeoutError:
            return None

    def close(self) -> None:
        for lookups in self.names.values():
            lookups.close()


MOST_READ = 64 * 1024
"""Bytes of a file that an expression may read."""


def look(test: str, path: str) -> str | None:
    """What a file has to say: "1" where a test of mod_rewrite or of an expression holds (-d -e -f -s -x -l -L -F), or
    where there is "nothing"; or its path "info" (``_walked``), "content", "size" or "mtime" (microseconds). None where
    not, or where it cannot be looked at."""
    try:
        raw = path.encode("latin-1")
        if test in ("nothing", "info"):
            return _walked(test, raw)
        found = os.lstat(raw) if test in ("-l", "-L") else os.stat(raw)
        if test == "content":
            with open(regular_files.descriptor(raw), "rb") as file:
                return file.read(MOST_READ).decode("latin-1")
    except (OSError, ValueError):
        return None
    mode = found.st_mode
    match test:
        case "size":
            return str(found.st_size)
        case "mtime":
            return str(found.st_mtime_ns // 1000)
    held = {
        "-d": stat.S_ISDIR(mode),
        "-e": True,
        "-f": stat.S_ISREG(mode),
        "-F": stat.S_ISREG(mode),
        "-s": stat.S_ISREG(mode) and found.st_size > 0,
        "-x": bool(mode & 0o111),
        "-l": stat.S_ISLNK(mode),
        "-L": stat.S_ISLNK(mode),
    }
    return "1" if held[test] else None


def _walked(test: str, path: bytes) -> str | None:
    """What httpd's walk along a path finds (``ap_directory_walk``): "nothing", neither a file nor one on the way
    (APR_NOFILE), or the path "info" behind the file, or behind the first name that is not there."""
    there = path
    while not os.path.lexists(there):
        there = os.path.dirname(there)
    rest = path[len(there) :]
    folder = os.path.isdir(there)
    if test == "nothing":
        return "1" if rest and folder else None
    if folder:
        _, slash, rest = rest.lstrip(b"/").partition(b"/")
        rest = slash + rest
    return rest.decode("latin-1")
