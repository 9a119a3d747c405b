"""Files: the internal member that answers from the folders of the site, by aiohttp's FileResponse.

It is reached over pairs of sockets, so nothing listens anywhere and nobody else can ask it. A target is the key of a
Root and a path in it, which ``runtime.served_files`` looks up. A folder without a slash is redirected to the one with
(mod_dir); its listing is made by the rules, never here. What is no file is a bare status, for which the flight has its
own page. Ranges and validators are FileResponse's (RFC 9110 §13, §14), but for what it would misread: then the whole is
sent.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Callable
from pathlib import Path
from time import time
from typing import Final

from aiohttp import hdrs, web
from aiohttp.abc import AbstractStreamWriter

from proxy_core.config.folders import MADE, METHODS, inside
from proxy_core.rules.program import Program
from proxy_core.runtime.served_files import look
from proxy_core.serve.connection_setup import opened
from proxy_core.serve.file_types import described

_RANGE = re.compile(r"bytes=(?:(\d{1,18})-(\d{0,18})|-\d{1,18})\Z").match
_CLOSING: Final = 0.1
"""Seconds that an answer may still take when the proxy closes."""


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
        first, slash, rest = path.removeprefix("/").partition("/")
        where = inside(first)
        program = self._program()
        root = program.roots.get(where.key.removesuffix(MADE))
        if root is None:
            return web.Response(status=404, headers=fields)
        if request.method == "OPTIONS":
            return web.Response(headers={**fields, hdrs.ALLOW: ",".join(METHODS)})
        private = (*self._own, *(self._folder / name for name in program.private))
        found = await asyncio.to_thread(look, self._folder, root, slash + rest, private, where.key.endswith(MADE))
        if found.bare and request.method == "POST":
            return web.Response(status=404, headers=fields)
        if found.location:
            fields[hdrs.LOCATION] = f"/{where.key}{found.location}{mark}{query}"
        if not found.file:
            return web.Response(status=found.status, headers=fields)
        said = described(found.file, program.file_types(where.host, where.sections))
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
