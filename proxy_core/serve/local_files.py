"""Files: the internal member that answers from the folders of the site.

It is reached over pairs of sockets, so nothing listens anywhere and nobody else can ask it. A target is the key of a
Root and a path in it, which ``runtime.served_files`` looks up. A folder without a slash is redirected to the one with
(mod_dir); its listing is made by the rules, never here. What is no file is a bare status, for which the flight has its
own page. How a file is sent, whole or in parts, is ``file_answer``'s.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Final

from aiohttp import hdrs, web

from proxy_core.config.folders import CODED, MADE, METHODS, Root, inside
from proxy_core.rules.program import Program
from proxy_core.runtime.served_files import Found, OpenFile, look, opened
from proxy_core.serve import file_answer
from proxy_core.serve.connection_setup import opened as connection_opened
from proxy_core.serve.file_types import described

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
            await connection_opened(self._server, far)  # where that is cancelled, it ends as soon as the near end does
        except BaseException:
            near.close()
            raise
        return near

    async def close(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            await server.shutdown(_CLOSING)  # 0 would be for ever

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        fields: dict[str, str] = {hdrs.SERVER: "rproxy"}
        path, mark, query = request.raw_path.partition("?")
        first, slash, rest = path.removeprefix("/").partition("/")
        taken: list[str] | None = None
        if first.startswith(CODED):
            _, codings, first = first.split(CODED, 2)
            taken = codings.split(",")
        where = inside(first)
        program = self._program()
        root = program.roots.get(where.key.removesuffix(MADE))
        if root is None:
            return web.Response(status=404, headers=fields)
        if request.method == "OPTIONS":
            return web.Response(headers={**fields, hdrs.ALLOW: ",".join(METHODS)})
        private = (*self._own, *(self._folder / name for name in program.private))
        made = where.key.endswith(MADE)
        found, open_file = await asyncio.to_thread(_looked_up, self._folder, root, slash + rest, private, made, taken)
        if found.bare and request.method == "POST":
            return web.Response(status=404, headers=fields)
        if found.location:
            fields[hdrs.LOCATION] = f"/{where.key}{found.location}{mark}{query}"
        if open_file is None:
            return web.Response(status=found.status, headers=fields)
        said = described(found.file, program.file_types(where.host, where.sections))
        fields[hdrs.CONTENT_TYPE] = said.type or "application/octet-stream"
        if encoding := ", ".join(filter(None, (said.encoding, open_file.coding))):
            fields[hdrs.CONTENT_ENCODING] = encoding
        if said.language:
            fields[hdrs.CONTENT_LANGUAGE] = said.language
        if open_file.varies:
            fields[hdrs.VARY] = hdrs.ACCEPT_ENCODING
        try:
            return await file_answer.sent(request, open_file, fields)
        finally:
            open_file.file.close()


def _looked_up(
    folder: Path, root: Root, path: str, private: tuple[Path, ...], made: bool, taken: list[str] | None
) -> tuple[Found, OpenFile | None]:
    """What a path stands for, and the file that it does, open."""
    found = look(folder, root, path, private, made)
    if not found.file:
        return found, None
    try:
        return found, opened(found.file, taken, private)
    except PermissionError:
        return Found(403), None
    except OSError:
        return Found(404), None
