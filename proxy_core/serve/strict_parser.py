"""The judge of every request: aiohttp's C parser (llhttp, strict), and the few names of it that we use.

aiohttp does not document these names, so they are imported here alone. tests/serve/test_strict_parser.py pins what we
rely on. Each parser reads one request: nothing of one can be left in it for the next. It is fed exactly one head and,
for a chunked body, slices that end where a message may end; so it never holds bytes of the next request. Its pure
Python twin is refused at start: it is another parser with other mistakes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec, module_from_spec
from typing import Any, Protocol, cast

from proxy_core.http.hop_by_hop import RefusedRequest
from proxy_core.serve.request_fields import CHUNKED


@contextmanager
def _alone(package: str) -> Iterator[None]:
    """Modules of a package are imported without what the package imports itself. Whoever imports it later gets the
    whole of it, with the same modules."""
    spec = find_spec(package)
    if spec is None or package in sys.modules:
        yield
        return
    sys.modules[package] = module_from_spec(spec)
    try:
        yield
    finally:
        del sys.modules[package]


with _alone("aiohttp"):  # its client and its server take a fifth of the time until the proxy is ready, and 7 MiB
    from aiohttp import http_parser
    from aiohttp.http_exceptions import BadHttpMethod, HttpProcessingError
    from aiohttp.streams import EMPTY_PAYLOAD

_NO_BOUND = 1 << 20
"""Sizes are counted before a head comes here, by what the site says."""


class Payload(Protocol):
    """What is used of aiohttp's StreamReader: a chunked body as it is decoded."""

    def read_nowait(self) -> bytes: ...
    def is_eof(self) -> bool: ...
    def exception(self) -> BaseException | None: ...


class _BodyReader:
    """Stands where aiohttp's payloads expect a protocol; they are emptied after every feed, so it is never paused."""

    _reading_paused = False

    def pause_reading(self) -> None: ...

    def resume_reading(self, resume_parser: bool = True) -> None: ...


_READER = _BodyReader()


class StrictParser:
    """The parser of one request."""

    __slots__ = ("_loop", "_parser", "payload")

    payload: Payload
    """Where the body is decoded, once the head is judged; of use for a chunked one."""

    def __init__(self, loop: Any) -> None:
        self._loop = loop
        self._parser = self._new()

    def _new(self) -> http_parser.HttpRequestParser:
        return http_parser.HttpRequestParser(
            cast(Any, _READER),
            self._loop,
            1 << 20,
            max_line_size=_NO_BOUND,
            max_field_size=_NO_BOUND,
            max_headers=_NO_BOUND,
            auto_decompress=False,
            max_msg_queue_size=0,
        )

    def head(self, head: bytes, length: int) -> bool:
        """Judge a whole head, its empty line included, that was read as announcing a body of this ``length`` (CHUNKED
        for one that tells its end itself). Says whether the client may go on afterwards. Raises RefusedRequest."""
        try:
            try:
                messages, _, _ = self._parser.feed_data(head)
            except BadHttpMethod:
                # llhttp knows a list of methods; others, which were found to be tokens, are judged under a name of it.
                self._parser = self._new()
                messages, _, _ = self._parser.feed_data(b"POST" + head[head.index(b" ") :])
        except (HttpProcessingError, ValueError) as error:
            raise RefusedRequest(400, _first_line(error)) from error
        if len(messages) != 1:
            raise RefusedRequest(400, "the head does not hold one request")
        message, payload = messages[0]
        if message.chunked != (length == CHUNKED) or (payload is EMPTY_PAYLOAD) != (length == 0):
            raise RefusedRequest(400, "the request's body can be understood in two ways")
        self.payload = cast(Payload, payload)
        return not message.should_close

    def body(self, piece: bytes) -> None:
        """Decode a slice of a chunked body into its payload. Raises RefusedRequest."""
        try:
            messages, _, _ = self._parser.feed_data(piece)
        except (HttpProcessingError, ValueError) as error:
            raise RefusedRequest(400, _first_line(error)) from error
        if messages:
            raise RefusedRequest(400, "a request begins inside a chunked body")


def _first_line(error: Exception) -> str:
    text = getattr(error, "message", "") or str(error)
    return " ".join(str(text).split("\n")[0].split())[:200].rstrip(":")


if http_parser.HttpRequestParser is http_parser.HttpRequestParserPy:
    raise ImportError("aiohttp was installed without its C parser; install a wheel of aiohttp for this platform")
