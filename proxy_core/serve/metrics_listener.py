"""A page for programs on a listener of its own: a text, made anew for each reader.

aiohttp's own server does it: it is off the request path, and a reader who is slow, or comes too often, is no business
of the requests. One path, GET and HEAD; everything else is 404 or 405.
"""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from proxy_core.http.target import endpoint


class MetricsListener:
    """``address`` is as configured, ``port`` the real one."""

    def __init__(self, address: str, runner: web.AppRunner) -> None:
        self.address = address
        self.port: int = runner.addresses[0][1]
        self._runner = runner

    async def close(self) -> None:
        await self._runner.cleanup()


async def serve_page(address: str, path: str, content_type: str, text: Callable[[], str]) -> MetricsListener:
    """Listen on ``address`` and answer ``path``. Raises OSError or ValueError, each with words for people."""
    host, port = endpoint(address)

    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=text().encode(), headers={"Content-Type": content_type})

    application = web.Application(client_max_size=1)
    application.router.add_get(path, answer)
    runner = web.AppRunner(application, access_log=None, keepalive_timeout=75, shutdown_timeout=0.5)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except BaseException:
        await runner.cleanup()
        raise
    return MetricsListener(address, runner)
