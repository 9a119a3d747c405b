"""Our own server as an asker: the same requests, over the wire, as Apache gets.

One server with one listener; before each request the compiled site that is asked becomes the one in force, which is
how sites are swapped in earnest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Thread

from proxy_core.config.model import Listener, Site
from proxy_core.runtime.compile_site import compile_site
from proxy_core.runtime.recent_requests import Recorder
from proxy_core.runtime.registry import Registry
from proxy_core.runtime.rule_set import Current
from proxy_core.serve.server import ProxyServer
from tests.conformance.apache import over_the_wire
from tests.conformance.echo import DEADLINE
from tests.semantics.askers import Answered, Asked, Asker


@contextmanager
def rproxy(sites: Mapping[str, Site]) -> Iterator[Asker]:
    """An asker of a running server that serves these sites, each with members of its own."""
    sets = {name: compile_site(site, Registry(), number) for number, (name, site) in enumerate(sites.items(), 1)}
    current = Current(next(iter(sets.values())))

    def ask(asked: Asked) -> Answered:
        current.rules = sets[asked.site]
        return over_the_wire(port, asked)

    with _serving(current) as port:
        yield ask


@contextmanager
def chosen(sites: Mapping[str, Site]) -> Iterator[tuple[int, Callable[[str], None]]]:
    """The port of a running server, and what puts one of these sites in force."""
    sets = {name: compile_site(site, Registry(), number) for number, (name, site) in enumerate(sites.items(), 1)}
    current = Current(next(iter(sets.values())))

    def choose(name: str) -> None:
        current.rules = sets[name]

    with _serving(current) as port:
        yield port, choose


@contextmanager
def serving_in_a_thread(site: Site) -> Iterator[int]:
    """The port of a running server that serves one site."""
    with _serving(Current(compile_site(site, Registry(), 1))) as port:
        yield port


@contextmanager
def _serving(current: Current) -> Iterator[int]:
    server = ProxyServer(current, Recorder(), Registry(), lambda problem, error=None: None)
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def start() -> int:
        server.commit(await server.prepare({"http": Listener(address="127.0.0.1:0")}))
        return server.listeners[0].port

    try:
        yield asyncio.run_coroutine_threadsafe(start(), loop).result(DEADLINE)
    finally:
        asyncio.run_coroutine_threadsafe(server.close(), loop).result(DEADLINE)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(DEADLINE)
        loop.close()
