"""Files: the internal member that answers from the folders of the site, by aiohttp's FileResponse.

It is reached over pairs of sockets, so nothing listens anywhere and nobody else can ask it. A target is the key of a
Root and a path in it; that path is resolved, links and all, and must stay in the folder (httpd's default handler would
follow links out of it). No name that begins with a dot is served but .well-known, no folder is listed; a folder
without a slash is redirected to the one with (mod_dir). What is no file here is a bare status, for which the flight
has its own page. Ranges and validators are FileResponse's (RFC 9110 §13, §14), but for what it would misread: then the
whole is sent.

What the site names for itself (``config.private_files``), the site file and its journal are never served, by no
spelling, no link and no name of a backup: files are compared by what they are, not by what they are called.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from time import time
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes

from aiohttp import hdrs, web
from aiohttp.abc import AbstractStreamWriter

from proxy_core.config.folders import METHODS, Root
from proxy_core.http.escaping import uri_escaped
from proxy_core.rules.program import Program
from proxy_core.serve.connection_setup import opened
from proxy_core.serve.file_types import described

_RANGE = re.compile(r"bytes=(?:(\d{1,18})-(\d{0,18})|-\d{1,18})\Z").match
_MARKS: Final = (b".", b"~", b"-1", b"-2", b"-wal", b"-shm", b"-journal", b"-old", b"-bak")
"""What stands behind a file's name in the names of its backups and parts: dates too (logrotate's dateext), and what
SQLite keeps beside a database."""

_CLOSING: Final = 0.1
"""Seconds that an answer may still take when the proxy closes."""


class Found(NamedTuple):
    """What a path stands for: a status, and the file, or where else to look."""

    status: int
    file: str = ""
    location: str = ""


class LocalFiles:
    """``program`` gives the rules in force. The folders and the private files that they name are relative to
    ``folder``; ``own`` are private files that they do not name."""

    def __init__(self, program: Callable[[], Program], folder: Path, own: tuple[Path, ...] = ()) -> None:
        self._program = program
        self._folder = folder
        self._own = own
        self._server: web.Server | None = None

    async def connect(self) -> socket.socket:
        """The near end of a new connection to it. Raises OSError."""
        if self._server is None:
            self._server = web.Server(self._answer, access_log=None)
        near, far = socket.socketpair()
        try:
            near.setblocking(False)
            far.setblocking(False)
            await opened(self._server, far)  # where that is cancelled, it ends as soon as the near end does
        except BaseException:
            near.close()
            raise
        return near

    async def close(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            await server.shutdown(_CLOSING)  # 0 would be for ever

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        fields = {hdrs.SERVER: "rproxy"}
        path, mark, query = request.raw_path.partition("?")
        key, slash, rest = path.removeprefix("/").partition("/")
        program = self._program()
        root = program.roots.get(key)
        if root is None:
            return web.Response(status=404, headers=fields)
        if request.method == "OPTIONS":
            return web.Response(headers={**fields, hdrs.ALLOW: ",".join(METHODS)})
        private = (*self._own, *(self._folder / name for name in program.private))
        found = await asyncio.to_thread(look, self._folder, root, slash + rest, private)
        if found.location:
            fields[hdrs.LOCATION] = f"/{key}{found.location}{mark}{query}"
        if not found.file:
            return web.Response(status=found.status, headers=fields)
        said = described(found.file, program.file_types)
        fields[hdrs.CONTENT_TYPE] = said.type or "application/octet-stream"
        if said.encoding:
            fields[hdrs.CONTENT_ENCODING] = said.encoding
        if said.language:
            fields[hdrs.CONTENT_LANGUAGE] = said.language
        return _File(found.file, headers=fields)


class _File(web.FileResponse):
    """A file, for a request without the fields that FileResponse would misread."""

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        asked = request.headers.copy()
        asked.pop(hdrs.ACCEPT_ENCODING, None)  # or a file beside it, with .gz, would be taken for it
        since = request.if_modified_since
        if since is not None and since.timestamp() > time():  # RFC 9110 §13.1.3: no file changes later than now
            asked.pop(hdrs.IF_MODIFIED_SINCE, None)
        tagged = asked.get(hdrs.IF_RANGE, "")[:1] in ('"', "W")
        if tagged or request.method == "POST" or not _one_range(asked.get(hdrs.RANGE, "")):
            asked.pop(hdrs.RANGE, None)
        return await super().prepare(request.clone(headers=asked))


def _one_range(field: str) -> bool:
    """Whether it asks for one range that is none but sound (RFC 9110 §14.1.2); else the whole may be sent."""
    found = _RANGE(field)
    return found is not None and not (found[1] and found[2] and int(found[2]) < int(found[1]))


def look(folder: Path, root: Root, spelled: str, private: Iterable[Path] = ()) -> Found:
    """What an escaped path stands for in a folder, where ``private`` files are not there; to be called in a thread."""
    path = unquote_to_bytes(spelled)
    if "%2F" in spelled.upper() or b"\0" in path or _hidden(path):
        return Found(404)
    try:
        top = os.path.realpath(os.fsencode(folder / root.folder), strict=True)
        there = os.path.realpath(top + path, strict=True)
        files = [] if path.endswith(b"/") else [there]
        if os.path.isdir(there):
            if not _inside(top, there):
                return Found(404)
            if not path.endswith(b"/"):
                return Found(301, location=uri_escaped(path.decode("latin-1")) + "/")
            files = [os.path.realpath(os.path.join(there, os.fsencode(name))) for name in root.names]
        for file in files:
            if os.path.isfile(file) and _inside(top, file) and not _is_private(file, private):
                return Found(200, os.fsdecode(file)) if os.access(file, os.R_OK) else Found(403)
    except (OSError, ValueError):
        pass
    return Found(404)


def _is_private(file: bytes, private: Iterable[Path]) -> bool:
    """Whether a resolved file is one of these, under whatever name, or stands beside one as a backup, an older log or a
    part of it does: under its name, with one of _MARKS and more behind it. Raises OSError."""
    found, folded = os.stat(file), file.lower()
    for each in private:
        if folded.startswith(_beside(each)):
            return True
        with suppress(OSError):  # it is not there, or cannot be looked at
            if os.path.samestat(found, os.stat(each)):
                return True
    return False


@lru_cache(4096)
def _beside(private: Path) -> tuple[bytes, ...]:
    """What the names of files beside a private one begin with, in lower case: some file systems tell no difference."""
    names = {os.path.abspath(private), os.path.realpath(private)}
    return tuple(os.fsencode(name).lower() + mark for name in names for mark in _MARKS)


def _inside(top: bytes, there: bytes) -> bool:
    """Whether a resolved path is in the folder, and no hidden name is on the way."""
    below = there.removeprefix(top.rstrip(b"/"))
    if there != top and (len(below) == len(there) or not below.startswith(b"/")):
        return False
    return not _hidden(below)


def _hidden(path: bytes) -> bool:
    """Whether a name in a path begins with a dot; .well-known is there to be seen (RFC 8615)."""
    return any(part.startswith(b".") and part != b".well-known" for part in path.split(b"/"))
